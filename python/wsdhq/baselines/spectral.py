"""SH: the smoothest eigenfunctions along principal directions."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wsdhq.baselines.common.features import covariance, mean_of, principal_directions, project_rows
from wsdhq.baselines.common.hamming import HashingBaseline
from wsdhq.baselines.interface import TrainingData
from wsdhq.quant.arrays.vectors import FloatMatrix

# A direction whose range is this small a part of the widest one holds rounding errors.
_NEGLIGIBLE = 1e-6


class SpectralHashing(HashingBaseline):
    """Spectral hashing.

    Weiss, Torralba and Fergus, "Spectral Hashing", NIPS 2008 (the proceedings appeared in 2009),
    equations 7 and 8 and the algorithm that follows from them:

    1. Principal components of the rows, min(bits, F) of them.
    2. On each, the rows are taken for uniformly distributed over [a, b], their least and largest
       value. The eigenfunctions of the Laplacian are then known: Phi_k(x) = sin(pi / 2 +
       k pi (x - a) / (b - a)) with eigenvalue 1 - exp(-eps^2 / 2 |k pi / (b - a)|^2). The `bits`
       smallest over all directions and k >= 1 are kept; their order does not depend on eps.
    3. Bits are the signs of these functions.
    """

    name: ClassVar[str] = "SH"
    reference: ClassVar[str] = "Weiss et al. 2009"

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        mean = mean_of(features)
        count = min(self.bits, features.shape[1])
        _, directions = principal_directions(covariance(features, mean), count)
        projected = project_rows(features, mean, directions)
        low, high = projected.min(axis=0), projected.max(axis=0)
        places, modes = smoothest_modes(high - low, self.bits)
        self._mean = mean.astype(np.float32)
        self._directions = directions[:, places].astype(np.float32)
        self._low = low[places]
        self._frequencies = modes * np.pi / (high - low)[places]

    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.float64]:
        projected = (chunk - self._mean) @ self._directions
        waves: NDArray[np.float64] = np.sin(np.pi / 2 + self._frequencies * (projected - self._low))
        return waves


def smoothest_modes(
    ranges: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the eigenfunctions of the smallest eigenvalues.

    Parameters
    ----------
    ranges : (P,) float64
        b - a of each principal direction, at least one of them positive.
    count : int
        How many eigenfunctions to choose.

    Returns
    -------
    places, modes : (count,) int64
        Direction and k of each, by ascending k / (b - a); ties by direction, then k.
    """
    usable = np.flatnonzero(ranges > _NEGLIGIBLE * ranges.max())
    # Along one direction the first `count` modes are its smoothest: no more can be wanted.
    places = np.repeat(usable, count)
    modes = np.tile(np.arange(1, count + 1), len(usable))
    chosen = np.argsort(modes / ranges[places], kind="stable")[:count]
    return places[chosen], modes[chosen]
