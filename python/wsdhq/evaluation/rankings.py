"""Rankings that are made batch by batch: by an index, or exactly by inner product (NumPy only)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer

#: From `(start, stop)` to scores, or None, and positions of the results of those queries.
RankBatches = Callable[[int, int], tuple[ArrayLike | None, ArrayLike]]


class _Ranking:
    """A ranking that knows of how many queries, so that labels can be compared with it."""

    def __init__(
        self, num_queries: int, rank: Callable[[int, int], tuple[NDArray[Any], NDArray[np.int64]]]
    ) -> None:
        self.num_queries = num_queries
        self._rank = rank

    def __call__(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        return self._rank(start, stop)


class Index(Protocol):
    """What `rank_by_index` asks of an index; `wsdhq.quant.AQDIndex` has it."""

    def __len__(self) -> int: ...

    def search(
        self, Q: ArrayLike, k: int = ..., *, threads: int | None = ...
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Scores and ids (num_queries, k) of the best, best first."""
        ...


def rank_by_index(
    index: Index, queries: NDArray[Any], k: int | None = None, threads: int | None = None
) -> RankBatches:
    """Rank what an index holds, for queries that it understands.

    Parameters
    ----------
    index : AQDIndex, or another with its `search`
        Its ids are places in the database, as they are where it was filled in that order.
    queries : (num_queries, D) array
    k : int, optional
        Results per query, at least 1 (at most all are returned); the whole ranking by default.
    threads : int, optional
        Of a search; None leaves it to the index.

    Returns
    -------
    callable (start, stop) -> (scores float32, positions int64), both (stop - start, min(k, N))
        As the index orders them.

    Raises
    ------
    ValueError
        k < 1.
    """
    shown = len(index) if k is None else min(as_integer(k, "k", 1), len(index))

    def rank(start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        return index.search(queries[start:stop], shown, threads=threads)

    return _Ranking(len(queries), rank)


def rank_by_inner_product(
    queries: ArrayLike, database: ArrayLike, k: int | None = None
) -> RankBatches:
    """Rank float vectors exactly by inner product: what the codes are compared with.

    Parameters
    ----------
    queries : (num_queries, D) float16, float32 or float64
        For cosine similarity, pass rows of unit norm.
    database : (N, D) float16, float32 or float64
        Computed in float32.
    k : int, optional
        Results per query, at least 1 (at most N are returned); the whole ranking by default.

    Returns
    -------
    callable (start, stop) -> (scores float32, positions int64), both (stop - start, min(k, N))
        Best first, ties by position.

    Raises
    ------
    TypeError
        Not float arrays.
    ValueError
        Wrong shapes, values that are not finite, k < 1.
    """
    left = _float_matrix(queries, "queries")
    right = _float_matrix(database, "database")
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"queries and database: expected the same dimension, got {left.shape[1]} "
            f"and {right.shape[1]}"
        )
    shown = len(right) if k is None else min(as_integer(k, "k", 1), len(right))

    def rank(start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        # Adding zero turns -0.0 into 0.0: they are equal, so their bits must be.
        similarity = left[start:stop] @ right.T + np.float32(0.0)
        keys = _descending_keys(similarity)
        if shown < len(right):
            keys.partition(shown - 1, axis=1)
            keys = keys[:, :shown]
        keys.sort(axis=1)
        positions = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        return np.take_along_axis(similarity, positions, axis=1), positions

    return _Ranking(len(left), rank)


def _float_matrix(array: ArrayLike, name: str) -> NDArray[np.float32]:
    matrix = np.asarray(array)
    if matrix.dtype.kind != "f":
        raise TypeError(f"{name}: expected floating-point numbers, got {matrix.dtype}")
    if matrix.ndim != 2:
        raise ValueError(f"{name}: expected two dimensions, got shape {matrix.shape}")
    matrix = matrix.astype(np.float32, copy=False)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"{name}: expected finite values, but row {int(np.flatnonzero(~finite)[0])} is not"
        )
    return matrix


def _descending_keys(scores: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Integers that sort as (score descending, position ascending), the position in the low half.

    Distinct integers sort several times faster than floats do in a stable sort.
    """
    bits = scores.view(np.uint32)
    negative = bits >> np.uint32(31) != 0
    # IEEE floats of one sign are ordered as their bits are; negative ones the other way round.
    descending = np.where(negative, bits, ~(bits | np.uint32(0x80000000)))
    keys = descending.astype(np.uint64) << np.uint64(32)
    keys |= np.arange(scores.shape[1], dtype=np.uint64)
    return keys
