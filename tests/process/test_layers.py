"""Who may import and include whom, read from the sources."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "wsdhq"
CPP = ROOT / "cpp"
# Modules and packages that stand in the folders of examples.
EXAMPLES = ("export_ivf", "neighbour_service", "photo_search", "results_page")
INTRINSIC_HEADERS = {
    "immintrin.h",
    "x86intrin.h",
    "xmmintrin.h",
    "emmintrin.h",
    "intrin.h",
    "cpuid.h",
    "arm_neon.h",
}
OPENMP = re.compile(r"#\s*pragma\s+omp\b|_Pragma\s*\(\s*\"omp\b|\bomp_[a-z_]+\s*\(|<omp\.h>")
INTRINSIC = re.compile(
    r"\b_mm\d*_\w+\s*\(|\b__m(?:64|128|256|512)[id]?\b|\bv(?:ld|st|add|mul|fma|dup|tbl)\w*q?_\w+\s*\("
    r"|\b(?:float|uint|int)(?:8|16|32|64)x\d+(?:x\d)?_t\b"
)


def modules(tree: ast.AST) -> Iterator[str]:
    """Absolute names of the modules a source imports, those in functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Relative imports would escape the rules below, so they are marked and refused.
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", ""))
            in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def imported(part: str) -> dict[Path, set[str]]:
    """What each source file of a module or folder of the package imports."""
    place = PACKAGE / part
    files = sorted(place.rglob("*.py")) if place.is_dir() else [PACKAGE / f"{part}.py"]
    files = [file for file in files if file.is_file()]
    assert files, f"no sources of wsdhq.{part} were found"
    return {
        file: set(modules(ast.parse(file.read_text("utf-8"), filename=str(file)))) for file in files
    }


def within(module: str, *prefixes: str) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def assert_never(part: str, *banned: str) -> None:
    for file, names in imported(part).items():
        wrong = sorted(name for name in names if within(name, *banned) or name.startswith("."))
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def assert_only(part: str, *allowed: str) -> None:
    for file, names in imported(part).items():
        wrong = sorted(
            name
            for name in names
            if not within(name, *allowed) and name.split(".")[0] not in sys.stdlib_module_names
        )
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import a.b\nfrom c import d\ndef f():\n    import e as g\n    from .h import i\n"
        "    importlib.import_module('j.k')\n"
    )
    assert set(modules(ast.parse(source))) == {"a.b", "c.d", "e", ".h.i", "j.k"}


# The rooms of the package: what each may import of it, and of other packages. A room is a file or a
# folder, and may always import itself.
LAYERS: dict[str, tuple[set[str], set[str] | None]] = {
    "_shared": (set(), {"numpy", "tqdm"}),
    "quant": ({"_core", "_shared"}, {"numpy"}),
    "evaluation": ({"_shared"}, {"numpy"}),
    "metrics": ({"evaluation"}, {"numpy"}),
    "report": ({"evaluation", "_shared"}, {"numpy", "PIL", "matplotlib"}),
    "data": ({"_shared"}, {"numpy", "PIL"}),
    "synthetic": ({"_shared"}, {"numpy", "PIL"}),
    "interop": ({"quant", "_shared"}, {"numpy", "faiss"}),
    "embed": ({"quant", "data", "_shared"}, None),
    "baselines": ({"quant", "embed", "evaluation", "_shared"}, None),
    "runs": ({"quant", "data", "embed", "evaluation", "report", "__version__", "_shared"}, None),
    "reproduce": (
        {"quant", "data", "embed", "evaluation", "baselines", "__version__", "_shared"}, None,
    ),
    "bench": (
        {"quant", "metrics", "_core", "__version__", "_shared"},
        {"numpy", "scipy", "faiss", "scann", "matplotlib", "rich", "threadpoolctl"},
    ),
    "cli": (
        {"quant", "data", "embed", "evaluation", "runs", "reproduce", "bench", "synthetic",
         "__version__", "_shared"},
        None,
    ),
    "__main__": ({"cli"}, set()),
    "__init__": (set(), set()),
}  # fmt: skip
# Nothing above them knows of these.
TOPS = ("wsdhq.cli", "wsdhq.__main__", "tests", "benchmarks", "examples", *EXAMPLES)


def room_of(module: str) -> str:
    return module.removeprefix("wsdhq.").partition(".")[0]


@pytest.mark.parametrize("room", LAYERS)
def test_a_room_imports_those_below_it_alone(room: str) -> None:
    rooms, packages = LAYERS[room]
    for file, names in imported(room).items():
        for name in names:
            where = f"{file.relative_to(ROOT)} imports {name}"
            assert not name.startswith("."), where
            if within(name, "wsdhq"):
                assert room_of(name) in {room, *rooms}, where
            elif packages is not None and name.split(".")[0] not in sys.stdlib_module_names:
                assert name.split(".")[0] in packages, where


