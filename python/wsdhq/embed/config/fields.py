"""Settings that check themselves: each field says what it may hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import NoneType
from typing import Any, get_args, get_type_hints

from wsdhq._shared.arguments import as_choice, as_integer, as_number, did_you_mean

MAX_COUNT = 2**31 - 1
# Of a value and the name of its field: the value to keep, or an error.
Check = Callable[[Any, str], Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Frozen settings, checked when made.

    A function that needs one concern is typed by its class, and takes a `TrainConfig` as well.
    """

    def __post_init__(self) -> None:
        for name, value in check_fields(type(self), vars(self)).items():
            object.__setattr__(self, name, value)
        self._check_together()

    def _check_together(self) -> None:
        """Raise ValueError where fields that are right by themselves do not fit each other."""


def check_fields(kind: type[Settings], values: Mapping[str, object]) -> dict[str, Any]:
    """Values by field of a class, checked one by one and brought to their types.

    Raises
    ------
    TypeError, ValueError
        A value that its field refuses, or a name that is no field.
    """
    known = _checks_of(kind)
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(
                f"expected settings among {', '.join(sorted(known))}, got {name!r}"
                f"{did_you_mean(name, known)}"
            )
        check, may_be_absent = known[name]
        checked[name] = None if value is None and may_be_absent else check(value, name)
    return checked


def _checks_of(kind: type[Settings]) -> dict[str, tuple[Check, bool]]:
    """Of each field its check, and whether it may be None: `Annotated[int | None, whole(1)]`."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        found[name] = hint.__metadata__[0], NoneType in get_args(hint.__origin__)
    return found


def whole(minimum: int = 0, maximum: int = MAX_COUNT) -> Check:
    """An integer, minimum .. maximum."""

    def check(value: Any, name: str) -> int:
        # Few users care for a bound that is there for damaged files.
        return as_integer(as_integer(value, name, minimum), name, maximum=maximum)

    return check


def number(
    minimum: float | None = None, maximum: float | None = None, *, above: float | None = None
) -> Check:
    """A finite float."""
    return partial(as_number, minimum=minimum, maximum=maximum, above=above)


def choice(choices: tuple[str, ...]) -> Check:
    """One of some names."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            known = ", ".join(map(repr, choices))
            raise TypeError(f"{name}: expected one of {known}, got {type(value).__name__}")
        return as_choice(value, name, choices)

    return check


def flag() -> Check:
    """True or False."""

    def check(value: Any, name: str) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name}: expected True or False, got {type(value).__name__}")
        return value

    return check


def path() -> Check:
    """A path, kept as text."""

    def check(value: Any, name: str) -> str:
        text = os.path.expanduser(value) if isinstance(value, str | os.PathLike) else value
        if not isinstance(text, str):
            raise TypeError(
                f"{name}: expected the path of a file or folder, got {type(value).__name__}"
            )
        return text

    return check


def text() -> Check:
    """A str, of which other code knows what it may say."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{name}: expected a str, got {type(value).__name__}")
        return value

    return check
