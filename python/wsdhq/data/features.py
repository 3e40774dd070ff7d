"""Reading feature vectors from .npy files: memory-mapped, and checked before use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.files import as_path

_MAGIC = b"\x93NUMPY"
_FLOAT_SIZES = (2, 4, 8)
_CHECKED_BYTES = 16 << 20


def read_features(path: str | os.PathLike[str]) -> NDArray[np.floating[Any]]:
    """Map a file of feature vectors into memory, one row for each image.

    The values are read once, in blocks, to check that all of them are finite; nothing is
    held but the map.

    Parameters
    ----------
    path : str or PathLike
        A ``.npy`` file with an (N, F) array of float16, float32 or float64, in any byte
        order, F at least 1.

    Returns
    -------
    (N, F) float16, float32 or float64
        A read-only memory map, in the byte order of the file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    TypeError
        The array is of another dtype.
    ValueError
        The file is no .npy file, is truncated or holds pickled objects; the array is not
        two-dimensional or has no columns; a value is NaN or infinite (the message names
        its row and column, from 0).
    """
    path = as_path(path)
    array = map_npy(path)
    if array.dtype.kind != "f" or array.dtype.itemsize not in _FLOAT_SIZES:
        raise TypeError(
            f"{path}: features: expected float16, float32 or float64, got {array.dtype.name}"
        )
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(
            f"{path}: features: expected the shape (images, features) with at least one "
            f"feature, got {array.shape}"
        )
    block = max(1, _CHECKED_BYTES // (array.shape[1] * array.dtype.itemsize))
    for start in range(0, len(array), block):
        finite = np.isfinite(array[start : start + block])
        if not finite.all():
            row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
            raise ValueError(
                f"{path}: features: expected finite values, but row {start + row}, column {column} "
                f"(from 0) is {array[start + row, column]}"
            )
    return array


def map_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Map the array of a .npy file into memory, of whatever shape and plain dtype.

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    ndarray
        A read-only memory map (an ordinary read-only array where the array is empty, as
        nothing can be mapped then).

    Raises
    ------
    FileNotFoundError
        There is no such file.
    IsADirectoryError
        It is a folder.
    ValueError
        The file is no .npy file, its header cannot be read, it is shorter or longer than
        its header says, or it holds Python objects, which would have to be unpickled.
    """
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected a .npy file")
    if not path.exists():
        raise FileNotFoundError(f"the file {path} does not exist")
    shape, fortran_order, dtype, offset = _read_header(path)
    if dtype.hasobject:
        raise ValueError(
            f"{path}: the array holds Python objects (dtype {dtype}), which are stored pickled "
            "and never read here: save it as an array of numbers"
        )
    expected = math.prod(shape) * dtype.itemsize
    received = path.stat().st_size - offset
    if received != expected:
        problem = "truncated" if received < expected else "longer than its header says"
        raise ValueError(
            f"{path} is {problem}: expected {expected} bytes of data for shape {shape} and "
            f"dtype {dtype.name}, found {received}"
        )
    order: Literal["F", "C"] = "F" if fortran_order else "C"
    if expected == 0:
        empty: NDArray[Any] = np.empty(shape, dtype=dtype, order=order)
        empty.flags.writeable = False
        return empty
    mapped: NDArray[Any] = np.memmap(
        path, dtype=dtype, mode="r", offset=offset, shape=shape, order=order
    )
    return mapped


def _read_header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, whether in Fortran order, dtype and the offset of the data."""
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
        if start != _MAGIC:
            raise ValueError(f"{path} is not a .npy file: {_describe_foreign(start)}")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            readers = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            if version not in readers:
                raise ValueError(f"expected format version 1.0 or 2.0, got {version}")
            shape, fortran_order, dtype = readers[version](file)
            if any(length < 0 for length in shape):
                raise ValueError(f"the shape {shape} has a negative length")
        # The header is parsed as a Python literal: a damaged one can raise nearly anything.
        except Exception as error:
            raise ValueError(f"{path}: the .npy header cannot be read ({error})") from None
        return shape, fortran_order, dtype, file.tell()


def _describe_foreign(start: bytes) -> str:
    if not start:
        return "the file is empty"
    if start.startswith(b"PK"):
        return "it is an .npz or ZIP archive; save the one array with numpy.save"
    if start.startswith(b"\x80"):
        return "it is a Python pickle, which is never read here; save it with numpy.save"
    return f"expected it to start with {_MAGIC!r}, got {start!r}"
