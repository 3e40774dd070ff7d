"""Types of docstrings as they are written: "int, 1 to 1024" and not a tuple of two expressions."""

from __future__ import annotations

from typing import Any

import griffe

_SECTIONS = ("parameters", "other parameters", "attributes", "returns", "yields", "raises")


class PlainTypes(griffe.Extension):
    """Turns parsed types of docstrings back into text; names of modules' constants into values."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            for section in obj.docstring.parsed:
                if section.kind.value in _SECTIONS:
                    for item in section.value:
                        _make_plain(item)
        for parameter in getattr(obj, "parameters", ()):
            parameter.default = _value(obj, parameter.default)


def _make_plain(item: Any) -> None:
    if isinstance(item.annotation, griffe.ExprTuple):
        item.annotation = ", ".join(map(str, item.annotation.elements))


def _value(obj: griffe.Object, default: Any) -> Any:
    """The number that a constant's name stands for, where it does."""
    if not isinstance(default, griffe.ExprName):
        return default
    try:
        value = getattr(obj.module.members.get(default.name), "value", None)
    except griffe.AliasResolutionError:
        value = None
    return default if value is None else value
