"""A small data set, stand-ins for methods, and results that were never computed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from wsdhq.baselines.interface import Baseline
from wsdhq.data import Grouping, ImageCollection, open_images, split_rows
from wsdhq.evaluation import rank_by_inner_product
from wsdhq.reproduce.cells import Cell, CellResult
from wsdhq.reproduce.methods import Method, Ranked, Work
from wsdhq.reproduce.plan import Plan

KINDS = ("boat", "house", "tree", "fish")
NUM_ROWS, NUM_QUERIES = 150, 30


@dataclass(frozen=True, eq=False)
class SmallSet:
    """What `wsdhq.data.load` gives, as far as it is used."""

    images: list[Path | str]
    tags: list[list[str]]
    query: np.ndarray
    database: np.ndarray
    train: np.ndarray
    groupings: dict[str, Grouping]
    archive: Path | None = None
    features: Path | None = None
    summary: tuple[str, ...] = ("150 images",)

    def __len__(self) -> int:
        return len(self.tags)

    def open(self) -> ImageCollection:
        return open_images(self.images if self.archive is None else self.archive)


def small_set(root: Path, seed: int = 0) -> SmallSet:
    """Rows of four kinds with noisy tags; the split follows the seed, the rest does not."""
    generator = np.random.default_rng(5)
    kinds = generator.integers(len(KINDS), size=NUM_ROWS)
    tags = []
    for row, kind in enumerate(kinds):
        words = [KINDS[kind], f"{KINDS[kind]}s", f"my {KINDS[kind]}"]
        tags.append([] if row % 10 == 5 else [str(w) for w in generator.permutation(words)[:2]])
    query, database = split_rows(NUM_ROWS, NUM_QUERIES, seed)
    one_hot = (kinds[:, None] == np.arange(len(KINDS))).astype(np.uint8)
    parity = (kinds[:, None] % 2 == np.arange(2)).astype(np.uint8)
    return SmallSet(
        images=[root / "images" / f"{row:03d}.png" for row in range(NUM_ROWS)],
        tags=tags,
        query=query,
        database=database,
        train=database[::2],
        groupings={"kind": Grouping(KINDS, one_hot), "parity": Grouping(("even", "odd"), parity)},
    )


def write_features(path: Path) -> Path:
    """Features that tell the kinds of `small_set` apart."""
    generator = np.random.default_rng(6)
    kinds = small_set(path.parent).groupings["kind"].matrix.argmax(axis=1)
    centres = 2 * generator.standard_normal((len(KINDS), 10))
    values = centres[kinds] + generator.standard_normal((NUM_ROWS, 10))
    np.save(path, values.astype(np.float32))
    return path


def write_images(root: Path) -> None:
    """A noisy square of one colour for each kind."""
    generator = np.random.default_rng(7)
    data = small_set(root)
    colours = generator.integers(40, 215, size=(len(KINDS), 3))
    (root / "images").mkdir()
    for path, row in zip(data.images, data.groupings["kind"].matrix):
        noise = generator.integers(-25, 25, size=(16, 16, 3))
        pixels = (colours[row.argmax()] + noise).astype(np.uint8)
        Image.fromarray(pixels).save(path, compress_level=0)


class Loader:
    """`wsdhq.data.load`, with a data set that a test may change."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}
        self.calls: list[tuple[str, int]] = []

    def __call__(self, name: str, root: Path, *, seed: int = 0, num_queries: int = 30) -> SmallSet:
        if not Path(root).is_dir():
            raise FileNotFoundError(f"there is no folder {root}")
        self.calls.append((name, seed))
        data = small_set(Path(root), seed)
        return replace(data, **{"query": data.query[:num_queries], **self.changes})


#: What a WSDHQ of a second is trained with.
TINY = {"epochs": 2, "word_dim": 8, "min_count": 1, "hidden_dim": 16, "batch_size": 32}


