"""Searching some vectors of an index at a cost in proportion to how many they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq.quant.arrays.foreign import as_rows
from wsdhq.quant.arrays.vectors import described
from wsdhq.quant.index.ids import Interval, as_ids
from wsdhq.quant.index.rows import BLOCK_SIZE, Blocks, Rows

# An interval of positions, a mask over positions, or ascending positions.
Chosen = Interval | NDArray[np.bool_] | NDArray[np.int64]

# Vectors are copied together where they are at most one in so many: of more, a scan that
# passes over the others costs less.
SPARSE = 3
# And at most so many bytes at a time, which bounds the memory of a search.
MAX_BYTES = 2**24


@dataclass(frozen=True)
class Part:
    """Blocks to scan, and where their vectors stand in the index."""

    blocks: Blocks
    first: int = 0  # vectors of the first block before this place are left out
    mask: NDArray[np.bool_] | None = None
    positions: NDArray[np.int64] | int = 0  # of each vector, or of the first

    def positions_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in the index of places in the blocks; -1 stays."""
        if isinstance(self.positions, int):
            if self.positions == 0:
                return places
            return np.where(places < 0, -1, places + self.positions)
        return np.where(places < 0, -1, self.positions[places])


def chosen_positions(allowed: ArrayLike | range, rows: Rows) -> Chosen:
    """What a user's filter chooses: an interval, a mask over positions, or ascending positions.

    Raises TypeError or ValueError naming `allowed` or the id.
    """
    if isinstance(allowed, range):
        if allowed.step != 1:
            raise ValueError(
                f"allowed: expected a range of step 1, got {allowed}: numpy.arange makes ids of it"
            )
        return rows.ids.within(allowed.start, max(allowed.start, allowed.stop))
    array = np.asarray(as_rows(allowed, "allowed"))
    if array.shape == (0,) and (array.dtype == np.float64 or not hasattr(allowed, "dtype")):
        return Interval(0, 0)  # an empty list, or what numpy.array makes of one: no ids
    if array.dtype == np.bool_:
        if array.shape != (len(rows),):
            raise ValueError(f"allowed: expected a mask of shape ({len(rows)},), got {array.shape}")
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "iu":
        raise TypeError(
            "allowed: expected integers (ids), bool (a mask) or a range, got "
            f"{described(allowed, array, 'allowed')}"
        )
    if array.shape == (len(rows),) and len(rows) > 2 and {0, 1} >= {array.min(), array.max()}:
        # Ids are all different, so that these are no list of them.
        raise TypeError(
            f"allowed: expected a mask of bool, got zeros and ones of {array.dtype}, which would "
            "be ids: numpy.asarray(allowed, bool) makes a mask"
        )
    positions = rows.ids.positions_of(as_ids(array, "allowed"), "allowed")
    if (positions[1:] > positions[:-1]).all():
        return positions
    ordered = np.sort(positions)
    distinct: NDArray[np.int64] = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return distinct


def parts(blocks: Blocks, chosen: Chosen | None, threads: int) -> Iterator[Part]:
    """What to scan for the chosen vectors, in the order of positions."""
    if chosen is None:
        yield Part(blocks)
    elif isinstance(chosen, Interval):
        begin = chosen.first // BLOCK_SIZE * BLOCK_SIZE
        if chosen.first < chosen.end:
            yield Part(blocks.window(*chosen), first=chosen.first - begin, positions=begin)
    elif chosen.dtype == np.bool_:
        yield from _marked(blocks, chosen.view(np.bool_), threads)
    else:
        yield from _listed(blocks, chosen.view(np.int64), threads)


def _listed(blocks: Blocks, positions: NDArray[np.int64], threads: int) -> Iterator[Part]:
    if len(positions) * SPARSE > blocks.size:
        mask = np.zeros(blocks.size, bool)
        mask[positions] = True
        yield Part(blocks, mask=mask)
        return
    step = _most_vectors(blocks)
    for begin in range(0, len(positions), step):
        some = positions[begin : begin + step]
        gathered, _ = blocks.gathered(blocks.gathering(some, threads), threads)
        yield Part(gathered, positions=some)


def _marked(blocks: Blocks, mask: NDArray[np.bool_], threads: int) -> Iterator[Part]:
    # In one piece if they are few: each piece begins without a threshold. A bit per vector is kept.
    if blocks.size <= 8 * MAX_BYTES:
        gathering = blocks.gathering(mask, threads)
        if gathering.count * SPARSE <= blocks.size and gathering.count <= _most_vectors(blocks):
            if gathering.count:
                gathered, positions = blocks.gathered(gathering, threads)
                yield Part(gathered, positions=positions)
            return
    # Windows that hold few enough vectors whatever the mask marks, where these are sparse.
    step = max(1, _most_vectors(blocks) * SPARSE // BLOCK_SIZE) * BLOCK_SIZE
    for begin in range(0, blocks.size, step):
        end = min(begin + step, blocks.size)
        window, marked = blocks.window(begin, end), mask[begin:end]
        gathering = window.gathering(marked, threads)
        if gathering.count * SPARSE > window.size:
            yield Part(window, mask=marked, positions=begin)
        elif gathering.count:
            gathered, positions = window.gathered(gathering, threads)
            yield Part(gathered, positions=positions + begin)


def _most_vectors(blocks: Blocks) -> int:
    return MAX_BYTES // (len(blocks.last) + 8)


def search_parts(
    searcher: _core.Searcher,
    queries: NDArray[np.float32],
    found: Iterator[Part],
    k: int,
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k best of each query in all parts: scores and positions (num_queries, k).

    Best first, equal scores by position; -inf and -1 beyond what there is.
    """
    best: tuple[NDArray[np.float32], NDArray[np.int64]] | None = None
    for part in found:
        scores, places = searcher.search(
            queries, part.blocks.to_core(), part.first, part.mask, k, threads
        )
        results = scores, part.positions_of(places)
        best = results if best is None else _core.merge_best(*best, *results)
    if best is None:
        shape = (len(queries), k)
        return np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
    return best


def range_search_parts(
    searcher: _core.Searcher,
    queries: NDArray[np.float32],
    found: Iterator[Part],
    threshold: float,
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """All with score >= threshold in all parts: limits, scores and positions."""
    results = []
    for part in found:
        limits, scores, places = searcher.range_search(
            queries, part.blocks.to_core(), part.first, part.mask, threshold, threads
        )
        results.append((limits, scores, part.positions_of(places)))
    if not results:
        return np.zeros(len(queries) + 1, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
    # Neighbours with one another, so that no result is moved often.
    while len(results) > 1:
        pairs = zip(results[::2], results[1::2], strict=False)
        merged = [_core.merge_all(*first, *second) for first, second in pairs]
        results = merged + results[2 * len(merged) :]
    return results[0]
