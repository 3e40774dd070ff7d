"""Reading images from a folder, a ZIP archive or a list of paths, and decoding them to arrays.

Pillow is imported when the first image is opened, so that the rest of `wsdhq.data` works
without it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import threading
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq.data.splits import check_integer, check_rows
from wsdhq.data.tags import numbered_lines

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "IMAGE_EXTENSIONS",
    "DecodedImages",
    "ImageCollection",
    "SkippedImage",
    "UnreadableImage",
    "decode_images",
    "open_images",
]

IMAGE_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
# Only these: among Pillow's other formats is EPS, for which it starts Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_LARGEST_FILE = 256 << 20
_ROWS_PER_TASK = 16


class UnreadableImage(Exception):  # noqa: N818 - it names what came, an image, not a mistake
    """An image that cannot be read: missing, empty, truncated, too large or no image at all.

    Attributes
    ----------
    name : str
        Its name in the collection.
    reason : str
        What is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class ImageCollection(ABC):
    """Images in a fixed order, opened by row. Several threads may open images at once.

    Made by `open_images`. A context manager that closes itself.

    Attributes
    ----------
    names : list of str
        The name of each image: its path relative to the folder or in the archive, or its
        line of the list.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._closed = False

    def __len__(self) -> int:
        """Return the number of images, readable or not."""
        return len(self.names)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def open(self, row: int, *, at_least: int | None = None) -> Image.Image:
        """Decode one image.

        The first frame of an animation counts; transparent parts are shown on white; grey
        values of 16 bits are reduced to 8; the orientation of the camera (EXIF) is applied.

        Parameters
        ----------
        row : int
            Its place in the collection, 0 .. len - 1.
        at_least : int, optional
            A JPEG may be decoded faster at a half, quarter or eighth of its size, as long as
            no side gets shorter than this. Default: full size.

        Returns
        -------
        PIL.Image.Image
            In mode RGB, all pixels loaded.

        Raises
        ------
        UnreadableImage
            The image cannot be read; the collection can be used further.
        TypeError
            `row` is not an integer.
        ValueError
            `row` is outside the collection, or the collection has been closed.
        """
        row = check_integer(row, "row")
        if not 0 <= row < len(self):
            raise ValueError(f"row must be from 0 to {len(self) - 1}, got {row}")
        formats = _pillow_formats()
        try:
            self._check_open()
            return _decode(self._read(row), formats, at_least)
        except MemoryError:
            raise
        # Damaged files make Pillow and zipfile raise nearly anything, from struct.error and
        # SyntaxError to IndexError; whatever it is, it concerns this one image.
        except Exception as error:
            self._check_open()
            reason = str(error) or type(error).__name__
            raise UnreadableImage(self.names[row], reason) from error

    @abstractmethod
    def _read(self, row: int) -> bytes:
        """Return the encoded image; raise whatever exception if that is impossible."""

    def close(self) -> None:
        """Close the collection; its images cannot be opened any more."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the collection of images has been closed")


class _FileImages(ImageCollection):
    def __init__(self, paths: Sequence[Path], names: Sequence[str]) -> None:
        super().__init__(names)
        self._paths = list(paths)

    def _read(self, row: int) -> bytes:
        path = self._paths[row]
        if not path.exists():
            raise FileNotFoundError(f"there is no file {path}")
        # A named pipe would be waited for without end.
        if not path.is_file():
            raise OSError(f"{path} is not a regular file")
        _check_size(path.stat().st_size)
        return path.read_bytes()


class _ArchiveImages(ImageCollection):
    def __init__(self, path: Path) -> None:
        # Absolute, so that a later change of the working directory does no harm.
        self._path = path.absolute()
        self._archive, self._owner = self._open_archive(), os.getpid()
        self._entries = [
            entry
            for entry in self._archive.infolist()
            if not entry.is_dir() and _is_image_name(PurePosixPath(entry.filename))
        ]
        super().__init__([entry.filename for entry in self._entries])

    def _open_archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._path)
        except OSError:
            raise
        # A damaged table of contents raises more than BadZipFile.
        except Exception as error:
            raise ValueError(f"{self._path} is not a readable ZIP archive: {error}") from None

    def _read(self, row: int) -> bytes:
        entry = self._entries[row]
        _check_size(entry.file_size)
        # A forked process shares the file position of its parent, and would read from
        # wherever the other has just been. Two threads that come here at once both open the
        # archive, which does no harm; a lock could be inherited in a locked state.
        if self._owner != os.getpid():
            self._archive, self._owner = self._open_archive(), os.getpid()
        return self._archive.read(entry)

    def close(self) -> None:
        """Close the archive; its images cannot be opened any more."""
        super().close()
        self._archive.close()


