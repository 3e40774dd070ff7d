"""The tag correlation graph: enhancement of word vectors on it, and merging of near tags.

Method section 1; paper, "Enhance Weak Supervision with Tag Correlation". NumPy and SciPy
only. Every decision (a neighbour, a merge) is taken on float64 values, in blocks of
bounded memory: 100,000 tags of 300 dimensions need no quadratic array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from wsdhq._shared.arguments import as_integer, as_number

# Values held at once by a block of cosines or gathered pairs: 32 MiB of float64.
_BLOCK_VALUES = 2**22
# Tags whose balls are queried together: SciPy answers with lists of Python integers.
_BALL_ROWS = 256
# Edges of the ball graph held before they are reduced to one edge per tag.
_BALL_EDGES = 2**22


def correlation_graph(
    vectors: ArrayLike, num_neighbours: int = 20, threshold: float = 0.75
) -> sparse.csr_array:
    """Build the tag correlation graph A (method section 1; paper eq. 1).

    ``A[i, j] = 1`` if j is among the `num_neighbours` nearest neighbours of i by cosine and
    their cosine is at least `threshold`, or if i == j. A row is not its own neighbour;
    among equal cosines the lowest index comes first. A need not be symmetric.

    Parameters
    ----------
    vectors : (n, D) array of float16, float32 or float64
        One word vector per row, of any norm but zero.
    num_neighbours : int
        k, at least 0. With 0 the graph is the identity.
    threshold : float
        tau, a cosine in -1 .. 1.

    Returns
    -------
    (n, n) scipy.sparse.csr_array of uint8
        Ones, with sorted indices in each row and the diagonal always present.

    Raises
    ------
    TypeError
        `vectors` is not of a floating type; `num_neighbours` is not an integer.
    ValueError
        `vectors` is not two-dimensional, holds NaN or infinity, or has a row of zeros (which
        has no cosine); a parameter is out of its range. The message names the row.

    Notes
    -----
    The cosine of a pair is ``x.y / sqrt(x.x * y.y)``, each product summed in float64 in one
    fixed order, so it depends on the two vectors alone and equal vectors have cosine
    exactly 1. A matrix product, whose last bits depend on where a column stands, only
    proposes the pairs, with a margin above its rounding error.
    """
    points = _as_float64(vectors, "vectors")
    wanted = as_integer(num_neighbours, "num_neighbours", 0)
    tau = as_number(threshold, "threshold", -1, 1)
    largest = np.abs(points).max(axis=1)
    if not largest.all():
        row = int(np.flatnonzero(largest == 0)[0])
        raise ValueError(f"vectors[{row}] is all zeros: it has no cosine to any other vector")

    n, dim = points.shape
    # A power of two per row changes no bit of a cosine and keeps the squares in range.
    points = np.ldexp(points, -np.frexp(largest)[1][:, None])
    squares = np.einsum("id,id->i", points, points)
    unit = points / np.sqrt(squares)[:, None]
    slack = 4 * (dim + 4) * np.finfo(np.float64).eps

    all_rows, all_columns = [np.arange(n)], [np.arange(n)]
    block = max(1, _BLOCK_VALUES // max(n, 1))
    for start in range(0, n if wanted else 0, block):
        stop = min(start + block, n)
        proposed = unit[start:stop] @ unit.T
        proposed[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        lowest = np.full(stop - start, tau - slack)
        crowded = np.flatnonzero(np.count_nonzero(proposed >= lowest[:, None], axis=1) > wanted)
        if len(crowded):
            nth_largest = np.partition(proposed[crowded], n - wanted, axis=1)[:, n - wanted]
            lowest[crowded] = np.maximum(lowest[crowded], nth_largest - slack)
        rows, columns = np.nonzero(proposed >= lowest[:, None])
        rows += start
        cosines = _pair_cosines(points, squares, rows, columns)
        order = np.lexsort((columns, -cosines, rows))
        rows, columns, cosines = rows[order], columns[order], cosines[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        kept = (place < wanted) & (cosines >= tau)
        all_rows.append(rows[kept])
        all_columns.append(columns[kept])

    i, j = np.concatenate(all_rows), np.concatenate(all_columns)
    graph = sparse.csr_array((np.ones(len(i), dtype=np.uint8), (i, j)), shape=(n, n))
    graph.sort_indices()
    return graph


def enhance(vectors: ArrayLike, graph: Any) -> NDArray[np.float64]:
    """Average each vector with its neighbours: ``T~ = row_normalize(A) T`` (method section 1).

    Parameters
    ----------
    vectors : (n, D) array of float16, float32 or float64
        T, one word vector per row, not normalized.
    graph : (n, n) SciPy sparse matrix or array
        A, of non-negative weights, with a positive sum in every row.

    Returns
    -------
    (n, D) numpy.ndarray of float64
        Double, so that merging decides on values that were not rounded. Rows of A that
        hold the same neighbours give the same bits.

    Raises
    ------
    TypeError
        `vectors` is not of a floating type, or `graph` is not a SciPy sparse matrix.
    ValueError
        The shapes disagree, a value is NaN or infinite, or a row of `graph` has a negative
        weight or nothing in it.
    """
    points = _as_float64(vectors, "vectors")
    if not sparse.issparse(graph):
        raise TypeError(f"graph: expected a SciPy sparse matrix, got {type(graph).__name__}")
    if graph.shape != (len(points), len(points)):
        raise ValueError(
            f"graph: expected ({len(points)}, {len(points)}), one row per vector, got {graph.shape}"
        )
    weights = sparse.csr_array(graph, dtype=np.float64, copy=True)
    weights.sum_duplicates()
    if not np.isfinite(weights.data).all() or (weights.data < 0).any():
        raise ValueError("graph: expected finite weights of at least 0")
    sums = np.asarray(weights.sum(axis=1)).reshape(-1)
    if not (sums > 0).all():
        row = int(np.flatnonzero(~(sums > 0))[0])
        raise ValueError(
            f"graph: expected every tag to be its own neighbour, got an empty row {row}"
        )
    return np.asarray((weights @ points) / sums[:, None])


def merge_dense(vectors: ArrayLike, radius: float = 0.1) -> NDArray[np.int64]:
    """Group the vectors that are density-reachable from each other (method section 1).

    Groups are the connected components of the graph that joins every two vectors at most
    `radius` apart in L2: reachability is transitive. This is DBSCAN with ``min_samples=2``
    whose noise points form groups of one.

    Parameters
    ----------
    vectors : (n, D) array of float16, float32 or float64
        The enhanced vectors T~.
    radius : float
        eps, at least 0. With 0 only equal vectors are grouped.

    Returns
    -------
    (n,) numpy.ndarray of int64
        The group of each row, numbered from 0 in order of the group's first member.

    Raises
    ------
    TypeError
        `vectors` is not of a floating type.
    ValueError
        `vectors` is not two-dimensional or not finite; `radius` is negative or not finite.
    """
    points = _as_float64(vectors, "vectors")
    eps = as_number(radius, "radius", 0)
    n = len(points)
    tree = cKDTree(points)
    # Each tag starts as its own representative; found edges lower the number of components.
    representative = np.arange(n)
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    held = 0
    for start in range(0, n, _BALL_ROWS):
        balls = tree.query_ball_point(points[start : start + _BALL_ROWS], eps)
        sizes = np.fromiter(map(len, balls), dtype=np.int64, count=len(balls))
        rows.append(np.repeat(np.arange(start, start + len(balls)), sizes))
        columns.append(np.concatenate([np.asarray(ball, dtype=np.int64) for ball in balls]))
        held += int(sizes.sum())
        if held > _BALL_EDGES:
            representative = _join(representative, rows, columns)
            rows, columns, held = [], [], 0
    representative = _join(representative, rows, columns)
    _, group_of = np.unique(representative, return_inverse=True)
    return group_of.reshape(-1).astype(np.int64)


def group_means(vectors: ArrayLike, group_of: ArrayLike) -> NDArray[np.float64]:
    """Average the members of each group.

    Parameters
    ----------
    vectors : (n, D) array of float16, float32 or float64
        One vector per row.
    group_of : (n,) array of integers
        The group of each row, 0 .. G-1, none of them empty.

    Returns
    -------
    (G, D) numpy.ndarray of float64
        The mean of each group's rows. A group of one keeps its vector unchanged.

    Raises
    ------
    TypeError
        `vectors` is not of a floating type, or `group_of` not of an integer type.
    ValueError
        The lengths disagree, a group is negative or has no member, or a value is not finite.
    """
    points = _as_float64(vectors, "vectors")
    groups = np.asarray(group_of)
    if groups.dtype.kind not in "iu":
        raise TypeError(f"group_of: expected an integer type, got {groups.dtype}")
    if groups.shape != (len(points),):
        raise ValueError(
            f"group_of: expected ({len(points)},), a group per vector, got {groups.shape}"
        )
    if len(groups) and groups.min() < 0:
        raise ValueError(f"group_of: expected at least 0, got {groups.min()}")
    sizes = np.bincount(groups)
    if not sizes.all():
        raise ValueError(f"group {int(np.flatnonzero(sizes == 0)[0])} of group_of has no member")
    membership = sparse.csr_array(
        (np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=(len(sizes), len(groups))
    )
    return np.asarray((membership @ points) / sizes[:, None])


def _pair_cosines(
    points: NDArray[np.float64],
    squares: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Cosine of each pair of rows, by a sum whose order does not depend on the pair's place."""
    cosines = np.empty(len(rows))
    chunk = max(1, _BLOCK_VALUES // points.shape[1])
    for start in range(0, len(rows), chunk):
        i, j = rows[start : start + chunk], columns[start : start + chunk]
        products = np.einsum("pd,pd->p", points[i], points[j])
        # sqrt(a * a) is exactly a, so equal vectors get exactly 1.
        cosines[start : start + chunk] = products / np.sqrt(squares[i] * squares[j])
    return cosines


def _join(
    representative: NDArray[np.int64],
    rows: list[NDArray[np.int64]],
    columns: list[NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Add edges to a partition given by its first members; return the new first members."""
    n = len(representative)
    i = np.concatenate([np.arange(n), *rows])
    j = np.concatenate([representative, *columns])
    edges = sparse.coo_array((np.ones(len(i), dtype=np.int8), (i, j)), shape=(n, n))
    _, labels = connected_components(edges, directed=False)
    _, first_member = np.unique(labels, return_index=True)
    representatives: NDArray[np.int64] = first_member[labels].astype(np.int64)
    return representatives


def _as_float64(vectors: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(vectors)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(f"{name}: expected float16, float32 or float64, got {array.dtype}")
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: expected (n, D) with D at least 1, got shape {array.shape}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"{name}[{row}] holds NaN or infinity: expected finite values")
    return array
