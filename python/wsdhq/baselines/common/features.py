"""What the shallow baselines share: checked features, read in chunks, their mean and covariance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from threadpoolctl import threadpool_limits

from wsdhq.baselines.interface import Baseline, TrainingData
from wsdhq.quant.arrays.vectors import FloatMatrix, as_vectors, float32_chunks


class FeatureBaseline(Baseline):
    """A baseline over features: checks what goes in, then leaves the work to the method.

    A method implements `_learn` and `_encode_chunk`, and raises `least_rows` where it needs more.
    Features are read in chunks: memory for them does not grow with the rows.
    """

    #: Least number of training rows.
    least_rows: ClassVar[int] = 2

    def __init__(self, bits: int, *, seed: int = 0, threads: int | None = None) -> None:
        super().__init__(bits, seed=seed, threads=threads)
        self._dim: int | None = None

    def fit(self, data: TrainingData) -> Self:
        """Learn from features.

        Parameters
        ----------
        data : TrainingData
            `inputs`: (n, F) float16, float32 or float64, finite, not all rows equal; `tags` where
            `uses_tags`.

        Raises
        ------
        TypeError
            The inputs are pixels or not of a floating type.
        ValueError
            Wrong shape, values that are not finite, too few rows or only equal ones, no tags for
            a method that needs them, more bits than the method can make.
        """
        # A fit that fails half-way must not leave half of two models behind.
        self._dim = None
        features = self._checked(data.inputs, "inputs", None)
        if len(features) < self.least_rows:
            raise ValueError(
                f"inputs: {self.name} needs at least {self.least_rows} rows to learn from, "
                f"got {len(features)}"
            )
        if self.uses_tags and data.tags is None:
            raise ValueError(f"tags: {self.name} learns from tags, got None")
        with threadpool_limits(limits=self.threads):
            _check_rows_differ(features)
            self._learn(features, data)
        self._dim = features.shape[1]
        return self

    def encode(self, inputs: NDArray[Any]) -> NDArray[np.uint8]:
        """Encode features.

        Parameters
        ----------
        inputs : (N, F) float16, float32 or float64
            N may be 0; F as fitted.

        Returns
        -------
        (N, bits / 8) uint8

        Raises
        ------
        TypeError
            The inputs are pixels or not of a floating type.
        ValueError
            Not fitted yet, another F than fitted, or values that are not finite.
        """
        features = self._checked(inputs, "inputs", self._fitted_dim())
        codes = np.empty((len(features), self.bits // 8), dtype=np.uint8)
        with threadpool_limits(limits=self.threads):
            for first, last, chunk in float32_chunks(features, "inputs"):
                codes[first:last] = self._encode_chunk(chunk)
        return codes

    @abstractmethod
    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        """Learn from checked features and, where the method uses them, the tags."""

    @abstractmethod
    def _encode_chunk(self, chunk: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes (rows, bits / 8) of a chunk of rows (rows, F)."""

    def _fitted_dim(self) -> int:
        if self._dim is None:
            raise ValueError(f"{self.name} has not learnt anything yet: call fit first")
        return self._dim

    def _checked(self, value: Any, argument: str, dim: int | None) -> FloatMatrix:
        array = np.asarray(value)
        if array.ndim == 4 and array.dtype == np.uint8:
            raise TypeError(
                f"{argument}: {self.name} needs features (rows, dimensions) of floats, got pixels "
                f"of shape {array.shape}"
            )
        if array.ndim == 2 and dim is not None and array.shape[1] != dim:
            raise ValueError(
                f"{argument}: {self.name} was fitted to features of {dim} dimensions, "
                f"got {array.shape[1]}"
            )
        return as_vectors(array, argument)


def _check_rows_differ(features: FloatMatrix) -> None:
    """Read all values, which checks them, and raise unless two rows differ."""
    # Of the first chunk and not of the features: what does not fit into float32 is refused there.
    first_row = None
    differ = False
    for _, _, chunk in float32_chunks(features, "inputs"):
        first_row = chunk[:1].copy() if first_row is None else first_row
        differ = differ or bool((chunk != first_row).any())
    if not differ:
        raise ValueError(
            f"inputs: expected rows that differ, got {len(features)} equal rows: nothing can be "
            "learnt from them"
        )


def mean_of(features: FloatMatrix) -> NDArray[np.float64]:
    """Mean of the rows: (F,), summed in float64."""
    total = np.zeros(features.shape[1])
    for _, _, chunk in float32_chunks(features, "inputs"):
        total += chunk.sum(axis=0, dtype=np.float64)
    return total / len(features)


def centred_chunks(
    features: FloatMatrix, mean: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Walk over features minus their mean, (rows, F) float32 at a time, with the rows' places."""
    shift = mean.astype(np.float32)
    for first, last, chunk in float32_chunks(features, "inputs"):
        yield slice(first, last), chunk - shift


def covariance(features: FloatMatrix, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of the rows about `mean`, divided by their number: (F, F).

    Products are float32 within a chunk of 16 MiB of centred rows, and float64 across chunks.
    """
    total = np.zeros((features.shape[1], features.shape[1]))
    for _, chunk in centred_chunks(features, mean):
        total += chunk.T @ chunk
    return total / len(features)


def principal_directions(
    matrix: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues of a symmetric matrix (F, F), descending, and their eigenvectors.

    Returns
    -------
    values : (count,) float64
    directions : (F, count) float64
        Orthonormal columns.
    """
    size = len(matrix)
    values, vectors = linalg.eigh(matrix, subset_by_index=[size - count, size - 1])
    return values[::-1], vectors[:, ::-1]


def project_rows(
    features: FloatMatrix, mean: NDArray[np.float64], directions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features minus their mean, times directions (F, count): (n, count)."""
    projected = np.empty((len(features), directions.shape[1]))
    for rows, chunk in centred_chunks(features, mean):
        projected[rows] = chunk @ directions.astype(np.float32)
    return projected
