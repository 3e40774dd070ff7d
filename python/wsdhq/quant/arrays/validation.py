"""Checks of what users pass in: each error names the argument, what was expected and what came."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq.quant.arrays.foreign import LazyRows, as_rows, rows_per_chunk

__all__ = [
    "CodeMatrix",
    "FloatMatrix",
    "as_code_rows",
    "as_codebooks",
    "as_codes",
    "as_float32",
    "as_integer",
    "as_metric",
    "as_vectors",
    "check_num_codewords",
    "checked_code_rows",
    "code_chunks",
    "described",
    "float32_chunks",
]

# A float array of the user's own type, (num_vectors, dim): checked, not yet converted.
FloatMatrix = NDArray[Any] | LazyRows
# Checked codes, (num_vectors, num_codebooks): a contiguous array of our own, or one whose slices
# are.
CodeMatrix = NDArray[np.uint8] | LazyRows

# Squares and products of values up to here, summed over dimensions, stay finite in float32.
LARGEST_VALUE = 1e15

# The pairwise tables of the encoder take two or four bytes per pair of codewords: up to 1 GiB at
# this number, which is 64 codebooks of 256. Beyond it a mistyped size would exhaust the machine.
MOST_CODEWORDS = 16_384
MOST_CODEBOOKS: int = _core.most_codebooks


def as_integer(value: object, name: str, least: int, most: int | None = None) -> int:
    """Check an integer argument and its range; bool and float are a TypeError."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected an integer, got bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None
    if number < least or (most is not None and number > most):
        wanted = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name}: expected {wanted}, got {number}")
    return number


def check_num_codewords(num_codebooks: int, codebook_size: int) -> None:
    """Check num_codebooks against `MOST_CODEBOOKS`, and the codewords against `MOST_CODEWORDS`."""
    if num_codebooks > MOST_CODEBOOKS:
        raise ValueError(f"num_codebooks: expected up to {MOST_CODEBOOKS}, got {num_codebooks}")
    if num_codebooks * codebook_size > MOST_CODEWORDS:
        raise ValueError(
            f"num_codebooks: expected num_codebooks * codebook_size up to {MOST_CODEWORDS}, got "
            f"{num_codebooks} * {codebook_size} = {num_codebooks * codebook_size}"
        )


def _as_floats(value: object, name: str) -> NDArray[Any] | LazyRows:
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


def _as_float_array(value: object, name: str) -> NDArray[Any]:
    """Small arrays, which may be copied as a whole."""
    return np.asarray(_as_floats(value, name))


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
        bad = ~(np.abs(flat) <= LARGEST_VALUE)
    if not bad.any():
        raise ValueError(
            f"{name}: held NaN, infinity or a large number when it was checked, and none when it "
            "was looked at again: expected an array that nobody writes to meanwhile"
        )
    row = int(np.flatnonzero(bad.any(axis=1))[0])
    column = int(np.flatnonzero(bad[row])[0])
    raise ValueError(
        f"{name}: row {offset + row}, column {column} is {flat[row, column]}: expected finite "
        f"values of magnitude up to {LARGEST_VALUE:g}, no NaN and no infinity"
    )


def as_float32(chunk: NDArray[Any] | LazyRows, name: str, offset: int = 0) -> NDArray[np.float32]:
    """Give `chunk` as contiguous, aligned float32 in native byte order; copies only when it must.

    Raises ValueError naming the row (counted from `offset`) of the first value that is NaN,
    infinite or above `LARGEST_VALUE`. Where nothing was copied, another thread may write such
    values later: the core takes any, and goes nowhere outside by them.
    """
    if isinstance(chunk, LazyRows):
        whole = np.empty(chunk.shape, np.float32)
        for first, last, part in float32_chunks(chunk, name, offset):
            whole[first:last] = part
        return whole
    is_ready = chunk.dtype == np.float32 and chunk.flags.c_contiguous and chunk.flags.aligned
    if chunk.size and is_ready:
        if not _core.all_within(chunk, LARGEST_VALUE):
            _complain_of_row(chunk, name, offset)
    elif chunk.size:
        # A NaN makes both extremes NaN; comparing the extremes reads the data once, unmasked.
        low, high = float(chunk.min()), float(chunk.max())
        if not (low >= -LARGEST_VALUE and high <= LARGEST_VALUE):
            _complain_of_row(chunk, name, offset)
    return np.require(chunk, np.float32, ["C_CONTIGUOUS", "ALIGNED"])


def as_vectors(value: object, name: str, dim: int | None = None) -> FloatMatrix:
    """Check the type and shape of vectors (num_vectors, dim); values are checked chunk by chunk.

    What is accepted, and what is copied: see `arrays.as_rows`.
    """
    array = _as_floats(value, name)
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


def as_codes(
    value: object,
    name: str,
    num_codebooks: int,
    codebook_size: int,
    num_vectors: int | None = None,
) -> NDArray[np.uint8]:
    """Check codes (num_vectors, num_codebooks) uint8, each below codebook_size: a private copy."""
    return np.asarray(as_code_rows(value, name, num_codebooks, codebook_size, num_vectors))


