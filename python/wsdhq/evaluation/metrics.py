"""Retrieval metrics on ranked lists (NumPy only).

The common currency is a *relevance* array: `(num_queries, R)` bool, where `relevance[q, r]`
says that the r-th result of query q is relevant. `ranked_relevance` makes one from result
positions and label matrices; everything else consumes it.

Conventions (method section 6): a result is relevant if it shares at least one label with the
query; a missing result (position -1) is not relevant; a query without any relevant result in
the top R has no average precision (nan) and is skipped in the mean. Nothing here sorts: ties
are the ranking's business, and the database order of equal scores makes figures repeatable.
All working memory beyond inputs and outputs is bounded, whatever the number of queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.evaluation.relevance import (
    check_positions,
    integer_matrix,
    label_matrix,
    label_words,
    mean_of_defined,
    relevance_matrix,
    relevant_counts,
    row_blocks,
)

Denominator = Literal["retrieved", "all"]


def ranked_relevance(
    results: ArrayLike, query_labels: ArrayLike, database_labels: ArrayLike
) -> NDArray[np.bool_]:
    """Say which results share at least one label with their query.

    Parameters
    ----------
    results : (num_queries, R) integers
        Positions into the rows of `database_labels`, best first; -1 marks a missing result.
    query_labels : (num_queries, L) bool or integers
        1 where the query carries the label, 0 elsewhere.
    database_labels : (N, L) bool or integers
        The same for the database.

    Returns
    -------
    (num_queries, R) bool
        Missing results are False.

    Raises
    ------
    TypeError
        `results` does not hold integers, or labels are neither bool nor integers.
    ValueError
        Wrong shapes, labels other than 0 and 1, a position outside -1 .. N-1.

    Examples
    --------
    >>> results = [[0, 2, 1]]
    >>> ranked_relevance(results, [[1, 0]], [[1, 0], [0, 1], [1, 1]])
    array([[ True,  True, False]])
    """
    queries, database = label_words(query_labels, database_labels)
    positions = integer_matrix(results, "results")
    if len(positions) != len(queries):
        raise ValueError(
            f"results: expected one row per query: query_labels has {len(queries)} rows, "
            f"results has {len(positions)}"
        )
    check_positions(positions, len(database))
    relevance = np.zeros(positions.shape, dtype=np.bool_)
    if len(database) == 0:
        return relevance
    for rows in row_blocks(len(positions), positions.shape[1]):
        block = positions[rows]
        hits = relevance[rows]
        for word in range(database.shape[1]):
            # Position -1 picks the last row here; it is masked below.
            hits |= (database[:, word][block] & queries[rows, word, None]) != 0
        hits &= block >= 0
    return relevance


def count_relevant(query_labels: ArrayLike, database_labels: ArrayLike) -> NDArray[np.int64]:
    """Count the database rows that share at least one label with each query.

    Parameters
    ----------
    query_labels : (num_queries, L) bool or integers
        0/1 labels of the queries.
    database_labels : (N, L) bool or integers
        0/1 labels of the database.

    Returns
    -------
    (num_queries,) int64
        Each in 0 .. N.

    Raises
    ------
    TypeError, ValueError
        As `ranked_relevance`.
    """
    queries, database = label_words(query_labels, database_labels)
    counts = np.zeros(len(queries), dtype=np.int64)
    for rows in row_blocks(len(queries), len(database)):
        hits = np.zeros((len(queries[rows]), len(database)), dtype=np.bool_)
        for word in range(database.shape[1]):
            hits |= (queries[rows, word, None] & database[None, :, word]) != 0
        counts[rows] = np.count_nonzero(hits, axis=1)
    return counts


def average_precision(
    relevance: ArrayLike,
    R: int = 5000,
    *,
    denominator: Denominator = "retrieved",
    num_relevant: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Average precision of each query within the top R.

    The sum, over the relevant results of the top R, of the precision at their rank, divided
    by a count of relevant results (method section 6).

    Parameters
    ----------
    relevance : (num_queries, num_results) bool or 0/1 integers
        Results best first. Columns beyond R are ignored; fewer than R are allowed.
    R : int
        Depth of the ranking that counts, at least 1.
    denominator : {"retrieved", "all"}
        "retrieved": the relevant results *within the top R*, as the authors' released code.
        "all": min(R, `num_relevant`), which also charges for what was not found.
    num_relevant : (num_queries,) integers, optional
        Relevant rows in the whole database; required for "all", unused otherwise.

    Returns
    -------
    (num_queries,) float64
        In [0, 1]; nan for a query without a relevant result in the top R, whatever the
        denominator, so that both variants average the same queries.

    Raises
    ------
    TypeError
        Wrong dtypes.
    ValueError
        Wrong shapes, R < 1, an unknown denominator, `num_relevant` missing for "all" or
        smaller than what the ranking shows.
    """
    matrix = relevance_matrix(relevance)
    depth = as_integer(R, "R", 1)
    if denominator not in ("retrieved", "all"):
        raise ValueError(f'denominator: expected "retrieved" or "all", got {denominator!r}')
    matrix = matrix[:, :depth]
    found = np.count_nonzero(matrix, axis=1)
    divisor: NDArray[np.int64] = found.astype(np.int64)
    if denominator == "all":
        if num_relevant is None:
            raise ValueError('denominator "all" needs num_relevant, the count per query')
        divisor = np.minimum(depth, relevant_counts(num_relevant, found))
    ranks = np.arange(1, matrix.shape[1] + 1, dtype=np.float64)
    result = np.full(len(matrix), np.nan)
    for rows in row_blocks(len(matrix), matrix.shape[1]):
        # A copy in row-major order: the order of the additions must not depend on the layout.
        block = np.ascontiguousarray(matrix[rows])
        precision = np.cumsum(block, axis=1, dtype=np.int64) / ranks
        precision *= block
        sums = precision.sum(axis=1)
        has_any = found[rows] > 0
        np.divide(sums, divisor[rows], out=result[rows], where=has_any)
    return result


