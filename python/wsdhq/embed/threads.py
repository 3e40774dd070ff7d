"""Thread counts of torch and BLAS, borrowed for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from wsdhq._shared.arguments import as_integer


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Within the block torch uses `threads` threads; what was set before is restored after it.

    Parameters
    ----------
    threads : int or None
        At least 1; None changes nothing.

    Raises
    ------
    ValueError
        `threads` is below 1.
    """
    if threads is None:
        yield
        return
    as_integer(threads, "threads", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def training_threads(threads: int | None) -> Iterator[None]:
    """Within the block torch and BLAS use `threads` threads; restored after it.

    Threads of BLAS wait for each other by spinning: more of them than there are free cores are ten
    times slower than one.

    Parameters
    ----------
    threads : int or None
        At least 1; None changes nothing.

    Raises
    ------
    ValueError
        `threads` is below 1.
    """
    with torch_threads(threads):
        if threads is None:
            yield
            return
        with threadpool_limits(limits=threads, user_api="blas"):
            yield
