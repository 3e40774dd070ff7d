"""Every block of code in README.md and docs works: run as a reader would, page by page.

Python blocks of a page share a namespace and a folder, in which the files lie that pages speak of
(`page_files`). A block of text that is marked `<!-- output -->` is what the block before it prints.
Command lines are run or parsed, as `page_commands` says. A block of another kind is an error.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import logging
from pathlib import Path

import pytest

from page_blocks import SHELL, TEXT, Block, PageError, read_blocks
from page_commands import CommandError, check_command, command_lines
from page_files import link_files, write_files

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Pages about building and measuring this project: their commands take minutes to hours.
PARSED = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / "benchmarks/RESULTS.md",
]
# What a page may use that the test extra does not bring.
OPTIONAL = ("faiss", "pyarrow")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_a_page_work(
    page: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link_files(files, tmp_path)
    monkeypatch.chdir(tmp_path)
    run_page(page)


@pytest.mark.parametrize("page", PARSED, ids=name_of)
def test_command_lines_of_pages_for_developers_are_parsed(page: Path) -> None:
    blocks = [part.split("```")[0] for part in page.read_text("utf-8").split("```sh\n")[1:]]
    for block in blocks:
        for line in command_lines(block):
            check_command(line, run=False)


def run_page(page: Path) -> None:
    """Run the blocks of a page in order, in the folder that is the current one."""
    namespace: dict[str, object] = {"__name__": "page"}
    printed = ""
    for block in read_blocks(page):
        if block.language == SHELL:
            for line in command_lines(block.code):
                check_command(line, run=True)
        elif block.language == TEXT:
            if block.is_output and printed.split() != block.code.split():
                raise AssertionError(
                    f"{page}, line {block.line}: expected the output\n{block.code}\ngot\n{printed}"
                )
        else:
            printed = run_python(page, block, namespace)


def run_python(page: Path, block: Block, namespace: dict[str, object]) -> str:
    """Run a block of Python; errors name its line in the page. Returns what it printed."""
    missing = [name for name in imported(block) if name in OPTIONAL and not is_installed(name)]
    if missing:
        pytest.skip(f"{name_of(page)}, line {block.line}: needs {', '.join(missing)}")
    # Blank lines before it, so that the places of errors are those of the page.
    code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
    level = logging.getLogger("wsdhq.quant").level
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            exec(code, namespace)
        finally:
            logging.getLogger("wsdhq.quant").setLevel(level)
    return out.getvalue()


def imported(block: Block) -> set[str]:
    """Top-level names of the modules that a block imports; faiss also by our exchange with it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.removeprefix("wsdhq.interop.").partition(".")[0] for name in names}


def is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


# That the checks above would notice.


def page_of(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```py\n1\n```\n", "line 1: a block of py"),
        ("# A\n\n```\nx\n```\n", "line 3: a block of no language"),
        ("A\n\n    indented\n", "line 3: an indented block"),
        ("- a\n\n  ```bash\n  x\n  ```\n", "line 3: a block of bash"),
        ("<!-- output -->\n```python\n1\n```\n", "expected text after"),
        ("<!-- setup\n" + "x = 1\n" * 7 + "-->\n", "at most 6 hidden lines"),
    ],
)
def test_a_block_that_no_test_would_look_at_is_an_error(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(PageError, match=message):
        run_page(page_of(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", AssertionError),
        ("```python\nfrom wsdhq.quant import AQDIndexes\n```\n", ImportError),
        ("```python\nprint(1)\n```\n\n<!-- output -->\n```text\n2\n```\n", AssertionError),
        ("```sh\nwsdhq train --tagz tags.txt --out run\n```\n", CommandError),
        ("```sh\nwsdhq train --tags tags.txt\n```\n", CommandError),
        ("```sh\nwsdhq tags --tags nothing.txt\n```\n", CommandError),
        ("```sh\nwsdhq bench --full --only\n```\n", CommandError),
        ("```sh\nwsdhq trian\n```\n", CommandError),
        ("```sh\npip install '.[trains]'\n```\n", CommandError),
        ("```sh\npython benchmarks/pieces.py --feature f.npy\n```\n", CommandError),
        ("```sh\npython -c 'import wsdhq.nothing'\n```\n", CommandError),
        ("```sh\ncurl example\n```\n", CommandError),
    ],
)
def test_a_block_that_is_wrong_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        run_page(page_of(tmp_path, text))


def test_blocks_of_a_page_share_a_namespace_and_print_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "<!-- setup\nx = 20\n-->\n\n```python\ny = x + 1\n```\n\n```python\nprint(2 * y)\n```\n\n"
        "<!-- output -->\n```text\n42\n```\n"
    )
    run_page(page_of(tmp_path, text))


def test_errors_name_the_line_of_the_page(tmp_path: Path) -> None:
    page = page_of(tmp_path, "# A\n\n```python\nx = 1\nraise KeyError(x)\n```\n")
    with pytest.raises(KeyError) as caught:
        run_page(page)
    assert caught.traceback[-1].lineno + 1 == 5
