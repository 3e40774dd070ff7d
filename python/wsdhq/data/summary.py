"""Lines of text that say how a data set was reached, with the paper's counts beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_NAMED = 3


def count_line(text: str, count: int, paper: int | None = None) -> str:
    """Say a count, and beside it the paper's where it gives one; plainly where they differ.

    Parameters
    ----------
    text : str
        What was counted.
    count : int
        How many there are.
    paper : int, optional
        How many the paper has.

    Returns
    -------
    str
        Such as ``images: 25,000; the paper: 25,000``.
    """
    if paper is None:
        return f"{text}: {count:,}"
    return f"{text}: {count:,}; the paper: {paper:,}" + (", which differs" * (count != paper))


def split_line(
    query: NDArray[np.int64],
    database: NDArray[np.int64],
    train: NDArray[np.int64],
    paper: tuple[int, int, int] | None = None,
) -> str:
    """Say the sizes of a split, and beside them the paper's where it gives some.

    Parameters
    ----------
    query, database, train : (n,) int64
        The rows of each.
    paper : tuple of 3 int, optional
        The paper's sizes, in the same order.

    Returns
    -------
    str
    """
    ours = (len(query), len(database), len(train))
    line = "split: {:,} queries, {:,} in the database, {:,} to learn from".format(*ours)
    if paper is None:
        return line
    return f"{line}; the paper: {_slashes(paper)}" + (", which differs" * (ours != paper))


def few(names: Sequence[Any]) -> str:
    """Name the first few of `names`, with dots where there are more."""
    shown = ", ".join(str(name) for name in names[:_MAX_NAMED])
    return shown + (", ..." if len(names) > _MAX_NAMED else "")


def _slashes(numbers: Sequence[int]) -> str:
    return " / ".join(f"{number:,}" for number in numbers)
