"""Where the arrays of a safetensors file lie: its header, read and checked.

Read here and not by safetensors, which maps the file: whoever maps a file can be killed by one who
cuts it short. The checks are those of the format (github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
import math
import os
from io import FileIO
from typing import Any, NamedTuple

import numpy as np

__all__ = ["DTYPES", "Entry", "read_header"]

DTYPES: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}

# No file of ours has one of more than some kilobytes; JSON takes many times its length in memory.
MAX_HEADER_BYTES = 1 << 20
MAX_DIMENSIONS = 8


class Entry(NamedTuple):
    """An array of a file, from byte `begin` on."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int

    @property
    def num_bytes(self) -> int:
        """Bytes that it takes."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_header(file: FileIO) -> tuple[dict[str, str], list[Entry]]:
    """Read the header that a file begins with.

    Returns
    -------
    metadata : dict of str to str
    entries : list of Entry
        By name as the header has them. They fill the file to its end, one behind the other.

    Raises
    ------
    ValueError
        It is no safetensors file, or cut short, or has arrays of types that no file of ours has.
    """
    file_size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(file_size - 8, MAX_HEADER_BYTES):
        raise ValueError(f"its header of {length} bytes does not fit in {file_size}")
    text = b""
    while len(text) < length:
        part = file.read(length - len(text))
        if not part:
            raise ValueError("it ends within its header")
        text += part
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise ValueError("its metadata are not all text")
    entries = [_entry(name, value, 8 + length) for name, value in header.items()]
    _check_places(entries, 8 + length, file_size)
    return metadata, entries


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header says something twice")
    return found


def _entry(name: str, value: Any, first_byte: int) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} has no dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name} is of the unexpected type {dtype!r:.40}")
    # Of arrays with a 0 in their shape, the other numbers are any.
    if (
        not _are_counts(shape)
        or len(shape) > MAX_DIMENSIONS
        or DTYPES[dtype].itemsize * math.prod(max(n, 1) for n in shape) > 2**62
    ):
        raise ValueError(f"{name} is of the unexpected shape {_as_tuple(shape)!r:.100}")
    entry = Entry(name, DTYPES[dtype], tuple(shape), first_byte)
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{name} is at no place: {offsets!r:.100}")
    if offsets[1] - offsets[0] != entry.num_bytes:
        raise ValueError(
            f"{name} takes {entry.num_bytes} bytes, and its place has {offsets[1] - offsets[0]}"
        )
    return entry._replace(begin=first_byte + offsets[0])


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_places(entries: list[Entry], end: int, file_size: int) -> None:
    """Raise unless arrays lie one behind the other from byte `end` to the end of the file."""
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.num_bytes)):
        if entry.begin != end:
            raise ValueError(f"{entry.name} begins at byte {entry.begin}, expected {end}")
        end += entry.num_bytes
    if end != file_size:
        raise ValueError(f"its arrays end at byte {end}, and it has {file_size}")
