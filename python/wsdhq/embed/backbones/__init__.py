"""Backbones for images mode, by name: small ones of our own, AlexNet, and public libraries'."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from torch import nn

from wsdhq._shared.arguments import did_you_mean
from wsdhq.embed.backbones.alexnet import AlexNet
from wsdhq.embed.backbones.pixels import IMAGENET_PIXELS, PixelFormat, pixel_format_of
from wsdhq.embed.backbones.public import LIBRARIES, make_public_backbone
from wsdhq.embed.backbones.small import SmallBackbone
from wsdhq.embed.backbones.weights import (
    load_alexnet_weights,
    load_backbone_weights,
    read_alexnet,
)

__all__ = [
    "BACKBONES",
    "IMAGENET_PIXELS",
    "AlexNet",
    "PixelFormat",
    "SmallBackbone",
    "load_alexnet_weights",
    "load_backbone_weights",
    "make_backbone",
    "pixel_format_of",
]

BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "alexnet": AlexNet,
    "alexnet-torchvision": partial(AlexNet, "torchvision"),
    "small": SmallBackbone,
}


def make_backbone(name: str, weights: str | os.PathLike[str] | None = None) -> nn.Module:
    """Build a backbone by name.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`: "small", to be trained from scratch; "alexnet", to fc7, in the form
        that its weights have, Caffe's where they are random; "alexnet-torchvision",
        torchvision's form of it. Or "torchvision:NAME" or "timm:NAME", such as
        "torchvision:resnet18": a network of that library without its classifier. Any other
        network is given to `train` as a module.
    weights : path, optional
        A file of weights, see `load_backbone_weights`; for "alexnet" a Caffe-converted `.npy` or
        a state dict of torchvision's. By default they are drawn from torch's current random
        state; nothing is ever downloaded.

    Returns
    -------
    torch.nn.Module
        From (B, 3, H, W) float32 images to (B, F) features. Its attribute `backbone_name`
        holds `name`; `pixel_format`, if there is one, says what pixels it expects.

    Raises
    ------
    FileNotFoundError
        There is no such file of weights.
    ImportError
        The library is not installed; the message says how to install it.
    ValueError
        An unknown name (the message lists known or similar ones), or weights that do not fit.
    """
    library, colon, model = name.partition(":")
    if name == "alexnet" and weights is not None:
        backbone: nn.Module = read_alexnet(weights)
        weights = None
    elif colon:
        backbone = make_public_backbone(library, model)
    elif name in BACKBONES:
        backbone = BACKBONES[name]()
    else:
        libraries = " or ".join(f"{known}:NAME" for known in sorted(LIBRARIES))
        raise ValueError(
            f"backbone: expected one of {', '.join(sorted(BACKBONES))}, or {libraries} for "
            f"networks of these libraries, got {name!r}{did_you_mean(name, BACKBONES)} (any other "
            "network is given to train(..., backbone=module))"
        )
    if weights is not None:
        load_backbone_weights(backbone, weights)
    cast(Any, backbone).backbone_name = name
    return backbone
