"""What every baseline is: fitted to training rows, then encoding and ranking any rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.embed.tags.word_vectors import WordVectors
from wsdhq.evaluation import RankBatches
from wsdhq.quant.threads import resolve_threads


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The rows that a baseline learns from.

    Attributes
    ----------
    inputs : (n, F) float16, float32 or float64, or (n, S, S, 3) uint8
        Features, or pixels for the deep baselines.
    tags : sequence of sequences of str, or None
        Tags of each row, possibly none; never labels. None where the baseline needs none.
    word_vectors : WordVectors or None
        Vectors of the tags, for the baselines that use them.

    Raises
    ------
    ValueError
        There are not as many tag sets as rows.
    """

    inputs: NDArray[Any]
    tags: Sequence[Sequence[str]] | None = None
    word_vectors: WordVectors | None = None

    def __post_init__(self) -> None:
        if self.tags is not None and len(self.tags) != len(self.inputs):
            raise ValueError(
                f"tags: expected a tag set for each of the {len(self.inputs)} rows of inputs, "
                f"got {len(self.tags)}"
            )


class Baseline(ABC):
    """A method to compare with: `fit`, then `encode` the database and `rank` it for queries.

    Parameters
    ----------
    bits : int
        Length of a code, a positive multiple of 8.
    seed : int, 0 to 2**64 - 1
        Seed of everything random: the same seed, rows and number of threads give the same
        codes on one machine.
    threads : int or None
        Threads; None uses all cores.

    Raises
    ------
    TypeError
        An argument is not an integer.
    ValueError
        An argument is out of its range.
    """

    #: Name in tables, reference, and what the method learns from.
    name: ClassVar[str]
    reference: ClassVar[str]
    uses_tags: ClassVar[bool] = False
    is_deep: ClassVar[bool] = False

    def __init__(self, bits: int, *, seed: int = 0, threads: int | None = None) -> None:
        self.bits = as_integer(bits, "bits", 8)
        if self.bits % 8:
            raise ValueError(f"bits: expected a multiple of 8, got {bits}")
        self.seed = as_integer(seed, "seed", 0, 2**64 - 1)
        resolve_threads(threads)
        self.threads = threads

    @abstractmethod
    def fit(self, data: TrainingData) -> Self:
        """Learn from training rows; returns self.

        Raises
        ------
        TypeError, ValueError
            Naming what of `data` is missing, of the wrong kind or too small. The baseline is
            then not fitted.
        """

    @abstractmethod
    def encode(self, inputs: NDArray[Any]) -> NDArray[np.uint8]:
        """Encode rows of the kind fitted to: (N, bits / 8) uint8; ValueError before `fit`."""

    @abstractmethod
    def rank(self, queries: NDArray[Any], codes: NDArray[np.uint8]) -> RankBatches:
        """Rank a database of codes for query rows.

        Parameters
        ----------
        queries : array of the kind fitted to
            One row per query.
        codes : (N, bits / 8) uint8
            What `encode` gave for the database.

        Returns
        -------
        callable (start, stop) -> (scores, positions), as `wsdhq.evaluation` takes it
            Best first, over the whole database, ties by position.
        """

    def _checked_codes(self, value: Any) -> NDArray[np.uint8]:
        codes = np.asarray(value)
        if codes.dtype != np.uint8:
            raise TypeError(f"codes: expected uint8, got {codes.dtype}")
        if codes.ndim != 2 or codes.shape[1] != self.bits // 8:
            raise ValueError(
                f"codes: expected shape (N, {self.bits // 8}) for {self.bits} bits, "
                f"got {codes.shape}"
            )
        return codes
