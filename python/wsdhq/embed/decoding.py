"""Decoding a collection of images a part at a time, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wsdhq.data import (
    DecodedImages,
    ImageCollection,
    SkippedImage,
    UnreadableImage,
    decode_images,
)

_MAX_PART = 1024
_BYTES_PER_PART = 64 << 20


def decoded_parts(
    collection: ImageCollection, size: int, threads: int | None = None
) -> Iterator[DecodedImages]:
    """Decode a collection part by part.

    Parameters
    ----------
    collection : ImageCollection
    size : int
        Side of the squares, at least 1.
    threads : int or None
        Decoding threads; None uses all cores.

    Yields
    ------
    DecodedImages
        Of at most 64 MiB and 1024 rows, in the order of the collection; one of whose images
        none can be read has no pixels.

    Raises
    ------
    ValueError
        None of all the images can be read: known after the last part.
    """
    step = min(_MAX_PART, max(1, _BYTES_PER_PART // (3 * size * size)))
    skipped: list[SkippedImage] = []
    for start in range(0, len(collection), step):
        rows = np.arange(start, min(start + step, len(collection)))
        decoded = _decode(collection, size, rows, threads)
        skipped += decoded.skipped
        yield decoded
    if skipped and len(skipped) == len(collection):
        raise ValueError(
            f"none of the {len(collection)} images can be read; the first, "
            f"{skipped[0].name}: {skipped[0].reason}"
        )


def _decode(
    source: ImageCollection, size: int, rows: NDArray[np.int64], threads: int | None
) -> DecodedImages:
    try:
        return decode_images(source, size, rows, threads=threads)
    except ValueError:
        # No image of this part can be read, or something else is wrong; the collection as a
        # whole may still be usable.
        skipped = []
        for row in rows.tolist():
            try:
                source.open(row)
            except UnreadableImage as error:
                skipped.append(SkippedImage(row, error.name, error.reason))
            else:
                raise
        pixels = np.empty((0, size, size, 3), dtype=np.uint8)
        return DecodedImages(pixels, np.empty(0, dtype=np.int64), skipped)
