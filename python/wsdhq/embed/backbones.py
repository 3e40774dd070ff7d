"""Backbones for images mode, and the augmentation of training images."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["BACKBONES", "SmallBackbone", "augment", "make_backbone"]

_LARGEST_SHIFT = 1 / 16


class SmallBackbone(nn.Module):
    """A convolutional network small enough to train from scratch on a processor.

    Four convolutions with batch normalisation, the first three halving the image, then the
    mean and the maximum over the places that are left: the mean sees textures and colours,
    the maximum whether an object occurs anywhere. Halving a fourth time would be half the
    work, and loses the small objects of an image.

    Parameters
    ----------
    width : int
        Channels of the first convolution; every other one doubles them.

    Attributes
    ----------
    out_dim : int
        Width of the features, `16 * width`.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 8 * width]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(narrow, wide, kernel_size=3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(inplace=True),
            )
            for (narrow, wide), stride in zip(pairwise(channels), (2, 2, 2, 1), strict=True)
        )
        self.out_dim = 2 * channels[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Parameters
        ----------
        images : Tensor, (B, 3, H, W), float32
            H and W at least 16.

        Returns
        -------
        Tensor, (B, out_dim), float32
        """
        maps = images.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            maps = block(maps)
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


BACKBONES: dict[str, Callable[[], nn.Module]] = {"small": SmallBackbone}


def make_backbone(name: str) -> nn.Module:
    """Build a fresh backbone by name.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`. Any other network is given to `train` as a module.

    Returns
    -------
    torch.nn.Module
        From (B, 3, H, W) float32 images to (B, F) features, weights drawn from torch's
        current random state.

    Raises
    ------
    ValueError
        An unknown name; the message lists the known ones.
    """
    if name not in BACKBONES:
        raise ValueError(
            f"backbone: unknown name {name!r}; known names: {', '.join(sorted(BACKBONES))} "
            "(give any other network to train(..., backbone=module))"
        )
    return BACKBONES[name]()


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror and shift training images at random.

    Parameters
    ----------
    pixels : Tensor, (B, H, W, 3), uint8
    generator : torch.Generator
        A generator of the processor, wherever the pixels are; the only source of chance.

    Returns
    -------
    Tensor, (B, H, W, 3), uint8
        A copy: half of the images mirrored left to right, each shifted by up to a sixteenth
        of its size with its border repeated.
    """
    count, height, width, _ = pixels.shape
    mirrored = torch.rand(count, generator=generator) < 0.5
    reach = [round(height * _LARGEST_SHIFT), round(width * _LARGEST_SHIFT)]
    shift = torch.stack(
        [torch.randint(-r, r + 1, (count,), generator=generator) for r in reach], dim=1
    )
    rows = (torch.arange(height) + shift[:, :1]).clamp_(0, height - 1)
    columns = (torch.arange(width) + shift[:, 1:]).clamp_(0, width - 1)
    columns = torch.where(mirrored.unsqueeze(1), columns.flip(1), columns)
    image = torch.arange(count).view(-1, 1, 1)
    return pixels[image, rows.unsqueeze(2), columns.unsqueeze(1)]
