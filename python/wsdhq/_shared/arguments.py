"""Checks of single arguments: every error reads `name: expected ..., got ...`."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

T = TypeVar("T")
N = TypeVar("N", int, float)


def as_integer(
    value: object, name: str, minimum: int | None = None, maximum: int | None = None
) -> int:
    """`value` as an int within its bounds; TypeError for bool, float and whatever is no integer."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected an integer, got bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None
    return _within(number, name, minimum, maximum)


def as_number(
    value: object,
    name: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    above: float | None = None,
) -> float:
    """`value` as a finite float within its bounds, of which `above` itself is left out."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite number, got {number}")
    if above is not None and number <= above:
        raise ValueError(f"{name}: expected a number above {above}, got {number}")
    return _within(number, name, minimum, maximum)


def as_choice(value: T, name: str, choices: Iterable[T]) -> T:
    """`value`, if it is one of the choices."""
    known = list(choices)
    if not any(type(value) is type(choice) and value == choice for choice in known):
        raise ValueError(
            f"{name}: expected one of {', '.join(map(repr, known))}, got {value!r}"
            f"{did_you_mean(value, known)}"
        )
    return value


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """The end of a message about an unknown name: the one it is most like, or nothing."""
    import difflib

    close = difflib.get_close_matches(str(name), [str(each) for each in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _within(number: N, name: str, minimum: float | None, maximum: float | None) -> N:
    if (minimum is None or number >= minimum) and (maximum is None or number <= maximum):
        return number
    if minimum is None:
        wanted = f"at most {maximum}"
    elif maximum is None:
        wanted = f"at least {minimum}"
    else:
        wanted = f"{minimum} to {maximum}"
    raise ValueError(f"{name}: expected {wanted}, got {number}")


@contextmanager
def about(what: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of content that the block raises begin with the file or argument they are about."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{what}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
