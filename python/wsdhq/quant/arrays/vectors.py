"""Vectors of any float type, checked and walked over in float32 chunks."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq.quant.arrays.foreign import LazyRows, as_rows, rows_per_chunk

# A float array of the user's own type, (num_vectors, dim): checked, not yet converted.
FloatMatrix = NDArray[Any] | LazyRows

# Squares and products of values up to here, summed over dimensions, stay finite in float32.
MAX_VALUE = 1e15


def as_floats(value: object, name: str) -> NDArray[Any] | LazyRows:
    """Check the type of floats, of any shape."""
    array = as_rows(value, name)
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        hint = ""
        if array.dtype.kind in "iub" and array.ndim:
            hint = f": numpy.asarray({name}, numpy.float32) makes floats of numbers"
        if array.dtype == np.uint8 and array.ndim:
            hint += "; were they codes, add or decode would take them"
        raise TypeError(
            f"{name}: expected float16, float32 or float64, got "
            f"{described(value, array, name)}{hint}"
        )
    return array


def described(value: object, array: NDArray[Any] | LazyRows, name: str) -> str:
    """What came in place of numbers, for an error: its dtype, or its type where it is no array."""
    kind = type(value).__name__
    if isinstance(value, (str, os.PathLike)):
        told = f"{str(value)!r:.80} (a {kind})"
        return f"{told}: numpy.load reads a file" if Path(value).suffix else told
    if isinstance(value, np.ndarray):
        came = f"{array.dtype}"
    elif array.ndim == 0 and array.dtype == object:
        return kind
    else:
        came = f"{array.dtype} (from {kind})"
    if array.ndim == 1 and array.dtype == object and len(array) and _is_row(array[0]):
        return f"{came}: numpy.stack({name}) makes one array of many"
    return came


def _is_row(value: object) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _complain_of_row(chunk: NDArray[Any], name: str, offset: int) -> None:
    """Raise for the first row that holds NaN, infinity or a value too large."""
    with np.errstate(invalid="ignore"):
        flat = chunk.reshape(len(chunk), -1).astype(np.float64)
        bad = ~(np.abs(flat) <= MAX_VALUE)
    if not bad.any():
        raise ValueError(
            f"{name}: held NaN, infinity or a large number when it was checked, and none when it "
            "was looked at again: expected an array that nobody writes to meanwhile"
        )
    row = int(np.flatnonzero(bad.any(axis=1))[0])
    column = int(np.flatnonzero(bad[row])[0])
    raise ValueError(
        f"{name}: row {offset + row}, column {column} is {flat[row, column]}: expected finite "
        f"values of magnitude up to {MAX_VALUE:g}, no NaN and no infinity"
    )


def as_float32(chunk: NDArray[Any] | LazyRows, name: str, offset: int = 0) -> NDArray[np.float32]:
    """Give `chunk` as contiguous, aligned float32 in native byte order; copies only when it must.

    Raises ValueError naming the row (counted from `offset`) of the first value that is NaN,
    infinite or above `MAX_VALUE`. Where nothing was copied, another thread may write such
    values later: the core takes any, and goes nowhere outside by them.
    """
    if isinstance(chunk, LazyRows):
        whole = np.empty(chunk.shape, np.float32)
        for first, last, part in float32_chunks(chunk, name, offset):
            whole[first:last] = part
        return whole
    is_ready = chunk.dtype == np.float32 and chunk.flags.c_contiguous and chunk.flags.aligned
    if chunk.size and is_ready:
        if not _core.all_within(chunk, MAX_VALUE):
            _complain_of_row(chunk, name, offset)
    elif chunk.size:
        # A NaN makes both extremes NaN; comparing the extremes reads the data once, unmasked.
        low, high = float(chunk.min()), float(chunk.max())
        if not (low >= -MAX_VALUE and high <= MAX_VALUE):
            _complain_of_row(chunk, name, offset)
    return np.require(chunk, np.float32, ["C_CONTIGUOUS", "ALIGNED"])


def as_vectors(value: object, name: str, dim: int | None = None) -> FloatMatrix:
    """Check the type and shape of vectors (num_vectors, dim); values are checked chunk by chunk.

    What is accepted, and what is copied: see `arrays.as_rows`.
    """
    array = as_floats(value, name)
    if array.ndim != 2:
        is_one = array.ndim == 1 and dim in (None, array.shape[0])
        hint = f". Reshape your data: {name}[None] is one vector" if is_one else ""
        raise ValueError(
            f"{name}: expected shape (num_vectors, {'dim' if dim is None else dim}), "
            f"got {array.shape}{hint}"
        )
    if dim is not None and array.shape[1] != dim:
        raise ValueError(f"{name}: expected shape (num_vectors, {dim}), got {array.shape}")
    if array.shape[1] == 0:
        raise ValueError(
            f"{name}: expected at least one dimension, got 0 feature(s) (shape={array.shape}) "
            "while a minimum of 1 is required."
        )
    return array


def float32_chunks(
    vectors: FloatMatrix, name: str, offset: int = 0, begin: int = 0, end: int | None = None
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Walk over vectors in bounded memory, over rows begin .. end - 1 of them.

    Errors count rows from `offset`.

    Yields
    ------
    first, last, chunk : int, int, ndarray (last - first, dim) float32
        Rows first .. last - 1, checked and converted.
    """
    rows = rows_per_chunk(4 * math.prod(vectors.shape[1:]))
    end = len(vectors) if end is None else end
    for first in range(begin, end, rows):
        last = min(first + rows, end)
        yield first, last, as_float32(vectors[first:last], name, offset + first)
