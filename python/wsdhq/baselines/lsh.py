"""LSH: signs of random projections."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wsdhq.baselines.common.features import mean_of
from wsdhq.baselines.common.hamming import HashingBaseline
from wsdhq.baselines.interface import TrainingData
from wsdhq.quant.arrays.vectors import FloatMatrix


class LSH(HashingBaseline):
    """Locality-sensitive hashing by random hyperplanes.

    Gionis, Indyk and Motwani, "Similarity Search in High Dimensions via Hashing", VLDB 1999, in
    the form that papers on learning to hash compare with: the hyperplanes of Charikar, "Similarity
    Estimation Techniques from Rounding Algorithms", STOC 2002, section 3. Bit l is the sign of
    (x - mean) . r_l with r_l drawn from a standard normal distribution. The hyperplanes pass
    through the mean of the training rows: features such as fc7 are all positive, and hyperplanes
    through zero would leave most of them on one side.
    """

    name: ClassVar[str] = "LSH"
    reference: ClassVar[str] = "Gionis et al. 1999"

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        mean = mean_of(features)
        generator = np.random.default_rng(self.seed)
        projection = generator.standard_normal((features.shape[1], self.bits))
        self._mean = mean.astype(np.float32)
        self._projection = projection.astype(np.float32)

    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return (chunk - self._mean) @ self._projection
