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
from wsdhq.data.skipped import list_skipped
from wsdhq.embed.config import TrainConfig

_logger = logging.getLogger("wsdhq.embed")
_ROWS_PER_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """What training sees: tags of all input rows, features or pixels of those it needs.

    Attributes
    ----------
    tags : list of list of str
        Tags of each input row.
    array : (N, F) floating point or (n, S, S, 3) uint8
        Features of all rows (a memory map), or pixels of the rows in `kept`.
    kept : (n,) int64 or None
        The input row of each image in `array`, ascending; None where it holds all rows.
    skipped : list of SkippedImage
        Images that were asked for and could not be read.
    """

    tags: list[list[str]]
    array: NDArray[Any]
    kept: NDArray[np.int64] | None = None
    skipped: list[SkippedImage] = field(default_factory=list)

    def __len__(self) -> int:
        """The number of input rows, N."""
        return len(self.tags)

    def readable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the input rows that `array` holds, in their order."""
        return rows if self.kept is None else rows[np.isin(rows, self.kept)]

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """The input rows asked for, as `EmbeddingNetwork.forward` takes them.

        All must be `readable`.
        """
        return as_batch(self.array[self._places(rows)])

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows if self.kept is None else np.searchsorted(self.kept, rows)

    def checksum(self) -> int:
        """CRC-32 of the array's bytes, read block by block: tells changed inputs apart."""
        value = 0
        for start in range(0, len(self.array), _ROWS_PER_BLOCK):
            block = np.ascontiguousarray(self.array[start : start + _ROWS_PER_BLOCK])
            value = zlib.crc32(block.reshape(-1).view(np.uint8).data, value)
        return value


def as_batch(values: NDArray[Any]) -> Tensor:
    """Rows of features (any float type) as float32, rows of pixels as uint8."""
    dtype = np.uint8 if values.dtype == np.uint8 else np.float32
    # Values beyond float32 become infinite, and are refused where that matters.
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(values, dtype=dtype, order="C"))


def read_inputs(
    config: TrainConfig,
    select: Callable[[int], NDArray[np.int64]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingInputs:
    """Read the tags that `config` names, and its features or the images of some rows.

    Parameters
    ----------
    config : TrainConfig
    select : callable, optional
        From the number of input rows to the rows whose images are needed, ascending; all by
        default. Features are mapped, not read, and there for all rows.
    progress : callable, optional
        Called with (images decoded, images to decode) in images mode.

    Returns
    -------
    TrainingInputs
        Images that cannot be read are missing in `kept`, and logged; no other row moves.

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
        return TrainingInputs(tags, features)

    with open_images(config.images) as collection:
        _check_lengths(config.tags, len(tags), config.images, len(collection), "images")
        decoded = decode_images(
            collection,
            config.image_size,
            None if select is None else select(len(collection)),
            threads=config.threads,
            progress=progress,
        )
    if decoded.skipped:
        _logger.warning(
            "%d of %d images could not be read and are not trained on: %s",
            len(decoded.skipped),
            len(decoded.kept) + len(decoded.skipped),
            list_skipped(decoded.skipped),
        )
    return TrainingInputs(tags, decoded.pixels, decoded.kept, decoded.skipped)


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
                f"{path}: features: expected values that fit into float32, but row {row} holds "
                f"{block.max():g}"
            )
