"""Quantizers and indexes as safetensors files: written whole, checked when read."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.files import as_path, atomic_path
from wsdhq._shared.progress import Progress
from wsdhq._shared.tensor_files import (
    TYPES,
    Entry,
    byte_chunks,
    encode_header,
    read_arrays,
    read_header,
)
from wsdhq.quant.arrays.foreign import LazyRows, rows_per_chunk

# Version 1 of an index holds rows of codes, version 2 blocks of them; since version 3, ids that
# ascend by one are not written. All are read.
FORMAT_VERSIONS = {"quantizer": 1, "index": 3}

# What quantizers and indexes are made of.
_NAMES = {TYPES[name]: name for name in ("U8", "I64", "F32", "F64")}

# Bytes that are read, written or summed between two looks for Ctrl-C, and that may wait to reach
# the disk: were they more, the last of them would be waited for in one call.
_SYNCHRONIZED_BYTES = 64 << 20


def write_tensors(
    path: str | os.PathLike[str],
    kind: str,
    tensors: Mapping[str, NDArray[Any] | LazyRows],
    settings: dict[str, Any],
    verbose: bool | None = None,
) -> None:
    """Write arrays and JSON-able settings to one safetensors file, whole or not at all.

    The same content gives the same bytes. `verbose` is that of `AdditiveQuantizer`.
    """
    metadata = {
        "format": f"wsdhq.{kind}",
        "version": str(FORMAT_VERSIONS[kind]),
        "settings": json.dumps(settings, sort_keys=True),
    }
    arrays = {name: (_NAMES[array.dtype], array.shape) for name, array in tensors.items()}
    sums = dict.fromkeys(tensors, "0" * 8)
    sums["/settings"] = _crc_text(zlib.crc32(metadata["settings"].encode()))
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        Progress(verbose) as progress,
    ):
        header, num_bytes = encode_header(_with_sums(metadata, sums), arrays)
        progress.stage("save", num_bytes, "B")
        done = synchronized = 0
        file.write(header)
        for name, array in tensors.items():
            crc = 0
            for part in _byte_chunks(array):
                crc = zlib.crc32(part, crc)
                file.write(part)
                done += len(part)
                progress.move_to(done)
                if done - synchronized >= _SYNCHRONIZED_BYTES:
                    synchronized = done
                    file.flush()
                    os.fsync(file.fileno())
            sums[name] = _crc_text(crc)
        # The sums are known only now; they are as long as the zeros in their place.
        file.seek(0)
        file.write(encode_header(_with_sums(metadata, sums), arrays)[0])


def _with_sums(metadata: dict[str, str], sums: dict[str, str]) -> dict[str, str]:
    return {**metadata, "checksums": json.dumps(sums, sort_keys=True)}


def _crc_text(crc: int) -> str:
    return f"{crc:08x}"


def _byte_chunks(array: NDArray[Any] | LazyRows) -> Iterator[memoryview]:
    """The bytes of an array in pieces of bounded size."""
    if isinstance(array, LazyRows):
        step = rows_per_chunk(array.dtype.itemsize * math.prod(array.shape[1:]))
        for first in range(0, len(array), step):
            yield from byte_chunks(array[first : first + step])
    else:
        yield from byte_chunks(array)


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
    except (ValueError, RecursionError):
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
    # By one handle: the file may be replaced meanwhile, and what is checked must be what is read.
    with FileIO(os.fspath(file)) as opened:
        try:
            metadata, entries = read_header(opened, _NAMES.values())
        except (ValueError, OSError) as error:
            raise ValueError(
                f"{file}: expected a wsdhq {kind} file, got one that is truncated or of another "
                f"format ({error})"
            ) from None
        settings = _settings(file, kind, metadata)
        try:
            tensors = (
                _map_tensors(opened, entries) if mmap else read_arrays(opened, entries, verbose)
            )
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
    if verify:
        _check_sums(file, tensors, metadata, verbose)
    return tensors, settings


def _settings(file: Path, kind: str, metadata: dict[str, str]) -> dict[str, Any]:
    """The settings of a file of this kind, in a version that is known."""
    found, version = metadata.get("format"), metadata.get("version", "")
    is_number = version.isascii() and version.isdigit() and len(version) < 10 and int(version) > 0
    if found is None or not found.startswith("wsdhq.") or not is_number:
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
    except (KeyError, ValueError, RecursionError):
        raise ValueError(f"{file}: its settings are missing or damaged") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{file}: its settings are damaged: expected a JSON object")
    return settings


def _map_tensors(file: FileIO, entries: list[Entry]) -> dict[str, NDArray[Any]]:
    """Map each array of a file."""
    return {
        each.name: np.empty(each.shape, each.dtype)
        if 0 in each.shape
        else np.memmap(file, each.dtype, mode="r", offset=each.begin, shape=each.shape)
        for each in entries
    }
