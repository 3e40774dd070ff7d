"""Docstrings in the reference as they are written.

Types are "int, 1 to 1024" and not a tuple of two expressions; parameters that are described
together stay together, each with its own default; a constant's name becomes its value.
"""

from __future__ import annotations

from typing import Any

import griffe

_TYPED = ("parameters", "other parameters", "attributes", "returns", "yields", "raises")


class PlainTypes(griffe.Extension):
    """Works on the parsed sections of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        for parameter in getattr(obj, "parameters", ()):
            parameter.default = _value(obj, parameter.default)
        if obj.docstring is None:
            return
        defaults = {p.name: p.default for p in getattr(obj, "parameters", ())}
        for section in obj.docstring.parsed:
            if section.kind.value in _TYPED:
                for item in section.value:
                    if isinstance(item.annotation, griffe.ExprTuple):
                        item.annotation = ", ".join(map(str, item.annotation.elements))
            if section.kind.value == "parameters":
                for item in section.value:
                    item.value = _value(obj, defaults.get(item.name, item.value))
                section.value[:] = _together(section.value)


def _together(items: list[Any]) -> list[Any]:
    """Neighbours with the same description as one."""
    joined: list[Any] = []
    for item in items:
        last = joined[-1] if joined else None
        if last is None or not item.description or last.description != item.description:
            joined.append(item)
            continue
        last.name = f"{last.name}, {item.name}"
        if last.value is not None or item.value is not None:
            last.value = ", ".join(str(value) for value in (last.value, item.value))
    return joined


def _value(obj: griffe.Object, default: Any) -> Any:
    """The number that a constant's name stands for, where it does."""
    if not isinstance(default, griffe.ExprName):
        return default
    try:
        value = getattr(obj.module.members.get(default.name), "value", None)
    except griffe.AliasResolutionError:
        value = None
    return default if value is None else value
