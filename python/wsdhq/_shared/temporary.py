"""Where files are written before they have their name, and what killed writers left there."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Short, whatever the name of the file is, and like nobody else's.
_OURS = re.compile(r"\.wsdhq-[0-9a-f]{16}\.part")


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Make a folder in `parent` for the length of a block, private to this user.

    Its writer holds a lock on it, which the system gives up for a writer that was killed: folders
    that nobody holds are what such writers left, and are removed first. Where the system has no
    such locks, they are left.
    """
    _remove_abandoned(parent)
    while True:
        folder = parent / f".wsdhq-{secrets.token_hex(8)}.part"
        folder.mkdir(0o700)
        # Between being made and being locked it may be taken for abandoned.
        with suppress(BlockingIOError):
            lock = _lock(folder)
            if folder.exists():
                break
            if lock is not None:
                os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Hold a folder until what is given is closed; None where that cannot be.

    BlockingIOError if another holds it.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if not _OURS.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
                continue
            with suppress(BlockingIOError):
                lock = _lock(Path(entry.path))
                if lock is not None:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    os.close(lock)


def synchronize_folder(folder: Path) -> None:
    """Bring the names in a folder to disk: a rename that is told as done outlasts a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some file systems, those of networks above all, cannot.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


_OF_THE_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES)


@contextmanager
def told_of(final: Path) -> Iterator[None]:
    """Name the file that was to be written, not the one that was written in its place."""
    try:
        yield
    except OSError as error:
        name = error.filename
        is_ours = isinstance(name, str) and _OURS.search(name) is not None
        if error.errno not in _OF_THE_PLACE or not (name is None or is_ours):
            raise
        raise type(error)(error.errno, error.strerror, os.fspath(final)) from error
