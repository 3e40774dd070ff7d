"""Examples that tests import stand where their users run them: outside the package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def photo_search(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(EXAMPLES / "photo_search")
    yield importlib.import_module("photo_search")
    for name in ("photo_search", "results_page"):
        del sys.modules[name]


@pytest.fixture(scope="session")
def neighbour_service():
    """The package, as if it were installed."""
    source = str(EXAMPLES / "neighbour_service/src")
    sys.path.insert(0, source)
    yield importlib.import_module("neighbour_service")
    sys.path.remove(source)


@pytest.fixture
def export_ivf(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(EXAMPLES / "faiss_ivf")
    yield importlib.import_module("export_ivf")
    del sys.modules["export_ivf"]
