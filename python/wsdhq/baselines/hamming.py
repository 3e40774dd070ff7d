"""Binary codes: bits packed into bytes, ranked by Hamming distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.evaluation import RankBatches

__all__ = ["pack_bits", "rank_by_hamming"]


def pack_bits(projections: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Codes of projections (N, bits): a bit is 1 where the value is not negative.

    Returns
    -------
    (N, bits / 8) uint8
        The first bit is the most significant of the first byte.
    """
    return np.packbits(projections >= 0, axis=1)


def rank_by_hamming(query_codes: NDArray[np.uint8], codes: NDArray[np.uint8]) -> RankBatches:
    """Rank codes by their Hamming distance to the codes of queries.

    Parameters
    ----------
    query_codes : (num_queries, bits / 8) uint8
    codes : (N, bits / 8) uint8

    Returns
    -------
    callable (start, stop) -> (scores float32, positions int64), both (stop - start, N)
        A score is bits - 2 * distance. Best first, ties by position.
    """

    def signs(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1

    database = np.ascontiguousarray(signs(codes).T)

    def rank(start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores = signs(query_codes[start:stop]) @ database
        # Small integers sort in linear time.
        positions = np.argsort((-scores).astype(np.int16), axis=1, kind="stable")
        return np.take_along_axis(scores, positions, axis=1), positions

    return rank
