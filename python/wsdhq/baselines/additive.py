"""AQ: additive quantization of the features themselves."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wsdhq.baselines.common.features import FeatureBaseline
from wsdhq.baselines.interface import TrainingData
from wsdhq.evaluation import RankBatches, rank_by_index
from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.arrays.vectors import FloatMatrix


class AdditiveQuantization(FeatureBaseline):
    """Additive quantization of features, searched by asymmetric Euclidean distance.

    Babenko and Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR 2014: x is
    approximated by a sum of bits / 8 codewords, one from each of as many codebooks of 256. Codes
    come from a beam search, codebooks from least squares, by turns. The distance |q - x^|^2 is
    summed from look-up tables.

    It is `wsdhq.quant.AdditiveQuantizer` without a metric and without stochastic relaxation. That
    differs from the paper in this:

    - a code from the beam, of 8 partial codes in training and 32 in encoding, is improved by
      iterated conditional modes until nothing changes;
    - codebooks start from residual k-means;
    - the least squares have a ridge that falls to nothing over the 20 alternations, and codewords
      that no row uses are placed anew;
    - |x^|^2 is computed from the code, so that a code takes no more than its `bits`.
    """

    name: ClassVar[str] = "AQ"
    reference: ClassVar[str] = "Babenko & Lempitsky 2014"

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        self._quantizer = AdditiveQuantizer(
            self.bits // 8, 256, relaxation=None, seed=self.seed, threads=self.threads
        ).fit(features)

    def _encode_chunk(self, chunk: NDArray[np.float32]) -> NDArray[np.uint8]:
        return self._quantizer.encode(chunk)

    def rank(self, queries: NDArray[Any], codes: NDArray[np.uint8]) -> RankBatches:
        """Rank a database of codes by the distance of query features to their reconstructions.

        Parameters
        ----------
        queries : (num_queries, F) float16, float32 or float64
        codes : (N, bits / 8) uint8

        Returns
        -------
        callable (start, stop) -> (scores, positions), as `wsdhq.evaluation` takes it
            Scores are negated squared distances; the whole database, ties by position.

        Raises
        ------
        TypeError, ValueError
            As `encode`; also codes of another dtype or width.
        """
        features = self._checked(queries, "queries", self._fitted_dim())
        index = AQDIndex(self._quantizer, "l2")
        index.add(self._checked_codes(codes))
        return rank_by_index(index, np.asarray(features))
