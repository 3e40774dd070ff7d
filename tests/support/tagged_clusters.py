"""A small tagged collection to learn from, for the tests of the baselines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq.baselines import TrainingData


@dataclass(frozen=True)
class Collection:
    """Features of a few clusters, tags that mostly name the cluster, and the cluster as label."""

    features: NDArray[np.float32]
    tags: list[list[str]]
    clusters: NDArray[np.int64]

    @property
    def data(self) -> TrainingData:
        return TrainingData(self.features, self.tags)

    @property
    def labels(self) -> NDArray[np.bool_]:
        return self.clusters[:, None] == np.arange(self.clusters.max() + 1)


def draw(scale_of_noise: float, rows: int = 300) -> Collection:
    """Clusters in 12 dimensions beside 12 of noise, which may be the larger part."""
    rng = np.random.default_rng(7)
    clusters = rng.integers(0, 6, rows)
    centres = rng.standard_normal((6, 12))
    signal = centres[clusters] + 0.3 * rng.standard_normal((rows, 12))
    noise = scale_of_noise * rng.standard_normal((rows, 12))
    # Far from zero, as features after a rectifier are.
    features = (np.concatenate([signal, noise], axis=1) + 5).astype(np.float32)
    tags = []
    for row, cluster in enumerate(clusters):
        careless = [f"t{rng.integers(0, 40)}" for _ in range(3)]
        tags.append([] if row % 10 == 0 else [f"cluster{cluster}", *dict.fromkeys(careless)])
    return Collection(features, tags, clusters)


@dataclass(frozen=True)
class Files:
    """A collection of four kinds of images in files, as commands take them.

    `kinds` says of which kind each image is; `labels` has a column of that name and the column
    `half`, which joins two kinds.
    """

    features: str
    tags: str
    labels: str
    kinds: NDArray[np.int64]


def write_kinds(folder: Path, rows: int) -> Files:
    """Four kinds around the corners of a simplex, each with two words of its own as tags."""
    generator = np.random.default_rng(0)
    kinds = generator.integers(4, size=rows)
    features = np.eye(4)[kinds] + 0.2 * generator.standard_normal((rows, 4))
    np.save(folder / "features.npy", features.astype(np.float32))
    words = ("dog wet", "cat dry", "car red", "sea big")
    (folder / "tags.txt").write_text("".join(f"{words[kind]}\n" for kind in kinds))
    lines = [
        f"{row},{'Kind ' + 'ABCD'[kind]},{'front' if kind < 2 else 'back'}\n"
        for row, kind in enumerate(kinds)
    ]
    (folder / "labels.csv").write_text("id,kind,half\n" + "".join(lines))
    names = ("features.npy", "tags.txt", "labels.csv")
    return Files(*(str(folder / name) for name in names), kinds)
