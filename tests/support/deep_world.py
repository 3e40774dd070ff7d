"""A made-up collection for the deep baselines: features, images and tags of a few kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsdhq.baselines.interface import Baseline, TrainingData
from wsdhq.embed.tags.word_vectors import WordVectors

NUM_KINDS = 5


@dataclass(frozen=True, eq=False)
class World:
    """Rows of some kinds; the kind is what the tags tell and the features half hide."""

    kinds: NDArray[np.int64]
    features: NDArray[np.float32]
    pixels: NDArray[np.uint8]
    data: TrainingData

    def with_pixels(self) -> TrainingData:
        return TrainingData(self.pixels, self.data.tags, self.data.word_vectors)


def make_world(num_rows: int = 300, seed: int = 0) -> World:
    """Every 10th row has no tag, and every 10th one that no word vector knows."""
    generator = np.random.default_rng(seed)
    kinds = generator.integers(NUM_KINDS, size=num_rows)
    # Most of the variance says nothing of the kind: who learns from tags can leave it out.
    centres = 2 * generator.standard_normal((NUM_KINDS, 6))
    noise = generator.standard_normal((num_rows, 12)) * ([1] * 6 + [3] * 6)
    features = noise + np.pad(centres, ((0, 0), (0, 6)))[kinds]
    hues = generator.integers(40, 215, size=(NUM_KINDS, 3))
    speckles = generator.integers(-40, 40, size=(num_rows, 16, 16, 3))
    tags: list[list[str]] = [[f"kind{kind}", f"sort{kind}"] for kind in kinds]
    for row in range(0, num_rows, 10):
        tags[row] = []
    for row in range(5, num_rows, 10):
        tags[row] = ["unheard-of"]
    words = [f"{word}{kind}" for word in ("kind", "sort") for kind in range(NUM_KINDS)]
    directions = generator.standard_normal((NUM_KINDS, 8))
    vectors = np.tile(directions, (2, 1)) + 0.1 * generator.standard_normal((len(words), 8))
    word_vectors = WordVectors(tuple(words), vectors)
    return World(
        kinds=kinds,
        features=features.astype(np.float32),
        pixels=(hues[kinds][:, None, None, :] + speckles).astype(np.uint8),
        data=TrainingData(features.astype(np.float32), tags, word_vectors),
    )


def precision(model: Baseline, inputs: NDArray[Any], kinds: NDArray[np.int64]) -> float:
    """Share of the same kind among the first 20 other rows, each row being a query."""
    _, positions = model.rank(inputs, model.encode(inputs))(0, len(inputs))
    # The row itself is among the nearest; which of its equals comes first is chance.
    others = np.asarray(positions)
    shown = np.stack([row[row != query][:20] for query, row in enumerate(others)])
    return float((kinds[shown] == kinds[:, None]).mean())


class TinyBackbone(nn.Module):
    """One convolution with batch normalization, and the mean over places."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.convolution = nn.Conv2d(3, 6, kernel_size=3, stride=2)
        self.normalization = nn.BatchNorm2d(6)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.normalization(self.convolution(images)).relu()
        return maps.mean(dim=(2, 3))
