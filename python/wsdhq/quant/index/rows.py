"""What an index stores per vector: blocks of codes, bins of norms, and ids."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq.quant.index.ids import Ids

BLOCK_SIZE: int = _core.block_size
TABLE_SIZE: int = _core.table_size

# Rows that are rearranged at a time.
CHUNK = 128 * BLOCK_SIZE


@dataclass(frozen=True)
class Blocks:
    """Codes of vectors, and bins of their norms, in the order of positions.

    A block holds BLOCK_SIZE vectors codebook-major: row m is code m of each, and with norms a
    last row is the bin of each vector's norm. Bytes of `last` behind the vectors may change.
    """

    full: NDArray[np.uint8]  # (size // BLOCK_SIZE, num_rows, BLOCK_SIZE)
    last: NDArray[np.uint8]  # (num_rows, BLOCK_SIZE): the vectors left over, in front
    edges: NDArray[np.float32]  # (TABLE_SIZE,) ascending, or empty: least norm of each bin
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.full.nbytes + self.last.nbytes + self.edges.nbytes

    @property
    def num_codebooks(self) -> int:
        """Bytes of a code: the rows of a block but for that of the norms."""
        return len(self.last) - (1 if len(self.edges) else 0)

    def to_core(self) -> _core.CodeBlocks:
        """The same for the core, which holds the arrays too."""
        return _core.CodeBlocks(self.full, self.last, self.edges, self.size)

    def window(self, first: int, end: int) -> Blocks:
        """The blocks that hold positions first .. end - 1, ending there: views."""
        begin, stop = first // BLOCK_SIZE, end // BLOCK_SIZE
        last = self.full[stop] if stop < len(self.full) else self.last
        return Blocks(self.full[begin:stop], last, self.edges, end - begin * BLOCK_SIZE)

    def gathering(
        self, chosen: NDArray[np.bool_] | NDArray[np.int64], threads: int
    ) -> _core.Gathering:
        """Count what a mask (size,) marks, or take ascending positions; `gathered` copies them."""
        return _core.Gathering(self.to_core(), chosen, threads)

    def gathered(
        self, gathering: _core.Gathering, threads: int
    ) -> tuple[Blocks, NDArray[np.int64]]:
        """The chosen vectors in blocks of their own, and their positions (n,)."""
        blocks, positions = gathering.copy(threads)
        return Blocks(blocks[:-1], blocks[-1], self.edges, len(positions)), positions

    def columns(self, first: int, end: int) -> NDArray[np.uint8]:
        """Codes and bins of positions first .. end - 1: (end - first, num_rows), a copy."""
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
        """All codes by position: (size, num_codebooks) uint8, a copy."""
        result = np.empty((self.size, self.num_codebooks), np.uint8)
        for first, end in chunks(self.size):
            result[first:end] = self.columns(first, end)[:, : self.num_codebooks]
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


class MappedFile:
    """A file that rows are mapped from, looked at before its pages are.

    A page that is gone because somebody cut the file short ends the process (SIGBUS). The look
    makes an error of that, but where the file is cut in the very moment.
    """

    def __init__(self, path: str, mapping: mmap.mmap) -> None:
        self._path, self._mapping = path, mapping
        self._num_bytes = mapping.size()

    def check(self) -> None:
        """Raise ValueError if the file is shorter than it was."""
        now = self._mapping.size()
        if now < self._num_bytes:
            raise ValueError(
                f"{self._path}: was cut short while it was mapped: expected {self._num_bytes} "
                f"bytes, got {now}; load it with mmap=False for a copy that nobody can change"
            )


@dataclass(frozen=True)
class Rows:
    """All that an index holds at one moment. Replaced as one, never changed."""

    blocks: Blocks
    ids: Ids
    next_id: int  # more than any id ever used
    num_binned: int  # how many vectors there were when the edges were set
    files: tuple[MappedFile, ...] = ()  # that blocks or ids are mapped from

    def __len__(self) -> int:
        return self.blocks.size

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.blocks.nbytes + self.ids.nbytes

    @property
    def is_mapped(self) -> bool:
        """Whether the blocks are pages of a file."""
        return isinstance(self.blocks.full, np.memmap)

    def check_files(self) -> None:
        """Raise ValueError if a file that these are mapped from was cut short; cheap."""
        for file in self.files:
            file.check()

    def in_memory(self) -> Rows:
        """The same, to be pickled or copied: what was mapped is not so any more."""
        if not self.files:
            return self
        blocks = replace(self.blocks, full=self.blocks.full.view(np.ndarray))
        if self.ids.first is not None:
            return replace(self, blocks=blocks, files=())
        ids = Ids.from_file(np.asarray(self.ids.between(0, len(self))))
        return replace(self, blocks=blocks, ids=ids, files=())


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """Walk over 0 .. count - 1 in pieces of bounded size."""
    for first in range(0, count, CHUNK):
        yield first, min(first + CHUNK, count)


def empty_rows(num_codebooks: int, has_norms: bool) -> Rows:
    """Nothing, of the shape that blocks of these codes have."""
    num_rows = num_codebooks + has_norms
    blocks = Blocks(
        np.empty((0, num_rows, BLOCK_SIZE), np.uint8),
        np.zeros((num_rows, BLOCK_SIZE), np.uint8),
        np.zeros(TABLE_SIZE if has_norms else 0, np.float32),
        0,
    )
    return Rows(blocks, Ids(), 0, 0)