def test_every_room_has_its_place_in_the_layers() -> None:
    files = {each.stem for each in PACKAGE.glob("*.py")}
    folders = {each.parent.name for each in PACKAGE.glob("*/__init__.py")}
    assert files | folders == {*LAYERS}


@pytest.mark.parametrize("room", LAYERS)
def test_only_quant_and_the_machine_of_bench_know_the_core(room: str) -> None:
    for file, names in imported(room).items():
        if room != "quant" and file.name != "machine.py":
            assert not any(within(name, "wsdhq._core", "pybind11") for name in names), file.name


def test_training_libraries_are_loaded_by_nothing_that_reads_or_measures() -> None:
    for room in ("quant", "data", "evaluation", "report", "bench", "synthetic", "interop"):
        assert_never(room, "torch", "gensim", "sklearn")
    assert_never("reproduce", "torchvision")


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "docs", "tests"])
def test_programs_around_the_package_import_no_other_top(folder: str) -> None:
    own = {path.stem for path in (ROOT / folder).rglob("*.py")}
    for file in sorted((ROOT / folder).rglob("*.py")):
        names = set(modules(ast.parse(file.read_text("utf-8"), filename=str(file))))
        tops = set(TOPS) - own
        # The reference of the command line, the tests of everything, the parts of one example.
        if folder != "benchmarks":
            tops -= {*EXAMPLES} | ({"wsdhq.cli"} if folder != "examples" else set())
        wrong = sorted(name for name in names if within(name, *tops))
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def module_graph(folder: Path, prefix: str) -> dict[str, set[str]]:
    """Which modules of a folder import which, those in functions and for types included."""
    files = {}
    for file in sorted(folder.rglob("*.py")):
        parts = [*prefix.split("."), *file.relative_to(folder).with_suffix("").parts]
        files[".".join(part for part in parts if part and part != "__init__")] = file
    graph: dict[str, set[str]] = {name: set() for name in files}
    for name, file in files.items():
        for found in modules(ast.parse(file.read_text("utf-8"), filename=str(file))):
            # `from a import b` is of the module a.b if there is one, else of a.
            target = found if found in files else found.rpartition(".")[0]
            if target in files and target != name:
                graph[name].add(target)
    return graph


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; none where there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if found := visit(target, [*path, name]):
                return found
        done.add(name)
        return []

    for name in sorted(graph):
        if found := visit(name, []):
            return found
    return []


