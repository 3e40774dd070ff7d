"""Codebooks to start from: residual k-means."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq._shared.progress import ProgressCallback
from wsdhq.quant.arrays.vectors import FloatMatrix, as_float32
from wsdhq.quant.statistics import CodeStatistics


def sample_rows(num_rows: int, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """At most `most` distinct rows, ascending, all of them when there are no more."""
    if num_rows <= most:
        return np.arange(num_rows)
    return np.sort(generator.choice(num_rows, most, replace=False)).astype(np.int64)


def _take_rows(vectors: FloatMatrix, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """A copy of some rows, in pieces: each row of a file may be a page to read."""
    taken = np.empty((len(rows), vectors.shape[1]), np.float32)
    for first in range(0, len(rows), 1024):
        part = rows[first : first + 1024]
        try:
            taken[first : first + 1024] = as_float32(vectors[part], "X")
        except ValueError:
            for row in part:
                as_float32(vectors[row : row + 1], "X", int(row))  # names the row as the user does
            raise
    return taken


def _advance_from(progress: ProgressCallback, begun: int, part: float) -> None:
    progress(begun + part)


def k_means(
    X: NDArray[np.float32],
    codebook_size: int,
    metric: NDArray[np.float32] | None,
    generator: np.random.Generator,
    iterations: int,
    threads: int,
    progress: ProgressCallback | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Lloyd's algorithm, which is additive quantization with one codebook.

    Returns centroids (codebook_size, dim) float32 and the assignment (num_vectors, 1) uint8.
    A cluster that loses all its vectors takes the vector furthest from its centroid. `progress` is
    told the part of the iterations that is done.
    """
    chosen = generator.permutation(len(X))[:codebook_size]
    centroids = np.resize(X[chosen], (codebook_size, X.shape[1])).astype(np.float32)
    codes = _assign(X, centroids, metric, threads)
    for i in range(iterations):
        if progress is not None:
            progress(i / iterations)
        statistics = CodeStatistics(1, codebook_size, X.shape[1], threads, verbose=False)
        statistics.update(X, codes)
        counts = np.diagonal(statistics.histogram[0, :, 0, :])
        used = counts > 0
        centroids = centroids.copy()
        centroids[used] = (statistics.sums[0, used] / counts[used, None]).astype(np.float32)
        if not used.all():
            error = np.square(X - centroids[codes[:, 0]]).sum(axis=1)
            furthest = np.argsort(-error, kind="stable")[: int((~used).sum())]
            empty = np.flatnonzero(~used)[: len(furthest)]
            centroids[empty] = X[furthest]
        updated = _assign(X, centroids, metric, threads)
        if np.array_equal(updated, codes):
            break
        codes = updated
    return centroids, codes


def _assign(
    X: NDArray[np.float32],
    centroids: NDArray[np.float32],
    metric: NDArray[np.float32] | None,
    threads: int,
) -> NDArray[np.uint8]:
    encoder = _core.Encoder(centroids[None], metric, threads)
    return encoder.encode(X, None, 1, "none", 0, 1, threads)


def residual_codebooks(
    vectors: FloatMatrix,
    num_codebooks: int,
    codebook_size: int,
    metric: NDArray[np.float32] | None,
    seed: int,
    threads: int,
    most_rows: int = 65_536,
    iterations: int = 10,
    progress: ProgressCallback | None = None,
) -> NDArray[np.float32]:
    """Codebooks by k-means on what the codebooks before them left (residual quantization).

    Parameters
    ----------
    vectors : array (num_vectors, dim) of float
    most_rows : int
        Larger inputs are sampled to this many rows.
    iterations : int
        Most k-means iterations per codebook.
    progress : callable, optional
        Told how many codebooks are done.

    Returns
    -------
    ndarray (num_codebooks, codebook_size, dim) float32
        A function of the vectors and the seed.
    """
    rows = sample_rows(len(vectors), most_rows, np.random.default_rng([seed, 0]))
    residual = _take_rows(vectors, rows)
    codebooks = np.empty((num_codebooks, codebook_size, residual.shape[1]), np.float32)
    for m in range(num_codebooks):
        centroids, codes = k_means(
            residual,
            codebook_size,
            metric,
            np.random.default_rng([seed, 1, m]),
            iterations,
            threads,
            None if progress is None else partial(_advance_from, progress, m),
        )
        codebooks[m] = centroids
        residual -= centroids[codes[:, 0]]
    return codebooks


def slice_codebooks(
    vectors: FloatMatrix,
    num_codebooks: int,
    codebook_size: int,
    metric: NDArray[np.float32] | None,
    seed: int,
    threads: int,
    most_rows: int = 65_536,
    iterations: int = 10,
    progress: ProgressCallback | None = None,
) -> NDArray[np.float32]:
    """Codebooks by k-means on equal slices of the dimensions (product quantization).

    Codeword k of codebook m is zero outside the m-th slice. Euclidean whatever the `metric`,
    which has no meaning on a slice. Arguments and result as `residual_codebooks`.

    Raises
    ------
    ValueError
        There are more codebooks than dimensions.
    """
    dim = vectors.shape[1]
    if num_codebooks > dim:
        raise ValueError(
            f'init: "slices" needs at least one dimension per codebook, got {num_codebooks} '
            f"codebooks for {dim} dimensions"
        )
    rows = sample_rows(len(vectors), most_rows, np.random.default_rng([seed, 0]))
    sample = _take_rows(vectors, rows)
    codebooks = np.zeros((num_codebooks, codebook_size, dim), np.float32)
    edges = np.linspace(0, dim, num_codebooks + 1).astype(int)
    for m, (first, last) in enumerate(pairwise(edges)):
        codebooks[m, :, first:last], _ = k_means(
            np.ascontiguousarray(sample[:, first:last]),
            codebook_size,
            None,
            np.random.default_rng([seed, 1, m]),
            iterations,
            threads,
            None if progress is None else partial(_advance_from, progress, m),
        )
    return codebooks
