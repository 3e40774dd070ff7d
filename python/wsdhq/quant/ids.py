"""Ids of an index: checked, compared, and looked up among those that are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq.quant.rows import chunks

__all__ = [
    "MOST_ID",
    "as_ids",
    "check_distinct",
    "check_next_id",
    "is_among",
    "positions_of",
]

# One more must still be an int64.
MOST_ID = 2**63 - 2


def check_next_id(next_id: int, ids: NDArray[np.int64]) -> None:
    """Raise unless `next_id` is above all ids."""
    if len(ids) and next_id <= int(ids.max()):
        raise ValueError(f"next_id: expected more than {int(ids.max())}, got {next_id}")


def as_ids(value: ArrayLike, name: str) -> NDArray[np.int64]:
    """Check ids that a user gave: one dimension of integers, 0 .. MOST_ID."""
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


def check_distinct(ids: NDArray[np.int64]) -> None:
    """Raise for an id that comes twice."""
    if len(ids) > 1:
        ordered = np.sort(ids)
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise ValueError(f"ids: id {ordered[twice[0]]} comes more than once")


def is_among(ids: NDArray[np.int64], ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `ids` are in `ordered`, which ascends and is not empty."""
    places = np.minimum(np.searchsorted(ordered, ids), len(ordered) - 1)
    return np.equal(ordered[places], ids)


def positions_of(ids: NDArray[np.int64], present: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of ids; ValueError naming the first that is not in the index.

    Walks over `present` and sorts only `ids`: memory grows with what is asked for.
    """
    # Ids are all different, so one that is its own position, as by default, is found.
    positions = np.full(len(ids), -1, np.int64)
    near = np.flatnonzero(ids < len(present))
    near = near[present[ids[near]] == ids[near]]
    positions[near] = ids[near]
    missing = positions < 0
    if missing.any():
        wanted = ids[missing]
        ordered = np.unique(wanted)
        found = np.full(len(ordered), -1, np.int64)
        for first, end in chunks(len(present)):
            part = present[first:end]
            places = np.flatnonzero(is_among(part, ordered))
            found[np.searchsorted(ordered, part[places])] = first + places
        positions[missing] = found[np.searchsorted(ordered, wanted)]
        if (positions < 0).any():
            raise ValueError(f"ids: id {ids[np.flatnonzero(positions < 0)[0]]} is not in the index")
    return positions