class CountedMethod(Method):
    """Ranks by features and counts its cells; may be told to stop before one."""

    def __init__(self, name: str = "LSH", setting: int = 1) -> None:
        self.name, self.reference, self.in_paper = name, "nobody", True
        self.setting = setting
        self.computed: list[Cell] = []
        self.stop_at: Cell | None = None
        self.error: BaseException = KeyboardInterrupt()

    @property
    def learns_from(self) -> str:
        return "features"

    @property
    def changes(self) -> dict[str, Any]:
        return {}

    def identity(self, cell: Cell, materials: Any) -> dict[str, Any]:
        return {"settings": {"setting": self.setting, "bits": cell.bits}}

    def compute(self, cell: Cell, materials: Any, work: Work) -> Ranked:
        if cell == self.stop_at:
            raise self.error
        self.computed.append(cell)
        inputs = materials.inputs(False)
        # More bits show more of the features, so that cells differ.
        width = max(1, cell.bits // 8)
        rank = rank_by_inner_product(
            inputs.take(materials.query)[:, :width], inputs.take(materials.database)[:, :width]
        )
        return Ranked(rank, {"fit": 1.0, "encode": 2.0})


class SignHash(Baseline):
    """Signs of random projections: what a baseline looks like."""

    name: ClassVar[str] = "LSH"
    reference: ClassVar[str] = "Stand-in 1999"
    fitted: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, bits: int, *, seed: int = 0, threads: int | None = None, **options: Any):
        super().__init__(bits, seed=seed, threads=threads)
        self.options = options

    def fit(self, data):
        type(self).fitted.append(
            {"data": data, "bits": self.bits, "seed": self.seed, **self.options}
        )
        flat = data.inputs.reshape(len(data.inputs), -1).astype(np.float32)
        self.mean = flat.mean(axis=0)
        generator = np.random.default_rng(self.seed)
        self.planes = generator.standard_normal((flat.shape[1], self.bits)).astype(np.float32)
        return self

    def signs(self, inputs):
        flat = inputs.reshape(len(inputs), -1).astype(np.float32)
        return (flat - self.mean) @ self.planes > 0

    def encode(self, inputs):
        return np.packbits(self.signs(inputs), axis=1)

    def rank(self, queries, codes):
        bits = np.unpackbits(codes, axis=1).astype(np.float32)
        return rank_by_inner_product(2.0 * self.signs(queries).astype(np.float32) - 1, 2 * bits - 1)


class DeepTagHash(SignHash):
    """The same, calling itself deep and weakly supervised."""

    name = "WDHT"
    reference = "Stand-in 2019"
    uses_tags = True
    is_deep = True
    fitted: ClassVar[list[dict[str, Any]]] = []


def install_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put baselines and settings of a test in place of the real ones."""
    import wsdhq.baselines
    from wsdhq.embed.config import presets

    def baseline_class(name: str) -> type[SignHash]:
        return DeepTagHash if name in ("WDHT", "DeepBit") else SignHash

    monkeypatch.setattr(wsdhq.baselines, "baseline_class", baseline_class, raising=False)
    # Trainings of a second.
    monkeypatch.setitem(presets.PRESETS, "folder", dict(TINY))
    for each in (SignHash, DeepTagHash):
        monkeypatch.setattr(each, "fitted", [])


@dataclass
class MadeUp:
    """Results of a plan as nobody computed them: figures by method, width and seed."""

    groupings: tuple[str, ...] = ("kind", "parity")
    bases: dict[str, float] = field(default_factory=dict)

    def figure(self, cell: Cell, grouping: str) -> float:
        base = self.bases.get(cell.method, 0.5)
        moved = sum(0.01 * float(value) for _, value in cell.changes)
        return base + cell.bits / 1000 + 0.01 * cell.seed + moved - 0.1 * (grouping == "parity")

    def result(self, cell: Cell) -> CellResult:
        depths = np.array([1, 10, 100, 1000])
        results = {}
        for name in self.groupings:
            value = self.figure(cell, name)
            results[name] = {
                "map": value, "map_all": value / 2, "map_tie_averaged": value - 0.001,
                "map_random": 0.25, "chance": 0.2,
                "precision_at": {str(n): value - n / 10000 for n in (1, *range(100, 1001, 100))},
                "depths": depths.tolist(), "recall": (depths / 1000).tolist(),
                "precision": (value - depths / 5000).tolist(),
            }  # fmt: skip
        counts = {"images": 1060, "unreadable": 2, "query": 60, "database": 998, "train": 500}
        seconds = {"fit": 10.0 + cell.seed, "encode": 2.0, "rank": 0.5}
        versions = {"python": "3.11.0", "wsdhq": "0.1.0"}
        return CellResult(cell, {}, results, seconds, counts, versions)

    def of(self, plan: Plan, *, without: tuple[str, ...] = ()) -> dict[Cell, CellResult]:
        return {cell: self.result(cell) for cell in plan.shown if cell.method not in without}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