def mean_average_precision(
    relevance: ArrayLike,
    R: int = 5000,
    *,
    denominator: Denominator = "retrieved",
    num_relevant: ArrayLike | None = None,
) -> float:
    """MAP@R: the mean of `average_precision` over the queries that have one.

    Parameters
    ----------
    relevance, R, denominator, num_relevant
        As in `average_precision`.

    Returns
    -------
    float
        In [0, 1]; nan if no query has a relevant result in the top R.

    Raises
    ------
    TypeError, ValueError
        As `average_precision`.

    Examples
    --------
    >>> mean_average_precision([[True, False, True], [False, True, False]], R=3)
    0.6666666666666666
    """
    return mean_of_defined(
        average_precision(relevance, R, denominator=denominator, num_relevant=num_relevant)
    )


@overload
def precision_at(relevance: ArrayLike, n: int) -> float: ...
@overload
def precision_at(relevance: ArrayLike, n: Sequence[int]) -> NDArray[np.float64]: ...
def precision_at(relevance: ArrayLike, n: int | Sequence[int]) -> float | NDArray[np.float64]:
    """P@n: the share of relevant results among the first n, averaged over all queries.

    Parameters
    ----------
    relevance : (num_queries, num_results) bool or 0/1 integers
        Results best first. Where a list is shorter than n, what is missing is not relevant.
    n : int or sequence of int
        Depths, each at least 1.

    Returns
    -------
    float, or float64 array with one value per depth if `n` is a sequence
        In [0, 1]; nan without queries.

    Raises
    ------
    TypeError
        Wrong dtypes.
    ValueError
        Wrong shape or a depth below 1.

    Examples
    --------
    >>> precision_at([[True, False, True, False]], [1, 4])
    array([1. , 0.5])
    """
    matrix = relevance_matrix(relevance)
    single = np.ndim(n) == 0
    depths = [as_integer(depth, "n", 1) for depth in cast(Sequence[int], [n] if single else n)]
    if len(matrix) == 0:
        precision = np.full(len(depths), np.nan)
    else:
        hits = [int(np.count_nonzero(matrix[:, :depth])) for depth in depths]
        precision = np.array(
            [hit / (depth * len(matrix)) for hit, depth in zip(hits, depths)], dtype=np.float64
        )
    return float(precision[0]) if single else precision


