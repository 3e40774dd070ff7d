"""The site builds without a warning, needs nothing from elsewhere, and says what the commands say.

Where MkDocs is not installed (pip install '.[docs]'), only the reference of the command line is
checked.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from modules import module_at

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ROOT / "docs" / "hooks"
NEEDED = ("mkdocs", "material", "mkdocstrings_handlers.python", "latex2mathml")


def hook(name: str) -> ModuleType:
    return module_at(HOOKS / f"{name}.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in NEEDED:
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"?(https?:)?//", re.I)
    for page in pages:
        assert not loads.search(page.read_text("utf-8")), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text("utf-8")), style


def test_drawings_and_equations_are_part_of_the_page(site: Path) -> None:
    page = (site / "method.html").read_text("utf-8")
    assert page.count('<figure class="drawing"><svg') == 4
    assert page.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') >= 8
    assert "arithmatex" not in page
    assert "figures/" not in page


def test_docstrings_are_in_the_reference(site: Path) -> None:
    page = (site / "api" / "quant.html").read_text("utf-8")
    for name in ("AdditiveQuantizer.encode", "AQDIndex.search", "CodeStatistics.solve"):
        assert f'id="wsdhq.quant.{name}"' in page or f'.{name}"' in page, name


def test_every_command_and_option_is_in_the_reference() -> None:
    typer = pytest.importorskip("typer")
    from wsdhq.cli.app import app
    from wsdhq.cli.commands import COMMANDS

    text = hook("command_line").reference()
    group = typer.main.get_command(app)
    for name in COMMANDS:
        part = text.split(f"## wsdhq {name}\n")[1].split("\n## ")[0]
        for parameter in group.get_command(None, name).params:
            names = [*parameter.opts, *parameter.secondary_opts]
            shown = names if names[0].startswith("-") else [parameter.metavar or names[0].upper()]
            assert all(f"{option}" in part for option in shown), (name, shown)


def test_links_out_of_docs_lead_to_pages_of_the_site() -> None:
    pytest.importorskip("mkdocs")
    pages = hook("repository_pages")
    turn = pages.turn_links
    text = "[a](../../benchmarks/RESULTS.md#search) [b](../format.md) [c](https://x.example/y.md)"
    turned = turn(text, "docs/how-to/choose.md", "how-to/choose.md", ROOT)
    assert turned == "[a](../results.md#search) [b](../format.md) [c](https://x.example/y.md)"
    assert turn(
        "![](results/fashion44k/fig3.png)", "benchmarks/RESULTS.md", "results.md", ROOT
    ) == ("![](assets/results/fig3.png)")
    for source, place in pages.PAGES.items():
        assert (ROOT / source).is_file()
        assert pages.place_of(source) == place
