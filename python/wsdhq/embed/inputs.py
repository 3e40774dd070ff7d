"""What a run trains on: features or decoded images, with their tags, row by row."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsdhq.data import (
    SkippedImage,
    decode_images,
    open_images,
    read_features,
    read_tags,
)
from wsdhq.embed.config import TrainConfig

__all__ = ["TrainingInputs", "as_batch", "read_inputs"]

_logger = logging.getLogger("wsdhq")
_ROWS_PER_BLOCK = 8192
_NAMES_SHOWN = 5


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """The readable rows of the inputs, in input order.

    Attributes
    ----------
    array : (N, F) floating point or (N, S, S, 3) uint8
        Features (a memory map) or pixels.
    tags : list of list of str
        Tags of each row.
    kept : (N,) int64 or None
        The input rows that are left, where images were skipped; None where all are there.
    skipped : list of SkippedImage
        Images that could not be read.
    """

    array: NDArray[Any]
    tags: list[list[str]]
    kept: NDArray[np.int64] | None = None
    skipped: list[SkippedImage] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tags)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """The rows asked for, as `EmbeddingNetwork.forward` takes them."""
        return as_batch(self.array[rows])

    def checksum(self) -> int:
        """CRC-32 of the array's bytes, read block by block: tells changed inputs apart."""
        value = 0
        for start in range(0, len(self.array), _ROWS_PER_BLOCK):
            block = np.ascontiguousarray(self.array[start : start + _ROWS_PER_BLOCK])
            value = zlib.crc32(memoryview(block).cast("B"), value)
        return value


def as_batch(values: NDArray[Any]) -> Tensor:
    """Rows of features (any float type) as float32, rows of pixels as uint8."""
    dtype = np.uint8 if values.dtype == np.uint8 else np.float32
    # Values beyond float32 become infinite, and are refused where that matters.
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(values, dtype=dtype, order="C"))


def read_inputs(
    config: TrainConfig, progress: Callable[[int, int], None] | None = None
) -> TrainingInputs:
    """Read the features or images and the tags that `config` names.

    Parameters
    ----------
    config : TrainConfig
    progress : callable, optional
        Called with (images decoded, images in all) in images mode.

    Returns
    -------
    TrainingInputs
        Images that cannot be read are left out together with their tags, and logged.

    Raises
    ------
    FileNotFoundError
        A file or folder is missing.
    TypeError, ValueError
        A file holds something else than it should, the numbers of rows differ, or no image
        can be read; the message names the file.
    """
    tags = read_tags(config.tags)
    if config.images is None:
        assert config.features is not None  # TrainConfig: exactly one of the two
        features = read_features(config.features)
        _check_lengths(config.tags, len(tags), config.features, len(features), "rows")
        _check_range(config.features, features)
        return TrainingInputs(features, tags)

    with open_images(config.images) as collection:
        _check_lengths(config.tags, len(tags), config.images, len(collection), "images")
        decoded = decode_images(
            collection, config.image_size, threads=config.threads, progress=progress
        )
    if not decoded.skipped:
        return TrainingInputs(decoded.pixels, tags)
    shown = "; ".join(f"{image.name} ({image.reason})" for image in decoded.skipped[:_NAMES_SHOWN])
    more = len(decoded.skipped) - _NAMES_SHOWN
    _logger.warning(
        "%d of %d images could not be read and are left out with their tags: %s%s",
        len(decoded.skipped),
        len(tags),
        shown,
        f"; and {more} more" if more > 0 else "",
    )
    kept_tags = [tags[row] for row in decoded.kept]
    return TrainingInputs(decoded.pixels, kept_tags, decoded.kept, decoded.skipped)


def _check_lengths(tags: str, num_tags: int, other: str, num_other: int, unit: str) -> None:
    if num_tags != num_other:
        raise ValueError(
            f"{tags} has tags for {num_tags} images, but {other} has {num_other} {unit}; "
            "expected one line of tags per image"
        )
    if num_tags == 0:
        raise ValueError(f"{other} has no {unit}: at least one is needed")


def _check_range(path: str, features: NDArray[np.floating[Any]]) -> None:
    if features.dtype.itemsize <= 4:
        return
    for start in range(0, len(features), _ROWS_PER_BLOCK):
        block = np.abs(features[start : start + _ROWS_PER_BLOCK])
        if block.max() > np.finfo(np.float32).max:
            row = start + int(block.max(axis=1).argmax())
            raise ValueError(
                f"{path}: features must fit into float32, but row {row} holds {block.max():g}"
            )
