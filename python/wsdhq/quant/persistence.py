"""Quantisers and indexes as safetensors files: written whole, checked when read."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from wsdhq._files import atomic_path
from wsdhq.quant.progress import Progress

__all__ = ["read_tensors", "write_tensors"]

_DTYPES: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

# Bytes that are read, written or summed between two looks for Ctrl-C, and that may wait to reach
# the disk: were they more, the last of them would be waited for in one call.
_PIECE = 16 << 20
_SYNCHRONISED_AT_ONCE = 64 << 20

# Version 2 of an index holds blocks of codes instead of rows; version 1 is still read.
FORMAT_VERSIONS = {"quantizer": 1, "index": 2}


def write_tensors(
    path: str | os.PathLike[str],
    kind: str,
    tensors: dict[str, NDArray[Any]],
    settings: dict[str, Any],
    verbose: bool | None = None,
) -> None:
    """Write arrays and JSON-able settings to one safetensors file, whole or not at all.

    The same content gives the same bytes. `verbose` is that of `AdditiveQuantizer`.
    """
    stored = {name: _as_stored(array) for name, array in tensors.items()}
    # As safetensors does: wide values first, then by name, so that each is aligned.
    order = sorted(stored, key=lambda name: (-stored[name].itemsize, name))
    metadata = {
        "format": f"wsdhq.{kind}",
        "version": str(FORMAT_VERSIONS[kind]),
        "settings": json.dumps(settings, sort_keys=True),
    }
    # Sums are known when everything is written; until then a header of the same length.
    sums = dict.fromkeys(order, "0" * 8)
    sums["/settings"] = _sum_of_settings(metadata)
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        Progress(verbose) as progress,
    ):
        progress.stage("save", sum(array.nbytes for array in stored.values()), "B")
        file.write(_header(stored, order, metadata, sums))
        done = synchronised = 0
        for name in order:
            found = 0
            for piece in _pieces(stored[name]):
                found = zlib.crc32(piece, found)
                file.write(piece)
                done += len(piece)
                progress.move_to(done)
                if done - synchronised >= _SYNCHRONISED_AT_ONCE:
                    synchronised = done
                    file.flush()
                    os.fsync(file.fileno())
            sums[name] = f"{found:08x}"
        file.seek(0)
        file.write(_header(stored, order, metadata, sums))


def _as_stored(array: NDArray[Any]) -> NDArray[Any]:
    """The array as its bytes are in a file: row-major, the least significant byte first."""
    contiguous = np.ascontiguousarray(array)
    return contiguous.astype(contiguous.dtype.newbyteorder("<"), copy=False)


def _pieces(array: NDArray[Any]) -> Iterator[memoryview]:
    """The bytes of a contiguous array, a piece at a time: Ctrl-C is seen between two of them."""
    if array.size:
        whole = array.reshape(-1).view(np.uint8).data
        for first in range(0, len(whole), _PIECE):
            yield whole[first : first + _PIECE]


def _header(
    tensors: dict[str, NDArray[Any]],
    order: list[str],
    metadata: dict[str, str],
    sums: dict[str, str],
) -> bytes:
    """What stands before the arrays in a safetensors file, keys in order."""
    entries: dict[str, Any] = {
        "__metadata__": {**metadata, "checksums": json.dumps(sums, sort_keys=True)}
    }
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].nbytes
        entries[name] = {
            "dtype": _NAMES[tensors[name].dtype],
            "shape": tensors[name].shape,
            "data_offsets": (begin, end),
        }
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    encoded = text.encode("utf-8")
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded


def _sum_of_settings(metadata: dict[str, str]) -> str:
    return f"{zlib.crc32(metadata['settings'].encode()):08x}"


def _checksums(
    tensors: dict[str, NDArray[Any]], metadata: dict[str, str], verbose: bool | None
) -> dict[str, str]:
    """CRC-32 of the bytes of each array, and of the settings, which are under no array's name."""
    found = {"/settings": _sum_of_settings(metadata)}
    with Progress(verbose) as progress:
        progress.stage("verify", sum(array.nbytes for array in tensors.values()), "B")
        done = 0
        for name, array in tensors.items():
            value = 0
            for piece in _pieces(array):
                value = zlib.crc32(piece, value)
                done += len(piece)
                progress.move_to(done)
            found[name] = f"{value:08x}"
    return found


