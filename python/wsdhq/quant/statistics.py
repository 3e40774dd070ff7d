"""The sums of a codebook update, and its solution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import blas, lapack

from wsdhq import _core
from wsdhq.quant.threads import resolve_threads
from wsdhq.quant.validation import (
    as_code_rows,
    as_integer,
    as_vectors,
    check_num_codewords,
    code_chunks,
    float32_chunks,
)

__all__ = ["CodeStatistics", "check_ridge"]


def check_ridge(value: object) -> float | None:
    """Check a ridge: a positive finite number, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise TypeError(f"ridge: expected a number, got {type(value).__name__}")
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"ridge: expected a positive finite number, got {number}")
    return number


# Columns that the factorisation takes at once: large enough for the matrix products to be fast.
_BLOCK = 256


def _solve_ridge(
    gram: NDArray[np.int64], right: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Solve (gram + ridge I) x = right by a blocked Cholesky factorisation.

    Only the lower half of the matrix is ever made, in double, a block of columns at a time, and
    the right-hand sides ride along as further rows: faster than LAPACK on the whole matrix, in
    half the memory.

    Parameters
    ----------
    gram : (size, size), symmetric
    right : (size, dim)

    Raises
    ------
    LinAlgError
        The matrix is not positive definite in double.
    """
    size, dim = right.shape
    edges = [(first, min(first + _BLOCK, size)) for first in range(0, size, _BLOCK)]
    # Of each block of columns: the triangle on the diagonal; the rows below it, and then, a row
    # per dimension, the right-hand sides after forward substitution.
    triangles: list[NDArray[np.float64]] = []
    panels: list[NDArray[np.float64]] = []
    for first, last in edges:
        corner = gram[first:last, first:last].astype(np.float64)
        diagonal = corner.diagonal() + ridge
        np.fill_diagonal(corner, diagonal)
        panel = np.empty((size - last + dim, last - first))
        panel[: size - last] = gram[last:, first:last]
        panel[size - last :] = right[first:last].T
        # Transposes of row-major arrays are what BLAS takes without a copy.
        for (_, end), earlier in zip(edges, panels):
            here = earlier[first - end : last - end].T
            below = earlier[last - end :].T
            corner = blas.dsyrk(-1.0, here, beta=1.0, c=corner.T, trans=1, lower=1, overwrite_c=1).T
            panel = blas.dgemm(-1.0, here, below, beta=1.0, c=panel.T, trans_a=1, overwrite_c=1).T
        triangle, info = lapack.dpotrf(corner.T, lower=1, clean=0, overwrite_a=1)
        # A pivot this small is nothing but rounding, whatever its sign.
        if info or not (triangle.diagonal() ** 2 > np.finfo(np.float64).eps * diagonal).all():
            raise np.linalg.LinAlgError("not positive definite")
        panels.append(blas.dtrsm(1.0, triangle, panel.T, lower=1, overwrite_b=1).T)
        triangles.append(triangle)
    solution = np.empty((size, dim))
    for (first, last), triangle in zip(reversed(edges), reversed(triangles)):
        panel = panels.pop()
        rest = panel[size - last :].T
        if last < size:
            below = panel[: size - last].T
            rest = blas.dgemm(
                -1.0, below, solution[last:].T, beta=1.0, c=rest, trans_b=1, overwrite_c=1
            )
        solution[first:last] = blas.dtrsm(1.0, triangle, rest, lower=1, trans_a=1, overwrite_b=1)
    return solution


class CodeStatistics:
    """B^T B and B^T X of codes and vectors, as sums over vectors (method section 4).

    B is the (num_vectors, num_codebooks * codebook_size) one-hot matrix of the codes, never
    built. Statistics of chunks, files and machines add up: `merge` them, or all-reduce the
    three arrays.

    Parameters
    ----------
    num_codebooks : int, 1 to 1024
    codebook_size : int, 1 to 256
        num_codebooks * codebook_size is at most 16,384.
    dim : int, at least 1
    threads : int, optional
        Threads of `update`; None uses every core. Results do not depend on it.

    Attributes
    ----------
    histogram : ndarray (num_codebooks, codebook_size, num_codebooks, codebook_size) int64
        histogram[m, k, m', k'] is how many vectors carry codeword k of codebook m and codeword k'
        of codebook m': B^T B, exactly. Its diagonal counts each codeword's vectors.
    sums : ndarray (num_codebooks, codebook_size, dim) float64
        The sum of the vectors that carry each codeword: B^T X.
    count : int
        Number of vectors seen.

    Notes
    -----
    `update` releases the GIL; one object must not be updated from two Python threads at once.
    """

    def __init__(
        self, num_codebooks: int, codebook_size: int, dim: int, threads: int | None = None
    ) -> None:
        self.num_codebooks = as_integer(num_codebooks, "num_codebooks", 1)
        self.codebook_size = as_integer(codebook_size, "codebook_size", 1, 256)
        check_num_codewords(self.num_codebooks, self.codebook_size)
        self.dim = as_integer(dim, "dim", 1)
        resolve_threads(threads)
        self.threads = threads
        shape = (self.num_codebooks, self.codebook_size)
        self.histogram: NDArray[np.int64] = np.zeros(shape + shape, np.int64)
        self.sums: NDArray[np.float64] = np.zeros((*shape, self.dim))
        self.count = 0

    def __repr__(self) -> str:
        return (
            f"CodeStatistics(num_codebooks={self.num_codebooks}, "
            f"codebook_size={self.codebook_size}, dim={self.dim}, count={self.count})"
        )

    def update(self, X: ArrayLike, codes: ArrayLike) -> CodeStatistics:
        """Add vectors and their codes.

        Parameters
        ----------
        X : array (num_vectors, dim) of float16, float32 or float64
            Arrays of other libraries: see `AdditiveQuantizer`.
        codes : array (num_vectors, num_codebooks) of uint8, each below codebook_size

        Returns
        -------
        CodeStatistics
            Itself.

        Raises
        ------
        TypeError, ValueError
            Naming the argument; the statistics are then as they were before.

        Notes
        -----
        After a KeyboardInterrupt the statistics are part of the way: use a fresh object.
        """
        vectors = as_vectors(X, "X", self.dim)
        checked = as_code_rows(codes, "codes", self.num_codebooks, self.codebook_size, len(vectors))
        threads = resolve_threads(self.threads)
        before: NDArray[np.float64] | None = None
        try:
            for first, last, chunk in float32_chunks(vectors, "X"):
                if first == 0 and last < len(vectors):
                    # A value in a later chunk may turn out to be bad.
                    before = self.sums.copy()
                _core.update_sums(chunk, checked[first:last], self.sums, threads)
        except ValueError:
            if before is not None:
                self.sums[...] = before
            raise
        for _, _, part in code_chunks(checked):
            _core.update_histogram(part, self.histogram, threads)
        self.count += len(vectors)
        return self

    def merge(self, other: CodeStatistics) -> CodeStatistics:
        """Add the statistics of other vectors; returns itself.

        Raises
        ------
        TypeError
            `other` is not a CodeStatistics.
        ValueError
            Its num_codebooks, codebook_size or dim differ.
        """
        if not isinstance(other, CodeStatistics):
            raise TypeError(f"other: expected CodeStatistics, got {type(other).__name__}")
        if self.sums.shape != other.sums.shape:
            raise ValueError(
                "other: expected (num_codebooks, codebook_size, dim) = "
                f"{self.sums.shape}, got {other.sums.shape}"
            )
        self.histogram += other.histogram
        self.sums += other.sums
        self.count += other.count
        return self

    def unused(self) -> NDArray[np.bool_]:
        """Which codewords no vector carries: (num_codebooks, codebook_size) bool."""
        size = self.num_codebooks * self.codebook_size
        counts = np.diagonal(self.histogram.reshape(size, size))
        unused: NDArray[np.bool_] = np.equal(counts, 0)
        return unused.reshape(self.num_codebooks, self.codebook_size)

    def solve(self, ridge: float | None = None) -> NDArray[np.float32]:
        """Codebooks of least squared error for the codes seen: (B^T B + ridge I)^-1 B^T X.

        Solved by Cholesky in double, on the lower half of B^T B; no inverse is formed. B^T B is
        always singular (the rows of B sum to num_codebooks), so the ridge is required. The metric
        of an objective cancels: these codebooks are the best under every metric.

        Parameters
        ----------
        ridge : float, positive, optional
            In units of vectors: a codeword carried by n vectors shrinks by about ridge / n. None
            is 1e-7 + 1e-13 count: what Cholesky needs and no error of the codes feels.

        Returns
        -------
        ndarray (num_codebooks, codebook_size, dim) float32
            Zero for codewords that no vector carries: see `unused`.

        Raises
        ------
        ValueError
            No vectors were seen, or `ridge` is not positive, or too small for this many vectors.
        """
        checked = check_ridge(ridge)
        amount = 1e-7 + 1e-13 * self.count if checked is None else checked
        if not np.isfinite(self.sums).all():
            raise ValueError("sums: expected finite values, got NaN or infinity")
        if self.count == 0:
            raise ValueError("solve: no vectors were seen; call update first")
        size = self.num_codebooks * self.codebook_size
        gram = self.histogram.reshape(size, size)
        try:
            solution = _solve_ridge(gram, self.sums.reshape(size, self.dim), amount)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"ridge: {amount:g} is too small for {self.count} vectors: expected at least "
                f"about {self.count * 1e-13:.0e}"
            ) from None
        return np.ascontiguousarray(solution.reshape(self.sums.shape), dtype=np.float32)
