"""Smooth noise, edges and blends over the unit square: what textures are made of."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@lru_cache(maxsize=128)
def _interpolation(size: int, cells: int) -> Array:
    """Weights (size, cells + 1) that interpolate cells + 1 knots smoothly at pixel centres."""
    place = (np.arange(size) + 0.5) / size * cells
    left = np.minimum(place.astype(np.int64), cells - 1)
    t = place - left
    t = t * t * (3 - 2 * t)
    weights = np.zeros((size, cells + 1))
    rows = np.arange(size)
    weights[rows, left] = 1 - t
    weights[rows, left + 1] += t
    return weights


class Grid:
    """The pixels of a square image in unit coordinates.

    Parameters
    ----------
    size : int
        Pixels along each side.

    Attributes
    ----------
    size : int
        Pixels along each side.
    x : ndarray of float64, shape (1, size)
        Pixel centres, 0 at the left edge and 1 at the right.
    y : ndarray of float64, shape (size, 1)
        Pixel centres, 0 at the top edge and 1 at the bottom.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        centres = (np.arange(size) + 0.5) / size
        self.x: Array = centres[None, :]
        self.y: Array = centres[:, None]

    def noise(self, rng: np.random.Generator, down: int, across: int) -> Array:
        """Smooth noise in [0, 1], (size, size), from a lattice of down x across cells."""
        knots = rng.random((down + 1, across + 1))
        return _interpolation(self.size, down) @ knots @ _interpolation(self.size, across).T

    def clouds(self, rng: np.random.Generator, down: int, across: int, octaves: int = 3) -> Array:
        """Noise summed over octaves, each twice as fine and half as strong; in [0, 1]."""
        total = np.zeros((self.size, self.size))
        weight, weights = 1.0, 0.0
        for _ in range(octaves):
            total += weight * self.noise(rng, down, across)
            weights += weight
            down, across, weight = 2 * down, 2 * across, weight / 2
        return total / weights

    def ridge(self, rng: np.random.Generator, cells: int, octaves: int = 2) -> Array:
        """A wobbling line: heights (1, size) in [0, 1]."""
        total = np.zeros(self.size)
        weight, weights = 1.0, 0.0
        for _ in range(octaves):
            total += weight * (_interpolation(self.size, cells) @ rng.random(cells + 1))
            weights += weight
            cells, weight = 2 * cells, weight / 2.5
        return (total / weights)[None, :]

    def edge(self, distance: Array) -> Array:
        """1 where `distance` (units) is positive, 0 where negative, smooth over one pixel."""
        return np.clip(distance * self.size + 0.5, 0.0, 1.0)

    def glows(self, x: Array, y: Array, radius: Array, strength: Array) -> Array:
        """A sum of soft round spots, (size, size); all arguments have shape (count,)."""
        across = np.exp(-(((self.x - x[:, None]) / radius[:, None]) ** 2))
        down = np.exp(-(((self.y.T - y[:, None]) / radius[:, None]) ** 2))
        return (down * strength[:, None]).T @ across


def blend(first: ArrayLike, second: ArrayLike, share: Array) -> Array:
    """Mix two colours (3,) or images (3, rows, columns).

    `share` (rows, columns), or one of either, is 0 for `first` and 1 for `second`.
    """
    start, stop = _planes(first), _planes(second)
    mixed = (stop - start) * share
    mixed += start
    return mixed


def shade(colour: ArrayLike, factor: Array) -> Array:
    """Multiply a colour (3,) by a brightness (rows, columns): an image (3, rows, columns)."""
    return _planes(colour) * factor


def _planes(colour: ArrayLike) -> Array:
    # One plane per channel: long inner loops, several times faster than channels last.
    array = np.asarray(colour, dtype=np.float64)
    return array[:, None, None] if array.ndim == 1 else array