def as_code_rows(
    value: object,
    name: str,
    num_codebooks: int,
    codebook_size: int,
    num_vectors: int | None = None,
) -> LazyRows:
    """Check codes as `as_codes` does, to be copied slice by slice: see `checked_code_rows`."""
    array = as_rows(value, name)
    if array.dtype != np.uint8:
        hint = ""
        if array.dtype.kind in "iu" and array.ndim:
            hint = f": numpy.asarray({name}, numpy.uint8) converts codes"
        elif array.dtype.kind == "f" and array.ndim:
            hint = ": encode makes codes of vectors"
        raise TypeError(f"{name}: expected uint8, got {described(value, array, name)}{hint}")
    rows = "num_vectors" if num_vectors is None else num_vectors
    if (
        array.ndim != 2
        or array.shape[1] != num_codebooks
        or (num_vectors is not None and len(array) != num_vectors)
    ):
        raise ValueError(f"{name}: expected shape ({rows}, {num_codebooks}), got {array.shape}")
    codes = checked_code_rows(
        name, len(array), num_codebooks, codebook_size, lambda first, last: array[first:last]
    )
    if codebook_size <= 255:
        # An error is told before any work is done.
        for _ in code_chunks(codes):
            pass
    return codes


def checked_code_rows(
    name: str,
    num_vectors: int,
    num_codebooks: int,
    codebook_size: int,
    read: Callable[[int, int], NDArray[np.uint8]],
) -> LazyRows:
    """Codes whose slices are copied first and then checked.

    Codes are used as indices. Another thread may write to an array, and another process to a file
    that one is mapped from, at any time: what is used must be what was checked.

    Parameters
    ----------
    name : str
        The argument, for errors.
    num_vectors, num_codebooks, codebook_size : int
    read : callable
        read(first, last) gives rows first .. last - 1, (last - first, num_codebooks).

    Returns
    -------
    LazyRows
        Contiguous slices of our own; ValueError naming the row of a code >= codebook_size.
    """

    def copy(first: int, last: int) -> NDArray[np.uint8]:
        codes = np.array(read(first, last), np.uint8, order="C")
        if codebook_size <= 255 and codes.max(initial=0) >= codebook_size:
            row, codebook = np.argwhere(codes >= codebook_size)[0]
            raise ValueError(
                f"{name}: row {first + row} holds code {codes[row, codebook]} for codebook "
                f"{codebook}: expected codes below {codebook_size}"
            )
        return codes

    return LazyRows(name, (num_vectors, num_codebooks), np.dtype(np.uint8), copy)


def code_chunks(codes: CodeMatrix) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Walk over checked codes in bounded memory: first, last, contiguous rows first .. last - 1."""
    rows = rows_per_chunk(codes.shape[1])
    for first in range(0, len(codes), rows):
        last = min(first + rows, len(codes))
        yield first, last, codes[first:last]


def as_codebooks(value: object, name: str = "codebooks") -> NDArray[np.float32]:
    """Check codebooks (num_codebooks, codebook_size, dim): a private float32 copy."""
    array = _as_float_array(value, name)
    if array.ndim != 3 or 0 in array.shape or array.shape[1] > 256:
        raise ValueError(
            f"{name}: expected shape (num_codebooks, codebook_size, dim) with codebook_size "
            f"from 1 to 256, got {array.shape}"
        )
    check_num_codewords(array.shape[0], array.shape[1])
    # Copied first: what is kept must be what was checked.
    flat = np.array(array, order="C").reshape(-1, array.shape[2])
    return as_float32(flat, name).reshape(array.shape)


def as_metric(value: object, dim: int | None, name: str = "metric") -> NDArray[np.float32] | None:
    """Check a symmetric positive semi-definite metric (dim, dim): a private float32 copy.

    Without `dim` it may be of any, at least one.
    """
    if value is None:
        return None
    array = _as_float_array(value, name)
    if dim is None:
        if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
            raise ValueError(f"{name}: expected shape (dim, dim), got {array.shape}")
    elif array.shape != (dim, dim):
        raise ValueError(f"{name}: expected shape ({dim}, {dim}), got {array.shape}")
    exact = np.array(array, np.float64, order="C")
    if not np.isfinite(exact).all() or np.abs(exact).max() > LARGEST_VALUE:
        as_float32(array, name)
    scale = float(np.abs(exact).max())
    asymmetry = float(np.abs(exact - exact.T).max())
    if asymmetry > 1e-5 * scale:
        raise ValueError(
            f"{name}: expected a symmetric matrix, got entries that differ from their "
            f"transpose by up to {asymmetry:g}"
        )
    exact = (exact + exact.T) / 2
    tolerance = 1e-5 * max(scale, np.finfo(np.float64).tiny) * len(array)
    quotient = _core.indefinite_quotient(exact, tolerance, 1)
    if quotient is not None:
        raise ValueError(
            f"{name}: expected a positive semi-definite matrix, got one with an eigenvalue of "
            f"{quotient:.3g} or less"
        )
    return np.ascontiguousarray(exact, dtype=np.float32)
