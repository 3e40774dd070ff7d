"""The PyTorch half: tags to a semantic hypersphere, images onto it, quantized jointly.

Names are imported when they are first used: reading tags or settings needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsdhq.embed.config import TrainConfig
    from wsdhq.embed.extraction import FeatureRows, extract_features
    from wsdhq.embed.model import EmbeddedImages, TrainedModel
    from wsdhq.embed.training.trainer import train

__all__ = [
    "EmbeddedImages",
    "FeatureRows",
    "TrainConfig",
    "TrainedModel",
    "extract_features",
    "train",
]

_HOME = {
    "EmbeddedImages": "wsdhq.embed.model",
    "FeatureRows": "wsdhq.embed.extraction",
    "TrainConfig": "wsdhq.embed.config",
    "TrainedModel": "wsdhq.embed.model",
    "extract_features": "wsdhq.embed.extraction",
    "train": "wsdhq.embed.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "wsdhq").startswith("wsdhq"):
            raise
        from wsdhq._shared.extras import install_command

        raise ModuleNotFoundError(
            f"{__name__}.{name} needs the package {error.name!r}, which is not installed: "
            + install_command("train"),
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
