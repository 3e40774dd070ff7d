"""What an index holds, for many that read and one at a time that writes."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wsdhq.quant.arrays.codes import CodeMatrix, checked_code_rows
from wsdhq.quant.index.block_buffer import BlockBuffer, Norms
from wsdhq.quant.index.ids import MAX_ID, Ids, check_distinct, check_next_id
from wsdhq.quant.index.rows import MappedFile, Rows, chunks


class RowStore:
    """The rows of an index as they are now.

    Readers take `rows` once and see nothing change. Writers wait for one another; each replaces
    `rows` as its last step, so that an error or a Ctrl-C before leaves everything as it was.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        # Room behind the rows, once something was added; none but the writer touches it.
        self._buffer: BlockBuffer | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def nbytes(self) -> int:
        """Bytes of memory; blocks that are mapped from a file count for nothing."""
        rows, buffer = self.rows, self._buffer
        if rows.is_mapped:
            return 0
        return rows.ids.nbytes + (rows.blocks.nbytes if buffer is None else buffer.nbytes)

    def append(
        self, codes: CodeMatrix, ids: NDArray[np.int64] | None, norms: Norms
    ) -> NDArray[np.int64]:
        """Add codes (n, num_codebooks) behind the others; ids None are the next ones. Gives ids."""
        with self._writing():
            rows = self._whole_rows()
            if ids is None:
                if rows.next_id + len(codes) > MAX_ID + 1:
                    raise ValueError("ids: the largest id used leaves no room; pass ids")
                new_ids = Ids.from_first(rows.next_id, len(codes))
            else:
                check_distinct(ids)
                if len(ids) and int(ids.min()) < rows.next_id:
                    rows.ids.check_new(ids)
                new_ids = Ids.from_array(ids)
            if len(codes):
                self._append(codes, new_ids, norms)
        return new_ids.between(0, len(codes))

    def merge(self, other: Rows, codebook_size: int, norms: Norms) -> None:
        """Add all rows of another store behind these, ids kept."""
        # In slices: the other may be mapped from a file, and larger than what memory can spare.
        num_codebooks = other.blocks.num_codebooks
        codes = checked_code_rows(
            "other",
            len(other),
            num_codebooks,
            codebook_size,
            lambda first, end: other.blocks.columns(first, end)[:, :num_codebooks],
        )
        with self._writing():
            rows = self._whole_rows()
            if len(rows):
                for first, end in chunks(len(other)):
                    rows.ids.check_new(other.ids.between(first, end))
            if len(other):
                self._append(codes, other.ids, norms, other.next_id, other.files)
            else:
                self.rows = replace(rows, next_id=max(rows.next_id, other.next_id))

    def replace(self, ids: NDArray[np.int64], codes: CodeMatrix, norms: Norms) -> None:
        """Give vectors that are there other codes (n, num_codebooks)."""
        check_distinct(ids)
        with self._writing():
            rows = self._whole_rows()
            positions = rows.ids.positions_of(ids)
            if len(positions) == 0:
                return
            buffer = BlockBuffer(rows.blocks, len(rows), rows.num_binned)
            buffer.replace(positions, codes, norms)
            self._buffer = buffer
            files = rows.files if rows.ids.mapping() else ()
            self.rows = Rows(buffer.blocks(), rows.ids, rows.next_id, rows.num_binned, files)

    def remove(self, ids: NDArray[np.int64], threads: int) -> None:
        """Remove vectors; those behind them close up."""
        check_distinct(ids)
        with self._writing():
            rows = self._whole_rows()
            positions = rows.ids.positions_of(ids)
            if len(positions) == 0:
                return
            kept = np.ones(len(rows), bool)
            kept[positions] = False
            left = chosen_rows(rows, kept, threads)
            self._buffer = None
            self.rows = left

    def _whole_rows(self) -> Rows:
        self.rows.check_files()
        return self.rows

    def _writing(self) -> threading.Lock:
        """The lock of writers, a new one in a forked child: its threads that held it are gone."""
        if self._process != os.getpid():
            # One of them may have been at work on the room behind the rows.
            self._buffer, self._lock, self._process = None, threading.Lock(), os.getpid()
        return self._lock

    def _append(
        self,
        codes: CodeMatrix,
        ids: Ids,
        norms: Norms,
        next_id: int = 0,
        files: tuple[MappedFile, ...] = (),
    ) -> None:
        rows, buffer = self.rows, self._buffer
        if buffer is None or not buffer.has_room(len(codes)):
            size = len(rows)
            if rows.is_mapped:
                check_next_id(rows.next_id, rows.ids)  # not read so far
            capacity = max(size + len(codes), 2 * size)
            buffer = BlockBuffer(rows.blocks, capacity, rows.num_binned)
        self._buffer = None  # dropped if what follows does not come to its end
        buffer.append(codes, norms)
        next_id = max(rows.next_id, ids.most() + 1, next_id)
        all_ids = rows.ids.with_more(ids)
        files = rows.files + files if all_ids.mapping() else ()
        added = Rows(buffer.blocks(), all_ids, next_id, buffer.num_binned, files)
        self._buffer = buffer
        self.rows = added


def chosen_rows(rows: Rows, chosen: NDArray[np.bool_] | NDArray[np.int64], threads: int) -> Rows:
    """Copy the rows that a mask marks or ascending positions name."""
    blocks, positions = rows.blocks.gathered(rows.blocks.gathering(chosen, threads), threads)
    # The edges stay true of what is left.
    return Rows(
        blocks,
        rows.ids.chosen(positions),
        rows.next_id,
        min(rows.num_binned, blocks.size),
    )
