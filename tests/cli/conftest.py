"""Small collections, and runs that the command line has trained on them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

KINDS = ("boat", "house", "tree", "fish", "star", "cup")
# Rows of the image collection that cannot be read. None of them is at the end, so that whoever
# forgets one shifts most of the rows.
BROKEN = (2, 3, 40)
_WITH_THREADS = ("train", "embed", "encode", "search", "evaluate", "demo")


@dataclass(frozen=True)
class Outcome:
    """What a command gave back."""

    status: int
    out: str
    err: str


def command(*arguments: object) -> Outcome:
    """Run `wsdhq ARGUMENTS` in this process, on one thread."""
    from wsdhq.cli.app import run
    from wsdhq.cli.front import answer

    words = [str(argument) for argument in arguments]
    if words and words[0] in _WITH_THREADS and "--threads" not in words:
        words += ["--threads", "1"]
    logger = logging.getLogger("wsdhq")
    handlers, level = logger.handlers[:], logger.level
    out, err = io.StringIO(), io.StringIO()
    given, sys.argv = sys.argv, ["wsdhq", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = answer(words)
            if status is None:
                status = run()
    finally:
        sys.argv, logger.handlers = given, handlers
        logger.setLevel(level)
        logging.getLogger("wsdhq.quant").setLevel(logging.NOTSET)
    return Outcome(status, out.getvalue(), err.getvalue())


def done(*arguments: object) -> Outcome:
    """Run a command that must succeed."""
    outcome = command(*arguments)
    assert outcome.status == 0, outcome.err
    return outcome


def _write_tags(folder: Path, kinds: np.ndarray, generator: np.random.Generator) -> None:
    """Three ways to name each kind, one of two words; every tenth row without any."""
    tags = []
    for row, kind in enumerate(kinds):
        name = KINDS[kind]
        words = [str(w) for w in generator.permutation([name, f"{name}s", f"my {name}"])[:2]]
        tags.append([] if row % 10 == 5 else words)
    (folder / "tags.jsonl").write_text("".join(json.dumps(words) + "\n" for words in tags))
    directions = generator.standard_normal((len(KINDS), 8))
    lines = [
        " ".join([word, *(f"{x:.5f}" for x in directions[place] + 0.02 * place_in)])
        for place, kind in enumerate(KINDS)
        for place_in, word in enumerate((kind, f"{kind}s", f"my_{kind}"))
    ]
    (folder / "words.vec").write_text(f"{len(lines)} 8\n" + "\n".join(lines) + "\n")


def _write_labels(folder: Path, kinds: np.ndarray, names: list[str]) -> None:
    """As several columns, as a table of 0 and 1, and as an array."""
    rows = [f"{name},{KINDS[kind]},{'even' if kind % 2 == 0 else 'odd'}" for name, kind in
            zip(names, kinds)]  # fmt: skip
    (folder / "labels.csv").write_text("\n".join(["image,kind,parity", *rows]) + "\n")
    matrix = (kinds[:, None] == np.arange(len(KINDS))).astype(np.uint8)
    flags = [",".join(map(str, row)) for row in matrix]
    (folder / "flags.csv").write_text("\n".join([",".join(KINDS), *flags]) + "\n")
    np.save(folder / "labels.npy", matrix)


def write_images(folder: Path, kinds: np.ndarray, generator: np.random.Generator) -> list[str]:
    """A noisy square of one colour for each kind; returns the file names in their order."""
    folder.mkdir()
    colours = generator.integers(40, 215, size=(len(KINDS), 3))
    names = [f"{row:03d}.png" for row in range(len(kinds))]
    for name, kind in zip(names, kinds):
        noise = generator.integers(-25, 25, size=(16, 16, 3))
        pixels = (colours[kind] + noise).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name, compress_level=0)
    return names


@dataclass(frozen=True)
class Collection:
    """A folder with features.npy, images/, tags.jsonl, words.vec and labels; `run` in it."""

    folder: Path
    kinds: np.ndarray
    train: tuple[object, ...]

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


def _settings(folder: Path) -> tuple[object, ...]:
    return (
        "--tags", folder / "tags.jsonl", "--word-vectors", folder / "words.vec", "--bits", 16,
        "--learning-rate", 2e-3, "--hidden-dim", 16, "--image-size", 16,
        "--set", "batch_size=32", "--set", "min_count=1", "--set", "radius=0.2",
    )  # fmt: skip


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """240 rows of features with a run trained on them, 40 of them held out. Read only."""
    folder = tmp_path_factory.mktemp("features")
    generator = np.random.default_rng(0)
    kinds = generator.integers(len(KINDS), size=240)
    centres = 3 * generator.standard_normal((len(KINDS), 10))
    values = centres[kinds] + generator.standard_normal((240, 10))
    np.save(folder / "features.npy", values.astype(np.float32))
    _write_tags(folder, kinds, generator)
    names = write_images(folder / "images", kinds, generator)
    _write_labels(folder, kinds, names)
    arguments = ("--features", folder / "features.npy", *_settings(folder), "--queries", 40)
    done("train", *arguments, "--epochs", 6, "--out", folder / "run")
    done("index", folder / "run", "--codes", folder / "run/codes.npy", "--out", folder / "db")
    return Collection(folder, kinds, arguments)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """120 images with a run trained on their pixels, those in `BROKEN` unreadable. Read only."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(1)
    kinds = generator.integers(len(KINDS), size=120)
    names = write_images(folder / "images", kinds, generator)
    for row in BROKEN:
        (folder / "images" / names[row]).write_bytes(b"no image")
    _write_tags(folder, kinds, generator)
    _write_labels(folder, kinds, names)
    arguments = ("--images", folder / "images", *_settings(folder), "--queries", 30)
    done("train", *arguments, "--epochs", 8, "--out", folder / "run")
    done("index", folder / "run", "--codes", folder / "run/codes.npy", "--out", folder / "db")
    return Collection(folder, kinds, arguments)


class Caller:
    """`wsdhq(...)` runs a command, `wsdhq.done(...)` one that must succeed."""

    broken = BROKEN
    kinds = KINDS
    __call__ = staticmethod(command)
    done = staticmethod(done)


@pytest.fixture
def wsdhq() -> Caller:
    """The command line."""
    return Caller()
