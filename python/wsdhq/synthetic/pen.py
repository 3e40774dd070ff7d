"""Drawing in an object's own coordinates: turned, mirrored, scaled and placed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageDraw

from wsdhq.synthetic.colours import RGB, mix

Point = tuple[float, float]

_WHITE: RGB = (255, 255, 255)
# Shade is not black: yellow would turn olive.
_SHADE: RGB = (66, 14, 44)


@dataclass(frozen=True)
class Paint:
    """The colours of one object.

    Attributes
    ----------
    main : RGB
        What a user would call the colour of the object.
    accent : RGB
        A second colour, for a roof, a stripe, a jewel.
    """

    main: RGB
    accent: RGB

    @property
    def dark(self) -> RGB:
        """A shaded `main`."""
        return mix(self.main, _SHADE, 0.32)

    @property
    def deep(self) -> RGB:
        """A strongly shaded `main`."""
        return mix(self.main, _SHADE, 0.64)

    @property
    def light(self) -> RGB:
        """A lit `main`."""
        return mix(self.main, _WHITE, 0.38)

    @property
    def pale(self) -> RGB:
        """An almost white `main`."""
        return mix(self.main, _WHITE, 0.72)


def arc(
    x: float, y: float, radius_x: float, radius_y: float, start: float, stop: float, steps: int = 24
) -> list[Point]:
    """Points on an ellipse from angle `start` to `stop` (degrees, clockwise from the right)."""
    angles = (math.radians(start + (stop - start) * step / steps) for step in range(steps + 1))
    return [(x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles]


@lru_cache(maxsize=512)
def smooth(points: tuple[Point, ...], steps: int = 6) -> tuple[Point, ...]:
    """Close a rounded outline (Catmull-Rom spline) through `points`."""
    outline: list[Point] = []
    count = len(points)
    for i in range(count):
        before, here, there, after = (points[(i + shift) % count] for shift in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            outline.append(
                (
                    _catmull_rom(before[0], here[0], there[0], after[0], t),
                    _catmull_rom(before[1], here[1], there[1], after[1], t),
                )
            )
    return tuple(outline)


def _catmull_rom(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )


class Pen:
    """A pen that draws an object of radius one, y pointing down, onto a placed layer.

    Parameters
    ----------
    draw : ImageDraw.ImageDraw
        Where to draw: an image of four bands, the last of which is the opacity.
    centre : tuple of float
        Place of the object's origin, in pixels of the layer.
    radius : float
        Length of the object's unit, in pixels of the layer.
    angle : float
        Rotation in radians, clockwise as seen.
    mirror : bool
        Whether left and right are exchanged (before the rotation).
    stretch : float
        Factor on the width, its inverse on the height; 1 keeps the proportions.
    """

    def __init__(
        self,
        draw: ImageDraw.ImageDraw,
        centre: Point,
        radius: float,
        angle: float = 0.0,
        mirror: bool = False,
        stretch: float = 1.0,
    ) -> None:
        self._draw = draw
        self._centre = centre
        self._radius = radius
        across = radius * stretch * (-1.0 if mirror else 1.0)
        along = radius / stretch
        cosine, sine = math.cos(angle), math.sin(angle)
        self._matrix = (across * cosine, -along * sine, across * sine, along * cosine)

    def _place(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d = self._matrix
        left, top = self._centre
        return [(left + a * x + b * y, top + c * x + d * y) for x, y in points]

    def polygon(self, points: Sequence[Point], colour: RGB) -> None:
        """Fill the polygon through `points`."""
        self._draw.polygon(self._place(points), fill=(*colour, 255))

    def blob(self, points: Sequence[Point], colour: RGB) -> None:
        """Fill the rounded outline through `points`."""
        self.polygon(smooth(tuple(points)), colour)

    def ellipse(
        self,
        x: float,
        y: float,
        radius_x: float,
        radius_y: float,
        colour: RGB,
        tilt: float = 0.0,
    ) -> None:
        """Fill an ellipse whose first axis is turned by `tilt` degrees."""
        cosine, sine = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
        self.polygon(
            [
                (x + u * radius_x * cosine - v * radius_y * sine,
                 y + u * radius_x * sine + v * radius_y * cosine)
                for u, v in _CIRCLE
            ],
            colour,
        )  # fmt: skip

    def disc(self, x: float, y: float, radius: float, colour: RGB) -> None:
        """Fill a circle."""
        self.ellipse(x, y, radius, radius, colour)

    def line(self, points: Sequence[Point], width: float, colour: RGB) -> None:
        """Draw a stroke with round joints and ends; `width` in the object's units."""
        placed = self._place(points)
        thickness = max(1, round(width * self._radius))
        fill = (*colour, 255)
        self._draw.line(placed, fill=fill, width=thickness, joint="curve")
        half = thickness / 2
        for x, y in (placed[0], placed[-1]):
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)


_CIRCLE: tuple[Point, ...] = tuple(
    (math.cos(2 * math.pi * i / 28), math.sin(2 * math.pi * i / 28)) for i in range(28)
)
