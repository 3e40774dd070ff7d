"""SpH: balls, balanced and nearly independent, with a distance of their own."""

from __future__ import annotations

import logging
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wsdhq.baselines.common.features import centred_chunks, mean_of
from wsdhq.baselines.common.hamming import HashingBaseline
from wsdhq.baselines.interface import TrainingData
from wsdhq.evaluation import RankBatches
from wsdhq.quant.arrays.vectors import FloatMatrix
from wsdhq.quant.initialize import sample_rows

logger = logging.getLogger("wsdhq.baselines")

# Tolerances eps_m and eps_s of the paper, as parts of the ideal overlap m / 4.
_MEAN_TOLERANCE = 0.10
_DEVIATION_TOLERANCE = 0.15
_MAX_ITERATIONS = 300
_MAX_ROWS = 50_000
_ROWS_OF_A_START = 5


class SphericalHashing(HashingBaseline):
    """Spherical hashing.

    Heo, Lee, He, Chang and Yoon, "Spherical Hashing", CVPR 2012. Bit l is 1 where x lies in the
    ball of centre p_l and radius t_l (equation 1). Algorithm 1 finds the balls on m training rows:

    1. Centres start at random: here at the mean of 5 rows each, as widespread implementations
       have it. (Single rows, far from the middle in many dimensions, end in worse codes.)
    2. A radius is the median distance, so that each ball holds o_l = m / 2 rows (balance).
    3. Centres whose balls share o_ij rows, more or fewer than m / 4 (independence), push each
       other away or pull: f_ij = 1/2 (o_ij - m/4) / (m/4) (p_i - p_j), and p_i moves by the mean
       of its forces over all balls.
    4. 2 and 3 repeat until the mean of |o_ij - m/4| is at most 10 % of m/4, and the standard
       deviation of o_ij at most 15 % of it.

    Codes are ranked by the paper's spherical Hamming distance, |b_i xor b_j| / |b_i and b_j|
    (section 3.2), and not by the plain one.

    Ours: m is all rows up to 50,000, else as many at random; after 300 iterations without
    reaching the tolerances the balls are kept as they are, which is logged.

    Attributes
    ----------
    converged : bool
        The tolerances were reached.
    """

    name: ClassVar[str] = "SpH"
    reference: ClassVar[str] = "Heo et al. 2012"

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        generator = np.random.default_rng(self.seed)
        rows = sample_rows(len(features), _MAX_ROWS, generator)
        sample = features if len(rows) == len(features) else np.asarray(features[rows])
        mean = mean_of(sample)
        start = self._starting_centres(sample, mean, generator)
        # Centres move within the span of the first ones: p = A p(0). So distances need only the
        # products of the rows with those, whatever the dimension and the number of iterations.
        products = np.empty((len(sample), self.bits))
        norms = np.empty(len(sample))
        for places, chunk in centred_chunks(sample, mean):
            products[places] = chunk @ start.T
            norms[places] = np.square(chunk).sum(axis=1, dtype=np.float64)
        exact = start.astype(np.float64)
        gram = exact @ exact.T
        mixing = np.eye(self.bits)
        ideal = len(sample) / 4
        pairs = np.triu_indices(self.bits, 1)
        for iteration in range(_MAX_ITERATIONS + 1):
            lengths = np.einsum("ij,jk,ik->i", mixing, gram, mixing, optimize=True)
            distances = norms[:, None] - 2 * (products @ mixing.T) + lengths
            radii = np.median(distances, axis=0)
            shared = overlaps(distances <= radii)
            errors = shared[pairs] - ideal
            self.converged = bool(
                np.abs(errors).mean() <= _MEAN_TOLERANCE * ideal
                and errors.std() <= _DEVIATION_TOLERANCE * ideal
            )
            if self.converged or iteration == _MAX_ITERATIONS:
                break
            push = (shared - ideal) / (2 * ideal)
            np.fill_diagonal(push, 0)
            mixing += (push.sum(axis=1)[:, None] * mixing - push @ mixing) / self.bits
        if not self.converged:
            logger.info(
                "SpH: after %d iterations balls share %.3f of the rows on average, with deviation "
                "%.3f", _MAX_ITERATIONS, shared[pairs].mean() / len(sample),
                errors.std() / len(sample),
            )  # fmt: skip
        self._mean = mean.astype(np.float32)
        self._centres = (mixing @ exact).astype(np.float32)
        self._squared_radii = radii

    def _starting_centres(
        self, sample: FloatMatrix, mean: NDArray[np.float64], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        size = min(_ROWS_OF_A_START, len(sample))
        chosen = [generator.choice(len(sample), size, replace=False) for _ in range(self.bits)]
        means = np.stack([sample[np.sort(rows)].mean(axis=0, dtype=np.float64) for rows in chosen])
        centres = (means - mean).astype(np.float32)
        # Equal centres have no direction to push each other in: they would stay one for ever.
        different = len(np.unique(centres, axis=0))
        if different < self.bits:
            raise ValueError(
                f"inputs: SpH starts from {self.bits} different means of {_ROWS_OF_A_START} rows, "
                f"one per bit, but {len(sample)} rows gave only {different}"
            )
        return centres

    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.float64]:
        centred = chunk - self._mean
        norms = np.square(centred).sum(axis=1, dtype=np.float64)
        lengths = np.square(self._centres).sum(axis=1, dtype=np.float64)
        distances = norms[:, None] - 2.0 * (centred @ self._centres.T) + lengths
        inside: NDArray[np.float64] = self._squared_radii - distances
        return inside

    def _rank_codes(self, query_codes: NDArray[np.uint8], codes: NDArray[np.uint8]) -> RankBatches:
        return rank_by_spherical_hamming(query_codes, codes)


def overlaps(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows that each pair of balls shares, o_ij: (bits, bits), from flags (m, bits)."""
    # float32 counts exactly to 2^24, far beyond the rows of a sample.
    flags = inside.astype(np.float32)
    return (flags.T @ flags).astype(np.float64)


def rank_by_spherical_hamming(
    query_codes: NDArray[np.uint8], codes: NDArray[np.uint8]
) -> RankBatches:
    """Rank codes by the spherical Hamming distance, |b_i xor b_j| / |b_i and b_j|.

    Codes that share no 1 are further apart than any that do, by |b_i xor b_j| among themselves:
    the paper's distance is infinite there, and 0 / 0 for two codes of zeros, which are at 0 here.

    Parameters
    ----------
    query_codes : (num_queries, bytes) uint8
    codes : (N, bytes) uint8
        Kept unpacked, 32 bytes for each of theirs.

    Returns
    -------
    callable (start, stop) -> (scores float32, positions int64), both (stop - start, N)
        A score is the negated distance. Best first, ties by position.
    """
    queries = np.unpackbits(query_codes, axis=1).astype(np.float32)
    database = np.unpackbits(codes, axis=1).astype(np.float32)
    query_ones = queries.sum(axis=1, keepdims=True)
    database_ones = database.sum(axis=1)
    bits = database.shape[1]

    def rank(start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        both = queries[start:stop] @ database.T
        different = query_ones[start:stop] + database_ones - 2 * both
        # One different bit and none shared is `bits`, beyond any distance where one is shared.
        distances = different / np.maximum(both, np.float32(1 / bits))
        positions = np.argsort(distances, axis=1, kind="stable")
        return -np.take_along_axis(distances, positions, axis=1), positions

    return rank
