"""A small tagged collection to learn from, for the tests of the baselines."""

from __future__ import annotations

from dataclasses import dataclass

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
