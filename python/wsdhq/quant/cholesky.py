"""Blocked Cholesky factorisation, for the codebook solve and for the check of a metric.

Each call of BLAS or LAPACK is on blocks: none lasts as long as a user would wait after Ctrl-C,
however large the matrix is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

__all__ = ["is_positive_definite", "solve_ridge"]

# Columns that the factorisation takes at once: large enough for the matrix products to be fast.
_BLOCK = 256
# Right-hand sides that are substituted back at once.
_RIGHT_SIDES = 1024


def solve_ridge(
    gram: NDArray[Any], right: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Solve (gram + ridge I) x = right by a blocked Cholesky factorisation.

    Only the lower half of the matrix is ever made, in double, a block of columns at a time, and
    the right-hand sides ride along as further rows: faster than LAPACK on the whole matrix, in
    half the memory.

    Parameters
    ----------
    gram : (size, size) of integers or floats, symmetric
    right : (size, dim)

    Raises
    ------
    LinAlgError
        The matrix is not positive definite in double.
    """
    size, dim = right.shape
    edges, triangles, panels = _factorise(gram, right, ridge)
    solution = np.empty((size, dim))
    for (first, last), triangle in zip(reversed(edges), reversed(triangles)):
        panel = panels.pop()
        for begin in range(0, dim, _RIGHT_SIDES):
            sides = slice(begin, min(begin + _RIGHT_SIDES, dim))
            rest = panel[size - last + sides.start : size - last + sides.stop].T
            if last < size:
                below = panel[: size - last].T
                rest = blas.dgemm(
                    -1.0, below, solution[last:, sides].T, beta=1.0, c=rest, trans_b=1,
                    overwrite_c=1,
                )  # fmt: skip
            solution[first:last, sides] = blas.dtrsm(
                1.0, triangle, rest, lower=1, trans_a=1, overwrite_b=1
            )
    return solution


def is_positive_definite(matrix: NDArray[np.float64], ridge: float) -> bool:
    """Whether (matrix + ridge I), symmetric (size, size), is positive definite in double."""
    try:
        _factorise(matrix, np.empty((len(matrix), 0)), ridge)
    except np.linalg.LinAlgError:
        return False
    return True


def _factorise(
    gram: NDArray[Any], right: NDArray[np.float64], ridge: float
) -> tuple[list[tuple[int, int]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Factorise; see `solve_ridge`.

    Returns
    -------
    edges : list of (first, last)
        Columns of each block.
    triangles, panels : lists of ndarray
        Of each block of columns: the triangle on the diagonal; the rows below it, and then, a row
        per dimension, the right-hand sides after forward substitution.
    """
    size, dim = right.shape
    edges = [(first, min(first + _BLOCK, size)) for first in range(0, size, _BLOCK)]
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
            if len(panel):
                panel = blas.dgemm(
                    -1.0, here, below, beta=1.0, c=panel.T, trans_a=1, overwrite_c=1
                ).T
        triangle, info = lapack.dpotrf(corner.T, lower=1, clean=0, overwrite_a=1)
        # A pivot this small is nothing but rounding, whatever its sign.
        if info or not (triangle.diagonal() ** 2 > np.finfo(np.float64).eps * diagonal).all():
            raise np.linalg.LinAlgError("not positive definite")
        if len(panel):
            panel = blas.dtrsm(1.0, triangle, panel.T, lower=1, overwrite_b=1).T
        panels.append(panel)
        triangles.append(triangle)
    return edges, triangles, panels
