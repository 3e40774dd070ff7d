"""From a composition to pixels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from wsdhq.synthetic.colours import RGB, mix, sample_colour
from wsdhq.synthetic.composition import Composition, PlacedObject, stream
from wsdhq.synthetic.grid import Array, Grid, blend, shade
from wsdhq.synthetic.objects import KINDS
from wsdhq.synthetic.pen import Paint, Pen
from wsdhq.synthetic.textures import SCENES

# Objects are drawn this many times larger, then reduced: Pillow itself does not smooth edges.
_OVERSAMPLING = 4
_INK: RGB = (30, 22, 40)
_LUMA = (0.299, 0.587, 0.114)
_SEPIA = (1.10, 0.94, 0.70)


@lru_cache(maxsize=4)
def _grid(size: int) -> Grid:
    return Grid(size)


@lru_cache(maxsize=4)
def _vignette(size: int) -> Array:
    grid = _grid(size)
    return np.clip((grid.x - 0.5) ** 2 + (grid.y - 0.5) ** 2 - 0.10, 0.0, None)


def paint(seed: int, index: int, composition: Composition, size: int) -> Image.Image:
    """Paint one image.

    Parameters
    ----------
    seed : int
        Seed of the world, at least 0.
    index : int
        Number of the image, at least 0.
    composition : Composition
        What it shows: compose(seed, index).
    size : int
        Pixels along each side.

    Returns
    -------
    PIL.Image.Image
        RGB, size x size; a function of the arguments alone.
    """
    rng = stream(seed, index, "picture")
    grid = _grid(size)
    scene = SCENES[composition.scene].paint(rng, grid)
    scene = _add_clutter(rng, grid, scene)
    image = _to_image(scene)
    for placed in composition.objects:
        _add_object(rng, image, placed, size)
    return _develop(rng, grid, image, composition.style)


def _add_clutter(rng: np.random.Generator, grid: Grid, image: Array) -> Array:
    """Uneven light and a few soft coloured patches, so that pixels alone say little."""
    slope_x, slope_y = rng.uniform(-0.28, 0.28, 2)
    light = rng.uniform(0.82, 1.12) + slope_x * (grid.x - 0.5) + slope_y * (grid.y - 0.5)
    image = image * light
    for _ in range(int(rng.integers(0, 4))):
        place = rng.random((2, 1))
        patch = grid.glows(place[0], place[1], rng.uniform(0.08, 0.22, 1), np.array([0.35]))
        image = blend(image, rng.uniform(40, 250, 3), patch)
    return image


def _add_object(
    rng: np.random.Generator, image: Image.Image, placed: PlacedObject, size: int
) -> None:
    """Draw an object on a layer of its own, then its shadow, outline and itself."""
    kind = KINDS[placed.kind]
    unit = max(1, round(size / 64))
    colours = Paint(sample_colour(rng, placed.colour), sample_colour(rng, placed.accent))
    radius = placed.radius * size
    half = math.ceil(1.24 * radius) + 3 * unit
    left, top = math.floor(placed.x * size) - half, math.floor(placed.y * size) - half
    rim = mix(colours.deep, _INK, 0.6)
    # Four plain bands, not RGBA, whose reduction takes three times as long to keep colour and
    # opacity apart; here an edge may well fade into the colour of the outline.
    layer = Image.new("RGBX", (2 * half * _OVERSAMPLING,) * 2, (*rim, 0))
    pen = Pen(
        ImageDraw.Draw(layer),
        ((placed.x * size - left) * _OVERSAMPLING, (placed.y * size - top) * _OVERSAMPLING),
        radius * _OVERSAMPLING,
        placed.angle,
        placed.mirror,
        placed.stretch,
    )
    kind.draw(pen, colours, placed.variant)
    *bands, alpha = layer.reduce(_OVERSAMPLING).split()
    nothing = Image.new("L", alpha.size)
    shadow = Image.blend(nothing, alpha.filter(ImageFilter.GaussianBlur(1.4 * unit)), 0.4)
    outline = Image.blend(nothing, alpha.filter(ImageFilter.MaxFilter(2 * unit + 1)), 0.6)
    image.paste(_INK, (left + unit, top + 2 * unit), shadow)
    image.paste(rim, (left, top), outline)
    image.paste(Image.merge("RGB", bands), (left, top), alpha)


def _to_image(pixels: Array) -> Image.Image:
    """(3, size, size) of about 0 .. 255 to an RGB image."""
    rounded = np.clip(np.rint(pixels), 0.0, 255.0).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(rounded.transpose(1, 2, 0)))


def _develop(rng: np.random.Generator, grid: Grid, image: Image.Image, style: str) -> Image.Image:
    """Style, exposure, white balance, vignette and grain of the camera."""
    pixels = np.asarray(image).transpose(2, 0, 1).astype(np.float64, order="C")
    if style == "bokeh":
        count = int(rng.integers(5, 10))
        x, y, radius = rng.random(count), rng.random(count), rng.uniform(0.03, 0.09, count)
        for i in range(count):
            away = radius[i] - np.hypot(grid.x - x[i], grid.y - y[i])
            disc = grid.edge(away) * (0.22 + 0.25 * np.exp(-((away / 0.012) ** 2)))
            pixels = blend(pixels, rng.uniform((200, 150, 90), (255, 255, 220)), disc)
    contrast, exposure = rng.uniform(0.88, 1.10), rng.uniform(0.90, 1.10)
    tint = exposure * rng.uniform(0.96, 1.04, 3)
    grain = rng.uniform(2.0, 6.5)
    if style in ("monochrome", "vintage"):
        grey = _LUMA[0] * pixels[0] + _LUMA[1] * pixels[1] + _LUMA[2] * pixels[2]
        pixels = shade(_SEPIA if style == "vintage" else (1.0, 1.0, 1.0), grey)
        tint = np.full(3, exposure)
        grain *= 1.4
    pixels -= 128.0
    pixels *= contrast
    pixels += 128.0
    pixels *= shade(tint, 1.0 - rng.uniform(0.0, 0.9) * _vignette(grid.size))
    # Grain is the same in the three channels, as in film.
    pixels += grain * rng.standard_normal((grid.size, grid.size))
    return _to_image(pixels)
