"""An index of codes, searched by asymmetric distance."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq.quant.ids import (
    MOST_ID,
    as_ids,
    check_distinct,
    check_next_id,
    is_among,
    positions_of,
)
from wsdhq.quant.persistence import read_tensors, write_tensors
from wsdhq.quant.quantizer import AdditiveQuantizer
from wsdhq.quant.rows import BLOCK_SIZE, RowBuffer, Rows, chunks, empty_rows
from wsdhq.quant.threads import resolve_threads
from wsdhq.quant.validation import as_codes, as_float32, as_integer, as_vectors

__all__ = ["AQDIndex", "Similarity"]

Similarity = Literal["ip", "l2", "cosine"]

MOST_RESULTS = 2**40


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
        self._rows = empty_rows(quantizer.num_codebooks, similarity != "ip")
        # Room behind the rows, once something was added; none but the writer touches it.
        self._buffer: RowBuffer | None = None
        self._next_id = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        m, k, dim = self._codebooks.shape
        rows = self._rows
        held = (
            f"mapped from a file of {_readable(rows.nbytes)}"
            if rows.is_mapped
            else (f"{_readable(self.nbytes)} in memory")
        )
        return (
            f"AQDIndex({len(rows)} vectors, similarity={self.similarity!r}, num_codebooks={m}, "
            f"codebook_size={k}, dim={dim}, {held})"
        )

    def __contains__(self, id: object) -> bool:
        return isinstance(id, (int, np.integer)) and bool((self._rows.ids == id).any())

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        # A copy that shared the room to spare would write over what the original adds.
        del state["_searcher"], state["_writing"], state["_buffer"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._searcher = _core.Searcher(self._codebooks, self.similarity)
        self._buffer = None
        self._writing = threading.Lock()

    @property
    def codes(self) -> NDArray[np.uint8]:
        """Codes by position: (len, num_codebooks) uint8, a copy put together at each call."""
        return self._rows.codes()

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids by position: (len,) int64, a read-only view."""
        return _read_only(self._rows.ids)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that codes, bins of norms and ids take, room for more included.

        Of an index that is mapped from a file and was not changed, 0: its pages are the file's,
        shared by all programs that map it.
        """
        if self._rows.is_mapped:
            return 0
        buffer = self._buffer
        return self._rows.nbytes if buffer is None else buffer.nbytes

    def copy(self) -> AQDIndex:
        """An index of the same content, that changes on its own.

        Takes no time and no memory: what both hold is shared until one of them changes.
        """
        return copy.copy(self)

    def batches(
        self, batch_size: int = 65_536
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Walk over what is in the index, by position.

        Parameters
        ----------
        batch_size : int, at least 1
            Vectors at a time, fewer in the last batch.

        Yields
        ------
        ids : ndarray (n,) int64
            A read-only view.
        codes : ndarray (n, num_codebooks) uint8
            A copy. Changes of the index while one walks are not seen.
        """
        size = as_integer(batch_size, "batch_size", 1)
        rows = self._rows
        m = rows.num_codebooks

        def walk() -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
            for first in range(0, len(rows), size):
                end = min(first + size, len(rows))
                codes = np.ascontiguousarray(rows.rows(first, end)[:, :m])
                yield _read_only(rows.ids[first:end]), codes

        return walk()

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
        with self._writing:
            if ids is None:
                if self._next_id + len(checked) > MOST_ID + 1:
                    raise ValueError("ids: the largest id used leaves no room; pass ids")
                new_ids = np.arange(self._next_id, self._next_id + len(checked), dtype=np.int64)
            else:
                new_ids = as_ids(ids, "ids")
                if len(new_ids) != len(checked):
                    raise ValueError(f"ids: expected {len(checked)} ids, got {len(new_ids)}")
                self._check_new(new_ids)
            self._append(checked, new_ids)

    def add_vectors(self, X: ArrayLike, ids: ArrayLike | None = None) -> None:
        """Encode vectors (num_vectors, dim) with the quantiser and add their codes; see `add`."""
        self.add(self.quantizer.encode(X), ids)

    def update(self, codes: ArrayLike, ids: ArrayLike) -> None:
        """Give vectors that are in the index other codes; their positions stay.

        Takes time in proportion to `len`: searches that are under way keep what they see.

        Parameters
        ----------
        codes : array (num_vectors, num_codebooks) of uint8
            Copied. Each below codebook_size.
        ids : array (num_vectors,) of integers
            All different, all in the index.

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the id; the index is then unchanged.
        """
        m, k, _ = self._codebooks.shape
        checked = as_codes(codes, "codes", m, k)
        wanted = as_ids(ids, "ids")
        if len(wanted) != len(checked):
            raise ValueError(f"ids: expected {len(checked)} ids, got {len(wanted)}")
        check_distinct(wanted)
        with self._writing:
            rows = self._rows
            positions = positions_of(wanted, rows.ids)
            if len(positions) == 0:
                return
            buffer = RowBuffer(rows, len(rows))
            buffer.replace(positions, checked, self._norms)
            self._rows = buffer.rows()
            self._buffer = buffer

    def update_vectors(self, X: ArrayLike, ids: ArrayLike) -> None:
        """Encode vectors (num_vectors, dim) with the quantiser and update codes; see `update`."""
        self.update(self.quantizer.encode(X), ids)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; the positions after them close up.

        Raises
        ------
        TypeError, ValueError
            An id is not in the index, or comes twice: named, and the index is unchanged.
        """
        wanted = as_ids(ids, "ids")
        with self._writing:
            rows = self._rows
            check_distinct(wanted)
            positions = positions_of(wanted, rows.ids)
            kept = np.ones(len(rows), bool)
            kept[positions] = False
            self._keep(kept)

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
            self._check_new(rows.ids)
            self._append(rows.codes(), rows.ids)
            self._next_id = max(self._next_id, other._next_id)

    def search(
        self,
        Q: ArrayLike,
        k: int | ArrayLike = 10,
        allowed: ArrayLike | None = None,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k best vectors of each query.

        Parameters
        ----------
        Q : array (num_queries, dim) of float16, float32 or float64
        k : int, or array (num_queries,) of integers; at least 0
            Results of all queries, or of each.
        allowed : array of bool (len,) or of integers, optional
            Search only these: a mask over positions, or ids, by its dtype.
        threads : int, optional
            None is the quantiser's. One query uses every thread as well.

        Returns
        -------
        scores : ndarray (num_queries, k) float32
            As wide as the largest k. Best first; -inf in places beyond what there is to find.
        ids : ndarray (num_queries, k) int64
            -1 in those places. Equal scores are ordered by position.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.
        """
        queries = self._as_queries(Q)
        rows = self._rows
        widest, each = _as_widths(k, len(queries))
        scores, ids = self._searcher.search(
            queries,
            rows.full,
            rows.last,
            rows.edges,
            rows.ids,
            self._allowed(allowed, rows),
            widest,
            resolve_threads(self.quantizer.threads if threads is None else threads),
        )
        if each is not None:
            beyond = np.arange(widest) >= each[:, None]
            scores[beyond], ids[beyond] = -np.inf, -1
        return scores, ids

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
        return self._searcher.range_search(
            queries,
            rows.full,
            rows.last,
            rows.edges,
            rows.ids,
            self._allowed(allowed, rows),
            float(rounded),
            resolve_threads(self.quantizer.threads if threads is None else threads),
        )

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Reconstructions of vectors by id: (number of ids, dim) float32, in the order of `ids`.

        Raises ValueError naming an id that is not in the index.
        """
        rows = self._rows
        positions = positions_of(as_ids(ids, "ids"), rows.ids)
        return _core.decode(
            self._codebooks, rows.codes_at(positions), resolve_threads(self.quantizer.threads)
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write quantiser, code blocks and ids to one safetensors file, whole or not at all."""
        with self._writing:
            rows, next_id = self._rows, self._next_id
        write_tensors(
            path,
            "index",
            {
                **self.quantizer._tensors(),
                "blocks": rows.full,
                "last_block": rows.last[:, : len(rows) % BLOCK_SIZE],
                "ids": rows.ids,
                "norm_edges": rows.edges,
            },
            {
                "quantizer": self.quantizer._settings(),
                "similarity": self.similarity,
                "next_id": next_id,
                "num_binned": rows.num_binned,
            },
        )

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], mmap: bool = True, verify: bool = False
    ) -> AQDIndex:
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : str or PathLike
        mmap : bool
            Map codes and ids from the file, read-only, instead of copying them; changes to the
            index are made in memory and never reach the file. The ids are then not read before a
            result needs them, nor are the codes where codebooks have 256 codewords. A file of
            version 1 of the format is copied in any case.
        verify : bool
            Read the whole file and compare it with its checksums: any byte that changed is an
            error. Without, damaged codes give wrong results, but never a crash.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is truncated, foreign, of a newer version or damaged.
        """
        tensors, settings = read_tensors(path, "index", mmap=mmap, verify=verify)
        quantizer_settings = settings.get("quantizer")
        if not isinstance(quantizer_settings, dict):
            raise ValueError(f"{path}: its settings are damaged: no quantiser")
        quantizer = AdditiveQuantizer._from_tensors(tensors, quantizer_settings, path)
        try:
            index = cls(quantizer, settings["similarity"])
            index._next_id = as_integer(settings["next_id"], "next_id", 0, MOST_ID + 1)
            if "blocks" in tensors:
                num_binned = as_integer(settings["num_binned"], "num_binned", 0)
                index._rows = index._rows_of_file(tensors, num_binned, are_read=not mmap)
            else:
                m, k, _ = quantizer.codebooks.shape
                ids = as_ids(tensors["ids"], "ids")
                codes = as_codes(tensors["codes"], "codes", m, k, len(ids))
                check_next_id(index._next_id, ids)
                index._append(codes, ids)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: holds a damaged index: {error}") from None
        return index

    def _rows_of_file(
        self, tensors: dict[str, NDArray[Any]], num_binned: int, *, are_read: bool
    ) -> Rows:
        """Check the arrays of a file of version 2."""
        empty = self._rows
        num_rows = empty.last.shape[0]
        blocks, left_over, ids = tensors["blocks"], tensors["last_block"], tensors["ids"]
        edges = np.array(tensors["norm_edges"])
        if ids.dtype != np.int64 or ids.ndim != 1:
            raise ValueError(f"ids: expected one dimension of int64, got {ids.dtype} {ids.shape}")
        if are_read:
            check_next_id(self._next_id, as_ids(ids, "ids"))
        for name, array, shape in (
            ("blocks", blocks, (len(ids) // BLOCK_SIZE, num_rows, BLOCK_SIZE)),
            ("last_block", left_over, (num_rows, len(ids) % BLOCK_SIZE)),
        ):
            if array.dtype != np.uint8 or array.shape != shape:
                raise ValueError(
                    f"{name}: expected codes of shape {shape}, got {array.dtype} {array.shape}"
                )
        if edges.dtype != np.float32 or edges.shape != empty.edges.shape:
            raise ValueError(f"norm_edges: expected {len(empty.edges)} float32 values")
        if not (np.isfinite(edges).all() and np.all(np.diff(edges) >= 0)):
            raise ValueError("norm_edges: expected finite, ascending values")
        last = np.zeros_like(empty.last)
        last[:, : left_over.shape[1]] = left_over
        rows = Rows(blocks, last, ids, edges, num_binned)
        m, k, _ = self._codebooks.shape
        if k <= 255:
            for first, end in chunks(len(rows)):
                as_codes(rows.rows(first, end)[:, :m], "codes", m, k)
        return rows

    def _append(self, codes: NDArray[np.uint8], ids: NDArray[np.int64]) -> None:
        if len(ids) == 0:
            return
        buffer = self._buffer
        if buffer is None or not buffer.has_room(len(ids)):
            size = len(self._rows)
            if buffer is None:
                check_next_id(self._next_id, self._rows.ids)  # of a mapped file: not read so far
            buffer = RowBuffer(self._rows, max(size + len(ids), 2 * size))
        self._buffer = None  # dropped if what follows does not come to its end
        buffer.append_codes(codes, ids, self._norms)
        self._next_id = max(self._next_id, int(ids.max()) + 1)
        self._rows = buffer.rows()
        self._buffer = buffer

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Keep only the vectors that a mask over positions marks."""
        old = self._rows
        empty = empty_rows(old.num_codebooks, self.similarity != "ip")
        count = int(np.count_nonzero(kept))
        # The edges stay true of what is left.
        start = Rows(empty.full, empty.last, empty.ids, old.edges, min(old.num_binned, count))
        buffer = RowBuffer(start, count)
        for first, end in chunks(len(old)):
            chosen = kept[first:end]
            buffer.append(old.rows(first, end)[chosen], old.ids[first:end][chosen])
        self._rows = buffer.rows()
        self._buffer = buffer

    def _norms(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._searcher.norms(codes, resolve_threads(self.quantizer.threads))

    def _check_new(self, ids: NDArray[np.int64]) -> None:
        """Raise for the first id that comes twice or is in the index already."""
        check_distinct(ids)
        if len(ids) == 0 or int(ids.min()) >= self._next_id:
            return
        ordered = np.sort(ids)
        for first, end in chunks(len(self._rows)):
            present = self._rows.ids[first:end]
            clash = present[is_among(present, ordered)]
            if len(clash):
                raise ValueError(f"ids: id {clash[0]} is in the index already")

    def _as_queries(self, Q: ArrayLike) -> NDArray[np.float32]:
        return as_float32(as_vectors(Q, "Q", self._codebooks.shape[2]), "Q")

    def _allowed(
        self, allowed: ArrayLike | None, rows: Rows
    ) -> NDArray[np.bool_] | NDArray[np.int64] | None:
        """A mask over positions or ascending positions."""
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
            return np.ascontiguousarray(array)
        return np.unique(positions_of(as_ids(array, "allowed"), rows.ids))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _as_widths(k: int | ArrayLike, num_queries: int) -> tuple[int, NDArray[np.int64] | None]:
    """The largest k, and each query's if they were given one by one."""
    array = np.asarray(k)
    if array.ndim == 0:
        return as_integer(k, "k", 0, MOST_RESULTS), None
    if array.dtype.kind not in "iu":
        raise TypeError(f"k: expected integers, got {array.dtype}")
    if array.shape != (num_queries,):
        raise ValueError(f"k: expected one for each of {num_queries} queries, got {array.shape}")
    for value in (array.min(initial=0), array.max(initial=0)):
        as_integer(int(value), "k", 0, MOST_RESULTS)
    return int(array.max(initial=0)), array.astype(np.int64)


def _readable(num_bytes: int) -> str:
    amount, units = float(num_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{num_bytes} bytes" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"
