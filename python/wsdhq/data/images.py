"""Collections of images: a folder, a ZIP archive or a list of paths, opened row by row."""

from __future__ import annotations

import os
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wsdhq._shared.arguments import as_integer
from wsdhq._shared.files import as_path
from wsdhq.data.rgb import decode_rgb, pillow_formats
from wsdhq.data.tags import numbered_lines

if TYPE_CHECKING:
    from PIL import Image

IMAGE_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
_MAX_FILE = 256 << 20


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
        row = as_integer(row, "row", 0, len(self) - 1)
        formats = pillow_formats()
        try:
            self._check_open()
            return decode_rgb(self._read(row), formats, at_least)
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
        paths = [as_path(path) for path in source]
        if not paths:
            raise ValueError("expected at least one image, got an empty sequence of paths")
        return _FileImages(paths, [str(path) for path in paths])
    path = as_path(source)
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


def _check_size(num_bytes: int) -> None:
    if num_bytes > _MAX_FILE:
        raise ValueError(f"{num_bytes} bytes are more than the {_MAX_FILE} of the largest file")
