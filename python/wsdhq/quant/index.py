"""An index of codes, searched by asymmetric distance."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq.quant.persistence import read_tensors, write_tensors
from wsdhq.quant.quantizer import AdditiveQuantizer
from wsdhq.quant.threads import resolve_threads
from wsdhq.quant.validation import as_codes, as_float32, as_integer, as_vectors

__all__ = ["AQDIndex", "Similarity"]

Similarity = Literal["ip", "l2", "cosine"]

MOST_ID = 2**63 - 2


@dataclass(frozen=True)
class _Rows:
    """What is stored per vector, in the order of positions. Replaced as one, never changed."""

    codes: NDArray[np.uint8]
    ids: NDArray[np.int64]
    norms: NDArray[np.float32]  # empty for inner products

    def __len__(self) -> int:
        return len(self.codes)


class AQDIndex:
    """Codes of an additive quantiser, searched exactly (method section 5).

    A query q makes a table of its inner products with every codeword; a score is a sum of
    num_codebooks entries.

    Parameters
    ----------
    quantizer : AdditiveQuantizer
        Fitted. The index keeps a reference to its codebooks.
    similarity : "ip", "l2" or "cosine"
        Of the query and the reconstruction x^: q . x^, -|q - x^|^2, or q . x^ / (|q| |x^|) (0
        where a norm is 0). Larger is better for each. The quantiser's metric plays no part.

    Notes
    -----
    A position is a place in insertion order, 0 .. len - 1, closed up by `remove`. An id is an
    int64, not negative (-1 marks a missing result); by default one more than the largest ever
    used. Searches release the GIL and may run in several Python threads, also beside one that
    changes the index: each sees the index as it was before or after the change.
    """

    def __init__(self, quantizer: AdditiveQuantizer, similarity: Similarity = "ip") -> None:
        if not isinstance(quantizer, AdditiveQuantizer):
            raise TypeError(
                f"quantizer: expected an AdditiveQuantizer, got {type(quantizer).__name__}"
            )
        if similarity not in ("ip", "l2", "cosine"):
            raise ValueError(f'similarity: expected "ip", "l2" or "cosine", got {similarity!r}')
        self.quantizer = quantizer
        self.similarity = similarity
        self._codebooks = quantizer.codebooks
        self._searcher = _core.Searcher(self._codebooks, similarity)
        self._rows = _Rows(
            np.empty((0, quantizer.num_codebooks), np.uint8),
            np.empty(0, np.int64),
            np.empty(0, np.float32),
        )
        self._next_id = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        m, k, dim = self._codebooks.shape
        return (
            f"AQDIndex({len(self)} vectors, similarity={self.similarity!r}, num_codebooks={m}, "
            f"codebook_size={k}, dim={dim})"
        )

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_searcher"], state["_writing"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._searcher = _core.Searcher(self._codebooks, self.similarity)
        self._writing = threading.Lock()

    @property
    def codes(self) -> NDArray[np.uint8]:
        """Codes by position: (len, num_codebooks) uint8, a read-only view."""
        return _read_only(self._rows.codes)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids by position: (len,) int64, a read-only view."""
        return _read_only(self._rows.ids)

    def add(self, codes: ArrayLike, ids: ArrayLike | None = None) -> None:
        """Add codes after those already there.

        Parameters
        ----------
        codes : array (num_vectors, num_codebooks) of uint8
            Copied. Each below codebook_size.
        ids : array (num_vectors,) of integers, optional
            Not negative, all different and none in the index yet.

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the id; the index is then unchanged.
        """
        m, k, _ = self._codebooks.shape
        checked = as_codes(codes, "codes", m, k)
        norms = self._searcher.norms(checked, resolve_threads(self.quantizer.threads))
        with self._writing:
            if ids is None:
                if self._next_id + len(checked) > MOST_ID + 1:
                    raise ValueError("ids: the largest id used leaves no room; pass ids")
                new_ids = np.arange(self._next_id, self._next_id + len(checked), dtype=np.int64)
            else:
                new_ids = _as_ids(ids, "ids")
                if len(new_ids) != len(checked):
                    raise ValueError(f"ids: expected {len(checked)} ids, got {len(new_ids)}")
                _check_new(new_ids, self._rows.ids)
            self._append(checked, new_ids, norms)

    def add_vectors(self, X: ArrayLike, ids: ArrayLike | None = None) -> None:
        """Encode vectors (num_vectors, dim) with the quantiser and add their codes; see `add`."""
        self.add(self.quantizer.encode(X), ids)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; the positions after them close up.

        Raises
        ------
        TypeError, ValueError
            An id is not in the index, or comes twice: named, and the index is unchanged.
        """
        wanted = _as_ids(ids, "ids")
        with self._writing:
            rows = self._rows
            _check_distinct(wanted)
            positions = _positions_of(wanted, rows.ids)
            kept = np.ones(len(rows), bool)
            kept[positions] = False
            self._rows = _Rows(
                rows.codes[kept],
                rows.ids[kept],
                rows.norms[kept] if len(rows.norms) else rows.norms,
            )

    def merge(self, other: AQDIndex) -> None:
        """Add everything in another index of the same codebooks and similarity, ids kept.

        Raises
        ------
        TypeError
            `other` is not an AQDIndex.
        ValueError
            Codebooks or similarity differ, or an id is in both: named, nothing changes.
        """
        if not isinstance(other, AQDIndex):
            raise TypeError(f"other: expected an AQDIndex, got {type(other).__name__}")
        if other.similarity != self.similarity:
            raise ValueError(
                f"other: expected similarity {self.similarity!r}, got {other.similarity!r}"
            )
        if not np.array_equal(other._codebooks, self._codebooks):
            raise ValueError("other: expected an index with the same codebooks, got different ones")
        rows = other._rows
        with self._writing:
            _check_new(rows.ids, self._rows.ids)
            self._append(rows.codes, rows.ids, rows.norms)
            self._next_id = max(self._next_id, other._next_id)

    def search(
        self,
        Q: ArrayLike,
        k: int = 10,
        allowed: ArrayLike | None = None,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k best vectors of each query.

        Parameters
        ----------
        Q : array (num_queries, dim) of float16, float32 or float64
        k : int, at least 0
        allowed : array of bool (len,) or of integers, optional
            Search only these: a mask over positions, or ids, by its dtype.
        threads : int, optional
            None is the quantiser's. One query uses every thread as well.

        Returns
        -------
        scores : ndarray (num_queries, k) float32
            Best first; -inf in places beyond what there is to find.
        ids : ndarray (num_queries, k) int64
            -1 in those places. Equal scores are ordered by position.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        queries = self._as_queries(Q)
        rows = self._rows
        scores, positions = self._searcher.search(
            queries,
            rows.codes,
            rows.norms,
            self._allowed_positions(allowed, rows),
            as_integer(k, "k", 0, 2**40),
            resolve_threads(self.quantizer.threads if threads is None else threads),
        )
        return scores, _take_ids(rows.ids, positions)

    def range_search(
        self,
        Q: ArrayLike,
        threshold: float,
        allowed: ArrayLike | None = None,
        threads: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Every vector with score >= threshold.

        Parameters
        ----------
        Q, allowed, threads
            As in `search`.
        threshold : float
            A score: for "l2" a negated squared distance. Not NaN.

        Returns
        -------
        limits : ndarray (num_queries + 1,) int64
            Results of query q are limits[q] .. limits[q + 1] - 1 of the other two.
        scores : ndarray float32
        ids : ndarray int64
            Best first within a query, equal scores by position.
        """
        queries = self._as_queries(Q)
        try:
            least = float(threshold)
        except (TypeError, ValueError):
            raise TypeError(
                f"threshold: expected a number, got {type(threshold).__name__}"
            ) from None
        if np.isnan(least):
            raise ValueError("threshold: expected a number, got nan")
        # Compared in float32, as scores are: the least float32 that is not below the threshold.
        with np.errstate(over="ignore"):
            rounded = np.float32(least)
        if float(rounded) < least:
            rounded = np.nextafter(rounded, np.float32(np.inf))
        rows = self._rows
        limits, scores, positions = self._searcher.range_search(
            queries,
            rows.codes,
            rows.norms,
            self._allowed_positions(allowed, rows),
            float(rounded),
            resolve_threads(self.quantizer.threads if threads is None else threads),
        )
        return limits, scores, _take_ids(rows.ids, positions)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Reconstructions of vectors by id: (number of ids, dim) float32, in the order of `ids`.

        Raises ValueError naming an id that is not in the index.
        """
        rows = self._rows
        positions = _positions_of(_as_ids(ids, "ids"), rows.ids)
        return _core.decode(
            self._codebooks, rows.codes[positions], resolve_threads(self.quantizer.threads)
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write quantiser, codes, ids and norms to one safetensors file, whole or not at all."""
        rows = self._rows
        write_tensors(
            path,
            "index",
            {
                **self.quantizer._tensors(),
                "codes": rows.codes,
                "ids": rows.ids,
                "norms": rows.norms,
            },
            {
                "quantizer": self.quantizer._settings(),
                "similarity": self.similarity,
                "next_id": self._next_id,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = True) -> AQDIndex:
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : str or PathLike
        mmap : bool
            Map codes, ids and norms from the file, read-only, instead of copying them; changes
            to the index are made in memory and never reach the file.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is truncated, foreign, of a newer version or damaged.
        """
        tensors, settings = read_tensors(path, "index", mmap=mmap)
        quantizer_settings = settings.get("quantizer")
        if not isinstance(quantizer_settings, dict):
            raise ValueError(f"{path}: its settings are damaged: no quantiser")
        quantizer = AdditiveQuantizer._from_tensors(tensors, quantizer_settings, path)
        try:
            index = cls(quantizer, settings["similarity"])
            m, k, _ = quantizer.codebooks.shape
            ids = _as_ids(tensors["ids"], "ids")
            rows = _Rows(as_codes(tensors["codes"], "codes", m, k, len(ids)), ids, tensors["norms"])
            expected = 0 if index.similarity == "ip" else len(ids)
            if rows.norms.dtype != np.float32 or rows.norms.shape != (expected,):
                raise ValueError(f"norms: expected {expected} float32 values")
            next_id = as_integer(settings["next_id"], "next_id", 0)
            if len(ids) and next_id <= int(ids.max()):
                raise ValueError(f"next_id: expected more than {int(ids.max())}, got {next_id}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: holds a damaged index: {error}") from None
        index._rows = rows
        index._next_id = next_id
        return index

    def _append(
        self, codes: NDArray[np.uint8], ids: NDArray[np.int64], norms: NDArray[np.float32]
    ) -> None:
        rows = self._rows
        if len(ids) == 0:
            return
        self._rows = _Rows(
            np.concatenate([rows.codes, codes]),
            np.concatenate([rows.ids, ids]),
            np.concatenate([rows.norms, norms]),
        )
        self._next_id = max(self._next_id, int(ids.max()) + 1)

    def _as_queries(self, Q: ArrayLike) -> NDArray[np.float32]:
        return as_float32(as_vectors(Q, "Q", self._codebooks.shape[2]), "Q")

    def _allowed_positions(
        self, allowed: ArrayLike | None, rows: _Rows
    ) -> NDArray[np.int64] | None:
        if allowed is None:
            return None
        array = np.asarray(allowed)
        if array.size == 0 and not isinstance(allowed, np.ndarray):
            return np.empty(0, np.int64)
        if array.dtype == np.bool_:
            if array.shape != (len(rows),):
                raise ValueError(
                    f"allowed: expected a mask of shape ({len(rows)},), got {array.shape}"
                )
            return np.flatnonzero(array).astype(np.int64)
        return np.unique(_positions_of(_as_ids(array, "allowed"), rows.ids))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _take_ids(ids: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids of positions; -1 where the position is -1."""
    if len(ids) == 0:
        return positions
    return np.where(positions < 0, np.int64(-1), ids[positions])


def _as_ids(value: ArrayLike, name: str) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.size == 0 and array.ndim == 1 and not isinstance(value, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name}: expected one dimension, got shape {array.shape}")
    if array.size and not (int(array.min()) >= 0 and int(array.max()) <= MOST_ID):
        wrong = int(array.min()) if int(array.min()) < 0 else int(array.max())
        raise ValueError(f"{name}: expected ids from 0 to {MOST_ID}, got {wrong}")
    return np.array(array, np.int64) if array.dtype != np.int64 else np.ascontiguousarray(array)


def _check_distinct(ids: NDArray[np.int64]) -> None:
    if len(ids) > 1:
        ordered = np.sort(ids)
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise ValueError(f"ids: id {ordered[twice[0]]} comes more than once")


def _check_new(ids: NDArray[np.int64], present: NDArray[np.int64]) -> None:
    """Raise for the first id that comes twice or is in the index already."""
    _check_distinct(ids)
    if len(ids) and len(present) and int(ids.min()) <= int(present.max()):
        clash = np.flatnonzero(np.isin(ids, present))
        if len(clash):
            raise ValueError(f"ids: id {ids[clash[0]]} is in the index already")


def _positions_of(ids: NDArray[np.int64], present: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of ids; ValueError naming the first that is not in the index."""
    order = np.argsort(present, kind="stable")
    places = np.searchsorted(present, ids, sorter=order)
    found = places < len(present)
    found[found] = present[order[places[found]]] == ids[found]
    if not found.all():
        raise ValueError(f"ids: id {ids[np.flatnonzero(~found)[0]]} is not in the index")
    return order[places].astype(np.int64)
