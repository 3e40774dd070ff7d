"""Ids of an index: checked when they come, stored by position, looked up."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq.quant.arrays.foreign import as_rows
from wsdhq.quant.arrays.vectors import described

# One more must still be an int64.
MAX_ID = 2**63 - 2

# Ids that are listed one by one are sorted in spans of at most this many, so that none takes long.
LONGEST_LIST = 2**22
# Ascending by one over fewer positions than this, they are listed all the same: each span costs
# time at each look-up.
SHORTEST_RUN = 2**16
# Between two pieces of a long look-up Python hears a Ctrl-C.
_LOOKED_UP_AT_ONCE = 2**18
# So few ids are found by walking over all, so often, before these are sorted: of a large index that
# is mapped from a file, sorting would cost a minute and memory for one answer.
_FEW = 4
_MAX_WALKS = 16


class Interval(NamedTuple):
    """Positions first .. end - 1."""

    first: int
    end: int


def as_ids(value: ArrayLike, name: str) -> NDArray[np.int64]:
    """Check ids that a user gave: one dimension of integers, 0 .. MAX_ID. A private copy."""
    # Copied first: what is used must be what was checked, whoever writes to the array meanwhile.
    return check_ids(np.array(as_rows(value, name)), value, name)


def check_ids(array: NDArray[Any], value: object, name: str) -> NDArray[np.int64]:
    """The same of an array that nobody else writes to, made of `value`; copied only if it must."""
    # An empty list is of any type, and what numpy.array makes of one is float64.
    if array.shape == (0,) and (array.dtype == np.float64 or not hasattr(value, "dtype")):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        hint = ""
        if array.dtype.kind == "f" and array.ndim:
            hint = f": numpy.asarray({name}, numpy.int64) converts whole numbers"
        raise TypeError(f"{name}: expected integers, got {described(value, array, name)}{hint}")
    if array.ndim != 1:
        hint = f": [{array}] is a list of one" if array.ndim == 0 else ""
        raise ValueError(f"{name}: expected one dimension, got shape {array.shape}{hint}")
    if array.size and not (int(array.min()) >= 0 and int(array.max()) <= MAX_ID):
        wrong = int(array.min()) if int(array.min()) < 0 else int(array.max())
        raise ValueError(f"{name}: expected ids from 0 to {MAX_ID}, got {wrong}")
    return np.require(array, np.int64, ["C_CONTIGUOUS", "ALIGNED"])


def check_distinct(ids: NDArray[np.int64]) -> None:
    """Raise for an id that comes twice."""
    if len(ids) > 1 and not _ascends(ids):
        ordered = np.sort(ids)
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise ValueError(f"ids: id {ordered[twice[0]]} comes more than once")


def _ascends(ids: NDArray[np.int64]) -> bool:
    return bool((ids[1:] > ids[:-1]).all())


class _Run:
    """Ids that ascend by one: no memory, no search."""

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count

    def __len__(self) -> int:
        return self.count

    def most(self) -> int:
        return self.first + self.count - 1

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return places + self.first

    def between(self, begin: int, end: int) -> NDArray[np.int64]:
        return np.arange(self.first + begin, self.first + end, dtype=np.int64)

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        places = ids - self.first
        return np.where((ids >= self.first) & (places < self.count), places, -1)

    def within(self, low: int, high: int) -> Interval | NDArray[np.int64]:
        first = min(max(low - self.first, 0), self.count)
        return Interval(first, max(first, min(high - self.first, self.count)))


class _Listed:
    """Ids in any order; sorted when many are looked up, or one again and again."""

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self.ids = ids
        self._sorted: tuple[NDArray[np.int64], NDArray[np.uint32] | None] | None = None
        self._num_walks = 0

    def __len__(self) -> int:
        return len(self.ids)

    def most(self) -> int:
        return int(self.ids.max())

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.ids[places]

    def between(self, begin: int, end: int) -> NDArray[np.int64]:
        return self.ids[begin:end]

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        found = np.full(len(ids), -1, np.int64)
        if self._sorted is None and len(ids) <= _FEW and self._num_walks < _MAX_WALKS:
            self._num_walks += 1
            for i, id in enumerate(ids):
                there = np.flatnonzero(self.ids == id)
                found[i] = there[0] if len(there) else -1
            return found
        ordered, order = self._ordered()
        for begin in range(0, len(ids), _LOOKED_UP_AT_ONCE):
            some = ids[begin : begin + _LOOKED_UP_AT_ONCE]
            ranks = np.minimum(np.searchsorted(ordered, some), len(ordered) - 1)
            places = ranks if order is None else order[ranks]
            is_there = ordered[ranks] == some
            found[begin : begin + len(some)][is_there] = places[is_there]
        return found

    def within(self, low: int, high: int) -> Interval | NDArray[np.int64]:
        ordered, order = self._ordered()
        first, end = (int(rank) for rank in np.searchsorted(ordered, [low, high]))
        if order is None:
            return Interval(first, max(first, end))
        return np.sort(order[first:end]).astype(np.int64)

    def _ordered(self) -> tuple[NDArray[np.int64], NDArray[np.uint32] | None]:
        """The ids ascending, and their places unless these are 0, 1, 2 ..."""
        # Two threads may both sort: the result is the same, and one assignment is whole.
        if self._sorted is None:
            if _ascends(self.ids):
                self._sorted = self.ids, None
            else:
                order = np.argsort(self.ids)
                self._sorted = self.ids[order], order.astype(np.uint32)
        return self._sorted


_Span = _Run | _Listed


class Ids:
    """Ids by position, all different. Never changed: `with_more` makes another.

    Ids that ascend by one, as by default, take no memory; others 8 bytes each, and 12 more once
    some id was looked up unless they ascend.
    """

    def __init__(self, spans: tuple[_Span, ...] = ()) -> None:
        self._spans = spans
        self._starts = np.cumsum([0, *(len(span) for span in spans)], dtype=np.int64)

    @classmethod
    def from_first(cls, first: int, count: int) -> Ids:
        """first, first + 1, ..."""
        return cls((_Run(first, count),) if count else ())

    @classmethod
    def from_array(cls, ids: NDArray[np.int64]) -> Ids:
        """Ids in an array, which must not change; runs among them are found."""
        spans: list[_Span] = []
        for begin in range(0, len(ids), LONGEST_LIST):
            spans.extend(_spans(ids[begin : begin + LONGEST_LIST]))
        return cls().with_more(Ids(tuple(spans)))

    @classmethod
    def from_file(cls, ids: NDArray[np.int64]) -> Ids:
        """Ids in a mapped array: none is read before it is needed."""
        return cls(
            tuple(_Listed(ids[i : i + LONGEST_LIST]) for i in range(0, len(ids), LONGEST_LIST))
        )

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def nbytes(self) -> int:
        """Bytes of the ids that are listed, without what look-ups added."""
        return sum(span.ids.nbytes for span in self._spans if isinstance(span, _Listed))

    def mapping(self) -> mmap.mmap | None:
        """The map of a file that some of the ids are pages of."""
        for span in self._spans:
            if isinstance(span, _Listed) and isinstance(span.ids, np.memmap):
                return getattr(span.ids, "_mmap", None)
        return None

    @property
    def first(self) -> int | None:
        """The first id if all ascend by one, without a look at any; else None."""
        if len(self._spans) == 1 and isinstance(self._spans[0], _Run):
            return self._spans[0].first
        return None

    def most(self) -> int:
        """The largest id, -1 if there is none."""
        return max((span.most() for span in self._spans), default=-1)

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids at positions, of any shape; -1 stays."""
        if positions.size <= _LOOKED_UP_AT_ONCE:
            return self._at(positions)
        result = np.empty(positions.shape, np.int64)
        flat, out = positions.reshape(-1), result.reshape(-1)
        for begin in range(0, len(flat), _LOOKED_UP_AT_ONCE):
            end = begin + _LOOKED_UP_AT_ONCE
            out[begin:end] = self._at(flat[begin:end])
        return result

    def _at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(self._spans) == 1:
            return np.where(positions < 0, -1, self._spans[0].at(positions))
        result = np.full(positions.shape, -1, np.int64)
        which = np.searchsorted(self._starts, positions, side="right") - 1
        for i in range(len(self._spans)):
            chosen = which == i
            if chosen.any():
                result[chosen] = self._spans[i].at(positions[chosen] - self._starts[i])
        return result

    def chosen(self, positions: NDArray[np.int64]) -> Ids:
        """Those at ascending positions. Takes memory for the ids and for pieces of them."""
        spans: list[_Span] = []
        for start, span in self._with_starts():
            begin, end = np.searchsorted(positions, [start, start + len(span)])
            for first in range(int(begin), int(end), LONGEST_LIST):
                some = positions[first : min(first + LONGEST_LIST, int(end))]
                spans.extend(_spans(span.at(some - start)))
        return Ids().with_more(Ids(tuple(spans)))

    def between(self, first: int, end: int) -> NDArray[np.int64]:
        """Ids at positions first .. end - 1: a view where there is one to give."""
        parts = [
            span.between(max(first - start, 0), min(end - start, len(span)))
            for start, span in self._with_starts()
            if start < end and start + len(span) > first
        ]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int64), *parts])

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of ids; -1 where one is not there."""
        if len(self._spans) == 1:
            return self._spans[0].find(ids)
        positions = np.full(len(ids), -1, np.int64)
        for start, span in self._with_starts():
            places = span.find(ids)
            found = places >= 0
            positions[found] = places[found] + start
        return positions

    def positions_of(self, ids: NDArray[np.int64], name: str = "ids") -> NDArray[np.int64]:
        """Positions of ids; ValueError naming the argument and the first that is not there."""
        positions = self.find(ids)
        if len(positions) and int(positions.min()) < 0:
            raise ValueError(f"{name}: id {ids[np.argmin(positions)]} is not in the index")
        return positions

    def check_new(self, ids: NDArray[np.int64]) -> None:
        """Raise for the first of `ids` that is there."""
        there = np.flatnonzero(self.find(ids) >= 0)
        if len(there):
            raise ValueError(f"ids: id {ids[there[0]]} is in the index already")

    def within(self, low: int, high: int) -> Interval | NDArray[np.int64]:
        """Positions of the ids from low to high - 1, as an interval where they are one."""
        # Numbers beyond int64 would make of a list of ids one of Python objects.
        low, high = min(max(low, 0), MAX_ID + 1), min(max(high, 0), MAX_ID + 1)
        parts: list[Interval | NDArray[np.int64]] = []
        for start, span in self._with_starts():
            part = span.within(low, high)
            if isinstance(part, Interval):
                part = Interval(part.first + start, part.end + start)
                last = parts[-1] if parts else None
                if part.first == part.end:
                    continue
                if isinstance(last, Interval) and last.end == part.first:
                    part = Interval(parts.pop()[0], part.end)
                parts.append(part)
            elif len(part):
                parts.append(part + start)
        if not parts:
            return Interval(0, 0)
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(
            [np.arange(*part) if isinstance(part, Interval) else part for part in parts]
        )

    def with_more(self, more: Ids) -> Ids:
        """These ids, and behind them others."""
        spans = list(self._spans)
        for span in more._spans:
            spans.append(span)
            # Lists of like length become one: however ids come, there are few spans.
            while len(spans) > 1 and (joined := _joined(spans[-2], spans[-1])) is not None:
                spans[-2:] = [joined]
        return Ids(tuple(spans))

    def _with_starts(self) -> Iterator[tuple[int, _Span]]:
        return zip((int(start) for start in self._starts), self._spans, strict=False)


def check_next_id(next_id: int, ids: Ids) -> None:
    """Raise unless `next_id` is above all ids."""
    if next_id <= ids.most():
        raise ValueError(f"next_id: expected more than {ids.most()}, got {next_id}")


def _spans(ids: NDArray[np.int64]) -> Iterator[_Span]:
    """Runs that are long, and lists of what is between them."""
    ends = np.append(np.flatnonzero(ids[1:] != ids[:-1] + 1) + 1, len(ids))
    begins = np.concatenate([[0], ends[:-1]])
    long = np.flatnonzero(ends - begins >= SHORTEST_RUN)
    done = 0
    for begin, end in zip(begins[long], ends[long], strict=True):
        if begin > done:
            yield _Listed(ids[done:begin])
        yield _Run(int(ids[begin]), int(end - begin))
        done = int(end)
    if done < len(ids):
        yield _Listed(ids[done:])


def _joined(first: _Span, second: _Span) -> _Span | None:
    """One span for two where that is worth it."""
    if isinstance(first, _Run) and _goes_on(second, first.first + first.count):
        return _Run(first.first, first.count + len(second))
    if any(isinstance(span, _Run) and len(span) >= SHORTEST_RUN for span in (first, second)):
        return None
    if len(first) + len(second) > LONGEST_LIST or len(first) > 2 * len(second):
        return None
    return _Listed(np.concatenate([span.between(0, len(span)) for span in (first, second)]))


def _goes_on(span: _Span, id: int) -> bool:
    """Whether the ids of a span are id, id + 1, ..."""
    if isinstance(span, _Run):
        return span.first == id
    ids = span.ids
    return bool(ids[0] == id and ids[-1] - id == len(ids) - 1 and _ascends(ids))
