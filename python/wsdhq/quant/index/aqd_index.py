"""An index of codes, searched by asymmetric distance."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq._shared.arguments import as_choice, as_integer
from wsdhq._shared.progress import check_verbose
from wsdhq.quant.arrays.codes import CodeMatrix, as_code_rows
from wsdhq.quant.arrays.vectors import as_float32, as_vectors
from wsdhq.quant.index.block_buffer import Norms
from wsdhq.quant.index.files import rows_of_tensors, tensors_of_rows
from wsdhq.quant.index.filters import (
    chosen_positions,
    parts,
    range_search_parts,
    search_parts,
)
from wsdhq.quant.index.ids import MAX_ID, Interval, as_ids
from wsdhq.quant.index.row_store import RowStore, chosen_rows
from wsdhq.quant.index.rows import MappedFile, Rows, empty_rows
from wsdhq.quant.index.search_arguments import as_least_score, as_widths
from wsdhq.quant.persistence import read_tensors, write_tensors
from wsdhq.quant.quantizer import AdditiveQuantizer
from wsdhq.quant.threads import resolve_threads

Similarity = Literal["ip", "l2", "cosine"]


class AQDIndex:
    """Codes of an additive quantizer, searched exactly (method section 5).

    A query q makes a table of its inner products with every codeword; a score is a sum of
    num_codebooks entries.

    Parameters
    ----------
    quantizer : AdditiveQuantizer
        Fitted. The index keeps a copy that shares its codebooks: to fit it again later changes
        nothing here.
    similarity : "ip", "l2" or "cosine"
        Of the query and the reconstruction x^: q . x^, -|q - x^|^2, or q . x^ / (|q| |x^|) (0
        where a norm is 0). Larger is better for each. The quantizer's metric plays no part.

    Notes
    -----
    A position is a place in insertion order, 0 .. len - 1, closed up by `remove`. An id is an
    int64, not negative (-1 marks a missing result); by default one more than the largest ever
    used. Ids that ascend by one take no memory; others 8 bytes each, and unless they ascend 12
    more from the first look-up on, which sorts them. Methods release the GIL; searches may run in
    several Python threads, also beside those that change the index, which wait for one another:
    each search sees the index as it was before or after a change. `threads` of any method is
    None for the quantizer's.

    Examples
    --------
    >>> import numpy as np
    >>> corners = np.array([[[0, 0], [4, 0]], [[0, 0], [0, 1]]], np.float32)
    >>> index = AQDIndex(AdditiveQuantizer.from_codebooks(corners), similarity="l2")
    >>> index.add(np.array([[0, 0], [1, 0], [1, 1]], np.uint8), ids=[7, 8, 9])
    array([7, 8, 9])
    >>> scores, ids = index.search(np.array([[4, 0.9]], np.float32), k=2)
    >>> ids
    array([[9, 8]])
    """

    def __init__(self, quantizer: AdditiveQuantizer, similarity: Similarity = "ip") -> None:
        if not isinstance(quantizer, AdditiveQuantizer):
            raise TypeError(
                f"quantizer: expected an AdditiveQuantizer, got {type(quantizer).__name__}"
            )
        as_choice(similarity, "similarity", get_args(Similarity))
        self.quantizer = copy.copy(quantizer)
        self.similarity = similarity
        self._codebooks = quantizer.codebooks
        self._searcher = _core.Searcher(self._codebooks, similarity)
        self._store = RowStore(empty_rows(len(self._codebooks), similarity != "ip"))

    def __len__(self) -> int:
        return len(self._store.rows)

    def __repr__(self) -> str:
        m, k, dim = self._codebooks.shape
        rows = self._store.rows
        held = (
            f"mapped from a file, {_readable(rows.nbytes)}"
            if rows.is_mapped
            else f"{_readable(self.nbytes)} in memory"
        )
        return (
            f"AQDIndex({len(rows)} vectors, similarity={self.similarity!r}, num_codebooks={m}, "
            f"codebook_size={k}, dim={dim}, {held})"
        )

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, (int, np.integer)) or not 0 <= id <= MAX_ID:
            return False
        return bool(self._rows.ids.find(np.array([id], np.int64))[0] >= 0)

    def __copy__(self) -> AQDIndex:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_searcher"], state["_store"]
        return {**state, "rows": self._rows.in_memory()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._store = RowStore(state.pop("rows"))
        self.__dict__.update(state)
        self._searcher = _core.Searcher(self._codebooks, self.similarity)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """Codes by position: (len, num_codebooks) uint8, a copy put together at each call."""
        return self._rows.blocks.codes()

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids by position: (len,) int64, read-only, put together at each call."""
        rows = self._rows
        return _read_only(rows.ids.between(0, len(rows)))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that codes, bins of norms and ids take, room for more included.

        Of an index that is mapped from a file and was not changed, 0: its pages are the file's,
        shared by all programs that map it. What look-ups of ids keep is not counted.
        """
        return self._store.nbytes

    def copy(self) -> AQDIndex:
        """An index of the same content, that changes on its own.

        Takes no time and no memory: what both hold is shared until one of them changes.
        """
        return self._with_rows(self._store.rows)

    def subset(self, allowed: ArrayLike | range, threads: int | None = None) -> AQDIndex:
        """An index of some of the vectors, ids kept.

        For a filter that many searches use: each then costs what it keeps, also a search of one
        query. What changes here afterwards is not seen there.

        Parameters
        ----------
        allowed : array of bool (len,), array of integers, or range
            As in `search`.
        threads : int, optional

        Returns
        -------
        AQDIndex
            A copy: num_codebooks bytes per vector (one more but for "ip"), and 8 of its id.

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the id.
        """
        threads = self._threads(threads)
        rows = self._rows
        chosen = chosen_positions(allowed, rows)
        if isinstance(chosen, Interval):
            chosen = np.arange(*chosen)
        return self._with_rows(chosen_rows(rows, chosen, threads))

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
            Read-only.
        codes : ndarray (n, num_codebooks) uint8
            A copy. Changes of the index while one walks are not seen.
        """
        size = as_integer(batch_size, "batch_size", 1)
        rows = self._rows
        m = rows.blocks.num_codebooks

        def walk() -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
            for first in range(0, len(rows), size):
                end = min(first + size, len(rows))
                rows.check_files()
                codes = np.ascontiguousarray(rows.blocks.columns(first, end)[:, :m])
                yield _read_only(rows.ids.between(first, end)), codes

        return walk()

    def add(
        self, codes: ArrayLike, ids: ArrayLike | None = None, threads: int | None = None
    ) -> NDArray[np.int64]:
        """Add codes after those already there.

        Parameters
        ----------
        codes : array (num_vectors, num_codebooks) of uint8
            Copied. Each below codebook_size.
        ids : array (num_vectors,) of integers, optional
            Not negative, all different and none in the index yet.
        threads : int, optional

        Returns
        -------
        ndarray (num_vectors,) int64
            The ids, also those given here.

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the id; the index is then unchanged.
        """
        norms = self._norms(threads)
        checked = self._as_codes(codes)
        if ids is not None:
            ids = self._as_ids(ids, len(checked))
        return _read_only(self._store.append(checked, ids, norms))

    def add_vectors(
        self, X: ArrayLike, ids: ArrayLike | None = None, threads: int | None = None
    ) -> NDArray[np.int64]:
        """Encode vectors (num_vectors, dim) with the quantizer and add their codes; see `add`."""
        return self.add(self._encode(X, ids, threads), ids, threads)

    def update(self, codes: ArrayLike, ids: ArrayLike, threads: int | None = None) -> None:
        """Give vectors that are in the index other codes; their positions stay.

        Takes time in proportion to `len`, however few they are: searches that are under way keep
        what they see.

        Parameters
        ----------
        codes : array (num_vectors, num_codebooks) of uint8
            Copied. Each below codebook_size.
        ids : array (num_vectors,) of integers
            All different, all in the index.
        threads : int, optional

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the id; the index is then unchanged.
        """
        norms = self._norms(threads)
        checked = self._as_codes(codes)
        self._store.replace(self._as_ids(ids, len(checked)), checked, norms)

    def update_vectors(self, X: ArrayLike, ids: ArrayLike, threads: int | None = None) -> None:
        """Encode vectors (num_vectors, dim) with the quantizer and update codes; see `update`."""
        self.update(self._encode(X, ids, threads), ids, threads)

    def remove(self, ids: ArrayLike, threads: int | None = None) -> None:
        """Remove vectors by id; the positions after them close up.

        Takes time in proportion to `len`, however few they are: best many at once.

        Parameters
        ----------
        ids : array (num_vectors,) of integers
            All different, all in the index.
        threads : int, optional

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the id; the index is then unchanged.
        """
        self._store.remove(as_ids(ids, "ids"), self._threads(threads))

    def merge(self, other: AQDIndex, threads: int | None = None) -> None:
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
        self._store.merge(other._rows, self._codebooks.shape[1], self._norms(threads))

    def search(
        self,
        Q: ArrayLike,
        k: int | ArrayLike = 10,
        allowed: ArrayLike | range | None = None,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k best vectors of each query.

        Parameters
        ----------
        Q : array (num_queries, dim) of float16, float32 or float64
        k : int, or array (num_queries,) of integers; at least 0
            Results of all queries, or of each.
        allowed : array of bool (len,), array of integers, or range, optional
            Search only these: a mask over positions, or ids, all in the index, by the dtype; or
            the ids that lie in a range of step 1. Costs what it takes to look the filter up and
            in proportion to what it keeps; for a filter that is used again, see `subset`.
        threads : int, optional
            One query uses every thread as well.

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
        threads = self._threads(threads)
        queries = self._as_queries(Q)
        rows = self._rows
        widest, each = as_widths(k, len(queries))
        chosen = None if allowed is None else chosen_positions(allowed, rows)
        scores, positions = search_parts(
            self._searcher, queries, parts(rows.blocks, chosen, threads), widest, threads
        )
        ids = rows.ids.at(positions)
        if each is not None:
            beyond = np.arange(widest) >= each[:, None]
            scores[beyond], ids[beyond] = -np.inf, -1
        return scores, ids

    def range_search(
        self,
        Q: ArrayLike,
        threshold: float,
        allowed: ArrayLike | range | None = None,
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
        threads = self._threads(threads)
        queries = self._as_queries(Q)
        least = as_least_score(threshold)
        rows = self._rows
        chosen = None if allowed is None else chosen_positions(allowed, rows)
        limits, scores, positions = range_search_parts(
            self._searcher, queries, parts(rows.blocks, chosen, threads), least, threads
        )
        return limits, scores, rows.ids.at(positions)

    def reconstruct(self, ids: ArrayLike, threads: int | None = None) -> NDArray[np.float32]:
        """Reconstructions of vectors by id: (number of ids, dim) float32, in the order of `ids`.

        Raises ValueError naming an id that is not in the index.
        """
        threads = self._threads(threads)
        rows = self._rows
        positions = rows.ids.positions_of(as_ids(ids, "ids"))
        return _core.decode(self._codebooks, rows.blocks.codes_at(positions), threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write quantizer, codes and ids to one safetensors file, whole or not at all.

        Also over the file that the index is mapped from. Others may change the index meanwhile:
        what is written is as it was when this was called.

        Raises
        ------
        OSError
            The file cannot be written; one that was there is as it was.
        ValueError
            The quantizer of the index was fitted again.
        """
        self._check_quantizer()
        tensors, settings = tensors_of_rows(self._rows, self.quantizer._tensors())
        write_tensors(
            path,
            "index",
            tensors,
            {
                **settings,
                "quantizer": self.quantizer._settings(),
                "similarity": self.similarity,
            },
            verbose=self.quantizer.verbose,
        )

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        mmap: bool = True,
        verify: bool = False,
        *,
        verbose: bool | None = None,
    ) -> AQDIndex:
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : str or PathLike
        mmap : bool
            Map codes and ids from the file, read-only, instead of copying them; changes to the
            index are made in memory and never reach the file. Ids are then not read before they
            are needed, nor are codes where codebooks have 256 codewords (else some byte might be
            no code). A file of version 1 of the format is copied in any case. While it is mapped,
            the file may be replaced, as `save` does, but must not be changed in place: results
            would change with it, and were it cut short, methods raise ValueError, but one that is
            reading just then is ended by the system, and the process with it (SIGBUS). With
            mmap=False nothing of the file is mapped, not even while it is loaded.
        verify : bool
            Read the whole file and compare it with its checksums: any byte of arrays or settings
            that changed is an error. Without, damaged codes or ids give wrong results, but never a
            crash.
        verbose : bool, optional
            Progress of reading, as in `AdditiveQuantizer`.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is truncated, foreign, of a newer version or damaged.
        """
        tensors, settings = read_tensors(
            path, "index", mmap=mmap, verify=verify, verbose=check_verbose(verbose)
        )
        quantizer_settings = settings.get("quantizer")
        if not isinstance(quantizer_settings, dict):
            raise ValueError(f"{path}: its settings are damaged: no quantizer")
        quantizer = AdditiveQuantizer._from_tensors(tensors, quantizer_settings, path)
        try:
            index = cls(quantizer, settings["similarity"])
            rows = rows_of_tensors(
                tensors,
                settings,
                index._rows,
                quantizer.codebook_size,
                is_read=verify or not mmap,
            )
            if isinstance(rows, Rows):
                index._store = RowStore(replace(rows, files=_mapped_files(path, rows)))
            else:
                codes, ids, next_id = rows
                index.add(codes, ids)
                index._store = RowStore(replace(index._rows, next_id=next_id))
        except KeyError as error:
            raise ValueError(f"{path}: holds a damaged index: {error.args[0]} missing") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: holds a damaged index: {error}") from None
        return index

    @property
    def _rows(self) -> Rows:
        """What is there now, to be read; ValueError if a file it is mapped from was cut short."""
        rows = self._store.rows
        rows.check_files()
        return rows

    def _with_rows(self, rows: Rows) -> AQDIndex:
        index = object.__new__(type(self))
        index.__dict__.update(self.__dict__)  # codebooks and searcher never change
        index.quantizer = copy.copy(self.quantizer)  # its settings may be changed
        index._store = RowStore(rows)
        return index

    def _threads(self, threads: int | None) -> int:
        return resolve_threads(self.quantizer.threads if threads is None else threads)

    def _norms(self, threads: int | None) -> Norms:
        count = self._threads(threads)
        return lambda codes: self._searcher.norms(codes, count)

    def _encode(
        self, X: ArrayLike, ids: ArrayLike | None, threads: int | None
    ) -> NDArray[np.uint8]:
        self._check_quantizer()
        vectors = as_vectors(X, "X", self.quantizer.dim)
        if ids is not None:  # told before the work of encoding
            self._as_ids(ids, len(vectors))
        return self.quantizer.encode(vectors, threads=threads)

    def _check_quantizer(self) -> None:
        """Raise if the index's own quantizer was fitted again: its codes would mean others here."""
        now = self.quantizer.codebooks
        if now is not self._codebooks and not np.array_equal(now, self._codebooks):
            raise ValueError(
                "quantizer: that of the index was fitted again; the codes in the index are of its "
                "former codebooks: make a new index"
            )

    def _as_codes(self, codes: ArrayLike) -> CodeMatrix:
        m, k, _ = self._codebooks.shape
        return as_code_rows(codes, "codes", m, k)

    def _as_ids(self, ids: ArrayLike, count: int) -> NDArray[np.int64]:
        checked = as_ids(ids, "ids")
        if len(checked) != count:
            raise ValueError(f"ids: expected {count} ids, got {len(checked)}")
        return checked

    def _as_queries(self, Q: ArrayLike) -> NDArray[np.float32]:
        # Copied, being few: a search reads them more than once, and another thread may write there.
        queries = as_vectors(Q, "Q", self._codebooks.shape[2])
        return as_float32(np.array(queries) if isinstance(queries, np.ndarray) else queries, "Q")


def _mapped_files(path: str | os.PathLike[str], rows: Rows) -> tuple[MappedFile, ...]:
    mapping = getattr(rows.blocks.full, "_mmap", None) or rows.ids.mapping()
    return () if mapping is None else (MappedFile(os.fspath(path), mapping),)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    # No pages of a file, which may be cut short while the caller has them.
    view = np.array(array) if isinstance(array, np.memmap) else array.view()
    view.flags.writeable = False
    return view


def _readable(num_bytes: int) -> str:
    amount, units = float(num_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{num_bytes} bytes" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"
