"""Callbacks that are told how far a reproduction is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsdhq.data import SkippedImage


def _nothing(*_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Listener:
    """What is called while cells are computed; by default nothing.

    Attributes
    ----------
    log : callable (line)
        Something was done.
    stage : callable (description)
        Something of a length not known yet begins.
    advance : callable (done, total)
        How far the stage is.
    skipped : callable (images, number of images in all)
        Images cannot be read and are left out.
    """

    log: Callable[[str], None] = _nothing
    stage: Callable[[str], None] = _nothing
    advance: Callable[[float, float], None] = _nothing
    skipped: Callable[[Sequence[SkippedImage], int], None] = _nothing
