"""ITQ: principal components, rotated to be close to binary."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from wsdhq.baselines.common.features import covariance, mean_of, principal_directions, project_rows
from wsdhq.baselines.common.hamming import HashingBaseline
from wsdhq.baselines.interface import TrainingData
from wsdhq.quant.arrays.vectors import FloatMatrix

_ITERATIONS = 50


class ITQ(HashingBaseline):
    """Iterative quantization.

    Gong, Lazebnik, Gordo and Perronnin, "Iterative Quantization: A Procrustean Approach to
    Learning Binary Codes for Large-Scale Image Retrieval", TPAMI 2013, section 3: V is the rows on
    their first `bits` principal directions; 50 iterations from a random rotation minimize
    ||B - V R||^2 (equation 2) by B = sgn(V R) and the orthogonal Procrustes problem for R.

    Attributes
    ----------
    quantization_errors : list of float
        ||B - V R||^2 / n after each update of B.
    """

    name: ClassVar[str] = "ITQ"
    reference: ClassVar[str] = "Gong et al. 2013"

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        dim = features.shape[1]
        if self.bits > dim:
            raise ValueError(
                f"bits: ITQ takes one principal direction per bit, so features of {dim} "
                f"dimensions give up to {dim} bits, not {self.bits}"
            )
        mean = mean_of(features)
        _, directions = principal_directions(covariance(features, mean), self.bits)
        projected = project_rows(features, mean, directions)
        rotation, self.quantization_errors = learn_rotation(
            projected, np.random.default_rng(self.seed)
        )
        self._mean = mean.astype(np.float32)
        self._projection = (directions @ rotation).astype(np.float32)

    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return (chunk - self._mean) @ self._projection


def learn_rotation(
    projected: NDArray[np.float64], generator: np.random.Generator, iterations: int = _ITERATIONS
) -> tuple[NDArray[np.float64], list[float]]:
    """Rotate vectors so that they come close to their signs.

    Parameters
    ----------
    projected : (n, bits) float64
        V, of mean zero.
    generator : numpy.random.Generator
        Of the rotation to start from.
    iterations : int
        At least 1.

    Returns
    -------
    rotation : (bits, bits) float64
        R, orthogonal.
    errors : list of float
        ||sgn(V R) - V R||^2 / n before the first update of R and after each.
    """
    bits = projected.shape[1]
    rotation, _ = linalg.qr(generator.standard_normal((bits, bits)))
    errors = []
    for iteration in range(iterations + 1):
        rotated = projected @ rotation
        signs = np.where(rotated >= 0, 1.0, -1.0)
        errors.append(float(np.square(signs - rotated).sum() / len(projected)))
        if iteration < iterations:
            left, _, right = linalg.svd(projected.T @ signs)
            rotation = left @ right
    return rotation, errors
