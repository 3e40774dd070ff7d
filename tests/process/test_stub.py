"""The stub of the compiled module against the module, name by name and parameter by parameter.

mypy's stubtest cannot do it: functions of pybind11 have no signature that `inspect` reads, so
that it compares their names alone, and it objects to the metaclass of every class. Their
docstrings begin with the signature, in Python's own syntax.
"""

from __future__ import annotations

import ast
import re
import types
from pathlib import Path

import pytest

from wsdhq import _core

STUB = Path(__file__).resolve().parents[2] / "python" / "wsdhq" / "_core.pyi"
# What pybind11 says of an argument that converts numbers, and what a caller is to give.
SPELLINGS = {
    "SupportsInt | SupportsIndex": "int",
    "SupportsFloat | SupportsIndex": "float",
    "SupportsInt": "int",
    "SupportsFloat": "float",
}


def plain(annotation: str) -> str:
    """A type without the modules its parts come from, in the words of the stub."""
    annotation = re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", annotation)
    annotation = re.sub(r"\bndarray\[", "NDArray[", annotation)
    for spelling, word in SPELLINGS.items():
        annotation = annotation.replace(spelling, word)
    return annotation


def fits(of_stub: str, of_module: str) -> bool:
    """Whether the stub says the same or, where the module cannot tell, more."""
    if of_module == "object":
        return True
    loose = re.escape(of_module)
    loose = re.sub(r"\bndarray\b", r"NDArray\\[\\w+\\](?: \\| NDArray\\[\\w+\\])*", loose)
    loose = re.sub(r"\btuple\b(?!\\\[)", r"tuple(?:\\[.*\\])?", loose)
    return re.fullmatch(loose, of_stub) is not None


def signature(function: ast.FunctionDef) -> dict[str, tuple[str, str]]:
    """Parameters with kind, type and default; "return" as one of them."""
    found: dict[str, tuple[str, str]] = {}
    arguments = function.args
    assert arguments.vararg is None, function.name
    assert arguments.kwarg is None, function.name
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults = missing + arguments.defaults + arguments.kw_defaults
    for place, (each, default) in enumerate(zip([*positional, *arguments.kwonlyargs], defaults)):
        kind = (
            "positional "
            if place < len(arguments.posonlyargs)
            else ""
            if place < len(positional)
            else "keyword "
        )
        annotation = "" if each.annotation is None else plain(ast.unparse(each.annotation))
        value = "" if default is None else f" = {ast.unparse(default)}"
        if each.arg != "self":
            found[each.arg] = (annotation, kind + value)
    found["return"] = ("" if function.returns is None else plain(ast.unparse(function.returns)), "")
    return found


def of_docstring(name: str, function: object) -> dict[str, tuple[str, str]]:
    first = (function.__doc__ or "").partition("\n")[0]
    try:
        tree = ast.parse(f"def {first}: ...").body[0]
    except SyntaxError:
        raise AssertionError(f"{name}: its docstring begins with no signature: {first}") from None
    assert isinstance(tree, ast.FunctionDef)
    assert tree.args.vararg is None, f"{name} is overloaded: this test knows one signature each"
    return signature(tree)


def callables(space: dict[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in space.items()
        if callable(value)
        and not isinstance(value, type)
        and (name == "__init__" or not name.startswith("_"))
    }


def differences(stub: ast.Module, module: types.ModuleType) -> list[str]:
    """What the stub and the module disagree on, in words."""
    wrong: list[str] = []

    def compare(where: str, of_stub: set[str], of_module: set[str]) -> None:
        wrong.extend(f"{where}{name} is not in the stub" for name in sorted(of_module - of_stub))
        wrong.extend(f"{where}{name} is not in the module" for name in sorted(of_stub - of_module))

    def compare_functions(
        where: str, nodes: dict[str, ast.FunctionDef], found: dict[str, object]
    ) -> None:
        compare(where, set(nodes), set(found))
        for name in sorted(set(nodes) & set(found)):
            ours = signature(nodes[name])
            theirs = of_docstring(where + name, found[name])
            if list(ours) != list(theirs):
                wrong.append(f"{where}{name}: parameters {list(ours)}, the module's {list(theirs)}")
                continue
            for parameter, (annotation, rest) in ours.items():
                wanted, wanted_rest = theirs[parameter]
                if rest != wanted_rest or not fits(annotation, wanted):
                    wrong.append(
                        f"{where}{name}, {parameter}: {annotation}{rest}, the module's "
                        f"{wanted}{wanted_rest}"
                    )

    space = vars(module)
    own_type = type(next(value for value in space.values() if isinstance(value, type)))
    classes = {name: value for name, value in space.items() if isinstance(value, own_type)}
    of_import = {name for name in vars(types.ModuleType("any"))} | {"__file__", "__builtins__"}
    constants = {
        name: value
        for name, value in space.items()
        if not callable(value) and name not in of_import
    }
    declared = {
        node.target.id: plain(ast.unparse(node.annotation))
        for node in stub.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    compare("", set(declared), set(constants))
    for name in sorted(set(declared) & set(constants)):
        if declared[name] != type(constants[name]).__name__:
            wrong.append(f"{name}: {declared[name]}, the module's {constants[name]!r}")
    compare_functions(
        "",
        {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef)},
        callables(space),
    )
    nodes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    compare("", set(nodes), set(classes))
    for name in sorted(set(nodes) & set(classes)):
        members = [node for node in nodes[name].body if isinstance(node, ast.FunctionDef)]
        properties = {node.name for node in members if node.decorator_list}
        found = {key for key, value in vars(classes[name]).items() if isinstance(value, property)}
        compare(f"{name}.", properties, found)
        compare_functions(
            f"{name}.",
            {node.name: node for node in members if not node.decorator_list},
            callables(dict(vars(classes[name]))),
        )
    return wrong


def test_the_stub_says_what_the_module_is() -> None:
    assert differences(ast.parse(STUB.read_text("utf-8")), _core) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("block_size: int\n", "", "block_size is not in the stub"),
        ("block_size: int\n", "block_size: int\nother: int\n", "other is not in the module"),
        ("has_openmp: bool", "has_openmp: int", "has_openmp: int, the module's"),
        ("def simd_levels() -> list[str]: ...\n", "", "simd_levels is not in the stub"),
        ("def simd_levels()", "def levels()", "levels is not in the module"),
        ("interruptible: bool\n)", "polls: bool\n)", "update_histogram: parameters"),
        (
            "interruptible: bool\n)",
            "interruptible: bool = True\n)",
            "bool = True, the module's bool",
        ),
        ("codes: NDArray[uint8], histo", "codes: NDArray[int64], histo", "NDArray[uint8]"),
        ("-> list[str]", "-> list[int]", "simd_levels, return: list[int]"),
        ("metric: NDArray[float32] | None", "metric: NDArray[float32]", "Encoder.__init__, metric"),
        ("class Encoder:", "class Coder:", "Encoder is not in the stub"),
        ("def norms(", "def lengths(", "Searcher.norms is not in the stub"),
        ("def num_rows(", "def rows(", "Searcher.num_rows is not in the stub"),
        ("    @property\n", "", "Searcher.num_rows is not in the"),
    ],
)
def test_a_difference_is_found(old: str, new: str, expected: str) -> None:
    text = STUB.read_text("utf-8")
    assert old in text, "this case is stale"
    found = differences(ast.parse(text.replace(old, new)), _core)
    assert any(expected in line for line in found), found
