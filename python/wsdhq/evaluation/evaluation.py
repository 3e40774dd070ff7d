"""Evaluate rankings that arrive batch by batch: MAP@R, P@N, precision-recall (NumPy only).

A ranking is a callable `(start, stop) -> (scores, positions)` that ranks the queries
start .. stop-1: an index search, a matrix product, anything. Each batch is ranked once and
measured under every grouping of labels, so memory follows the batch and not the number of
queries, and the figures do not depend on the batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.evaluation.metrics import (
    average_precision,
    count_relevant,
    random_ranking_map,
    ranked_relevance,
)
from wsdhq.evaluation.rankings import RankBatches
from wsdhq.evaluation.relevance import (
    check_positions,
    integer_matrix,
    label_matrix,
    mean_of_defined,
)
from wsdhq.evaluation.ties import tie_averaged_average_precision

DEFAULT_POINTS = (1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

# Depths kept of the precision-recall curve, spaced evenly on a logarithmic axis.
_CURVE_DEPTHS = 200


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """How good one ranking is under one grouping of labels.

    Attributes
    ----------
    num_queries, num_database : int
        Sizes of what was ranked.
    num_skipped : int
        Queries without a relevant result in the top R: they have no average precision and
        are not in any of the means `map`, `map_all`, `map_tie_averaged`.
    num_without_relevant : int
        Queries with nothing relevant in the whole database; they are among the skipped, and
        not in the precision-recall curve.
    R : int
        Depth at which `map` is cut.
    map : float
        MAP@R, divided by the relevant results within the top R (method section 6).
    map_all : float
        MAP@R, divided by min(R, all relevant).
    map_tie_averaged : float or None
        Mean of `map` over all orders of equal scores. None when scores were not given or the
        ranking does not cover the whole database (a group of ties may have been cut).
    map_random : float or None
        MAP@R of a seeded random ranking; None if it was switched off.
    chance : float
        Share of the database that is relevant, averaged over queries: what precision a
        random ranking has at any depth.
    precision_at : dict of int to float
        P@N, averaged over all queries. Depths beyond the ranking are left out.
    depths, recall, precision : arrays (num_depths,)
        The precision-recall curve, as `wsdhq.metrics.precision_recall` at about 200 depths.
    average_precision : (num_queries,) float64
        AP@R of each query, nan where skipped.
    """

    num_queries: int
    num_database: int
    num_skipped: int
    num_without_relevant: int
    R: int
    map: float
    map_all: float
    map_tie_averaged: float | None
    map_random: float | None
    chance: float
    precision_at: dict[int, float]
    depths: NDArray[np.int64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    average_precision: NDArray[np.float64]

    def to_dict(self, *, per_query: bool = False) -> dict[str, Any]:
        """The figures as plain Python, ready for JSON: nan becomes None, depths strings.

        Parameters
        ----------
        per_query : bool
            Also include `average_precision`, one figure per query.
        """
        names = [field.name for field in fields(self)]
        if not per_query:
            names.remove("average_precision")
        return {name: _plain(getattr(self, name)) for name in names}


def evaluate_ranking(
    rank_batches: RankBatches,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    R: int = 5000,
    *,
    points: Sequence[int] = DEFAULT_POINTS,
    batch_size: int = 64,
    random_seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationResult:
    """Evaluate a ranking under one matrix of labels.

    Parameters
    ----------
    rank_batches : callable (start, stop) -> (scores, positions)
        Ranks queries start .. stop-1. `positions` is (stop - start, k) integers into the
        database, best first, -1 for missing, with the same k in each batch; `scores` has the
        same shape and never increases along a row, or is None. With k = N all figures are
        complete; with less, which must be at least min(R, N), curves end at depth k and
        `map_tie_averaged` is None.
    query_labels : (num_queries, L) bool or 0/1 integers
        Labels of the queries, at least one row.
    database_labels : (N, L) bool or 0/1 integers
        Labels of the database, at least one row.
    R : int
        Depth of MAP, at least 1; more than N is the same as N.
    points : sequence of int
        Depths N of P@N, each at least 1; those beyond the ranking are left out.
    batch_size : int
        Queries ranked at a time. Changes memory (about 40 bytes x batch_size x k), not figures.
    random_seed : int or None
        Seed of the random ranking to compare with; None leaves it out.
    progress : callable (done, total), optional
        Called after each batch with numbers of queries.

    Returns
    -------
    EvaluationResult

    Raises
    ------
    TypeError
        Wrong dtypes.
    ValueError
        Wrong shapes or ranges, empty labels, a ranking that is too short, names a position
        twice for a query, or has scores that increase or are nan.

    Examples
    --------
    >>> import numpy as np
    >>> from wsdhq.evaluation import rank_by_inner_product
    >>> vectors, labels = np.eye(4), np.eye(2, dtype=np.uint8)[[0, 0, 1, 1]]
    >>> rank = rank_by_inner_product(vectors[:1], vectors)
    >>> evaluate_ranking(rank, labels[:1], labels, R=4).map
    1.0
    """
    results = evaluate_groupings(
        rank_batches,
        {"labels": (query_labels, database_labels)},
        R,
        points=points,
        batch_size=batch_size,
        random_seed=random_seed,
        progress=progress,
    )
    return results["labels"]


def evaluate_groupings(
    rank_batches: RankBatches,
    groupings: Mapping[str, tuple[ArrayLike, ArrayLike]],
    R: int = 5000,
    *,
    points: Sequence[int] = DEFAULT_POINTS,
    batch_size: int = 64,
    random_seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, EvaluationResult]:
    """Evaluate a ranking under several groupings of labels, ranking each query once.

    Parameters
    ----------
    rank_batches, R, points, batch_size, random_seed, progress
        As in `evaluate_ranking`.
    groupings : mapping of name to (query_labels, database_labels)
        One pair of 0/1 label matrices per grouping, all over the same images.

    Returns
    -------
    dict of name to EvaluationResult
        In the order of `groupings`.

    Raises
    ------
    TypeError, ValueError
        As `evaluate_ranking`; also without any grouping, or if their sizes differ.
    """
    depth = as_integer(R, "R", 1)
    step = as_integer(batch_size, "batch_size", 1)
    wanted = sorted({as_integer(point, "points", 1) for point in points})
    if not groupings:
        raise ValueError("groupings: expected at least one pair of label matrices")
    tallies: dict[str, _Tally] = {}
    sizes: set[tuple[int, int]] = set()
    for name, (query_labels, database_labels) in groupings.items():
        tally = _Tally(query_labels, database_labels, depth, wanted, random_seed)
        tallies[name] = tally
        sizes.add((len(tally.queries), len(tally.database)))
    if len(sizes) > 1:
        raise ValueError(
            f"groupings: expected label matrices over the same images, got sizes {sorted(sizes)}"
        )
    num_queries, num_database = sizes.pop()
    if num_queries == 0 or num_database == 0:
        raise ValueError(
            f"groupings: expected queries and a database, got {num_queries} and {num_database} rows"
        )
    num_ranked = getattr(rank_batches, "num_queries", num_queries)
    if num_ranked != num_queries:
        raise ValueError(
            f"query_labels: expected one row for each of the {num_ranked} queries that are "
            f"ranked, got {num_queries}"
        )

    width: int | None = None
    for start in range(0, num_queries, step):
        stop = min(start + step, num_queries)
        scores, positions = _checked_batch(rank_batches(start, stop), start, stop, num_database)
        if width is None:
            width = positions.shape[1]
            if width < min(depth, num_database):
                raise ValueError(
                    f"rank_batches: expected depth min(R, N) = {min(depth, num_database)}, "
                    f"got {width}"
                )
            for tally in tallies.values():
                tally.choose_depths(min(width, num_database))
        elif positions.shape[1] != width:
            raise ValueError(
                f"rank_batches: expected the same depth in each batch: queries {start} .. "
                f"{stop - 1} have {positions.shape[1]}, the ones before {width}"
            )
        for tally in tallies.values():
            tally.add(slice(start, stop), scores, positions)
        if progress is not None:
            progress(stop, num_queries)
    return {name: tally.result() for name, tally in tallies.items()}


def spread_queries(average_precision: ArrayLike, count: int) -> NDArray[np.int64]:
    """Choose queries to show, from the best answered to the worst, without picking favourites.

    Parameters
    ----------
    average_precision : (num_queries,) float
        AP of each query, nan where it has none (those are never chosen).
    count : int
        How many to choose, at least 1; fewer come back if fewer are defined.

    Returns
    -------
    (count,) int64
        Rows at evenly spaced quantiles of AP, best first; ties by row.

    Raises
    ------
    ValueError
        Wrong shape or count < 1.
    """
    values = np.asarray(average_precision, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"average_precision: expected one dimension, got shape {values.shape}")
    defined = np.flatnonzero(~np.isnan(values))
    ranked = defined[np.argsort(-values[defined], kind="stable")]
    shown = min(as_integer(count, "count", 1), ranked.size)
    # The middle of each of `shown` equal parts: neither the luckiest nor the unluckiest query.
    places = ((np.arange(shown) + 0.5) * ranked.size / max(shown, 1)).astype(np.int64)
    return ranked[places]


class _Tally:
    """What is kept of each query under one grouping while batches arrive."""

    def __init__(
        self,
        query_labels: ArrayLike,
        database_labels: ArrayLike,
        depth: int,
        points: list[int],
        random_seed: int | None,
    ) -> None:
        self.queries = label_matrix(query_labels, "query_labels")
        self.database = label_matrix(database_labels, "database_labels")
        self.totals = count_relevant(self.queries, self.database)
        self.depth = depth
        self.points = points
        self.random_seed = random_seed
        self.ap = np.full(len(self.queries), np.nan)
        self.ap_all = self.ap.copy()
        self.ap_ties: NDArray[np.float64] | None = self.ap.copy()
        self.points_shown: list[int] = []
        self.depths = np.zeros(0, dtype=np.int64)
        self.kept = np.zeros(0, dtype=np.int64)
        # Hits are kept per query as counts and only averaged at the end, so that the result
        # is the same to the bit for each batch size.
        self.hits = np.zeros((len(self.queries), 0), dtype=np.int32)

    def choose_depths(self, width: int) -> None:
        self.points_shown = [point for point in self.points if point <= width]
        self.depths = np.unique(np.rint(np.geomspace(1, width, _CURVE_DEPTHS)).astype(np.int64))
        self.kept = np.union1d(self.depths, np.array(self.points_shown, dtype=np.int64))
        self.hits = np.zeros((len(self.queries), self.kept.size), dtype=np.int32)

    def add(self, rows: slice, scores: NDArray[Any] | None, positions: NDArray[np.int64]) -> None:
        relevance = ranked_relevance(positions, self.queries[rows], self.database)
        self.ap[rows] = average_precision(relevance, self.depth)
        self.ap_all[rows] = average_precision(
            relevance, self.depth, denominator="all", num_relevant=self.totals[rows]
        )
        cumulated = np.cumsum(relevance, axis=1, dtype=np.int32)
        self.hits[rows] = cumulated[:, self.kept - 1]
        if scores is None or positions.shape[1] < len(self.database):
            self.ap_ties = None
        elif self.ap_ties is not None:
            self.ap_ties[rows] = tie_averaged_average_precision(scores, relevance, self.depth)

    def result(self) -> EvaluationResult:
        num_queries = len(self.queries)
        at_points = self.hits[:, np.searchsorted(self.kept, self.points_shown)]
        sums = at_points.sum(axis=0, dtype=np.int64)
        counted = self.totals > 0
        curve = self.hits[counted][:, np.searchsorted(self.kept, self.depths)]
        if counted.any():
            recall = (curve / self.totals[counted, None]).mean(axis=0)
            precision = curve.sum(axis=0, dtype=np.int64) / (self.depths * len(curve))
        else:
            recall = precision = np.full(self.depths.size, np.nan)
        return EvaluationResult(
            num_queries=num_queries,
            num_database=len(self.database),
            num_skipped=int(np.isnan(self.ap).sum()),
            num_without_relevant=int(np.count_nonzero(~counted)),
            R=self.depth,
            map=mean_of_defined(self.ap),
            map_all=mean_of_defined(self.ap_all),
            map_tie_averaged=None if self.ap_ties is None else mean_of_defined(self.ap_ties),
            map_random=(
                None
                if self.random_seed is None
                else random_ranking_map(self.queries, self.database, self.depth, self.random_seed)
            ),
            chance=float(self.totals.mean() / len(self.database)),
            precision_at={
                point: int(hits) / (point * num_queries)
                for point, hits in zip(self.points_shown, sums)
            },
            depths=self.depths,
            recall=recall,
            precision=precision,
            average_precision=self.ap,
        )


def _checked_batch(
    batch: tuple[ArrayLike | None, ArrayLike], start: int, stop: int, num_database: int
) -> tuple[NDArray[Any] | None, NDArray[np.int64]]:
    """The batch as arrays, once it is certain that no result counts twice."""
    given_scores, given_positions = batch
    positions = integer_matrix(given_positions, "positions")
    if len(positions) != stop - start:
        raise ValueError(
            f"positions: expected one row for each of the queries {start} .. {stop - 1}, "
            f"got {len(positions)} rows"
        )
    check_positions(positions, num_database, start)
    seen = np.zeros((len(positions), num_database + 1), dtype=np.bool_)
    np.put_along_axis(seen, positions, True, axis=1)
    distinct = np.count_nonzero(seen[:, :num_database], axis=1)
    repeated = np.flatnonzero(distinct != np.count_nonzero(positions >= 0, axis=1))
    if repeated.size:
        raise ValueError(f"positions name a result twice for query {start + repeated[0]}")
    if given_scores is None:
        return None, positions
    scores = np.asarray(given_scores)
    if scores.shape != positions.shape:
        raise ValueError(
            f"scores: expected the shape of positions, {positions.shape}, got {scores.shape}"
        )
    if scores.dtype.kind not in "fiu":
        raise TypeError(f"scores: expected real numbers, got {scores.dtype}")
    # Written so that nan fails as well.
    ordered = (scores[:, 1:] <= scores[:, :-1]).all(axis=1) & ~np.isnan(scores[:, :1]).any(axis=1)
    if not ordered.all():
        raise ValueError(
            "scores: expected no nan and no increase along a row, but query "
            f"{start + int(np.flatnonzero(~ordered)[0])} breaks this"
        )
    return scores, positions


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, float) and np.isnan(value):
        return None
    return value
