"""Arrays in safetensors files: the header, read, checked and written, and the arrays behind it.

Not by the library of that name, which maps the file it reads and copies what it writes: whoever
maps a file can be killed by one who cuts it short, and an index may be larger than memory. The
checks are those of the format (github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.progress import Progress

#: Of the types of the format, the arrays that hold them: of bfloat16, which NumPy lacks, the bits.
TYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}

# No file of ours has one of more than some kilobytes; JSON takes many times its length in memory.
MAX_HEADER_BYTES = 1 << 20
CHUNK_BYTES = 1 << 24
MAX_DIMENSIONS = 8


class Entry(NamedTuple):
    """An array of a file, from byte `begin` on."""

    name: str
    type: str
    shape: tuple[int, ...]
    begin: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array that holds it."""
        return TYPES[self.type]

    @property
    def num_bytes(self) -> int:
        """Bytes that it takes."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_header(
    file: FileIO, types: Iterable[str] = TYPES, max_bytes: int = MAX_HEADER_BYTES
) -> tuple[dict[str, str], list[Entry]]:
    """Read the header that a file begins with, of at most `max_bytes`, and of arrays of some types.

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
    if len(start) < 8 or length > min(file_size - 8, max_bytes):
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
    known = set(types)
    entries = [_entry(name, value, 8 + length, known) for name, value in header.items()]
    _check_places(entries, 8 + length, file_size)
    return metadata, entries


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header says something twice")
    return found


def _entry(name: str, value: Any, first_byte: int, types: set[str]) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} has no dtype, shape and data_offsets")
    kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(kind, str) or kind not in types:
        raise ValueError(f"{name} is of the unexpected type {kind!r:.40}")
    # Of arrays with a 0 in their shape, the other numbers are any.
    if (
        not _are_counts(shape)
        or len(shape) > MAX_DIMENSIONS
        or TYPES[kind].itemsize * math.prod(max(n, 1) for n in shape) > 2**62
    ):
        raise ValueError(f"{name} is of the unexpected shape {_as_tuple(shape)!r:.100}")
    entry = Entry(name, kind, tuple(shape), first_byte)
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


def read_arrays(
    file: FileIO, entries: Iterable[Entry], verbose: bool | None = False
) -> dict[str, NDArray[Any]]:
    """Read each array of a file into memory; ValueError where it ends too soon."""
    arrays: dict[str, NDArray[Any]] = {}
    with Progress(verbose) as progress:
        progress.stage("load", os.fstat(file.fileno()).st_size, "B")
        for entry in entries:
            array = arrays[entry.name] = np.empty(entry.shape, entry.dtype)
            file.seek(entry.begin)
            done = entry.begin
            for piece in byte_chunks(array):
                taken = 0
                while taken < len(piece):
                    count = file.readinto(piece[taken:])
                    if not count:
                        raise ValueError(f"{entry.name} ends before its time: truncated")
                    taken += count
                done += taken
                progress.move_to(done)
    return arrays


def byte_chunks(array: NDArray[Any]) -> Iterator[memoryview]:
    """The bytes of an array in pieces of at most 16 MiB, views where it is contiguous."""
    if array.size:
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for first in range(0, len(flat), CHUNK_BYTES):
            yield flat[first : first + CHUNK_BYTES].data


def encode_header(
    metadata: Mapping[str, str],
    arrays: Mapping[str, tuple[str, tuple[int, ...]]],
    *,
    alignment: int = 64,
    sort_keys: bool = True,
) -> tuple[bytes, int]:
    """The header of a file in which arrays lie one behind the other, and the bytes behind it.

    Parameters
    ----------
    metadata : mapping of str to str
    arrays : mapping of str to (type, shape)
        By name, in their order.
    alignment : int
        The first array begins at a multiple of it; 64 is a line of the processor's caches.
    sort_keys : bool
        Of the header; in the order of the arrays otherwise.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, (kind, shape) in arrays.items():
        begin, end = end, end + TYPES[kind].itemsize * math.prod(shape)
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
    encoded = text.encode("utf-8")
    encoded = encoded.ljust(-(-(len(encoded) + 8) // alignment) * alignment - 8)
    return len(encoded).to_bytes(8, "little") + encoded, end
