"""Augmentation of training images: mirrored, and shifted or cropped, at random."""

from __future__ import annotations

import torch
from torch import Tensor

from wsdhq.embed.networks.views import check_crop

_MAX_SHIFT = 1 / 16


def augment(pixels: Tensor, generator: torch.Generator, crop_size: int | None = None) -> Tensor:
    """Mirror training images at random, and shift them or crop them at random.

    Parameters
    ----------
    pixels : Tensor, (B, H, W, 3), uint8
    generator : torch.Generator
        A generator of the processor, wherever the pixels are; the only source of chance.
    crop_size : int or None
        Side of the crops, 1 .. min(H, W); None shifts the images instead.

    Returns
    -------
    Tensor, (B, crop_size, crop_size, 3) or (B, H, W, 3), uint8
        A copy: half of the images mirrored left to right. With `crop_size`, of each the square
        at a place of its own, all places being equally likely; without, each image shifted by
        up to a sixteenth of its size with its border repeated.

    Raises
    ------
    ValueError
        `crop_size` is larger than the images, or below 1.
    """
    count, height, width, _ = pixels.shape
    if crop_size is not None:
        check_crop(pixels, crop_size)
    mirrored = torch.rand(count, generator=generator) < 0.5
    if crop_size is None:
        reach = [round(height * _MAX_SHIFT), round(width * _MAX_SHIFT)]
        places = [range(-reach[0], reach[0] + 1), range(-reach[1], reach[1] + 1)]
        sides = (height, width)
    else:
        places = [range(height - crop_size + 1), range(width - crop_size + 1)]
        sides = (crop_size, crop_size)
    first = [
        torch.randint(place.start, place.stop, (count, 1), generator=generator) for place in places
    ]
    rows = (torch.arange(sides[0]) + first[0]).clamp_(0, height - 1)
    columns = (torch.arange(sides[1]) + first[1]).clamp_(0, width - 1)
    columns = torch.where(mirrored.unsqueeze(1), columns.flip(1), columns)
    image = torch.arange(count).view(-1, 1, 1)
    return pixels[image, rows.unsqueeze(2), columns.unsqueeze(1)]
