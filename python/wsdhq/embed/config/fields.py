"""Settings that check themselves: each field says what it may hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from wsdhq._shared.arguments import as_choice, as_integer, as_number, did_you_mean

MAX_COUNT = 2**31 - 1


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
    known = {each.name: each for each in fields(kind)}
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(
                f"expected settings among {', '.join(sorted(known))}, got {name!r}"
                f"{did_you_mean(name, known)}"
            )
        # Annotations are strings here: "int | None" and the like.
        is_absent = value is None and str(known[name].type).endswith(" | None")
        checked[name] = None if is_absent else known[name].metadata["check"](value, name)
    return checked


def _field(check: Callable[[Any, str], Any], default: object) -> Any:
    metadata = {"check": check}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def whole(default: int | None, minimum: int = 0, maximum: int = MAX_COUNT) -> Any:
    """A field of an integer, minimum .. maximum."""

    def check(value: Any, name: str) -> int:
        # Few users care for a bound that is there for damaged files.
        return as_integer(as_integer(value, name, minimum), name, maximum=maximum)

    return _field(check, default)


def number(
    default: float | None,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    above: float | None = None,
) -> Any:
    """A field of a finite float."""
    return _field(partial(as_number, minimum=minimum, maximum=maximum, above=above), default)


def choice(default: str | None, choices: tuple[str, ...]) -> Any:
    """A field of one of some names."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            known = ", ".join(map(repr, choices))
            raise TypeError(f"{name}: expected one of {known}, got {type(value).__name__}")
        return as_choice(value, name, choices)

    return _field(check, default)


def flag(default: bool) -> Any:
    """A field of True or False."""

    def check(value: Any, name: str) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name}: expected True or False, got {type(value).__name__}")
        return value

    return _field(check, default)


def path(default: str | None = ...) -> Any:  # type: ignore[assignment]
    """A field of a path, kept as text; required without a default."""

    def check(value: Any, name: str) -> str:
        text = os.path.expanduser(value) if isinstance(value, str | os.PathLike) else value
        if not isinstance(text, str):
            raise TypeError(
                f"{name}: expected the path of a file or folder, got {type(value).__name__}"
            )
        return text

    return _field(check, default)


def text(default: str) -> Any:
    """A field of a str, of which other code knows what it may say."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{name}: expected a str, got {type(value).__name__}")
        return value

    return _field(check, default)
