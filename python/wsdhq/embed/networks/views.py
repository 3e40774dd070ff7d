"""Crops of images: the centre, and the ten views of classic evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor


def check_crop(pixels: Tensor, crop_size: int) -> None:
    """Raise ValueError unless squares of `crop_size` fit into (B, H, W, 3) pixels."""
    height, width = pixels.shape[1:3]
    if not 1 <= crop_size <= min(height, width):
        raise ValueError(
            f"crop_size: expected 1 to the size of the images, {height} x {width}, got {crop_size}"
        )


def centre_crop(pixels: Tensor, crop_size: int) -> Tensor:
    """Cut out the square in the middle.

    Parameters
    ----------
    pixels : Tensor, (B, H, W, 3)
    crop_size : int
        1 .. min(H, W).

    Returns
    -------
    Tensor, (B, crop_size, crop_size, 3)
        A view; where the middle lies between two pixels, the upper left one counts.

    Raises
    ------
    ValueError
        `crop_size` is out of range.
    """
    check_crop(pixels, crop_size)
    height, width = pixels.shape[1:3]
    return _crop(pixels, (height - crop_size) // 2, (width - crop_size) // 2, crop_size)


def ten_crops(pixels: Tensor, crop_size: int) -> Iterator[Tensor]:
    """The four corners and the centre, each as it is and mirrored left to right.

    One at a time, so that a network that sees all ten needs the memory of one.

    Parameters
    ----------
    pixels : Tensor, (B, H, W, 3)
    crop_size : int
        1 .. min(H, W).

    Yields
    ------
    Tensor, (B, crop_size, crop_size, 3)
        Upper left, upper right, lower left, lower right, centre; then the same squares mirrored.

    Raises
    ------
    ValueError
        `crop_size` is out of range.
    """
    check_crop(pixels, crop_size)
    bottom, right = (side - crop_size for side in pixels.shape[1:3])
    places = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = [_crop(pixels, top, left, crop_size) for top, left in places]
    yield from crops
    for crop in crops:
        yield crop.flip(2)


def _crop(pixels: Tensor, top: int, left: int, size: int) -> Tensor:
    return pixels[:, top : top + size, left : left + size]
