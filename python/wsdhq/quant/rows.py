"""What an index stores per vector: blocks of codes, ids, and bins of norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core

__all__ = ["BLOCK_SIZE", "RowBuffer", "Rows", "chunks", "empty_rows"]

BLOCK_SIZE: int = _core.block_size
TABLE_SIZE: int = _core.table_size

LARGEST = float(np.finfo(np.float32).max)

# Rows that are rearranged at a time.
CHUNK = 128 * BLOCK_SIZE

# Gives the norms (n,) float32 of codes (n, num_codebooks); none for inner products.
Norms = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Rows:
    """What is stored per vector, in the order of positions. Replaced as one, never changed.

    A block holds BLOCK_SIZE vectors codebook-major: row m is code m of each, and with norms a
    last row is the bin of each vector's norm. Bytes of `last` behind the vectors may change.
    """

    full: NDArray[np.uint8]  # (len // BLOCK_SIZE, num_rows, BLOCK_SIZE)
    last: NDArray[np.uint8]  # (num_rows, BLOCK_SIZE): the vectors left over, in front
    ids: NDArray[np.int64]  # (len,)
    edges: NDArray[np.float32]  # (TABLE_SIZE,) ascending, or empty: least norm of each bin
    num_binned: int  # how many vectors there were when the edges were set

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.full.nbytes + self.last.nbytes + self.ids.nbytes + self.edges.nbytes

    @property
    def is_mapped(self) -> bool:
        """Whether the arrays are pages of a file."""
        return any(isinstance(array, np.memmap) for array in (self.full, self.last, self.ids))

    @property
    def num_codebooks(self) -> int:
        """Bytes of a code: the rows of a block but for that of the norms."""
        return len(self.last) - (1 if len(self.edges) else 0)

    def rows(self, first: int, end: int) -> NDArray[np.uint8]:
        """Columns of the blocks as rows: (end - first, num_rows) uint8, a copy."""
        num_full = len(self.full) * BLOCK_SIZE
        num_rows = self.last.shape[0]
        parts = []
        if first < min(end, num_full):
            until = min(end, num_full)
            begin, stop = first // BLOCK_SIZE, -(-until // BLOCK_SIZE)
            whole = self.full[begin:stop].transpose(0, 2, 1).reshape(-1, num_rows)
            parts.append(whole[first - begin * BLOCK_SIZE : until - begin * BLOCK_SIZE])
        if end > num_full:
            parts.append(self.last[:, max(first, num_full) - num_full : end - num_full].T)
        if not parts:
            return np.empty((0, num_rows), np.uint8)
        return np.concatenate(parts)

    def codes(self) -> NDArray[np.uint8]:
        """All codes by position: (len, num_codebooks) uint8, a copy."""
        result = np.empty((len(self), self.num_codebooks), np.uint8)
        for first, end in chunks(len(self)):
            result[first:end] = self.rows(first, end)[:, : self.num_codebooks]
        return result

    def codes_at(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Codes at positions: (number of positions, num_codebooks) uint8."""
        num_full = len(self.full) * BLOCK_SIZE
        result = np.empty((len(positions), self.num_codebooks), np.uint8)
        in_full = positions < num_full
        block, place = np.divmod(positions[in_full], BLOCK_SIZE)
        result[in_full] = self.full[block, : self.num_codebooks, place]
        left_over = positions[~in_full] - num_full
        result[~in_full] = self.last[: self.num_codebooks, left_over].T
        return result


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """Walk over 0 .. count - 1 in pieces of bounded size."""
    for first in range(0, count, CHUNK):
        yield first, min(first + CHUNK, count)


def empty_rows(num_codebooks: int, has_norms: bool) -> Rows:
    """Nothing, of the shape that blocks of these codes have."""
    num_rows = num_codebooks + has_norms
    return Rows(
        np.empty((0, num_rows, BLOCK_SIZE), np.uint8),
        np.zeros((num_rows, BLOCK_SIZE), np.uint8),
        np.empty(0, np.int64),
        np.zeros(TABLE_SIZE if has_norms else 0, np.float32),
        0,
    )


