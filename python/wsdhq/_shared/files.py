"""Files that are whole or absent: written beside their place, then renamed over it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.temporary import synchronize_folder, temporary_folder, told_of


def as_path(path: str | os.PathLike[str]) -> Path:
    """The path that a user gave, "~" expanded; a TypeError names the argument."""
    try:
        return Path(os.path.expanduser(path))
    except TypeError:
        raise TypeError(f"path: expected a str or PathLike, got {type(path).__name__}") from None


def writable_path(path: str | os.PathLike[str]) -> Path:
    """The file that writing to `path` replaces or makes: what a symbolic link leads to.

    Raises
    ------
    TypeError
        `path` is no path.
    FileNotFoundError
        The folder of the file does not exist.
    IsADirectoryError
        It is a folder.
    ValueError
        It is there and no regular file: a pipe, a device, a socket.
    OSError
        The link leads to itself.
    """
    final = as_path(path)
    try:
        found = final.stat().st_mode
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_ISDIR(found):
        raise IsADirectoryError(f"{final} is a folder: expected the name of a file to write")
    if found is not None and not stat.S_ISREG(found):
        kind = next(name for name, test in _KINDS.items() if test(found))
        raise ValueError(f"{final} is {kind}: expected a regular file to replace, or none")
    if final.is_symlink():
        final = Path(os.path.realpath(final))
    if not final.parent.is_dir():
        raise FileNotFoundError(f"the folder {final.parent} of {final.name} does not exist")
    return final


_KINDS: dict[str, Callable[[int], bool]] = {
    "a pipe": stat.S_ISFIFO,
    "a device": stat.S_ISCHR,
    "a block device": stat.S_ISBLK,
    "a socket": stat.S_ISSOCK,
    "no file": lambda mode: True,
}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed over it when the block succeeds.

    Parameters
    ----------
    path : str or PathLike
        The final place. Its folder must exist. A symbolic link stays, and what it leads to is
        replaced. The mode, and where it may be the owner, of a file that is replaced are kept; a
        new one has what the umask leaves. Another name of the same file (a hard link) keeps what
        it held.

    Yields
    ------
    pathlib.Path
        An empty file to write to. It is synchronized to disk and renamed over `path` at
        the end, and the folder is synchronized, too; if the block raises, it is removed and `path`
        keeps what it held. What a writer that was killed left behind is removed by the next one
        that writes to the folder.

    Raises
    ------
    TypeError, FileNotFoundError, IsADirectoryError, ValueError
        As `writable_path`.
    PermissionError
        `path` may not be replaced; on Windows also while it is open or mapped, as an index is
        that was loaded from it.
    OSError
        The disk is full, or the folder cannot be written to: the message names `path`.
    """
    final = writable_path(path)
    with told_of(final), temporary_folder(final.parent) as folder:
        temporary = folder / "new"
        # Made by the system, which knows the umask.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        kept = _kept(final, temporary)
        yield temporary
        # Writers may replace the file: only now is it the one that stays.
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        _restore(temporary, kept)
        try:
            os.replace(temporary, final)
        except PermissionError as error:
            if not final.exists():
                raise
            raise PermissionError(
                f"{final} cannot be replaced: {error.strerror or error}; on Windows a file that is "
                "open or mapped, by an index that was loaded from it for one, must be closed first"
            ) from error
        synchronize_folder(final.parent)


def _kept(final: Path, temporary: Path) -> os.stat_result:
    """What says the mode and owner that the file is to have."""
    return final.stat() if final.exists() else temporary.stat()


def _restore(temporary: Path, kept: os.stat_result) -> None:
    made = temporary.stat()
    if hasattr(os, "chown") and (made.st_uid, made.st_gid) != (kept.st_uid, kept.st_gid):
        with suppress(PermissionError):
            os.chown(temporary, kept.st_uid, kept.st_gid)
    with suppress(PermissionError):
        temporary.chmod(stat.S_IMODE(kept.st_mode))


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
