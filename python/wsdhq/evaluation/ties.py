"""Average precision where scores tie: the mean over all orders of equal scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.evaluation.relevance import relevance_matrix


def tie_averaged_average_precision(
    scores: ArrayLike, relevance: ArrayLike, R: int = 5000
) -> NDArray[np.float64]:
    """Expected average precision when equal scores are put in random order.

    Short codes tie often (8 bits give 256 distinct scores), and then a single order is partly
    luck. This is the exact mean of `average_precision(..., denominator="retrieved")` over all
    orders within each group of equal scores, in closed form (McSherry and Najork, "Computing
    information retrieval performance measures efficiently in the presence of tied scores",
    ECIR 2008), extended to a group that straddles rank R, where the number of relevant
    results that make the cut, and with it the divisor, is hypergeometric. Orders that leave
    no relevant result in the top R have no average precision and are left out of the mean.

    Parameters
    ----------
    scores : (num_queries, num_results) real numbers
        Scores in rank order, non-increasing along each row; missing results are -inf.
    relevance : (num_queries, num_results) bool or 0/1 integers
        The whole group of ties around rank R must be there, or the mean is over a part of it.
    R : int
        Depth of the ranking that counts, at least 1.

    Returns
    -------
    (num_queries,) float64
        In [0, 1]; nan for a query that no order gives a relevant result in the top R.

    Raises
    ------
    TypeError
        Wrong dtypes.
    ValueError
        Shapes that differ, R < 1, nan scores, scores that increase along a row.
    """
    matrix = relevance_matrix(relevance)
    depth = as_integer(R, "R", 1)
    values = np.asarray(scores)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"scores: expected real numbers, got {values.dtype}")
    if values.shape != matrix.shape:
        raise ValueError(
            f"scores: expected the shape of relevance, {matrix.shape}, got {values.shape}"
        )
    result = np.full(len(matrix), np.nan)
    for row in range(len(matrix)):
        ranked = values[row]
        if np.isnan(ranked).any():
            raise ValueError(f"scores: expected no nan, got one in row {row}")
        if (ranked[1:] > ranked[:-1]).any():
            raise ValueError(f"scores: expected no increase along a row, but row {row} has one")
        result[row] = _tie_averaged_row(ranked, matrix[row], depth)
    return result


def _tie_averaged_row(scores: NDArray[Any], relevance: NDArray[np.bool_], depth: int) -> float:
    """Expected AP of one query; see `tie_averaged_average_precision`."""
    if scores.size == 0:
        return float("nan")
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    ends = np.append(starts[1:], scores.size)
    before = np.concatenate([[0], np.cumsum(relevance, dtype=np.int64)])

    # Groups that end within the top R: the divisor does not depend on their order.
    whole = ends <= depth
    sizes = (ends - starts)[whole]
    relevant = (before[ends] - before[starts])[whole]
    group = np.repeat(np.arange(sizes.size), sizes)
    place = np.arange(group.size) - starts[group]
    # Chance that a place is relevant, times the expected precision there if it is.
    chance = (relevant / sizes)[group]
    companions = ((relevant - 1) / np.maximum(sizes - 1, 1))[group]
    expected_hits = before[starts[group]] + 1 + place * companions
    settled = float((chance * expected_hits / (np.arange(group.size) + 1)).sum())
    found = int(before[group.size])

    inside = min(depth, scores.size) - group.size
    if inside == 0:
        return settled / found if found else float("nan")

    start, end = int(starts[sizes.size]), int(ends[sizes.size])
    size, pool = end - start, int(before[end] - before[start])
    hits = np.arange(max(0, inside - (size - pool)), min(inside, pool) + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])

    # Hypergeometric: `hits` of `pool` and `misses` of the rest make the cut.
    misses = inside - hits
    weights = np.exp(
        log_factorial[pool]
        - log_factorial[hits]
        - log_factorial[pool - hits]
        + log_factorial[size - pool]
        - log_factorial[misses]
        - log_factorial[size - pool - misses]
        - log_factorial[size]
        + log_factorial[inside]
        + log_factorial[size - inside]
    )
    inverse_ranks = 1.0 / np.arange(start + 1, start + inside + 1)
    flat = inverse_ranks.sum()
    slope = (np.arange(inside) * inverse_ranks).sum()
    sums = settled + (hits / inside) * (
        (found + 1) * flat + (hits - 1) / max(inside - 1, 1) * slope
    )
    defined = found + hits > 0
    if not defined.any():
        return float("nan")
    values = sums[defined] / (found + hits[defined])
    return float((weights[defined] * values).sum() / weights[defined].sum())
