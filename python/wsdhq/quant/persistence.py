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

from wsdhq._files import as_path, atomic_path
from wsdhq.quant.progress import Progress

__all__ = ["read_tensors", "write_tensors"]

# Version 1 of an index holds rows of codes, version 2 blocks of them; since version 3, ids that
# ascend by one are not written. All are read.
FORMAT_VERSIONS = {"quantizer": 1, "index": 3}

# Bytes that are read, written or summed between two looks for Ctrl-C, and that may wait to reach
# the disk: were they more, the last of them would be waited for in one call.
_CHUNK_BYTES = 16 << 20
_SYNCHRONISED_BYTES = 64 << 20


def write_tensors(
    path: str | os.PathLike[str],
    kind: str,
    tensors: dict[str, NDArray[Any]],
    settings: dict[str, Any],
    verbose: bool | None = None,
) -> None:
    """Write arrays and JSON-able settings to one safetensors file, whole or not at all.

    Written here and not by safetensors, which copies every array first: an index that is mapped
    from a file may be larger than memory. The same content gives the same bytes. `verbose` is that
    of `AdditiveQuantizer`.
    """
    metadata = {
        "format": f"wsdhq.{kind}",
        "version": str(FORMAT_VERSIONS[kind]),
        "settings": json.dumps(settings, sort_keys=True),
    }
    entries: dict[str, Any] = {}
    end = 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        entries[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    sums = dict.fromkeys(tensors, "0" * 8)
    sums["/settings"] = _crc_text(zlib.crc32(metadata["settings"].encode()))
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        Progress(verbose) as progress,
    ):
        progress.stage("save", end, "B")
        done = synchronised = 0
        file.write(_header(entries, metadata, sums))
        for name, array in tensors.items():
            crc = 0
            for part in _byte_chunks(array):
                crc = zlib.crc32(part, crc)
                file.write(part)
                done += len(part)
                progress.move_to(done)
                if done - synchronised >= _SYNCHRONISED_BYTES:
                    synchronised = done
                    file.flush()
                    os.fsync(file.fileno())
            sums[name] = _crc_text(crc)
        # The sums are known only now; they are as long as the zeros in their place.
        file.seek(0)
        file.write(_header(entries, metadata, sums))


def _header(entries: dict[str, Any], metadata: dict[str, str], sums: dict[str, str]) -> bytes:
    about = {**metadata, "checksums": json.dumps(sums, sort_keys=True)}
    text = json.dumps({"__metadata__": about, **entries}, sort_keys=True, separators=(",", ":"))
    # The first array begins at a multiple of 64, a line of the processor's caches.
    encoded = text.encode("utf-8")
    encoded = encoded.ljust(-(-(len(encoded) + 8) // 64) * 64 - 8)
    return len(encoded).to_bytes(8, "little") + encoded


def _crc_text(crc: int) -> str:
    return f"{crc:08x}"


def _byte_chunks(array: NDArray[Any]) -> Iterator[memoryview]:
    """The bytes of an array in pieces of bounded size."""
    if array.size:
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for first in range(0, len(flat), _CHUNK_BYTES):
            yield flat[first : first + _CHUNK_BYTES].data


def _checksums(
    tensors: dict[str, NDArray[Any]], metadata: dict[str, str], verbose: bool | None
) -> dict[str, str]:
    """CRC-32 of the bytes of each array, and of the settings, which are under no array's name."""
    found = {"/settings": _crc_text(zlib.crc32(metadata["settings"].encode()))}
    with Progress(verbose) as progress:
        progress.stage("verify", sum(array.nbytes for array in tensors.values()), "B")
        done = 0
        for name, array in tensors.items():
            crc = 0
            for part in _byte_chunks(array):
                crc = zlib.crc32(part, crc)
                done += len(part)
                progress.move_to(done)
            found[name] = _crc_text(crc)
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
                f"{file}: the part {part!r} is damaged: expected the checksum "
                f"{expected.get(name)}, got {found.get(name)}"
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
    TypeError
        `path` is no path.
    FileNotFoundError, IsADirectoryError
        There is no such file, or a folder.
    ValueError
        The file is truncated, foreign, of another kind or of a newer version; or, where it is to
        be verified, damaged or without checksums.
    """
    file = as_path(path)
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder: expected a wsdhq {kind} file")
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


_DTYPES: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


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
            for piece in _byte_chunks(tensors[name]):
                taken = 0
                while taken < len(piece):
                    count = opened.readinto(piece[taken:])
                    if not count:
                        raise ValueError(f"{file}: {name} ends before its time: truncated")
                    taken += count
                done += taken
                progress.move_to(done)
    return tensors
