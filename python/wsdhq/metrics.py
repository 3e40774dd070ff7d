"""Retrieval metrics: the public name of `wsdhq.evaluation.metrics`."""

from wsdhq.evaluation.metrics import (
    average_precision,
    count_relevant,
    mean_average_precision,
    precision_at,
    precision_recall,
    random_ranking_map,
    ranked_relevance,
    recall_at,
)
from wsdhq.evaluation.ties import tie_averaged_average_precision

__all__ = [
    "average_precision",
    "count_relevant",
    "mean_average_precision",
    "precision_at",
    "precision_recall",
    "random_ranking_map",
    "ranked_relevance",
    "recall_at",
    "tie_averaged_average_precision",
]
