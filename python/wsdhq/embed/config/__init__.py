"""Settings of a training run, a concern to a file."""

from wsdhq.embed.config.compute import ComputeConfig
from wsdhq.embed.config.data import DataConfig
from wsdhq.embed.config.model import EVALUATION_CROPS, ModelConfig
from wsdhq.embed.config.objective import LOSSES, ObjectiveConfig
from wsdhq.embed.config.optimizer import OptimizerConfig
from wsdhq.embed.config.quantizer import QuantizerConfig
from wsdhq.embed.config.sphere import GRAPH_NEIGHBOURS, MERGE_RADIUS, SphereConfig
from wsdhq.embed.config.train_config import TrainConfig, check_settings

__all__ = [
    "EVALUATION_CROPS",
    "GRAPH_NEIGHBOURS",
    "LOSSES",
    "MERGE_RADIUS",
    "ComputeConfig",
    "DataConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "OptimizerConfig",
    "QuantizerConfig",
    "SphereConfig",
    "TrainConfig",
    "check_settings",
]
