"""How many threads a call uses. Nothing here or below sets a process-wide count."""

from __future__ import annotations

import os

from wsdhq._shared.arguments import as_integer

_forked = False


def _after_fork_in_child() -> None:
    # The OpenMP runtime's threads do not survive a fork: a team started in the child would wait
    # for them for ever. One thread needs no team.
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def resolve_threads(threads: int | None) -> int:
    """Give the number of threads of one call.

    Parameters
    ----------
    threads : int or None
        At least 1. None: as many as there are cores that this process may run on.

    Returns
    -------
    int
        At least 1; always 1 in a forked child.

    Raises
    ------
    TypeError
        `threads` is neither None nor an integer.
    ValueError
        `threads` is below 1.
    """
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            count = len(os.sched_getaffinity(0))
        else:
            count = os.cpu_count() or 1
    else:
        count = as_integer(threads, "threads", 1)
    return 1 if _forked else min(count, 1024)
