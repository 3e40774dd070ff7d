"""The sums of a codebook update, and its solution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq._shared.arguments import as_integer, as_number
from wsdhq._shared.progress import Progress, check_verbose
from wsdhq.quant.arrays.codes import as_code_rows, code_chunks
from wsdhq.quant.arrays.foreign import LazyRows, rows_per_chunk
from wsdhq.quant.arrays.parameters import check_num_codewords
from wsdhq.quant.arrays.vectors import FloatMatrix, as_vectors, float32_chunks
from wsdhq.quant.threads import resolve_threads


def check_ridge(value: object) -> float | None:
    """Check a ridge: a positive finite number, or None."""
    if value is None:
        return None
    return as_number(value, "ridge", above=0)


# Pairs of codebooks times vectors that are counted in about a tenth of a second: so much is not
# worth a second histogram.
_QUICK = 2**27


def _add_to_sums(
    sums: NDArray[np.float64],
    vectors: FloatMatrix,
    begin: int,
    codes: NDArray[np.uint8],
    threads: int,
    progress: Progress,
) -> None:
    """Add the vectors from row `begin` on, of which `codes` are, to the sums of their codewords."""
    for first, last, chunk in float32_chunks(vectors, "X", 0, begin, begin + len(codes)):
        _core.update_sums(chunk, codes[first - begin : last - begin], sums, threads)
        progress.move_to(last)


def _check_finite(sums: NDArray[np.float64]) -> None:
    # Each vector was checked: only one that was written to since can be no number.
    if not np.isfinite(sums.sum()):
        raise ValueError(
            "X: became NaN or infinite while it was read: expected an array that nobody writes to "
            "meanwhile"
        )


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
        Of `update` and `solve`; None uses every core. Results do not depend on it.
    verbose : bool, optional
        Whether `update` shows how far it is, as in `AdditiveQuantizer`.

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

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [3, 0], [0, 5]], np.float32)
    >>> codes = np.array([[0], [0], [1]], np.uint8)
    >>> statistics = CodeStatistics(num_codebooks=1, codebook_size=2, dim=2).update(X, codes)
    >>> statistics.count, statistics.sums[0, 0].tolist()
    (3, [4.0, 0.0])
    >>> statistics.solve().round(3).tolist()
    [[[2.0, 0.0], [0.0, 5.0]]]
    """

    def __init__(
        self,
        num_codebooks: int,
        codebook_size: int,
        dim: int,
        threads: int | None = None,
        *,
        verbose: bool | None = None,
    ) -> None:
        self.num_codebooks = as_integer(num_codebooks, "num_codebooks", 1)
        self.codebook_size = as_integer(codebook_size, "codebook_size", 1, 256)
        check_num_codewords(self.num_codebooks, self.codebook_size)
        self.dim = as_integer(dim, "dim", 1)
        resolve_threads(threads)
        self.threads = threads
        self.verbose = check_verbose(verbose)
        shape = (self.num_codebooks, self.codebook_size)
        self.histogram: NDArray[np.int64] = np.zeros(shape + shape, np.int64)
        self.sums: NDArray[np.float64] = np.zeros((*shape, self.dim))
        self.count = 0

    def __repr__(self) -> str:
        return (
            f"CodeStatistics(num_codebooks={self.num_codebooks}, "
            f"codebook_size={self.codebook_size}, dim={self.dim}, count={self.count})"
        )

    def update(
        self, X: ArrayLike, codes: ArrayLike, *, threads: int | None = None
    ) -> CodeStatistics:
        """Add vectors and their codes.

        Parameters
        ----------
        X : array (num_vectors, dim) of float16, float32 or float64
            Arrays of other libraries: see `AdditiveQuantizer`.
        codes : array (num_vectors, num_codebooks) of uint8, each below codebook_size
        threads : int, optional
            None is that of the statistics.

        Returns
        -------
        CodeStatistics
            Itself.

        Raises
        ------
        TypeError, ValueError
            Naming the argument; the statistics are then as they were before.
        KeyboardInterrupt
            After Ctrl-C: either all of the vectors are in the statistics or none, as `count` tells.
        """
        vectors = as_vectors(X, "X", self.dim)
        checked = as_code_rows(codes, "codes", self.num_codebooks, self.codebook_size, len(vectors))
        used = resolve_threads(self.threads if threads is None else threads)
        pairs = len(vectors) * self.num_codebooks * (self.num_codebooks + 1) // 2
        with Progress(self.verbose) as progress:
            progress.stage("statistics", len(vectors), " vectors")
            if pairs <= _QUICK and len(vectors) <= rows_per_chunk(self.num_codebooks):
                self._add_at_once(vectors, checked[:], used, progress)
            else:
                self._add_by_chunks(vectors, checked, used, progress)
        return self

    def _add_at_once(
        self, vectors: FloatMatrix, codes: NDArray[np.uint8], threads: int, progress: Progress
    ) -> None:
        before = self._num_counted()
        sums = self.sums.copy()
        _add_to_sums(sums, vectors, 0, codes, threads, progress)
        _check_finite(sums)
        try:
            _core.update_histogram(codes, self.histogram, threads, interruptible=False)
        finally:
            # Python raises what Ctrl-C asked for when a call is over: the histogram tells.
            if self._num_counted() == before + len(codes):
                self._take(sums, len(codes))

    def _add_by_chunks(
        self, vectors: FloatMatrix, codes: LazyRows, threads: int, progress: Progress
    ) -> None:
        before = self._num_counted()
        is_empty = self.count == 0 and before == 0
        # On copies: a later chunk may hold a bad value, and Ctrl-C may come at any time.
        sums = self.sums.copy()
        counts = self.histogram if is_empty else np.zeros_like(self.histogram)
        is_whole = False
        try:
            for first, _, some in code_chunks(codes):
                _add_to_sums(sums, vectors, first, some, threads, progress)
                _core.update_histogram(some, counts, threads, interruptible=True)
            _check_finite(sums)
            is_whole = True
            if not is_empty:
                np.add(self.histogram, counts, out=self.histogram)
        finally:
            if is_whole and self._num_counted() == before + len(codes):
                self._take(sums, len(codes))
            elif is_empty:
                self.histogram.fill(0)

    def _take(self, sums: NDArray[np.float64], num_vectors: int) -> None:
        self.sums[...] = sums
        self.count += num_vectors

    def _num_counted(self) -> int:
        """How many vectors the histogram counts: each is in every codebook once."""
        return int(np.trace(self.histogram[0, :, 0, :]))

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

    def solve(
        self, ridge: float | None = None, *, threads: int | None = None
    ) -> NDArray[np.float32]:
        """Codebooks of least squared error for the codes seen: (B^T B + ridge I)^-1 B^T X.

        Solved by Cholesky in double, on the lower half of B^T B; no inverse is formed, and neither
        BLAS nor LAPACK is used. B^T B is
        always singular (the rows of B sum to num_codebooks), so the ridge is required. The metric
        of an objective cancels: these codebooks are the best under every metric.

        Parameters
        ----------
        ridge : float, positive, optional
            In units of vectors: a codeword carried by n vectors shrinks by about ridge / n. None
            is 1e-7 + 1e-13 count: what Cholesky needs and no error of the codes feels.
        threads : int, optional
            None is that of the statistics.

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
        used = resolve_threads(self.threads if threads is None else threads)
        amount = 1e-7 + 1e-13 * self.count if checked is None else checked
        if not np.isfinite(self.sums).all():
            raise ValueError("sums: expected finite values, got NaN or infinity")
        if self.count == 0:
            raise ValueError("solve: no vectors were seen; call update first")
        size = self.num_codebooks * self.codebook_size
        gram = self.histogram.reshape(size, size)
        right = np.ascontiguousarray(self.sums.reshape(size, self.dim))
        solution = _core.solve_ridge(np.ascontiguousarray(gram), right, amount, used)
        if solution is None:
            raise ValueError(
                f"ridge: {amount:g} is too small for {self.count} vectors: expected at least "
                f"about {self.count * 1e-13:.0e}"
            )
        return np.ascontiguousarray(solution.reshape(self.sums.shape), dtype=np.float32)
