"""Named colours: what objects are painted in and what users tag."""

from __future__ import annotations

import colorsys

import numpy as np

RGB = tuple[int, int, int]

# Ranges of hue (turns, may pass 1), saturation and value that people call by one name.
_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((0.97, 1.02), (0.78, 0.95), (0.78, 0.95)),
    "orange": ((0.06, 0.09), (0.80, 0.95), (0.92, 1.00)),
    "yellow": ((0.13, 0.155), (0.70, 0.92), (0.94, 1.00)),
    "green": ((0.30, 0.40), (0.55, 0.80), (0.48, 0.74)),
    "turquoise": ((0.47, 0.52), (0.60, 0.85), (0.70, 0.85)),
    "blue": ((0.58, 0.63), (0.68, 0.90), (0.65, 0.92)),
    "purple": ((0.74, 0.79), (0.50, 0.72), (0.58, 0.80)),
    "pink": ((0.90, 0.94), (0.38, 0.58), (0.94, 1.00)),
    "brown": ((0.05, 0.08), (0.55, 0.72), (0.42, 0.58)),
    "white": ((0.00, 1.00), (0.00, 0.04), (0.94, 1.00)),
    "black": ((0.60, 0.70), (0.05, 0.20), (0.14, 0.24)),
}

COLOUR_NAMES: tuple[str, ...] = tuple(_RANGES)


def sample_colour(rng: np.random.Generator, name: str) -> RGB:
    """Draw one shade of a named colour.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the shade; three numbers are taken from it.
    name : str
        One of `COLOUR_NAMES`.

    Returns
    -------
    tuple of int
        Red, green and blue, 0 .. 255.
    """
    hue, saturation, value = (
        low + (high - low) * share
        for (low, high), share in zip(_RANGES[name], rng.random(3).tolist(), strict=True)
    )
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Blend two colours: `share` = 0 gives `first`, 1 gives `second`."""
    return (
        round(first[0] + (second[0] - first[0]) * share),
        round(first[1] + (second[1] - first[1]) * share),
        round(first[2] + (second[2] - first[2]) * share),
    )
