"""What the service does, in Python's terms: values of JSON go in and come out."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.quant import AQDIndex

__all__ = ["NeighbourService"]


class NeighbourService:
    """An index and the file that it is kept in.

    Parameters
    ----------
    index : AQDIndex
        Its own: changed by nobody else.
    path : path
        Where `snapshot` writes it.
    threads : int or None
        Threads of one request. 1 serves many clients best; None uses every core for each.

    Notes
    -----
    All methods may run in several threads at once. A search sees the index as it was before or
    after each change, never in between. What a client got wrong is a TypeError or ValueError that
    names the field, and changes nothing.
    """

    def __init__(
        self, index: AQDIndex, path: str | os.PathLike[str], threads: int | None = 1
    ) -> None:
        self._index = index
        self._path = Path(path)
        self._threads = threads
        self._writing = threading.Lock()
        self._saving = threading.Lock()
        self._num_changes = self._num_saved = 0

    @classmethod
    def load(cls, path: str | os.PathLike[str], threads: int | None = 1) -> NeighbourService:
        """Map the index from its file: in no time, however large it is."""
        return cls(AQDIndex.load(path), path, threads)

    def add(self, vectors: object, ids: object = None) -> dict[str, Any]:
        """Add vectors, with these ids or the next ones that are free."""
        codes = self._encode(vectors)
        with self._writing:
            added = self._index.add(codes, None if ids is None else _ids(ids, "ids"))
            self._num_changes += 1
        return {"ids": added.tolist()}

    def update(self, vectors: object, ids: object) -> dict[str, Any]:
        """Replace the vectors of ids that are there."""
        codes = self._encode(vectors)
        with self._writing:
            self._index.update(codes, _ids(ids, "ids"))
            self._num_changes += 1
        return {"updated": len(codes)}

    def remove(self, ids: object) -> dict[str, Any]:
        """Remove vectors by their ids."""
        gone = _ids(ids, "ids")
        with self._writing:
            self._index.remove(gone)
            self._num_changes += 1
        return {"removed": len(gone)}

    def search(
        self, queries: object, k: object = 10, ids: object = None, id_range: object = None
    ) -> dict[str, Any]:
        """Find the k best vectors of each query, the best first; larger scores are better.

        Among all, among `ids`, or among those with first <= id < end of `id_range`. Where there
        are fewer than k, a query has fewer.
        """
        if type(k) is not int:
            raise TypeError(f"k: expected an integer, got {type(k).__name__}")
        if ids is not None and id_range is not None:
            raise ValueError("expected at most one of ids and id_range, got both")
        wanted = _vectors(queries, "queries")
        allowed: list[int] | range | None = None
        if ids is not None:
            allowed = _ids(ids, "ids")
        elif id_range is not None:
            allowed = _range(id_range)
        # The answer has k places for each query, filled or not.
        most = len(self._index)
        scores, found = self._index.search(wanted, min(k, most), allowed, self._threads)
        counts = (found >= 0).sum(axis=1).tolist()
        return {
            "ids": [row[:count] for row, count in zip(found.tolist(), counts)],
            "scores": [row[:count] for row, count in zip(scores.tolist(), counts)],
        }

    def stats(self) -> dict[str, Any]:
        """Say what is in the index and what it takes."""
        index = self._index
        return {
            "len": len(index),
            "nbytes": index.nbytes,
            "dim": index.quantizer.dim,
            "similarity": index.similarity,
            "unsaved_changes": self._num_changes - self._num_saved,
            "index": repr(index),
        }

    def snapshot(self) -> dict[str, Any]:
        """Write the index to its file, whole or not at all; searches and changes go on."""
        with self._saving:
            with self._writing:
                index, num_changes = self._index.copy(), self._num_changes
            if num_changes != self._num_saved or not self._path.exists():
                index.save(self._path)
                self._num_saved = num_changes
        return {"path": str(self._path), "len": len(index)}

    def _encode(self, vectors: object) -> NDArray[np.uint8]:
        return self._index.quantizer.encode(_vectors(vectors, "vectors"), threads=self._threads)


def _vectors(value: object, name: str) -> NDArray[np.float64]:
    """Lists of numbers as rows; how long they are and what is in them, wsdhq checks."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected lists of numbers, all of one length") from None
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected a list of lists of numbers")
    return array.astype(np.float64)


def _ids(value: object, name: str) -> list[int]:
    # true and false would be a mask, and 1.0 is no id.
    if not isinstance(value, list) or not all(type(id) is int for id in value):
        raise TypeError(f"{name}: expected a list of integers")
    return value


def _range(value: object) -> range:
    bounds = _ids(value, "id_range")
    if len(bounds) != 2:
        raise ValueError(f"id_range: expected [first, end], got {len(bounds)} integers")
    return range(*bounds)
