"""Messages about images that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_NAMES_SHOWN = 5


class _Skipped(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def reason(self) -> str: ...


def list_skipped(skipped: Sequence[_Skipped]) -> str:
    """Name images that could not be read, for a message.

    Parameters
    ----------
    skipped : sequence of SkippedImage

    Returns
    -------
    str
        The first five with what is wrong, and how many more there are.
    """
    shown = "; ".join(f"{image.name} ({image.reason})" for image in skipped[:_NAMES_SHOWN])
    more = len(skipped) - _NAMES_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown
