"""Files that are whole or absent: written beside their place, then renamed over it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_path", "atomic_path", "save_npy", "write_json", "write_text"]


def as_path(path: str | os.PathLike[str]) -> Path:
    """The path that a user gave; a TypeError names the argument."""
    try:
        return Path(path)
    except TypeError:
        raise TypeError(f"path: expected a str or PathLike, got {type(path).__name__}") from None


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed over it when the block succeeds.

    Parameters
    ----------
    path : str or PathLike
        The final place. Its folder must exist.

    Yields
    ------
    pathlib.Path
        An empty file to write to. It is synchronised to disk and renamed over `path` at
        the end; if the block raises, it is removed and `path` keeps what it held.

    Raises
    ------
    TypeError
        `path` is no path.
    FileNotFoundError
        The folder of `path` does not exist.
    IsADirectoryError
        `path` is a folder.
    PermissionError
        `path` may not be replaced; on Windows also while it is open or mapped, as an index is
        that was loaded from it.
    """
    final = as_path(path)
    if final.is_dir():
        raise IsADirectoryError(f"{final} is a folder: expected the name of a file to write")
    if not final.parent.is_dir():
        raise FileNotFoundError(f"the folder {final.parent} of {final.name} does not exist")
    descriptor, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        # Writers (safetensors) may replace the file: only now is it the one that stays. Private
        # as mkstemp made it, where what a user writes should follow their umask.
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        try:
            os.replace(temporary, final)
        except PermissionError as error:
            if not final.exists():
                raise
            raise PermissionError(
                f"{final} cannot be replaced: {error.strerror or error}; on Windows a file that is "
                "open or mapped, by an index that was loaded from it for one, must be closed first"
            ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    # It can only be read by setting it, for every thread; a file made under it tells as well.
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe")
        probe.touch(0o666)
        return 0o666 & ~probe.stat().st_mode


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def save_npy(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write `array` in NumPy's .npy format to `path` (name kept as given), whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
