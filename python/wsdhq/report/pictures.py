"""Thumbnails: any picture to a small JPEG that travels inside the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

# Twice the size at which they are shown, for screens with two pixels per point.
MAX_SIDE = 208


def aspect_ratio(image: Any) -> float:
    """Width over height of a picture (Pillow image or array)."""
    width, height = image.shape[1::-1] if isinstance(image, np.ndarray) else image.size
    return float(width / height)


def data_uri(image: Any, max_side: int = MAX_SIDE) -> str:
    """Encode a picture as a `data:` URI.

    Parameters
    ----------
    image : PIL.Image.Image, or (H, W, 3) or (H, W) uint8 array
        Never enlarged. Transparent parts become white.
    max_side : int
        Largest width or height in pixels.

    Returns
    -------
    str
        "data:image/jpeg;base64,..."

    Raises
    ------
    TypeError
        Neither a Pillow image nor a uint8 array.
    ValueError
        An array of another shape.
    """
    # Imported here: a report without pictures needs no Pillow.
    from PIL import Image

    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise TypeError(f"a picture given as an array: expected uint8, got {image.dtype}")
        if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or not image.size:
            raise ValueError(
                f"a picture given as an array: expected (H, W, 3) or (H, W), got {image.shape}"
            )
        image = Image.fromarray(np.ascontiguousarray(image))
    elif not isinstance(image, Image.Image):
        raise TypeError(
            f"a picture: expected a Pillow image or a uint8 array, got {type(image).__name__}"
        )
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        transparent = image.convert("RGBA")
        image = Image.new("RGBA", transparent.size, "white")
        image.alpha_composite(transparent)
    small = image.convert("RGB")
    small.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    encoded = io.BytesIO()
    small.save(encoded, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")
