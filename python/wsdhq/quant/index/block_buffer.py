"""Blocks of codes with room behind them, for the one that adds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wsdhq.quant.arrays.codes import CodeMatrix
from wsdhq.quant.index.rows import BLOCK_SIZE, TABLE_SIZE, Blocks, chunks

LARGEST = float(np.finfo(np.float32).max)

# Blocks between which Python hears a Ctrl-C.
_COPIED_AT_ONCE = 2**14

# Gives the norms (n,) float32 of codes (n, num_codebooks); none for inner products.
Norms = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class BlockBuffer:
    """Arrays with room to spare, behind the Blocks that are views of their beginning.

    One writer at a time. Vectors are only ever written behind those that are there, so that Blocks
    given out before stay as they were; what must change in place is copied first.
    """

    def __init__(self, blocks: Blocks, capacity: int, num_binned: int) -> None:
        num_rows = blocks.last.shape[0]
        self._blocks = np.empty((capacity // BLOCK_SIZE + 1, num_rows, BLOCK_SIZE), np.uint8)
        for first in range(0, len(blocks.full), _COPIED_AT_ONCE):
            part = slice(first, min(first + _COPIED_AT_ONCE, len(blocks.full)))
            self._blocks[part] = blocks.full[part]
        self._blocks[len(blocks.full)] = blocks.last
        self._edges = blocks.edges
        self._size = blocks.size
        self.num_binned = num_binned

    def blocks(self) -> Blocks:
        """Everything that is stored now."""
        num_full = self._size // BLOCK_SIZE
        return Blocks(self._blocks[:num_full], self._blocks[num_full], self._edges, self._size)

    def has_room(self, count: int) -> bool:
        """Whether `count` more vectors fit."""
        return self._size + count < len(self._blocks) * BLOCK_SIZE

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, room to spare included."""
        return self._blocks.nbytes + self._edges.nbytes

    def append(self, codes: CodeMatrix, norms: Norms) -> None:
        """Write codes (n, num_codebooks), and the bins of their norms, behind those there are."""
        has_norms = len(self._edges) > 0
        low, high = np.inf, -np.inf
        kept = np.empty(len(codes) if has_norms else 0, np.float32)
        for first, end in chunks(len(codes)):
            # Read once: bins must be those of the norms of the very codes that are stored.
            some = codes[first:end]
            self._write(self._size + first, some)
            if has_norms:
                found = norms(some)
                low, high = min(low, float(found.min())), max(high, float(found.max()))
                kept[first:end] = found
        size = self._size + len(codes)
        if has_norms:
            self._fit_edges(low, high, size, norms)
            last_row = self._blocks.shape[1] - 1
            for first, end in chunks(len(codes)):
                bins = _bins(kept[first:end], self._edges)[:, None]
                self._write(self._size + first, bins, last_row)
        self._size = size

    def _fit_edges(self, low: float, high: float, size: int, norms: Norms) -> None:
        """Make edges that `size` vectors can do with, those to come of norms from low to high."""
        edges = self._edges
        last_width = float(edges[-1]) - float(edges[-2])
        outgrown = low < float(edges[1]) or high > float(edges[-1]) + last_width
        if self.num_binned == 0 or (outgrown and size >= 2 * self.num_binned):
            self._bin_again(low, high, size, norms)
            self.num_binned = size
        elif low < float(edges[0]):
            self._edges = edges.copy()
            self._edges[0] = low

    def replace(self, positions: NDArray[np.int64], codes: CodeMatrix, norms: Norms) -> None:
        """Write codes (n, num_codebooks), and the bins of their norms, over those at positions.

        In place: only for a buffer of which no Blocks were given out.
        """
        for first, end in chunks(len(codes)):
            columns = codes[first:end]
            if len(self._edges):
                found = norms(columns)
                if float(found.min()) < float(self._edges[0]):
                    self._edges = self._edges.copy()
                    self._edges[0] = found.min()
                columns = np.column_stack([columns, _bins(found, self._edges)])
            block, place = np.divmod(positions[first:end], BLOCK_SIZE)
            self._blocks[block, :, place] = columns

    def _bin_again(self, low: float, high: float, size: int, norms: Norms) -> None:
        """Set edges that suit the norms there are and those from `low` to `high`.

        Of `size` vectors that are written, those that are new have no bins yet.
        """
        old = self.blocks()
        kept = np.empty(old.size, np.float32)
        for first, end in chunks(old.size):
            found = norms(np.ascontiguousarray(old.columns(first, end)[:, :-1]))
            low, high = min(low, float(found.min())), max(high, float(found.max()))
            kept[first:end] = found
        # A norm beyond the range of float32 has a lower bound there.
        low, high = min(low, LARGEST), min(high, LARGEST)
        # Bin 0 is for what may come below the least norm known now.
        edges = np.empty(TABLE_SIZE, np.float32)
        edges[0] = low
        edges[1:] = np.linspace(low, high, TABLE_SIZE)[:-1]
        self._edges = np.maximum.accumulate(edges)
        if old.size:
            # The bins change: readers of the old blocks keep them.
            used = size // BLOCK_SIZE + 1
            blocks = np.empty_like(self._blocks)
            blocks[:used] = self._blocks[:used]
            self._blocks = blocks
            last_row = self._blocks.shape[1] - 1
            for first, end in chunks(old.size):
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
