"""Quantisers and indexes as safetensors files: written whole, checked when read."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from wsdhq._files import atomic_path

__all__ = ["read_tensors", "write_tensors"]

# Version 2 of an index holds blocks of codes instead of rows; version 1 is still read.
FORMAT_VERSIONS = {"quantizer": 1, "index": 2}


def write_tensors(
    path: str | os.PathLike[str],
    kind: str,
    tensors: dict[str, NDArray[Any]],
    settings: dict[str, Any],
) -> None:
    """Write arrays and JSON-able settings to one safetensors file, whole or not at all."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    metadata = {
        "format": f"wsdhq.{kind}",
        "version": str(FORMAT_VERSIONS[kind]),
        "settings": json.dumps(settings, sort_keys=True),
    }
    metadata["checksums"] = json.dumps(_checksums(contiguous, metadata), sort_keys=True)
    with atomic_path(path) as temporary:
        safetensors.numpy.save_file(contiguous, temporary, metadata)
        _sort_header(temporary)


def _sort_header(path: Path) -> None:
    """Put the header's keys in order: safetensors writes metadata in one that changes each time.

    The same content then gives the same bytes.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        ordered = text.encode("utf-8").ljust(size)
        if len(ordered) == size:
            file.seek(8)
            file.write(ordered)


def _checksums(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> dict[str, str]:
    """CRC-32 of the bytes of each array, and of the settings, which are under no array's name."""
    found = {
        name: f"{zlib.crc32(array.reshape(-1).view(np.uint8).data):08x}" if array.size else "0" * 8
        for name, array in tensors.items()
    }
    found["/settings"] = f"{zlib.crc32(metadata['settings'].encode()):08x}"
    return found


def _check_sums(file: Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    if "checksums" not in metadata:
        raise ValueError(f"{file}: holds no checksums to verify it by")
    try:
        expected = json.loads(metadata["checksums"])
    except json.JSONDecodeError:
        expected = None
    if not isinstance(expected, dict):
        raise ValueError(f"{file}: its checksums are damaged")
    found = _checksums(tensors, metadata)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            part = name.removeprefix("/")
            raise ValueError(
                f"{file}: {part} are damaged: expected the checksum {expected.get(name)}, "
                f"got {found.get(name)}"
            )


def read_tensors(
    path: str | os.PathLike[str], kind: str, *, mmap: bool = False, verify: bool = False
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
            names = list(opened.keys())
            tensors = {} if mmap else {name: opened.get_tensor(name) for name in names}
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
    if mmap:
        tensors = _map_tensors(file)
    if verify:
        _check_sums(file, tensors, metadata)
    return tensors, settings


_DTYPES: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}


def _map_tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Map each array of a safetensors file that safe_open has already accepted."""
    with file.open("rb") as opened:
        header_size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(header_size))
    mapped: dict[str, NDArray[Any]] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _DTYPES:
            raise ValueError(f"{file}: {name} is of the unexpected type {entry['dtype']}")
        dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
        if 0 in shape:
            mapped[name] = np.empty(shape, dtype)
        else:
            offset = 8 + header_size + entry["data_offsets"][0]
            mapped[name] = np.memmap(file, dtype, mode="r", offset=offset, shape=shape)
    return mapped
