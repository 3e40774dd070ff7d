"""What each image shows: scene, style and objects, decided before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsdhq.synthetic.colours import COLOUR_NAMES
from wsdhq.synthetic.objects import KINDS, NUM_VARIANTS
from wsdhq.synthetic.textures import SCENES

STYLE_NAMES: tuple[str, ...] = ("plain", "monochrome", "vintage", "bokeh")
_STYLE_SHARES = (0.82, 0.05, 0.06, 0.07)
_KINDS_SHARES = (0.46, 0.37, 0.17)  # one, two or three kinds in an image
_GROUP_SHARE = 0.12  # images of one kind that show several of it
_FRIEND_WEIGHT = 3.0
_USUAL_COLOUR_SHARE = 0.85

# Radii as shares of the image's side, by the number of objects.
_RADII = {1: (0.31, 0.41), 2: (0.23, 0.29), 3: (0.19, 0.24)}

# Numbered from one: numpy takes the keys (1, 2) and (1, 2, 0) for the same.
_STREAMS = {"composition": 1, "picture": 2, "tags": 3, "users": 4}


def stream(seed: int, index: int, purpose: str) -> np.random.Generator:
    """Give the generator of one image for one purpose.

    It depends on nothing but its arguments, so image `index` is the same in a world of
    any length, and what is drawn does not shift what is tagged.

    Parameters
    ----------
    seed : int
        Seed of the world, at least 0.
    index : int
        Number of the image, at least 0.
    purpose : str
        "composition", "picture", "tags" or "users" (of the world: index 0).

    Returns
    -------
    numpy.random.Generator
    """
    return np.random.default_rng((seed, index, _STREAMS[purpose]))


@dataclass(frozen=True)
class PlacedObject:
    """One object of an image.

    Attributes
    ----------
    kind : int
        Its place in `KINDS`.
    colour, accent : str
        Names of its colours, of `COLOUR_NAMES`.
    x, y : float
        Its centre, as shares of the image's side.
    radius : float
        Half its extent, as a share of the image's side.
    angle : float
        Rotation in radians, clockwise.
    mirror : bool
        Whether left and right are exchanged.
    stretch : float
        Factor on the width, its inverse on the height.
    variant : int
        Which of the ways of drawing its kind, 0 .. `NUM_VARIANTS` - 1.
    """

    kind: int
    colour: str
    accent: str
    x: float
    y: float
    radius: float
    angle: float
    mirror: bool
    stretch: float
    variant: int


@dataclass(frozen=True)
class Composition:
    """What one image shows.

    Attributes
    ----------
    scene : int
        Its background's place in `SCENES`.
    style : str
        One of `STYLE_NAMES`.
    objects : tuple of PlacedObject
        One to three, the first drawn first.
    """

    scene: int
    style: str
    objects: tuple[PlacedObject, ...]

    @property
    def kinds(self) -> tuple[int, ...]:
        """The distinct kinds of its objects, ascending."""
        return tuple(sorted({item.kind for item in self.objects}))


def _pick(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """A place drawn in proportion to the weights."""
    mark = float(rng.random()) * math.fsum(weights)
    for place, weight in enumerate(weights):
        mark -= weight
        if mark < 0:
            return place
    return len(weights) - 1


def _pick_colour(
    rng: np.random.Generator, usual: tuple[str, ...], avoided: frozenset[str], strict: bool
) -> str:
    """A usual colour, or sometimes any; not one of those avoided where there is a choice."""
    pool: Sequence[str] = usual
    if not strict and rng.random() > _USUAL_COLOUR_SHARE:
        pool = COLOUR_NAMES
    allowed = [name for name in pool if name not in avoided] or list(pool)
    return allowed[int(rng.integers(len(allowed)))]


def _pick_places(rng: np.random.Generator, radii: list[float]) -> list[tuple[float, float]]:
    """Centres within the image that overlap as little as a dozen attempts allow."""
    best: list[tuple[float, float]] = []
    best_gap = -math.inf
    for _ in range(14):
        share = rng.random((len(radii), 2)).tolist()
        places = []
        for radius, (u, v) in zip(radii, share, strict=True):
            margin = 0.92 * radius
            places.append((margin + u * (1 - 2 * margin), margin + v * (1 - 2 * margin)))
        gap = math.inf
        for i in range(len(places)):
            for j in range(i):
                apart = math.dist(places[i], places[j])
                gap = min(gap, apart / (radii[i] + radii[j]))
        if gap > best_gap:
            best, best_gap = places, gap
        if best_gap >= 1.0:
            break
    return best


def compose(seed: int, index: int) -> Composition:
    """Decide what image `index` of the world of `seed` shows.

    Parameters
    ----------
    seed : int
        Seed of the world, at least 0.
    index : int
        Number of the image, at least 0.

    Returns
    -------
    Composition
        A function of `seed` and `index` alone.
    """
    rng = stream(seed, index, "composition")
    scene_place = _pick(rng, [scene.popularity for scene in SCENES])
    scene = SCENES[scene_place]
    style = STYLE_NAMES[_pick(rng, _STYLE_SHARES)]
    weights = [
        kind.popularity * (_FRIEND_WEIGHT if kind.name in scene.friends else 1.0) for kind in KINDS
    ]
    kinds: list[int] = []
    for _ in range(1 + _pick(rng, _KINDS_SHARES)):
        place = _pick(rng, weights)
        weights[place] = 0.0
        kinds.append(place)
    if len(kinds) == 1 and rng.random() < _GROUP_SHARE / _KINDS_SHARES[0]:
        kinds *= int(rng.integers(2, 4))
    low, high = _RADII[len(kinds)]
    radii = rng.uniform(low, high, len(kinds)).tolist()
    objects = []
    for place, radius, (x, y) in zip(kinds, radii, _pick_places(rng, radii), strict=True):
        kind = KINDS[place]
        colour = _pick_colour(rng, kind.colours, scene.colours, strict=False)
        objects.append(
            PlacedObject(
                kind=place,
                colour=colour,
                accent=_pick_colour(rng, kind.accents, frozenset((colour,)), strict=True),
                x=x,
                y=y,
                radius=radius,
                angle=math.radians(kind.turn) * float(rng.uniform(-1.0, 1.0)),
                mirror=bool(rng.random() < 0.5),
                stretch=float(rng.uniform(0.92, 1.08)),
                variant=int(rng.integers(NUM_VARIANTS)),
            )
        )
    return Composition(scene_place, style, tuple(objects))
