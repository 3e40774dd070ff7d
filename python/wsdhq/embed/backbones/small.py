"""A small backbone, to be trained from scratch."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class SmallBackbone(nn.Module):
    """A convolutional network small enough to train from scratch on a processor.

    Four convolutions with batch normalization, the first three halving the image, then the
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