def open_images(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> ImageCollection:
    """Open a collection of images without decoding any.

    Parameters
    ----------
    source : str, PathLike or sequence of these
        A folder: all files below it with an image's extension, in the natural order of
        their relative paths (``im2.jpg`` before ``im10.jpg``). Hidden files and folders
        (with a leading dot) and ``__MACOSX`` are passed over. Links are followed, but each
        folder is entered once.

        A ``.zip`` archive: the same choice of files, in the order of the archive.

        A ``.txt`` list in UTF-8: a path on each line, relative to the folder of the list, of
        whatever extension. The files need not exist until they are opened.

        A sequence: paths of image files.

    Returns
    -------
    ImageCollection
        At least one image.

    Raises
    ------
    FileNotFoundError
        There is no such folder, archive or list.
    ValueError
        It holds no image or is none of these, or a line of the list is blank.
    """
    if not isinstance(source, (str, os.PathLike)):
        paths = [Path(path) for path in source]
        if not paths:
            raise ValueError("expected at least one image, got an empty sequence of paths")
        return _FileImages(paths, [str(path) for path in paths])
    path = Path(source)
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no folder, ZIP archive or list of images {path}")
    extension = path.suffix.lower()
    if extension == ".zip":
        archive = _ArchiveImages(path)
        if not archive.names:
            archive.close()
            raise ValueError(f"{path} holds no images: {_expected_extensions()}")
        return archive
    if extension == ".txt":
        return _open_list(path)
    raise ValueError(
        f"{path}: images are read from a folder, a .zip archive or a .txt list of paths, got a "
        f"file with the extension {path.suffix!r}"
    )


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
) -> DecodedImages:
    """Decode images to squares of one size, leaving out those that cannot be read.

    Each image is resized to size x size, whatever its proportions, with Pillow's
    anti-aliased bilinear filter (a triangle as wide as the reduction). JPEGs are first
    decoded at the smallest size with no side shorter than twice `size`.

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

    Returns
    -------
    DecodedImages
        Images in the order of `rows`. None where `rows` is empty.

    Raises
    ------
    TypeError
        `size`, `threads` or `rows` do not hold integers.
    ValueError
        They are out of range, or none of the images can be read.
    """
    size = _positive(size, "size")
    threads = _available_cores() if threads is None else _positive(threads, "threads")
    asked = (
        np.arange(len(collection)) if rows is None else check_rows(rows, len(collection))
    ).astype(np.int64, copy=False)
    pixels = np.empty((len(asked), size, size, 3), dtype=np.uint8)
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


def _open_folder(root: Path) -> ImageCollection:
    found = [path for path in _walk(root) if _is_image_name(path.relative_to(root))]
    found.sort(key=lambda path: _natural_key(path.relative_to(root)))
    if not found:
        raise ValueError(f"the folder {root} holds no images: {_expected_extensions()}")
    return _FileImages(found, [path.relative_to(root).as_posix() for path in found])


def _walk(root: Path) -> Iterator[Path]:
    """Give all files below `root`, following links but entering each folder only once."""

    def refuse(error: OSError) -> None:
        # A folder that cannot be listed would otherwise shift all rows after it.
        raise error

    entered = {root.resolve()}
    for folder, subfolders, files in os.walk(root, onerror=refuse, followlinks=True):
        yield from (Path(folder, file) for file in files)
        candidates = {name: Path(folder, name).resolve() for name in sorted(subfolders)}
        subfolders.clear()
        for name, target in candidates.items():
            if target not in entered:
                entered.add(target)
                subfolders.append(name)


def _open_list(path: Path) -> ImageCollection:
    names = []
    for number, line in numbered_lines(path, "list of images"):
        if not line.strip():
            raise ValueError(
                f"{path}, line {number}: expected the path of an image, the line is blank"
            )
        names.append(line.strip())
    folder = path.absolute().parent
    return _FileImages([folder / name for name in names], names)


def _is_image_name(path: PurePosixPath | Path) -> bool:
    if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
        return False
    return path.suffix.lower() in IMAGE_EXTENSIONS


def _natural_key(path: Path) -> tuple[list[list[tuple[int, int, str]]], str]:
    """Sort digits by value and all else by letter; the path itself decides equal keys."""
    parts = [
        [
            (0, int(piece), "") if piece.isdecimal() else (1, 0, piece.casefold())
            for piece in re.split(r"([0-9]+)", part)
            if piece
        ]
        for part in path.parts
    ]
    return parts, path.as_posix()


def _expected_extensions() -> str:
    return f"expected files ending in {', '.join(sorted(IMAGE_EXTENSIONS))}"


@functools.cache
def _pillow_formats() -> tuple[str, ...]:
    """Return the formats to read which this Pillow knows."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "reading images needs Pillow: install it with pip install 'wsdhq[train]'"
        ) from error
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_size(num_bytes: int) -> None:
    if num_bytes > _LARGEST_FILE:
        raise ValueError(f"{num_bytes} bytes are more than the {_LARGEST_FILE} of the largest file")


def _decode(data: bytes, formats: tuple[str, ...], at_least: int | None) -> Image.Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not data:
        raise ValueError("the file is empty (0 bytes)")
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise ValueError(
            f"no image in a known format ({', '.join(formats)}), or damaged where it begins: it "
            f"starts with {data[:8]!r}"
        ) from None
    pixels = image.width * image.height
    # Pillow itself only warns up to twice its limit.
    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        raise ValueError(
            f"{image.width} x {image.height} pixels are more than Pillow's limit of "
            f"{Image.MAX_IMAGE_PIXELS} (PIL.Image.MAX_IMAGE_PIXELS)"
        )
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    image.load()
    # The pixels are whole: damaged camera data only means that no orientation is known.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):
        # Pillow's own conversion would clip at 255 and leave a white image.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    from PIL import Image

    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _positive(value: int, argument: str) -> int:
    number = check_integer(value, argument)
    if number < 1:
        raise ValueError(f"{argument} must be at least 1, got {number}")
    return number


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