def _check_sums(
    file: Path,
    tensors: dict[str, NDArray[Any]],
    metadata: dict[str, str],
    verbose: bool | None,
) -> None:
    if "checksums" not in metadata:
        raise ValueError(f"{file}: holds no checksums to verify it by")
    try:
        expected = json.loads(metadata["checksums"])
    except json.JSONDecodeError:
        expected = None
    if not isinstance(expected, dict):
        raise ValueError(f"{file}: its checksums are damaged")
    found = _checksums(tensors, metadata, verbose)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            part = name.removeprefix("/")
            raise ValueError(
                f"{file}: {part} are damaged: expected the checksum {expected.get(name)}, "
                f"got {found.get(name)}"
            )


def read_tensors(
    path: str | os.PathLike[str],
    kind: str,
    *,
    mmap: bool = False,
    verify: bool = False,
    verbose: bool | None = None,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Parameters
    ----------
    path : str or PathLike
    kind : str
        The kind that the file must be of.
    mmap : bool
        Map the arrays read-only instead of copying them into memory.
    verify : bool
        Read everything and compare it with the checksums in the file.
    verbose : bool, optional
        As in `AdditiveQuantizer`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, foreign, of another kind or of a newer version; or, where it is to
        be verified, damaged or without checksums.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file: expected a wsdhq {kind} file")
    try:
        with safetensors.safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
    except (safetensors.SafetensorError, OSError, TypeError, KeyError) as error:
        raise ValueError(
            f"{file}: expected a wsdhq {kind} file, got one that is truncated or of another "
            f"format ({error})"
        ) from None
    found, version = metadata.get("format"), metadata.get("version", "")
    if found is None or not found.startswith("wsdhq.") or not version.isdigit():
        raise ValueError(
            f"{file}: expected a wsdhq {kind} file, got a safetensors file of other origin"
        )
    if found != f"wsdhq.{kind}":
        raise ValueError(f"{file}: expected a wsdhq {kind} file, got one of format {found}")
    if int(version) > FORMAT_VERSIONS[kind]:
        raise ValueError(
            f"{file}: written in version {version} of the format: this wsdhq reads up to version "
            f"{FORMAT_VERSIONS[kind]}; a newer one is needed"
        )
    try:
        settings = json.loads(metadata["settings"])
    except (KeyError, json.JSONDecodeError):
        raise ValueError(f"{file}: its settings are missing or damaged") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{file}: its settings are damaged: expected a JSON object")
    tensors = _map_tensors(file) if mmap else _copy_tensors(file, verbose)
    if verify:
        _check_sums(file, tensors, metadata, verbose)
    return tensors, settings


def _entries(file: Path) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int]]:
    """Name, dtype, shape and first byte of each array of a file that safe_open has accepted."""
    with file.open("rb") as opened:
        header_size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(header_size))
    entries = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _DTYPES:
            raise ValueError(f"{file}: {name} is of the unexpected type {entry['dtype']}")
        begin = 8 + header_size + entry["data_offsets"][0]
        entries.append((name, _DTYPES[entry["dtype"]], tuple(entry["shape"]), begin))
    return entries


def _map_tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Map each array of a file."""
    return {
        name: np.empty(shape, dtype)
        if 0 in shape
        else np.memmap(file, dtype, mode="r", offset=begin, shape=shape)
        for name, dtype, shape, begin in _entries(file)
    }


def _copy_tensors(file: Path, verbose: bool | None) -> dict[str, NDArray[Any]]:
    """Read each array of a file into memory."""
    tensors: dict[str, NDArray[Any]] = {}
    entries = _entries(file)
    with file.open("rb", buffering=0) as opened, Progress(verbose) as progress:
        progress.stage("load", file.stat().st_size, "B")
        for name, dtype, shape, begin in entries:
            tensors[name] = np.empty(shape, dtype)
            opened.seek(begin)
            done = begin
            for piece in _pieces(tensors[name]):
                taken = 0
                while taken < len(piece):
                    count = opened.readinto(piece[taken:])
                    if not count:
                        raise ValueError(f"{file}: {name} ends before its time: truncated")
                    taken += count
                done += taken
                progress.move_to(done)
    return tensors
