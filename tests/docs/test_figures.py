"""The drawings of the documentation are what their scripts draw, and stand in pages that exist."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from modules import module_at

DOCS = Path(__file__).resolve().parents[2] / "docs"
FIGURES = DOCS / "figures"
PICTURE = re.compile(r"!\[([^\]]*)\]\([./]*figures/([\w-]+)\.svg\)")


def script() -> ModuleType:
    return module_at(FIGURES / "draw.py")


@pytest.fixture(scope="module")
def drawings() -> dict[str, str]:
    return script().drawings()


def test_files_are_what_the_scripts_draw(drawings: dict[str, str]) -> None:
    # Also where a result in benchmarks/results was measured anew.
    found = {file.stem: file.read_text("utf-8") for file in FIGURES.glob("*.svg")}
    assert found.keys() == drawings.keys()
    stale = [name for name, svg in drawings.items() if found[name] != svg]
    assert not stale, f"run python docs/figures/draw.py: {stale}"


def test_drawings_are_small_whole_and_inside_their_frame(drawings: dict[str, str]) -> None:
    for name, svg in drawings.items():
        root = ElementTree.fromstring(svg)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        assert len(svg) < 40_000, name
        for element in root:
            place = np.array([float(element.attrib.get(key, 0)) for key in "xy"])
            assert ((place >= 0) & (place <= [width, height])).all(), (name, element.attrib)


def test_every_drawing_is_shown_and_described(drawings: dict[str, str]) -> None:
    shown = {}
    for page in DOCS.rglob("*.md"):
        for alt, name in re.findall(
            r"!\[([^\]]*)\]\([./]*figures/([\w-]+)\.svg\)", page.read_text()
        ):
            shown[name] = alt
    assert shown.keys() == drawings.keys()
    assert all(len(alt) > 10 for alt in shown.values())
