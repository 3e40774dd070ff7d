"""Checks of what a search is asked for, besides its queries."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.quant.arrays.foreign import as_rows

MAX_RESULTS = 2**40


def as_widths(k: int | ArrayLike, num_queries: int) -> tuple[int, NDArray[np.int64] | None]:
    """The largest k, and each query's if they were given one by one."""
    # Copied: it is read more than once, and another thread may write there.
    array = np.array(as_rows(k, "k"))
    if array.ndim == 0:
        return as_integer(k, "k", 0, MAX_RESULTS), None
    if array.shape == (0,) and not hasattr(k, "dtype"):  # an empty list is of any type
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"k: expected integers, got {array.dtype}")
    if array.shape != (num_queries,):
        raise ValueError(f"k: expected one for each of {num_queries} queries, got {array.shape}")
    for value in (array.min(initial=0), array.max(initial=0)):
        as_integer(int(value), "k", 0, MAX_RESULTS)
    return int(array.max(initial=0)), array.astype(np.int64)


def as_least_score(threshold: float) -> float:
    """The least float32 that is not below the threshold: scores are compared in float32."""
    try:
        if isinstance(threshold, (str, bytes, bytearray)):
            raise TypeError
        least = float(threshold)
    except OverflowError:  # an int beyond every float
        least = math.inf if threshold > 0 else -math.inf
    except (TypeError, ValueError):
        raise TypeError(f"threshold: expected a number, got {type(threshold).__name__}") from None
    if np.isnan(least):
        raise ValueError("threshold: expected a number, got nan")
    with np.errstate(over="ignore"):
        rounded = np.float32(least)
    if float(rounded) < least:
        rounded = np.nextafter(rounded, np.float32(np.inf))
    return float(rounded)
