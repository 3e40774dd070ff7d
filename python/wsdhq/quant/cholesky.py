"""Blocked Cholesky factorisation, for the codebook solve and for the check of a metric.

The work is matrix products of 64 x 64 blocks, many to a call. BLAS does so small a product on the
thread that asks for it: its own threads, of which there are as many as cores whatever `threads`
says, and which spin while they wait, stay out of it. Threads are ours, and no call lasts long
enough to keep Ctrl-C waiting, however large the matrix is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

__all__ = ["is_positive_definite", "solve_ridge"]

Doubles = NDArray[np.float64]

# OpenBLAS multiplies up to 64^3 on one thread.
_BLOCK = 64
# Blocks of a column that are one task: what it reads and writes fits into the second cache.
_TASK = 16

# Calls a function with 0, _TASK, 2 * _TASK, ... below a number of blocks.
_ForEach = Callable[[Callable[[int], None], int], None]


def solve_ridge(gram: NDArray[Any], right: Doubles, ridge: float, threads: int = 1) -> Doubles:
    """Solve (gram + ridge I) x = right by a blocked Cholesky factorisation.

    Only the lower half of the matrix is ever made, in double, a block of columns at a time, and
    the right-hand sides ride along as further rows.

    Parameters
    ----------
    gram : (size, size) of integers or floats, symmetric
    right : (size, dim)
    ridge : float, positive
    threads : int, at least 1
        The result does not depend on it.

    Raises
    ------
    LinAlgError
        The matrix is not positive definite in double.
    """
    size, dim = right.shape
    columns = -(-size // _BLOCK)
    sides = -(-dim // _BLOCK)
    with _tasks(threads) as for_each:
        panels, corners = _factorise(gram, right, ridge, for_each)
        # As `panels` has it: block s of column j holds 64 right-hand sides, a row each.
        solution = np.empty((columns, sides, _BLOCK, _BLOCK))

        def substitute(column: int, first: int) -> None:
            last = min(first + _TASK, sides)
            rest = panels[column][columns - column :][first:last].copy()
            product = np.empty_like(rest)
            for below in range(column + 1, columns):
                np.matmul(solution[below, first:last], panels[column][below - column], out=product)
                rest -= product
            solution[column, first:last] = _divide(rest, *corners[column])

        for column in reversed(range(columns)):
            for_each(partial(substitute, column), sides)
    rows = solution.transpose(0, 3, 1, 2).reshape(columns * _BLOCK, sides * _BLOCK)
    return rows[:size, :dim]


def is_positive_definite(matrix: Doubles, ridge: float) -> bool:
    """Whether (matrix + ridge I), symmetric (size, size), is positive definite in double."""
    try:
        with _tasks(1) as for_each:
            _factorise(matrix, np.empty((len(matrix), 0)), ridge, for_each)
    except np.linalg.LinAlgError:
        return False
    return True


@contextmanager
def _tasks(threads: int) -> Iterator[_ForEach]:
    """What runs the tasks of a step, on so many threads."""
    if threads == 1:

        def one_by_one(task: Callable[[int], None], num_blocks: int) -> None:
            for first in range(0, num_blocks, _TASK):
                task(first)

        yield one_by_one
        return
    pool = ThreadPoolExecutor(threads)

    def at_once(task: Callable[[int], None], num_blocks: int) -> None:
        if num_blocks <= _TASK:
            task(0)
        else:
            list(pool.map(task, range(0, num_blocks, _TASK)))

    try:
        yield at_once
    finally:
        # After Ctrl-C the tasks that were begun are waited for: milliseconds.
        pool.shutdown(cancel_futures=True)


def _factorise(
    gram: NDArray[Any], right: Doubles, ridge: float, for_each: _ForEach
) -> tuple[list[Doubles], list[tuple[Doubles, Doubles]]]:
    """Factorise; see `solve_ridge`.

    Returns
    -------
    panels : list of ndarray (number of blocks, 64, 64)
        Of each column of blocks: those of the factor from the diagonal down, and then the
        right-hand sides after forward substitution, 64 to a block, a row each.
    corners : list of two ndarrays (64, 64)
        The triangle on the diagonal, and its inverse.
    """
    size, dim = right.shape
    columns = -(-size // _BLOCK)
    sides = -(-dim // _BLOCK)
    panels: list[Doubles] = []
    corners: list[tuple[Doubles, Doubles]] = []
    for column in range(columns):
        begin, end = column * _BLOCK, min((column + 1) * _BLOCK, size)
        panel = np.zeros((columns - column + sides, _BLOCK, _BLOCK))
        rows = panel.reshape(-1, _BLOCK)
        rows[: size - begin, : end - begin] = gram[begin:, begin:end]
        beneath = (columns - column) * _BLOCK
        rows[beneath : beneath + dim, : end - begin] = right[begin:end].T
        # Beyond the matrix, too, so that the padding is no singular matrix.
        diagonal = panel[0].diagonal() + ridge
        np.fill_diagonal(panel[0], diagonal)
        for_each(partial(_eliminate, panels, panel), len(panel))
        triangle, info = lapack.dpotrf(panel[0], lower=1, clean=1)
        # A pivot this small is nothing but rounding, whatever its sign.
        if info or not (triangle.diagonal() ** 2 > np.finfo(np.float64).eps * diagonal).all():
            raise np.linalg.LinAlgError("not positive definite")
        inverse = lapack.dtrtri(triangle, lower=1)[0]
        # A factor stands to the right of what it divides: transposed.
        corner = np.ascontiguousarray(triangle.T), np.ascontiguousarray(inverse.T)
        for_each(partial(_divide_rows, panel[1:], *corner), len(panel) - 1)
        panels.append(panel)
        corners.append((np.ascontiguousarray(triangle), np.ascontiguousarray(inverse)))
    return panels, corners


def _eliminate(earlier: list[Doubles], panel: Doubles, first: int) -> None:
    """Take from some blocks of a column what the columns before it explain."""
    mine = panel[first : first + _TASK]
    product = np.empty_like(mine)
    for number, other in enumerate(earlier):
        offset = len(earlier) - number
        # Turned once for many products: BLAS takes a third longer with what is turned for it.
        factor = np.ascontiguousarray(other[offset].T)
        np.matmul(other[offset + first : offset + first + len(mine)], factor, out=product)
        mine -= product


def _divide_rows(blocks: Doubles, triangle: Doubles, inverse: Doubles, first: int) -> None:
    mine = blocks[first : first + _TASK]
    mine[...] = _divide(mine, triangle, inverse)


def _divide(blocks: Doubles, triangle: Doubles, inverse: Doubles) -> Doubles:
    """Solve x @ triangle = blocks by the inverse, and once more for what that leaves.

    Products instead of substitution; the second step makes up for the errors of an inverse.
    """
    solution = blocks @ inverse
    solution += (blocks - solution @ triangle) @ inverse
    return solution
