"""What methods learn from and rank: features or pixels, by rows of the data set."""

from __future__ import annotations

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.files import atomic_path, save_npy, write_text
from wsdhq.data import ImageCollection, TaggedImages, decode_images
from wsdhq.reproduce.listener import Listener


class Inputs(ABC):
    """Rows of a data set as arrays, taken as they are needed."""

    #: The field of `TrainConfig` that names inputs of this kind.
    kind: ClassVar[str]
    #: Rows that are taken at a time where all of them might not fit into memory.
    rows_at_once: ClassVar[int]

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The given rows of the data set, in their order.

        Raises
        ------
        ValueError
            An image cannot be read, or a value does not fit into float32.
        """

    @abstractmethod
    def write(self, rows: NDArray[np.int64], folder: Path) -> Path:
        """Write the given rows, in their order, as `TrainConfig` reads them.

        Parameters
        ----------
        rows : (n,) int64
        folder : path
            Where to write to; it exists.

        Returns
        -------
        Path
            A `.npy` of features, or a `.txt` list of images.
        """

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        """The given rows, at most `rows_at_once` of them at a time."""
        for start in range(0, len(rows), self.rows_at_once):
            yield self.take(rows[start : start + self.rows_at_once])


class FeatureInputs(Inputs):
    """Features of the images.

    Parameters
    ----------
    features : (n, F) float16, float32 or float64
        Possibly a memory map.
    kept : (n,) int64 or None
        The row of the data set that each is of; None where every row has one.
    """

    kind = "features"
    rows_at_once = 4096

    def __init__(
        self, features: NDArray[np.floating[Any]], kept: NDArray[np.int64] | None = None
    ) -> None:
        self._features = features
        self._kept = kept

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, F) float32."""
        places = rows if self._kept is None else np.searchsorted(self._kept, rows)
        with np.errstate(over="ignore"):
            values = np.asarray(self._features[places], dtype=np.float32)
        if not np.isfinite(values).all():
            row = int(rows[int(np.argmin(np.isfinite(values).all(axis=1)))])
            raise ValueError(f"features: expected finite float32 values, but row {row} is not")
        return values

    def write(self, rows: NDArray[np.int64], folder: Path) -> Path:
        """`features.npy`."""
        path = folder / "features.npy"
        save_npy(path, self.take(rows))
        return path


class ImageInputs(Inputs):
    """Pixels of the images, decoded when they are taken.

    Parameters
    ----------
    dataset : TaggedImages
    size : int
        Side in pixels that images are resized to.
    threads : int or None
        Threads that decode; None uses all cores.
    listener : Listener
        Told how far the decoding is.
    """

    kind = "images"
    rows_at_once = 512

    def __init__(
        self, dataset: TaggedImages, size: int, threads: int | None, listener: Listener
    ) -> None:
        self._dataset = dataset
        self._size = size
        self._threads = threads
        self._listener = listener

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, size, size, 3) uint8."""
        with self._dataset.open() as collection:
            return self._decode(collection, rows, self._listener.advance)

    def blocks(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        """As `Inputs.blocks`; the collection stays open meanwhile."""
        with self._dataset.open() as collection:
            for start in range(0, len(rows), self.rows_at_once):
                self._listener.advance(start, len(rows))
                yield self._decode(collection, rows[start : start + self.rows_at_once], None)

    def write(self, rows: NDArray[np.int64], folder: Path) -> Path:
        """`images.txt`; images of an archive are unpacked beside it."""
        if self._dataset.archive is None:
            paths = [os.path.abspath(self._dataset.images[row]) for row in rows]
        else:
            paths = self._unpack(self._dataset.archive, rows, folder / "images")
        for path in paths:
            if path != path.strip() or "\n" in path or "\r" in path:
                raise ValueError(
                    f"{path!r}: a list of images cannot hold a path with line ends in it or "
                    "white space at an end"
                )
        path = folder / "images.txt"
        write_text(path, "".join(f"{each}\n" for each in paths))
        return path

    def _decode(
        self, collection: ImageCollection, rows: NDArray[np.int64], progress: Any
    ) -> NDArray[np.uint8]:
        decoded = decode_images(
            collection, self._size, rows, threads=self._threads, progress=progress
        )
        if decoded.skipped:
            # Those found unreadable in the beginning are not among the rows.
            image = decoded.skipped[0]
            raise ValueError(f"{image.name}: cannot be read any more ({image.reason})")
        return decoded.pixels

    def _unpack(self, archive: Path, rows: NDArray[np.int64], folder: Path) -> list[str]:
        folder.mkdir(exist_ok=True)
        paths = []
        with zipfile.ZipFile(archive) as opened:
            for row in rows.tolist():
                name = str(self._dataset.images[row])
                path = folder / f"{row:07d}{PurePosixPath(name).suffix.lower()}"
                with atomic_path(path) as temporary:
                    temporary.write_bytes(opened.read(name))
                paths.append(str(path.resolve()))
        return paths


class SelectedImages(ImageCollection):
    """Some images of a collection, as a collection.

    Parameters
    ----------
    collection : ImageCollection
        Stays open with its owner.
    rows : (n,) int64
        Which, in this order.
    """

    def __init__(self, collection: ImageCollection, rows: NDArray[np.int64]) -> None:
        super().__init__([collection.names[row] for row in rows])
        self._collection = collection
        self._rows = rows

    def open(self, row: int, *, at_least: int | None = None) -> Any:
        """As `ImageCollection.open`."""
        return self._collection.open(int(self._rows[row]), at_least=at_least)

    def _read(self, row: int) -> bytes:
        return self._collection._read(int(self._rows[row]))
