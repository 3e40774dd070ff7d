"""Settings of a training run, by concern."""

from wsdhq.embed.config.train_config import (
    EVALUATION_CROPS,
    GRAPH_NEIGHBOURS,
    LOSSES,
    MERGE_RADIUS,
    TrainConfig,
)

__all__ = ["EVALUATION_CROPS", "GRAPH_NEIGHBOURS", "LOSSES", "MERGE_RADIUS", "TrainConfig"]
