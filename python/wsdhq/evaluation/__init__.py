"""How good a ranking is: metrics, rankings and their measurement, by NumPy alone."""

from wsdhq.evaluation.evaluation import (
    DEFAULT_POINTS,
    EvaluationResult,
    evaluate_groupings,
    evaluate_ranking,
    spread_queries,
)
from wsdhq.evaluation.rankings import RankBatches, rank_by_index, rank_by_inner_product

__all__ = [
    "DEFAULT_POINTS",
    "EvaluationResult",
    "RankBatches",
    "evaluate_groupings",
    "evaluate_ranking",
    "rank_by_index",
    "rank_by_inner_product",
    "spread_queries",
]