class RowBuffer:
    """Arrays with room to spare, behind the Rows that are views of their beginning.

    One writer at a time. Vectors are only ever written behind those that are there, so that Rows
    given out before stay as they were; what must change in place is copied first.
    """

    def __init__(self, rows: Rows, capacity: int) -> None:
        num_rows = rows.last.shape[0]
        self._blocks = np.empty((capacity // BLOCK_SIZE + 1, num_rows, BLOCK_SIZE), np.uint8)
        self._ids = np.empty(len(self._blocks) * BLOCK_SIZE, np.int64)
        self._blocks[: len(rows.full)] = rows.full
        self._blocks[len(rows.full)] = rows.last
        self._ids[: len(rows)] = rows.ids
        self._edges = rows.edges
        self._num_binned = rows.num_binned
        self._size = len(rows)

    def rows(self) -> Rows:
        """Everything that is stored now."""
        num_full = self._size // BLOCK_SIZE
        return Rows(
            self._blocks[:num_full],
            self._blocks[num_full],
            self._ids[: self._size],
            self._edges,
            self._num_binned,
        )

    def has_room(self, count: int) -> bool:
        """Whether `count` more vectors fit."""
        return self._size + count < len(self._ids)

    def append(self, columns: NDArray[np.uint8], ids: NDArray[np.int64]) -> None:
        """Write vectors (n, num_rows), codes and bins, behind those that are there."""
        self._write(self._size, columns)
        self._ids[self._size : self._size + len(ids)] = ids
        self._size += len(ids)

    def append_codes(self, codes: NDArray[np.uint8], ids: NDArray[np.int64], norms: Norms) -> None:
        """Write codes (n, num_codebooks), and the bins of their norms, behind those there are."""
        if len(self._edges) == 0:
            for first, end in chunks(len(codes)):
                self.append(codes[first:end], ids[first:end])
            return
        low, high = np.inf, -np.inf
        kept = np.empty(len(codes), np.float32)
        for first, end in chunks(len(codes)):
            found = norms(codes[first:end])
            low, high = min(low, float(found.min())), max(high, float(found.max()))
            kept[first:end] = found
        size = self._size + len(codes)
        edges = self._edges
        last_width = float(edges[-1]) - float(edges[-2])
        outgrown = low < float(edges[1]) or high > float(edges[-1]) + last_width
        if self._num_binned == 0 or (outgrown and size >= 2 * self._num_binned):
            self._bin_again(low, high, norms)
            self._num_binned = size
        elif low < float(edges[0]):
            self._edges = edges.copy()
            self._edges[0] = low
        for first, end in chunks(len(codes)):
            bins = _bins(kept[first:end], self._edges)
            self.append(np.column_stack([codes[first:end], bins]), ids[first:end])

    def replace(self, positions: NDArray[np.int64], codes: NDArray[np.uint8], norms: Norms) -> None:
        """Write codes (n, num_codebooks), and the bins of their norms, over those at positions.

        In place: only for a buffer of which no Rows were given out.
        """
        for first, end in chunks(len(codes)):
            columns = codes[first:end]
            if len(self._edges):
                found = norms(np.ascontiguousarray(columns))
                if float(found.min()) < float(self._edges[0]):
                    self._edges = self._edges.copy()
                    self._edges[0] = found.min()
                columns = np.column_stack([columns, _bins(found, self._edges)])
            block, place = np.divmod(positions[first:end], BLOCK_SIZE)
            self._blocks[block, :, place] = columns

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, room to spare included."""
        return self._blocks.nbytes + self._ids.nbytes + self._edges.nbytes

    def _bin_again(self, low: float, high: float, norms: Norms) -> None:
        """Set edges that suit the norms there are and those from `low` to `high`."""
        old = self.rows()
        kept = np.empty(len(old), np.float32)
        for first, end in chunks(len(old)):
            found = norms(np.ascontiguousarray(old.rows(first, end)[:, :-1]))
            low, high = min(low, float(found.min())), max(high, float(found.max()))
            kept[first:end] = found
        # A norm beyond the range of float32 has a lower bound there.
        low, high = min(low, LARGEST), min(high, LARGEST)
        # Bin 0 is for what may come below the least norm known now.
        edges = np.empty(TABLE_SIZE, np.float32)
        edges[0] = low
        edges[1:] = np.linspace(low, high, TABLE_SIZE)[:-1]
        self._edges = np.maximum.accumulate(edges)
        if len(old):
            # The bins change: readers of the old blocks keep them.
            used = len(old.full) + 1
            blocks = np.empty_like(self._blocks)
            blocks[:used] = self._blocks[:used]
            self._blocks = blocks
            last_row = self._blocks.shape[1] - 1
            for first, end in chunks(len(old)):
                self._write(first, _bins(kept[first:end], self._edges)[:, None], last_row)

    def _write(self, first: int, columns: NDArray[np.uint8], row: int = 0) -> None:
        """Write columns (n, some rows) at positions from `first` and block rows from `row` on."""
        rows = slice(row, row + columns.shape[1])
        done = 0
        while done < len(columns):
            block, place = divmod(first + done, BLOCK_SIZE)
            if place == 0 and len(columns) - done >= BLOCK_SIZE:
                count = (len(columns) - done) // BLOCK_SIZE
                part = columns[done : done + count * BLOCK_SIZE]
                self._blocks[block : block + count, rows] = part.reshape(
                    count, BLOCK_SIZE, -1
                ).transpose(0, 2, 1)
                done += count * BLOCK_SIZE
            else:
                count = min(BLOCK_SIZE - place, len(columns) - done)
                self._blocks[block, rows, place : place + count] = columns[done : done + count].T
                done += count


def _bins(norms: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The last bin whose edge is not above the norm; edges[0] is above none of them."""
    return (np.searchsorted(edges, norms, side="right") - 1).astype(np.uint8)