def precision_recall(
    relevance: ArrayLike, num_relevant: ArrayLike, depths: Sequence[int] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision-recall curve, one point per depth of the ranking.

    At depth n, precision is (relevant in the top n) / n and recall is (relevant in the top
    n) / (relevant in the database); both are averaged over the queries that have anything
    relevant in the database. Nothing is interpolated, so a list cut at R gives the first part
    of the same curve.

    Parameters
    ----------
    relevance : (num_queries, num_results) bool or 0/1 integers
        Results best first. 2,000 queries over 42,000 rows need 84 MB and no more than about
        as much again here; `wsdhq.evaluation.evaluate_ranking` takes batches instead.
    num_relevant : (num_queries,) integers
        Relevant rows in the whole database, see `count_relevant`.
    depths : sequence of int, optional
        Depths to report, in 1 .. num_results; all of them by default.

    Returns
    -------
    recall, precision : float64 arrays, one value per depth
        In [0, 1]; recall never falls. nan if no query has anything relevant.

    Raises
    ------
    TypeError
        Wrong dtypes.
    ValueError
        Wrong shapes, a depth out of range, `num_relevant` smaller than what the ranking shows.
    """
    matrix = relevance_matrix(relevance)
    totals = relevant_counts(num_relevant, np.count_nonzero(matrix, axis=1))
    width = matrix.shape[1]
    if depths is None:
        chosen = np.arange(1, width + 1, dtype=np.int64)
    else:
        chosen = np.array([as_integer(depth, "depths", 1) for depth in depths], dtype=np.int64)
        if chosen.size and chosen.max() > width:
            raise ValueError(
                f"depths: expected at most {width}, the results of relevance, got {chosen.max()}"
            )
    counted = np.flatnonzero(totals > 0)
    if counted.size == 0:
        return np.full(chosen.size, np.nan), np.full(chosen.size, np.nan)
    hit_sum = np.zeros(chosen.size, dtype=np.int64)
    recall_sum = np.zeros(chosen.size, dtype=np.float64)
    for rows in row_blocks(counted.size, width):
        picked = counted[rows]
        hits = np.cumsum(matrix[picked], axis=1, dtype=np.int32)[:, chosen - 1]
        hit_sum += hits.sum(axis=0, dtype=np.int64)
        recall_sum += (hits / totals[picked, None]).sum(axis=0)
    return recall_sum / counted.size, hit_sum / (chosen * counted.size)


def recall_at(found_ids: ArrayLike, true_ids: ArrayLike, k: int) -> float:
    """Recall@k of exact neighbours: the share of `true_ids` among the first k found.

    With one column of true ids this is "1-recall@k" (is the nearest neighbour in the top k?),
    with k columns the overlap of two top-k lists.

    Parameters
    ----------
    found_ids : (num_queries, num_found) integers
        Ids returned by the search under test, best first; -1 (missing) matches nothing.
    true_ids : (num_queries, num_true) integers
        Ids of the exact neighbours; -1 (missing) is not counted.
    k : int
        Depth, at least 1; lists shorter than k are allowed.

    Returns
    -------
    float
        Mean over the queries with at least one true id, in [0, 1]; nan if there is none.

    Raises
    ------
    TypeError
        Ids are not integers.
    ValueError
        Wrong shapes or k < 1.

    Examples
    --------
    >>> recall_at([[3, 5, 8], [1, 2, 9]], [[5], [7]], k=3)
    0.5
    """
    found = integer_matrix(found_ids, "found_ids")
    true = integer_matrix(true_ids, "true_ids")
    if len(found) != len(true):
        raise ValueError(
            f"found_ids and true_ids: expected one row per query, got {len(found)} and {len(true)}"
        )
    found = found[:, : as_integer(k, "k", 1)]
    recalls = np.full(len(true), np.nan)
    for row in range(len(true)):
        expected = true[row][true[row] != -1]
        if expected.size:
            recalls[row] = np.isin(expected, found[row]).mean()
    return mean_of_defined(recalls)


def random_ranking_map(
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    R: int = 5000,
    seed: int = 0,
    *,
    denominator: Denominator = "retrieved",
) -> float:
    """MAP@R of a random ranking: what a method must beat to have learnt anything.

    Parameters
    ----------
    query_labels : (num_queries, L) bool or integers
        0/1 labels of the queries.
    database_labels : (N, L) bool or integers
        0/1 labels of the database.
    R : int
        Depth of the ranking that counts, at least 1.
    seed : int
        Each query gets its own random order from `numpy.random.default_rng(seed)`.
    denominator : {"retrieved", "all"}
        As in `average_precision`.

    Returns
    -------
    float
        In [0, 1]; nan if no query finds anything relevant.

    Raises
    ------
    TypeError, ValueError
        As `ranked_relevance` and `average_precision`.
    """
    depth = as_integer(R, "R", 1)
    queries = label_matrix(query_labels, "query_labels")
    database = label_matrix(database_labels, "database_labels")
    totals = count_relevant(queries, database)
    generator = np.random.default_rng(seed)
    shown = min(depth, len(database))
    values = np.full(len(queries), np.nan)
    if shown == 0:
        return mean_of_defined(values)
    for rows in row_blocks(len(queries), shown):
        orders = np.stack(
            [generator.choice(len(database), size=shown, replace=False) for _ in queries[rows]]
        )
        relevance = ranked_relevance(orders, queries[rows], database)
        values[rows] = average_precision(
            relevance, depth, denominator=denominator, num_relevant=totals[rows]
        )
    return mean_of_defined(values)
