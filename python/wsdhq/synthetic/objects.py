"""The kinds of object: how each is drawn, in what colours and how far it is turned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wsdhq.synthetic import artefacts, nature
from wsdhq.synthetic.pen import Paint, Pen

NUM_VARIANTS = 3
"""Every kind is drawn in this many ways."""


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Attributes
    ----------
    name : str
        Its name, also its column in labels.csv.
    draw : callable
        draw(pen, paint, variant) with variant in 0 .. `NUM_VARIANTS` - 1.
    colours : tuple of str
        Names of the colours it usually has.
    accents : tuple of str
        Names of the colours of its second part.
    turn : float
        Largest rotation to either side, in degrees.
    popularity : float
        How often it is photographed, relative to the others.
    """

    name: str
    draw: Callable[[Pen, Paint, int], None]
    colours: tuple[str, ...]
    accents: tuple[str, ...]
    turn: float
    popularity: float


def _kind(
    name: str,
    draw: Callable[[Pen, Paint, int], None],
    colours: str,
    accents: str,
    turn: float,
    popularity: float,
) -> Kind:
    return Kind(name, draw, tuple(colours.split()), tuple(accents.split()), turn, popularity)


_LIVELY = "red orange yellow white turquoise blue purple pink"

KINDS: tuple[Kind, ...] = (
    _kind("apple", nature.draw_apple, "red red green yellow", "white", 30, 0.9),
    _kind("balloon", artefacts.draw_balloon, "red orange purple blue turquoise", _LIVELY, 15, 0.9),
    _kind("bird", nature.draw_bird, "blue red yellow brown turquoise", "white yellow", 20, 1.1),
    _kind("boat", artefacts.draw_boat, "red blue brown white", "red yellow orange blue", 14, 1.1),
    _kind("butterfly", nature.draw_butterfly, "orange blue purple yellow pink", _LIVELY, 70, 0.9),
    _kind("car", artefacts.draw_car, "red blue yellow green white", "white", 12, 1.3),
    _kind("cat", nature.draw_cat, "orange black brown white", "white", 20, 1.5),
    _kind("crown", artefacts.draw_crown, "yellow yellow orange purple", "red blue green", 25, 0.7),
    _kind("cup", artefacts.draw_cup, "white red turquoise blue green", _LIVELY, 15, 1.0),
    _kind("fish", nature.draw_fish, "orange blue yellow red turquoise", _LIVELY, 35, 1.0),
    _kind("flower", nature.draw_flower, "red pink purple yellow white", "yellow orange", 25, 1.4),
    _kind("heart", nature.draw_heart, "red red pink purple", "white", 25, 1.1),
    _kind("house", artefacts.draw_house, "white yellow orange blue", "red brown black", 8, 1.2),
    _kind("key", artefacts.draw_key, "yellow brown black white", "white", 180, 0.7),
    _kind("moon", nature.draw_moon, "yellow yellow white orange", "white", 40, 0.9),
    _kind("mushroom", nature.draw_mushroom, "red red brown orange purple", "white", 20, 0.8),
    _kind(
        "rocket", artefacts.draw_rocket, "white red blue turquoise", "red orange yellow", 55, 0.8
    ),
    _kind("star", nature.draw_star, "yellow yellow orange red blue white", "white", 180, 1.2),
    _kind("tree", nature.draw_tree, "green green green orange pink", "white", 10, 1.4),
    _kind("umbrella", artefacts.draw_umbrella, "red purple blue pink yellow", _LIVELY, 30, 0.8),
)
"""All kinds, in alphabetical order: the order of the columns of labels.csv."""

KIND_NAMES: tuple[str, ...] = tuple(kind.name for kind in KINDS)
