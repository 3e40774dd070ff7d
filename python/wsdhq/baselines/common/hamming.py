"""Binary codes: bits packed into bytes, ranked by Hamming distance."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from wsdhq.baselines.common.features import FeatureBaseline
from wsdhq.evaluation import RankBatches, rank_by_inner_product


def pack_bits(projections: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Codes of projections (N, bits): a bit is 1 where the value is not negative.

    Returns
    -------
    (N, bits / 8) uint8
        The first bit is the most significant of the first byte.
    """
    return np.packbits(projections >= 0, axis=1)


def unpack_signs(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Codes (N, bytes) as vectors of -1 and 1: (N, 8 * bytes)."""
    return np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1


def rank_by_hamming(query_codes: NDArray[np.uint8], codes: NDArray[np.uint8]) -> RankBatches:
    """Rank codes by their Hamming distance to the codes of queries.

    Parameters
    ----------
    query_codes : (num_queries, bytes) uint8
    codes : (N, bytes) uint8
        Kept unpacked, 32 bytes for each of theirs.

    Returns
    -------
    callable (start, stop) -> (scores float32, positions int64), both (stop - start, N)
        A score is bits - 2 * distance, the inner product of vectors of -1 and 1, which float32
        holds exactly. Best first, ties by position.
    """
    return rank_by_inner_product(unpack_signs(query_codes), unpack_signs(codes))


class HashingBaseline(FeatureBaseline):
    """A baseline whose bits are the signs of `bits` functions, ranked by Hamming distance.

    The distance is symmetric, between the code of the query and the codes of the database, as in
    the papers on hashing.
    """

    @abstractmethod
    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """Values (rows, bits) of the functions for a chunk of rows (rows, F)."""

    def _encode_chunk(self, chunk: NDArray[np.float32]) -> NDArray[np.uint8]:
        return pack_bits(self._project(chunk))

    def rank(self, queries: NDArray[Any], codes: NDArray[np.uint8]) -> RankBatches:
        """Rank a database of codes for queries.

        Parameters
        ----------
        queries : (num_queries, F) float16, float32 or float64
        codes : (N, bits / 8) uint8

        Returns
        -------
        callable (start, stop) -> (scores, positions), as `wsdhq.evaluation` takes it
            The whole database, best first, ties by position.

        Raises
        ------
        TypeError, ValueError
            As `encode`; also codes of another dtype or width.
        """
        checked = self._checked_codes(codes)
        rank = self._rank_codes(self.encode(queries), checked)

        def limited(start: int, stop: int) -> tuple[Any, Any]:
            with threadpool_limits(limits=self.threads):
                return rank(start, stop)

        return limited

    def _rank_codes(self, query_codes: NDArray[np.uint8], codes: NDArray[np.uint8]) -> RankBatches:
        return rank_by_hamming(query_codes, codes)
