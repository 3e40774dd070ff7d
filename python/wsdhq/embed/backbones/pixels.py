"""How the pixels that a backbone expects follow from those of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class PixelFormat:
    """The pixels that a backbone expects: `(value - mean) / deviation`, per channel.

    A backbone that has one in its attribute `pixel_format` gets its images so; any other
    network gets them with the statistics of ImageNet (`IMAGENET_PIXELS`).

    Parameters
    ----------
    mean, deviation : tuple of 3 float
        Of pixel values 0 .. 255, in the backbone's order of channels.
    channel_order : {"rgb", "bgr"}
        That order.

    Raises
    ------
    ValueError
        Not three numbers each, one that is not finite, a deviation not above 0, or another
        order.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    channel_order: str = "rgb"

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            values = tuple(float(value) for value in getattr(self, name))
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name}: expected three finite numbers, got {values}")
            object.__setattr__(self, name, values)
        if min(self.deviation) <= 0:
            raise ValueError(f"deviation: expected numbers above 0, got {self.deviation}")
        if self.channel_order not in ("rgb", "bgr"):
            raise ValueError(f"channel_order: expected 'rgb' or 'bgr', got {self.channel_order!r}")


# What most public backbones are trained with.
IMAGENET_PIXELS = PixelFormat(
    mean=(255 * 0.485, 255 * 0.456, 255 * 0.406),
    deviation=(255 * 0.229, 255 * 0.224, 255 * 0.225),
)


def pixel_format_of(backbone: nn.Module | None) -> PixelFormat:
    """The format in a backbone's attribute `pixel_format`, else `IMAGENET_PIXELS`.

    Raises
    ------
    TypeError
        The attribute holds something else.
    """
    wanted = getattr(backbone, "pixel_format", IMAGENET_PIXELS)
    if not isinstance(wanted, PixelFormat):
        raise TypeError(
            f"backbone: pixel_format: expected a PixelFormat, got {type(wanted).__name__}"
        )
    return wanted
