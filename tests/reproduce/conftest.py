"""Fixtures of the reproduction: a small data set, stand-ins, made-up results."""

from __future__ import annotations

from pathlib import Path

import pytest

from reproduction import (
    TINY,
    CountedMethod,
    Loader,
    MadeUp,
    install_stand_ins,
    write_features,
)
from wsdhq.reproduce.inputs.dataset import Source
from wsdhq.reproduce.methods import Work


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def source(tmp_path: Path, loader: Loader) -> Source:
    """The small data set with features."""
    out = tmp_path / "out"
    out.mkdir()
    return Source(
        name="folder", root=tmp_path, out=out, load=loader, settings=TINY,
        features=write_features(tmp_path / "features.npy"), threads=1,
    )  # fmt: skip


@pytest.fixture
def work(source: Source) -> Work:
    return Work(source.out / "runs", threads=1)


@pytest.fixture
def method() -> CountedMethod:
    return CountedMethod()


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Baselines and settings of a test in place of the real ones."""
    install_stand_ins(monkeypatch)


@pytest.fixture
def made_up() -> MadeUp:
    return MadeUp()
