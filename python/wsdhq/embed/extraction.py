"""Features of images by a backbone as it is, for anything that learns from features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wsdhq._shared.arguments import as_integer
from wsdhq.data import ImageCollection, SkippedImage
from wsdhq.embed.decoding import decoded_parts
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork, backbone_width, evaluation_mode
from wsdhq.embed.threads import torch_threads


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Features of the images that could be read, and which they are.

    Attributes
    ----------
    features : (n, F) float32
    kept : (n,) int64
        The row of each in the collection or array.
    skipped : list of SkippedImage
        The others.
    """

    features: NDArray[np.float32]
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]


class _NoHead(nn.Module):
    """In place of a head: features pass as they are, and their mean over crops, too."""

    normalize = False

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def extract_features(
    images: ImageCollection | NDArray[np.uint8],
    backbone: nn.Module,
    *,
    image_size: int,
    crop_size: int | None = None,
    evaluation_crops: str = "centre",
    batch_size: int | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FeatureRows:
    """Show images to a backbone in evaluation mode and keep its features.

    With `make_backbone("alexnet", weights)`, image_size 256 and crop_size 227 these are the fc7
    features that the paper gives to shallow methods.

    Parameters
    ----------
    images : ImageCollection or array, (N, S, S, 3) uint8
        A collection is decoded a part at a time: memory does not grow with the pixels. An
        array, possibly a memory map, has S = `image_size`.
    backbone : torch.nn.Module
        From (B, 3, H, W) float32 images in its `pixel_format` (by default normalized with the
        statistics of ImageNet) to (B, F) features. Computes where its parameters are; its
        mode is restored.
    image_size : int
        Images are resized to `image_size` x `image_size`, at least 1.
    crop_size : int or None
        Side of the square that the backbone sees, 1 .. `image_size`; None shows all.
    evaluation_crops : {"centre", "ten"}
        With a crop size: features of the square in the middle, or the mean of the features of
        corners, centre and their mirror images.
    batch_size : int or None
        Images that pass at once; None chooses.
    threads : int or None
        Threads of torch and of decoding; None leaves torch's setting and decodes on all cores.
    progress : callable, optional
        Called as `progress(done, total)` after every batch, counting skipped images too.

    Returns
    -------
    FeatureRows
        In input order.

    Raises
    ------
    TypeError
        `images` is no collection and no uint8 array, or `backbone` no module.
    ValueError
        A size is out of range or not that of the array, the backbone gives no rows of
        features or some that are not finite, or none of the images can be read.
    """
    _check(images, image_size, crop_size, batch_size)
    width = backbone_width(backbone, crop_size or image_size)
    parameter = next(backbone.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    head = cast(HypersphericalHead, _NoHead())
    network = EmbeddingNetwork(head, backbone, crop_size, evaluation_crops).to(device)
    step = network.evaluation_batch if batch_size is None else batch_size

    features = np.empty((len(images), width), dtype=np.float32)
    kept = np.empty(len(images), dtype=np.int64)
    skipped: list[SkippedImage] = []
    count = 0
    for pixels, rows, unreadable in _parts(images, image_size, threads):
        skipped += unreadable
        for start in range(0, len(pixels), step):
            batch = torch.from_numpy(np.array(pixels[start : start + step]))
            # Threads and mode are set per batch: `progress` is other code, and may raise.
            with torch_threads(threads), evaluation_mode(network):
                block = network(batch.to(device)).float().cpu().numpy()
            _check_finite(block, rows[start : start + step])
            end = count + len(block)
            features[count:end], kept[count:end] = block, rows[start : start + step]
            count = end
            if progress is not None:
                progress(count + len(skipped), len(images))
        if progress is not None and len(pixels) == 0:
            progress(count + len(skipped), len(images))
    return FeatureRows(features[:count], kept[:count], skipped)


def _parts(
    images: ImageCollection | NDArray[np.uint8], image_size: int, threads: int | None
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64], list[SkippedImage]]]:
    if isinstance(images, ImageCollection):
        for decoded in decoded_parts(images, image_size, threads):
            yield decoded.pixels, decoded.kept, decoded.skipped
    else:
        yield images, np.arange(len(images)), []


def _check(images: Any, image_size: int, crop_size: int | None, batch_size: int | None) -> None:
    as_integer(image_size, "image_size", 1)
    if crop_size is not None:
        as_integer(crop_size, "crop_size", 1, image_size)
    if batch_size is not None:
        as_integer(batch_size, "batch_size", 1)
    if isinstance(images, ImageCollection):
        return
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        got = getattr(images, "dtype", type(images).__name__)
        raise TypeError(f"images: expected an ImageCollection or a uint8 array, got {got}")
    if images.shape[1:] != (image_size, image_size, 3):
        raise ValueError(
            f"images: expected shape (N, {image_size}, {image_size}, 3), got {images.shape}"
        )


def _check_finite(block: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"backbone: the features of image {rows[int(finite.argmin())]} are not all finite"
        )
