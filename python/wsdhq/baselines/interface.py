"""What every baseline is: fitted to training rows, then encoding and ranking any rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from wsdhq.embed.word_vectors import WordVectors
from wsdhq.evaluation import RankBatches

__all__ = ["Baseline", "TrainingData"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The rows that a baseline learns from.

    Attributes
    ----------
    inputs : (n, F) float32 or (n, S, S, 3) uint8
        Features, or pixels for the deep baselines.
    tags : sequence of sequences of str
        Tags of each row, possibly none; never labels.
    word_vectors : WordVectors or None
        Vectors of the tags, for the baselines that use them.
    """

    inputs: NDArray[Any]
    tags: Sequence[Sequence[str]]
    word_vectors: WordVectors | None = None


class Baseline(ABC):
    """A method to compare with: `fit`, then `encode` the database and `rank` it for queries.

    Parameters
    ----------
    bits : int
        Length of a code, a positive multiple of 8.
    seed : int
        Seed of everything random.
    threads : int or None
        Threads; None uses all cores.
    """

    #: Name in tables, reference, and what the method learns from.
    name: ClassVar[str]
    reference: ClassVar[str]
    uses_tags: ClassVar[bool] = False
    is_deep: ClassVar[bool] = False

    def __init__(self, bits: int, *, seed: int = 0, threads: int | None = None) -> None:
        if isinstance(bits, bool) or not isinstance(bits, int):
            raise TypeError(f"bits must be an integer, got {bits!r}")
        if bits < 8 or bits % 8:
            raise ValueError(f"bits must be a positive multiple of 8, got {bits}")
        self.bits = bits
        self.seed = seed
        self.threads = threads

    @abstractmethod
    def fit(self, data: TrainingData) -> Self:
        """Learn from training rows; returns self."""

    @abstractmethod
    def encode(self, inputs: NDArray[Any]) -> NDArray[np.uint8]:
        """Encode rows of the kind fitted to: (N, bits / 8) uint8."""

    @abstractmethod
    def rank(self, queries: NDArray[Any], codes: NDArray[np.uint8]) -> RankBatches:
        """Rank a database of codes for query rows.

        Returns
        -------
        callable (start, stop) -> (scores, positions), as `wsdhq.evaluation` takes it
            Best first, over the whole database, ties by position.
        """
