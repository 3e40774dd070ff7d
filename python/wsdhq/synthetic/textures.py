"""The scenes behind the objects: sky, sea, brick, stripes and others, made of noise."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wsdhq.synthetic.grid import Array, Grid, blend, shade


def _hue(rng: np.random.Generator, saturation: float, value: float) -> Array:
    red, green, blue = colorsys.hsv_to_rgb(float(rng.random()), saturation, value)
    return 255 * np.array([red, green, blue])


def _vary(rng: np.random.Generator, colour: tuple[int, int, int], spread: float = 12.0) -> Array:
    return np.array(colour) + rng.uniform(-spread, spread, 3)


def _level(grid: Grid, start: float, stop: float) -> Array:
    """0 above `start`, 1 below `stop`, in between linear; (size, size)."""
    share = np.clip((grid.y - start) / (stop - start), 0.0, 1.0)
    return np.broadcast_to(share, (grid.size, grid.size))


def _sky(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (72, 142, 218)), _vary(rng, (186, 222, 244)), _level(grid, 0.0, 1.0))
    puffs = grid.clouds(rng, 4, 3, 4)
    return blend(image, (252, 253, 255), np.clip((puffs - 0.50) * 5.0, 0.0, 0.92))


def _sunset(rng: np.random.Generator, grid: Grid) -> Array:
    low = float(rng.uniform(0.62, 0.78))
    image = blend(_vary(rng, (86, 62, 136)), _vary(rng, (240, 116, 88)), _level(grid, 0.0, low))
    image = blend(image, _vary(rng, (254, 196, 98)), _level(grid, 0.4 * low, low + 0.1))
    streaks = grid.clouds(rng, 9, 2, 2)
    image = blend(image, (176, 74, 110), np.clip((streaks - 0.55) * 3.0, 0.0, 0.55))
    sun = np.array([rng.uniform(0.2, 0.8)])
    image = blend(image, (255, 238, 170),
                  np.minimum(grid.glows(sun, np.array([low]), np.array([0.14]), np.array([1.0])),
                             1.0))  # fmt: skip
    ground = grid.edge(grid.y - low - 0.10 * grid.ridge(rng, 4))
    return blend(image, _vary(rng, (58, 36, 58)), ground)


def _night(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (14, 16, 44), 6), _vary(rng, (44, 40, 96)), _level(grid, 0.0, 1.0))
    haze = np.clip((grid.clouds(rng, 3, 3) - 0.45) * 1.6, 0.0, 0.4)
    image = blend(image, _vary(rng, (92, 74, 150)), haze)
    count = int(rng.integers(30, 60))
    twinkle = grid.glows(
        rng.random(count), rng.random(count), rng.uniform(0.006, 0.012, count),
        rng.uniform(0.3, 1.0, count),
    )  # fmt: skip
    return blend(image, (255, 252, 232), np.minimum(twinkle, 1.0))


def _sea(rng: np.random.Generator, grid: Grid) -> Array:
    horizon = float(rng.uniform(0.18, 0.36))
    sky = blend(_vary(rng, (140, 190, 228)), _vary(rng, (224, 236, 240)), _level(grid, 0, horizon))
    depth = _level(grid, horizon, 1.0)
    water = blend(_vary(rng, (70, 140, 180)), _vary(rng, (16, 66, 120)), depth)
    # Waves look longer and higher the nearer they are.
    phase = 2 * np.pi * (14.0 * np.sqrt(depth + 0.02) + 1.2 * grid.clouds(rng, 5, 3, 2))
    crests = np.clip(np.sin(phase + 5 * grid.noise(rng, 8, 4)) - 0.62, 0.0, 1.0) * 1.6
    water = blend(water, (206, 232, 240), np.minimum(crests * (0.35 + 0.65 * depth), 0.8))
    return blend(sky, water, np.broadcast_to(grid.edge(grid.y - horizon), depth.shape))


def _beach(rng: np.random.Generator, grid: Grid) -> Array:
    shore = float(rng.uniform(0.30, 0.48)) + 0.14 * (grid.ridge(rng, 3) - 0.5)
    water = blend(_vary(rng, (120, 196, 222)), _vary(rng, (64, 176, 190)), _level(grid, 0, 0.4))
    water = blend(water, (228, 246, 246), np.clip((grid.noise(rng, 22, 5) - 0.66) * 3, 0, 0.7))
    grain = 0.90 + 0.10 * grid.clouds(rng, 3, 3) + 0.07 * rng.standard_normal((grid.size,) * 2)
    sand = shade(_vary(rng, (232, 204, 150)), grain)
    image = blend(water, sand, grid.edge(grid.y - shore))
    foam = np.exp(-(((grid.y - shore) / 0.025) ** 2))
    return blend(image, (255, 255, 250), 0.9 * foam)


def _meadow(rng: np.random.Generator, grid: Grid) -> Array:
    horizon = float(rng.uniform(0.22, 0.42)) + 0.16 * (grid.ridge(rng, 2) - 0.5)
    sky = blend(_vary(rng, (126, 186, 234)), _vary(rng, (220, 238, 246)), _level(grid, 0, 0.4))
    blades = 0.72 + 0.34 * grid.noise(rng, 8, 40) + 0.22 * grid.clouds(rng, 3, 3)
    grass = shade(_vary(rng, (98, 156, 58)), blades)
    count = int(rng.integers(0, 22))
    specks = grid.glows(
        rng.random(count), rng.uniform(0.45, 1.0, count), rng.uniform(0.008, 0.013, count),
        np.ones(count),
    )  # fmt: skip
    grass = blend(grass, (250, 244, 190), np.minimum(specks, 1.0))
    return blend(sky, grass, grid.edge(grid.y - horizon))


def _forest(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (150, 186, 132)), _vary(rng, (52, 86, 50)), _level(grid, 0.0, 0.9))
    for share in (0.55, 0.85):
        line = grid.ridge(rng, 9, 2)
        trunk = grid.edge((line - 0.62) * 0.25 + 0.010 * (grid.y - 0.5))
        image = blend(image, _vary(rng, (66, 52, 42), 10), share * trunk)
    leaves = np.clip((grid.clouds(rng, 8, 8, 3) - 0.42 - 0.42 * np.abs(grid.y - 0.1)) * 7, 0, 0.9)
    image = blend(image, _vary(rng, (58, 112, 52)), leaves)
    floor = np.clip((grid.y - 0.82 + 0.1 * grid.noise(rng, 6, 20)) * 8, 0.0, 0.9)
    return blend(image, _vary(rng, (64, 70, 36)), floor)


def _snow(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (150, 176, 206)), _vary(rng, (212, 224, 236)), _level(grid, 0, 0.6))
    for height, colour in ((0.42, (214, 226, 240)), (0.62, (240, 246, 252))):
        line = height + 0.22 * (grid.ridge(rng, 2) - 0.5)
        hill = np.minimum(1.0, 0.90 + 0.35 * np.clip(grid.y - line, 0, 0.3))
        image = blend(image, shade(_vary(rng, colour, 5), hill), grid.edge(grid.y - line))
    count = int(rng.integers(40, 80))
    flakes = grid.glows(
        rng.random(count), rng.random(count), rng.uniform(0.007, 0.016, count),
        rng.uniform(0.5, 1.0, count),
    )  # fmt: skip
    return blend(image, (255, 255, 255), np.minimum(flakes, 1.0))


def _desert(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (120, 178, 214)), _vary(rng, (248, 222, 176)), _level(grid, 0, 0.5))
    for height, colour in ((0.40, (222, 164, 98)), (0.58, (236, 184, 112)), (0.78, (214, 152, 84))):
        line = height + 0.24 * (grid.ridge(rng, 2, 1) - 0.5)
        ripples = np.sin(2 * np.pi * (26 * (grid.y - line) + 2.0 * grid.noise(rng, 3, 4)))
        dune = shade(_vary(rng, colour, 8), 1.0 + 0.05 * ripples)
        image = blend(image, dune, grid.edge(grid.y - line))
    return image


def _mountains(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (116, 168, 220)), _vary(rng, (232, 226, 222)), _level(grid, 0, 0.7))
    near = _vary(rng, (52, 74, 78))
    for distance, height in ((0.7, 0.34), (0.4, 0.52), (0.0, 0.76)):
        line = height + 0.36 * (grid.ridge(rng, 5, 3) - 0.5)
        rock = near + (np.array([168, 184, 208]) - near) * distance
        slope = shade(rock, 0.92 + 0.16 * grid.noise(rng, 10, 20))
        if distance > 0:
            cap = grid.edge(height - 0.01 + 0.16 * (grid.noise(rng, 4, 18) - 0.5) - grid.y)
            slope = blend(slope, (246, 248, 252), 0.85 * cap)
        image = blend(image, slope, grid.edge(grid.y - line))
    return image


def _city(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (60, 74, 122)), _vary(rng, (232, 160, 140)), _level(grid, 0.0, 0.8))
    for count, low, high, colour in ((11, 0.25, 0.6, (92, 88, 128)), (8, 0.45, 0.8, (46, 46, 74))):
        tower = np.minimum((grid.x * count + rng.random()).astype(np.int64), count)
        tops = rng.uniform(low, high, count + 1)[tower]
        wall = grid.edge(grid.y - tops)
        image = blend(image, _vary(rng, colour, 8), wall)
        rows, columns = (grid.y * 22) % 1.0, (grid.x * count * 3) % 1.0
        lit = rng.random((22, count * 3)) < 0.35
        pane = lit[(grid.y * 22).astype(np.int64), (grid.x * count * 3).astype(np.int64)]
        pane = pane & (rows > 0.35) & (columns > 0.35) & (grid.y > tops + 0.02)
        image = blend(image, (250, 218, 138), 0.75 * pane.astype(np.float64))
    return image


def _underwater(rng: np.random.Generator, grid: Grid) -> Array:
    image = blend(_vary(rng, (64, 186, 196)), _vary(rng, (10, 62, 104)), _level(grid, 0.0, 1.0))
    slant = float(rng.uniform(-0.5, 0.5))
    rays = np.sin(2 * np.pi * (5 * (grid.x + slant * grid.y) + rng.random()))
    rays = np.clip(rays + 1.2 * (grid.noise(rng, 2, 6) - 0.5), 0.0, 1.0)
    image = blend(image, (190, 240, 236), 0.30 * rays * (1 - _level(grid, 0.0, 0.9)))
    count = int(rng.integers(8, 20))
    x, y, radius = rng.random(count), rng.random(count), rng.uniform(0.010, 0.026, count)
    bubbles = grid.glows(x, y, radius, np.full(count, 0.9))
    bubbles -= grid.glows(x, y, 0.6 * radius, np.full(count, 0.7))
    image = blend(image, (214, 246, 250), np.clip(bubbles, 0.0, 0.8))
    bed = grid.edge(grid.y - 0.86 - 0.1 * grid.ridge(rng, 4))
    return blend(image, _vary(rng, (150, 148, 112)), 0.8 * bed)


def _brick(rng: np.random.Generator, grid: Grid) -> Array:
    rows = int(rng.integers(7, 11))
    row = np.floor(grid.y * rows)
    along = grid.x * rows * 0.5 + 0.5 * (row % 2)
    tone = rng.uniform(0.80, 1.12, (rows, rows + 2))
    tone = tone[row.astype(np.int64), along.astype(np.int64)]
    grain = tone + 0.12 * (grid.clouds(rng, 12, 12, 2) - 0.5)
    wall = shade(_vary(rng, (166, 84, 66), 18), grain)
    to_joint_y = np.abs((grid.y * rows + 0.5) % 1.0 - 0.5) / rows
    to_joint_x = np.abs((along + 0.5) % 1.0 - 0.5) / (rows * 0.5)
    joint = grid.edge(0.011 - np.minimum(to_joint_y, to_joint_x))
    return blend(wall, _vary(rng, (206, 194, 178)), 0.85 * joint)


def _wood(rng: np.random.Generator, grid: Grid) -> Array:
    planks = int(rng.integers(4, 7))
    plank = np.minimum((grid.x * planks).astype(np.int64), planks - 1)
    tone = rng.uniform(0.84, 1.12, planks)[plank]
    fibres = np.sin(2 * np.pi * (9 * grid.noise(rng, 2, 3 * planks) + 10 * grid.x))
    grain = tone + 0.07 * fibres + 0.10 * (grid.noise(rng, 3, 30) - 0.5)
    image = shade(_vary(rng, (178, 128, 82), 8), grain * rng.uniform(0.72, 1.15))
    gap = np.abs((grid.x * planks + 0.5) % 1.0 - 0.5) / planks
    return blend(image, (66, 42, 28), 0.8 * np.broadcast_to(grid.edge(0.009 - gap), tone.shape))


def _stripes(rng: np.random.Generator, grid: Grid) -> Array:
    angle = rng.uniform(0, np.pi)
    count = rng.uniform(4, 9)
    wave = np.sin(2 * np.pi * count * (grid.x * np.cos(angle) + grid.y * np.sin(angle)))
    share = np.clip(wave * grid.size / (2 * np.pi * count) + 0.5, 0.0, 1.0)
    return blend(_hue(rng, 0.14, 0.97), _hue(rng, 0.36, 0.80), share)


def _dots(rng: np.random.Generator, grid: Grid) -> Array:
    count = rng.uniform(5, 8)
    row = np.floor(grid.y * count)
    along = (grid.x * count + 0.5 * (row % 2) + rng.random()) % 1.0 - 0.5
    down = (grid.y * count) % 1.0 - 0.5
    inside = grid.edge((rng.uniform(0.20, 0.33) - np.hypot(along, down)) / count)
    return blend(_hue(rng, 0.34, 0.86), _hue(rng, 0.20, 0.98), inside)


def _checks(rng: np.random.Generator, grid: Grid) -> Array:
    count = float(rng.integers(3, 6))
    bands_x = grid.edge((np.abs((grid.x * count) % 1.0 - 0.5) - 0.25) / count)
    bands_y = grid.edge((np.abs((grid.y * count) % 1.0 - 0.5) - 0.25) / count)
    weave = 0.97 + 0.03 * np.sign(np.sin(2 * np.pi * grid.size / 4 * (grid.x + grid.y)))
    cloth = blend(_vary(rng, (246, 242, 234), 6), _hue(rng, 0.55, 0.78), (bands_x + bands_y) / 2)
    return cloth * weave


def _studio(rng: np.random.Generator, grid: Grid) -> Array:
    base = _hue(rng, 0.26, float(rng.uniform(0.55, 0.95)))
    x, y = rng.uniform(0.2, 0.8, 2)
    glow = grid.glows(np.array([x]), np.array([y]), np.array([0.55]), np.array([1.0]))
    return shade(base, 0.78 + 0.32 * glow)


@dataclass(frozen=True)
class Scene:
    """A background.

    Attributes
    ----------
    name : str
        Its name in the vocabulary.
    paint : callable
        paint(rng, grid) gives the picture, (3, size, size) float64, about 0 .. 255.
    colours : frozenset of str
        Colours in which an object would be lost before it.
    friends : frozenset of str
        Kinds of object that are found in it more often than elsewhere.
    popularity : float
        How often it is photographed, relative to the others.
    """

    name: str
    paint: Callable[[np.random.Generator, Grid], Array]
    colours: frozenset[str]
    friends: frozenset[str]
    popularity: float


def _scene(
    name: str,
    paint: Callable[[np.random.Generator, Grid], Array],
    colours: str,
    friends: str,
    popularity: float = 1.0,
) -> Scene:
    return Scene(name, paint, frozenset(colours.split()), frozenset(friends.split()), popularity)


SCENES: tuple[Scene, ...] = (
    _scene("beach", _beach, "white turquoise", "boat umbrella bird fish star"),
    _scene("brick", _brick, "brown orange red", "heart cat key"),
    _scene("checks", _checks, "white", "apple cup flower"),
    _scene("city", _city, "black purple", "car umbrella house rocket"),
    _scene("desert", _desert, "orange brown", "car star key", 0.7),
    _scene("dots", _dots, "", "heart crown cup"),
    _scene("forest", _forest, "green black brown", "mushroom bird butterfly tree"),
    _scene("meadow", _meadow, "green", "flower butterfly tree house cat apple", 1.3),
    _scene("mountains", _mountains, "white", "balloon house tree bird"),
    _scene("night", _night, "black blue purple", "moon star rocket cat house", 1.2),
    _scene("sea", _sea, "blue turquoise", "boat fish bird", 1.2),
    _scene("sky", _sky, "blue white turquoise", "balloon bird butterfly rocket moon", 1.3),
    _scene("snow", _snow, "white", "tree house star"),
    _scene("stripes", _stripes, "", "crown fish umbrella", 0.8),
    _scene("studio", _studio, "", "cup flower apple cat crown", 1.1),
    _scene("sunset", _sunset, "orange black purple", "boat balloon car heart bird", 1.2),
    _scene("underwater", _underwater, "blue turquoise", "fish key crown", 0.8),
    _scene("wood", _wood, "brown orange", "cup apple key heart mushroom"),
)
"""All scenes, in alphabetical order."""

SCENE_NAMES: tuple[str, ...] = tuple(scene.name for scene in SCENES)
