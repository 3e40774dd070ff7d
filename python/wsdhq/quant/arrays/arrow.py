"""Arrow fixed-size lists as NumPy arrays, through the Arrow PyCapsule interface.

The structures are those of the Arrow C data interface (arrow.apache.org/docs/format,
"CDataInterface", "CStreamInterface", "CDataInterface/PyCapsuleInterface"), read with ctypes: any
library that speaks it is understood, and none is needed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.POINTER(_Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]
_Stream._fields_ = [
    (
        "get_schema",
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema)),
    ),
    (
        "get_next",
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array)),
    ),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]

_pointer_of: Callable[[Any, bytes], int] = ctypes.PYFUNCTYPE(
    ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p
)(("PyCapsule_GetPointer", ctypes.pythonapi))

# Arrow's names of numbers of fixed size.
_DTYPES = {
    "c": "i1", "C": "u1", "s": "i2", "S": "u2", "i": "i4", "I": "u4", "l": "i8", "L": "u8",
    "e": "f2", "f": "f4", "g": "f8",
}  # fmt: skip
_LISTS = {"+l": "list", "+L": "large list", "+vl": "list view", "+vL": "large list view"}
_NULLS_AT_A_TIME = 1 << 20


class _Released:
    """A structure of ours that a library filled, released with the last array that needs it."""

    def __init__(self, structure: Any) -> None:
        self.structure = structure

    def __del__(self) -> None:
        if self.structure.release:
            self.structure.release(ctypes.byref(self.structure))


class _Memory:
    """Numbers at an address, read-only, and the owner that keeps them there."""

    def __init__(
        self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any], owner: object
    ) -> None:
        self.__array_interface__ = {
            "version": 3, "data": (address, True), "shape": shape, "typestr": dtype.str,
        }  # fmt: skip
        self.owner = owner


def speaks_arrow(value: object) -> bool:
    """Whether an object gives Arrow arrays; a table gives columns, and is none."""
    return (
        hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_c_stream__")
    ) and not hasattr(type(value), "columns")


def arrow_matrices(value: Any, name: str) -> list[NDArray[Any]] | None:
    """The chunks of Arrow fixed-size lists of numbers, without copies.

    Parameters
    ----------
    value : object
        Has `__arrow_c_array__` or `__arrow_c_stream__`.
    name : str
        The argument, for errors.

    Returns
    -------
    list of ndarray (n, list_size), read-only, or None
        At least one. None where the Arrow type is no list, or a package that the object needs to
        become Arrow is missing: pandas has the methods, and makes Arrow by pyarrow alone.

    Raises
    ------
    TypeError
        Lists of another kind, or of what is no number.
    ValueError
        A null, whose row is named.
    """
    if hasattr(value, "__arrow_c_array__"):
        exported = _exported(value.__arrow_c_array__, name)
        if exported is None:
            return None
        schema_capsule, array_capsule = exported
        schema = _Schema.from_address(_pointer_of(schema_capsule, b"arrow_schema"))
        kind = _list_kind(schema, name)
        if kind is None:
            return None
        array = _Array.from_address(_pointer_of(array_capsule, b"arrow_array"))
        return [_matrix(array, *kind, array_capsule, name, 0)]
    capsule = _exported(value.__arrow_c_stream__, name)
    if capsule is None:
        return None
    stream = _Stream.from_address(_pointer_of(capsule, b"arrow_array_stream"))
    described = _Released(_Schema())
    _check_stream(stream, stream.get_schema(stream, described.structure), name)
    kind = _list_kind(described.structure, name)
    if kind is None:
        return None
    matrices: list[NDArray[Any]] = []
    num_rows = 0
    while True:
        owner = _Released(_Array())
        _check_stream(stream, stream.get_next(stream, owner.structure), name)
        if not owner.structure.release:
            return matrices or [np.empty((0, kind[0]), kind[1])]
        matrices.append(_matrix(owner.structure, *kind, owner, name, num_rows))
        num_rows += len(matrices[-1])


def _exported(export: Callable[[], Any], name: str) -> Any:
    """What an object gives of itself, None without the package it needs, or else a TypeError."""
    try:
        return export()
    except ImportError:
        return None
    except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        raise TypeError(f"{name}: expected Arrow data that can be shared: {error}") from None


def _check_stream(stream: _Stream, status: int, name: str) -> None:
    if status:
        told = stream.get_last_error(stream) or b""
        raise ValueError(f"{name}: its Arrow stream failed: {told.decode(errors='replace')}")


def _list_kind(schema: Any, name: str) -> tuple[int, np.dtype[Any]] | None:
    """Length and dtype of fixed-size lists; None for what is no list."""
    form = schema.format.decode()
    if form in _LISTS or (schema.dictionary and form.startswith("+")):
        raise TypeError(
            f"{name}: expected an Arrow fixed-size list, got a {_LISTS.get(form, form)}: with "
            "pyarrow, cast(pyarrow.list_(pyarrow.float32(), dim)) makes one; numpy.stack makes an "
            "array of a column of pandas"
        )
    if form == "+s":
        raise TypeError(f"{name}: expected an Arrow fixed-size list, got a table: pass a column")
    if not form.startswith("+w:"):
        return None
    child = schema.children[0].contents
    inner = child.format.decode()
    if inner not in _DTYPES or child.dictionary:
        raise TypeError(
            f"{name}: expected an Arrow fixed-size list of numbers, got one of Arrow format "
            f"{inner!r}"
        )
    return int(form[3:]), np.dtype(_DTYPES[inner])


def _matrix(
    array: Any, size: int, dtype: np.dtype[Any], owner: object, name: str, first_row: int
) -> NDArray[Any]:
    """Rows of one chunk; `first_row` is how many came before."""
    values = array.children[0].contents
    begin = values.offset + array.offset * size
    row = _first_null(array, array.offset, array.length)
    if row is not None:
        raise ValueError(f"{name}: row {first_row + row} is null: expected values in every row")
    place = _first_null(values, begin, array.length * size)
    if place is not None:
        raise ValueError(
            f"{name}: row {first_row + place // size}, column {place % size} is null: expected "
            "values in every row"
        )
    shape = (int(array.length), size)
    if 0 in shape:
        return np.empty(shape, dtype)
    address = values.buffers[1] + begin * dtype.itemsize
    return np.asarray(_Memory(address, shape, dtype, owner))


def _first_null(array: Any, begin: int, count: int) -> int | None:
    """The first null among `count` entries from `begin`, counted from there."""
    if array.null_count == 0 or not array.buffers[0]:
        return None
    for first in range(0, count, _NULLS_AT_A_TIME):
        last = min(first + _NULLS_AT_A_TIME, count)
        # Entry i is bit i % 8 of byte i // 8, the least bit first; 0 is null.
        byte, bit = divmod(begin + first, 8)
        num_bytes = (bit + last - first + 7) // 8
        bits = np.asarray(_Memory(array.buffers[0] + byte, (num_bytes,), np.dtype(np.uint8), None))
        valid = np.unpackbits(bits, bitorder="little")[bit : bit + last - first]
        if not valid.all():
            return first + int(np.argmin(valid))
    return None