def test_circles_are_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert sorted(circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == ["b", "c"]


def test_no_imports_go_in_a_circle() -> None:
    assert circle_in(module_graph(PACKAGE, "wsdhq")) == []
    for folder in ("benchmarks", "tests/support", "examples/photo_search"):
        assert circle_in(module_graph(ROOT / folder, "")) == []


# What NumPy does by BLAS or LAPACK.
BY_BLAS = {"dot", "inner", "linalg", "matmul", "matvec", "tensordot", "vdot", "vecdot", "vecmat"}


def uses_of_blas(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            found.append("@")
        elif isinstance(node, ast.Attribute) and node.attr in BY_BLAS:
            found.append(node.attr)
        elif isinstance(node, ast.Call) and any(each.arg == "optimize" for each in node.keywords):
            found.append("einsum(optimize)")
    return found


def test_uses_of_blas_are_found() -> None:
    source = "a @ b\na @= b\nnp.dot(a, b)\nnp.linalg.eigvalsh(a)\nnp.einsum('i', a, optimize=True)"
    assert set(uses_of_blas(ast.parse(source))) == {"@", "dot", "linalg", "einsum(optimize)"}
    assert not uses_of_blas(ast.parse("np.einsum('i', a) + a * b"))


@pytest.mark.parametrize("part", ["quant", "interop"])
def test_quant_calls_no_blas(part: str) -> None:
    # OpenBLAS asks for memory for ever where there is none, and its threads spin.
    for file in imported(part):
        found = uses_of_blas(ast.parse(file.read_text("utf-8")))
        assert not found, f"{file.relative_to(ROOT)} uses {found}"


def test_bench_uses_the_public_names_alone() -> None:
    for file, names in imported("bench").items():
        private = [name for name in names if re.match(r"wsdhq\.quant\.\w+\.", name)]
        assert not private, f"{file.name} imports {private}"


def without_comments(source: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)


def cpp_sources(*folders: str) -> list[Path]:
    kinds = {".cpp", ".hpp", ".h", ".cc", ".inl", ".ipp"}
    files = [
        file
        for folder in folders
        for file in sorted((CPP / folder).rglob("*"))
        if file.suffix in kinds
    ]
    assert files, f"no sources were found in {folders}"
    return files


def includes(file: Path) -> list[str]:
    text = without_comments(file.read_text("utf-8"))
    return re.findall(r"^\s*#\s*include\s*[<\"]([^>\"]+)[>\"]", text, flags=re.MULTILINE)


def test_only_bindings_include_pybind11() -> None:
    outside = [file for file in cpp_sources(".") if (CPP / "bindings") not in file.parents]
    assert outside
    for file in outside:
        wrong = [
            name for name in includes(file) if name.startswith(("pybind11", "Python.h", "numpy/"))
        ]
        assert not wrong, f"{file.relative_to(ROOT)} includes {wrong}"
    assert any("pybind11" in name for file in cpp_sources("bindings") for name in includes(file))


def test_work_is_divided_among_threads_in_one_place() -> None:
    used = [file for file in cpp_sources(".") if OPENMP.search(file.read_text("utf-8"))]
    assert used == [CPP / "src" / "base" / "parallel.hpp"]


def test_only_kernels_use_intrinsics() -> None:
    used = [
        file
        for file in cpp_sources(".")
        if INTRINSIC.search(without_comments(file.read_text("utf-8")))
        or INTRINSIC_HEADERS & set(includes(file))
    ]
    wrong = [str(file.relative_to(ROOT)) for file in used if (CPP / "kernels") not in file.parents]
    assert not wrong
    assert INTRINSIC.search("_mm256_add_ps(a, b)"), "the pattern of this test is stale"


def test_kernels_include_the_table_and_intrinsics_alone() -> None:
    # A shared inline function compiled with AVX-512 could be the one the linker keeps for all.
    tables = {file.name for file in cpp_sources("kernels") if file.suffix == ".hpp"}
    allowed = INTRINSIC_HEADERS | tables | {"cstdint", "cstddef"}
    for file in cpp_sources("kernels"):
        wrong = sorted(set(includes(file)) - allowed)
        assert not wrong, f"{file.relative_to(ROOT)} includes {wrong}"


def kernels_of(header: str) -> list[str]:
    """Names of the function pointers that a header of kernels declares."""
    return re.findall(r"\(\s*\*\s*(?:const\s+)?(\w+)\s*\)\s*\(", without_comments(header))


def test_kernels_are_found_in_headers() -> None:
    header = "struct A { std::size_t (*one)(const float* x);\n void (* two )(int); // (*three)(int)"
    assert kernels_of(header) == ["one", "two"]


@pytest.mark.parametrize(
    "folder", [ROOT / "tests" / "cpp", ROOT / "benchmarks" / "cpp"], ids=["tests", "benchmarks"]
)
def test_every_kernel_is_compared_at_all_levels_and_timed(folder: Path) -> None:
    headers = sorted((CPP / "kernels").glob("*_kernels.hpp"))
    names = [name for file in headers for name in kernels_of(file.read_text("utf-8"))]
    assert len(names) >= len(headers) > 0
    sources = "\n".join(
        without_comments(file.read_text("utf-8")) for file in sorted(folder.glob("*.cpp"))
    )
    # A use, and not only a name: `level.encode.narrow(`.
    missing = [name for name in names if not re.search(rf"[.>]{name}\b", sources)]
    assert not missing, f"{folder.relative_to(ROOT)} has nothing about {missing}"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (OPENMP, "#pragma omp parallel for"),
        (OPENMP, "# pragma  omp simd"),
        (OPENMP, "int n = omp_get_max_threads();"),
        (INTRINSIC, "auto x = _mm256_add_ps(a, b);"),
        (INTRINSIC, "__m512i v;"),
        (INTRINSIC, "float32x4_t v = vld1q_f32(p);"),
    ],
)
def test_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_the_files_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = set(re.findall(r"(?<![\w/])[\w.]+(?:/[\w.]+)+\.(?:py|cpp|hpp|pyi|md)\b", text))
    assert len(named) > 30
    for name in sorted(named):
        if not re.search(r"NAME|GROUP", name):
            places = (ROOT / name, PACKAGE / name)
            assert any(place.is_file() for place in places), f"ARCHITECTURE.md names {name}"


def test_every_folder_of_the_package_has_its_room_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert len(text.splitlines()) <= 200
    for init in PACKAGE.rglob("*/__init__.py"):
        assert f"{init.parent.name}/" in text, init.parent
    for folder in (CPP / "src").iterdir():
        assert f"{folder.name}/" in text, folder


def loaded_by(code: str) -> set[str]:
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules, file=sys.stderr)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(printed.stderr.split())


def test_first_contact_loads_little() -> None:
    quant = loaded_by("import wsdhq.quant")
    assert "numpy" in quant
    assert not quant & {"tqdm", "scipy", "torch", "difflib", "importlib.metadata", "typer"}
    for arguments in (["--help"], ["--version"]):
        front = loaded_by(f"from wsdhq.cli.front import answer; answer({arguments})")
        assert not front & {"numpy", "typer", "rich", "torch"}
    config = loaded_by("import wsdhq.embed.config, wsdhq.runs.plots, wsdhq.metrics")
    assert not config & {"gensim", "matplotlib"}
