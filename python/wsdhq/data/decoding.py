"""Decoding of many images to one array, in parallel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.data.images import ImageCollection, UnreadableImage
from wsdhq.data.splits import check_rows

if TYPE_CHECKING:
    from PIL import Image

_ROWS_PER_TASK = 16


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read, and was left out.

    Attributes
    ----------
    row : int
        Its row in the collection.
    name : str
        Its name there.
    reason : str
        What is wrong with it.
    """

    row: int
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """Images as one array, and which they are.

    Attributes
    ----------
    pixels : (n, size, size, 3) uint8
        Red, green and blue of each image that could be read.
    kept : (n,) int64
        The row of each in the collection: tags and labels of image i are at ``kept[i]``.
    skipped : list of SkippedImage
        The others, in the order in which they were asked for.
    """

    pixels: NDArray[np.uint8]
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]


def decode_images(
    collection: ImageCollection,
    size: int,
    rows: ArrayLike | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    out: NDArray[np.uint8] | None = None,
) -> DecodedImages:
    """Decode images to squares of one size, leaving out those that cannot be read.

    Each image is resized to size x size, whatever its proportions and whether that makes it
    smaller or larger, with Pillow's anti-aliased bilinear filter (a triangle as wide as the
    reduction). JPEGs are first decoded at the smallest size with no side shorter than twice
    `size`. Nothing is cropped.

    Pixels are not normalized: bytes from 0 to 255 in the colour space of the file, of which
    no mean is subtracted. That is for the network that sees them, as its weights demand.

    An image takes ``3 * size**2`` bytes: 25,000 of 64 x 64 are 0.3 GB, 193,752 of 227 x 227
    are 30 GB. Where memory does not hold that, give `out`, or `rows` in parts.

    Parameters
    ----------
    collection : ImageCollection
        The images.
    size : int
        Side of the result in pixels, at least 1.
    rows : (m,) array_like of integers, optional
        Which images, in this order. Default: all.
    threads : int, optional
        At least 1. Default: all cores this process may use. The result does not depend on it.
    progress : callable, optional
        Called in this thread as ``progress(done, total)`` after every few images, counting
        those that were left out too. What it raises (KeyboardInterrupt, say) ends the work
        after the image that each thread is at.
    out : (m, size, size, 3) uint8, optional
        A writable array to fill instead of one allocated here, for example a memory map
        (``numpy.lib.format.open_memmap``), where m is the number of images asked for. Where
        some cannot be read, what is left at its end has no meaning.

    Returns
    -------
    DecodedImages
        Images in the order of `rows`. None where `rows` is empty. With `out`, its pixels are
        the first n rows of that array.

    Raises
    ------
    TypeError
        `size`, `threads` or `rows` do not hold integers, or `out` is no uint8 array.
    ValueError
        They are out of range, `out` is of another shape or read-only, or none of the images
        can be read.
    """
    size = as_integer(size, "size", 1)
    threads = _available_cores() if threads is None else as_integer(threads, "threads", 1)
    asked = (
        np.arange(len(collection)) if rows is None else check_rows(rows, len(collection))
    ).astype(np.int64, copy=False)
    shape = (len(asked), size, size, 3)
    pixels = np.empty(shape, dtype=np.uint8) if out is None else _checked_out(out, shape)
    failures: dict[int, SkippedImage] = {}
    stop = threading.Event()

    def decode(places: range) -> int:
        for place in places:
            if stop.is_set():
                break
            row = int(asked[place])
            try:
                pixels[place] = _square(collection.open(row, at_least=2 * size), size)
            except UnreadableImage as error:
                failures[place] = SkippedImage(row, error.name, error.reason)
        return len(places)

    _run_in_threads(decode, len(asked), threads, stop, progress)
    if len(asked) and len(failures) == len(asked):
        first = failures[0]
        raise ValueError(
            f"none of the {len(asked)} images can be read; the first, {first.name}: {first.reason}"
        )
    readable = np.ones(len(asked), dtype=bool)
    readable[list(failures)] = False
    skipped = [failures[place] for place in sorted(failures)]
    return DecodedImages(_close_gaps(pixels, readable), asked[readable], skipped)


def _checked_out(out: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if not isinstance(out, np.ndarray) or out.dtype != np.uint8:
        kind = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out: expected an array of uint8, got {kind}")
    if out.shape != shape:
        raise ValueError(
            f"out: expected the shape (images, size, size, 3), here {shape}, got {out.shape}"
        )
    if not out.flags.writeable:
        raise ValueError("out: expected a writable array, got a read-only one")
    return out


def _run_in_threads(
    work: Callable[[range], int],
    total: int,
    threads: int,
    stop: threading.Event,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Share 0 .. total - 1 among threads; on any exception set `stop`, join them, re-raise."""
    executor = ThreadPoolExecutor(threads, thread_name_prefix="wsdhq-decode")
    try:
        tasks = [
            executor.submit(work, range(start, min(start + _ROWS_PER_TASK, total)))
            for start in range(0, total, _ROWS_PER_TASK)
        ]
        done = 0
        for task in as_completed(tasks):
            done += task.result()
            if progress is not None:
                progress(done, total)
    except BaseException:
        stop.set()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _close_gaps(pixels: NDArray[np.uint8], readable: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Move readable images to the front in place: a copy would double the memory."""
    if readable.all():
        return pixels
    for target, source in enumerate(np.flatnonzero(readable)):
        if target != source:
            pixels[target] = pixels[source]
    return pixels[: int(readable.sum())]


def _square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
