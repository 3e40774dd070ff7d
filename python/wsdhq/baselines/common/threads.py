"""The thread counts of BLAS and OpenMP, borrowed for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Within the block BLAS and OpenMP use at most `threads` threads; restored after it.

    The counts belong to the process: other Python threads see them while the block runs. None
    changes nothing.
    """
    if threads is None:
        yield
        return
    with threadpool_limits(limits=threads):
        yield
