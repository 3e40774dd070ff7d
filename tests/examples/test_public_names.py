"""What people copy must last: examples use public names of wsdhq, and each says what it is."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = sorted(EXAMPLES.rglob("*.py"))


def test_examples_are_found():
    found = {file.relative_to(EXAMPLES).parts[0] for file in FILES}
    assert {"faiss_ivf", "neighbour_service", "photo_search"} <= found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(EXAMPLES)))
def test_examples_import_public_names_alone(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.startswith("wsdhq")]
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("wsdhq"):
            if node.module == "wsdhq.interop.faiss":
                pytest.importorskip("faiss")
            public = importlib.import_module(node.module).__all__
            private = [alias.name for alias in node.names if alias.name not in public]
            assert not private, f"{node.module} has no public {private}"


@pytest.mark.parametrize("name", sorted({file.relative_to(EXAMPLES).parts[0] for file in FILES}))
def test_each_example_has_a_readme(name):
    readme = (EXAMPLES / name / "README.md").read_text("utf-8")
    assert readme.startswith("# ")
    assert "pip install" in readme
