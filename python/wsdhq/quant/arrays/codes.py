"""Codes, which are indices: copied, then checked, then used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from wsdhq.quant.arrays.foreign import LazyRows, as_rows, rows_per_chunk
from wsdhq.quant.arrays.vectors import described

# Checked codes, (num_vectors, num_codebooks): a contiguous array of our own, or one whose slices
# are.
CodeMatrix = NDArray[np.uint8] | LazyRows


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
