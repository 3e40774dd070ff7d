"""What a figure is of: checksums of the data, and what differs between two descriptions."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES_AT_ONCE = 16 << 20
_ABSENT = object()


def checksum(parts: Iterable[bytes | NDArray[Any]]) -> str:
    """CRC-32 of a sequence of byte strings and arrays, as eight hexadecimal digits.

    The length of each part counts too, so that "ab", "c" and "a", "bc" differ.
    """
    value = 0
    for part in parts:
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        value = zlib.crc32(data, zlib.crc32(len(data).to_bytes(8, "little"), value))
    return f"{value:08x}"


def file_checksum(path: Path) -> str:
    """CRC-32 of the bytes of a file, as eight hexadecimal digits."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BYTES_AT_ONCE):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two descriptions, as "NAME was WAS, is now NOW".

    Parameters
    ----------
    was, now : mappings
        Nested, of JSON values; names of nested entries are joined by dots.

    Returns
    -------
    list of str
        In the order of `now`; empty if they are equal.
    """
    before, after = _flat(was), _flat(now)
    return [
        f"{name} was {_shown(before, name)}, is now {_shown(after, name)}"
        for name in dict.fromkeys([*after, *before])
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]


def noted(path: Path) -> Any:
    """The JSON value in a note; None if it is missing or damaged: what it is about is made anew."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            # As JSON gives it back: there a tuple is a list.
            flat[prefix + name] = json.loads(json.dumps(value))
    return flat


def _shown(values: dict[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "absent"
