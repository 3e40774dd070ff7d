"""One encoded image as a Pillow image in RGB.

Pillow is imported when the first image is decoded, so that the rest of `wsdhq.data` works
without it.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

# Only these: among Pillow's other formats is EPS, for which it starts Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_STRIP_PIXELS = 1 << 20
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})


@functools.cache
def pillow_formats() -> tuple[str, ...]:
    """Return the formats to read which this Pillow knows; ImportError if there is no Pillow."""
    try:
        from PIL import Image
    except ImportError as error:
        from wsdhq._shared.extras import install_command

        raise ImportError(f"reading images needs Pillow: {install_command('train')}") from error
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def decode_rgb(data: bytes, formats: tuple[str, ...], at_least: int | None) -> Image.Image:
    """Decode one encoded image.

    Parameters
    ----------
    data : bytes
        The content of an image file.
    formats : tuple of str
        Formats to try, as `pillow_formats` gives them.
    at_least : int or None
        A JPEG may be decoded at a half, quarter or eighth of its size, as long as no side
        gets shorter than this. None decodes at full size.

    Returns
    -------
    PIL.Image.Image
        In mode RGB, all pixels loaded: the first frame, upright, transparent parts on white.

    Raises
    ------
    Exception
        Damaged data makes Pillow raise nearly anything; data that is empty, of no known
        format or of too many pixels is a ValueError.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not data:
        raise ValueError("the file is empty (0 bytes)")
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise ValueError(
            f"no image in a known format ({', '.join(formats)}), or damaged where it begins: it "
            f"starts with {data[:8]!r}"
        ) from None
    pixels = image.width * image.height
    # Pillow itself only warns up to twice its limit.
    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        raise ValueError(
            f"{image.width} x {image.height} pixels are more than Pillow's limit of "
            f"{Image.MAX_IMAGE_PIXELS} (PIL.Image.MAX_IMAGE_PIXELS)"
        )
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    image.load()
    # The pixels are whole: damaged camera data only means that no orientation is known.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _in_strips(image, _grey_of_integers)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _in_strips(image, _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert some rows at a time: beside the image and the result there is little memory."""
    from PIL import Image

    result = Image.new("RGB", image.size)
    rows = max(1, _STRIP_PIXELS // max(image.width, 1))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        # A crop leaves out what a palette says of transparency.
        strip.info.update(image.info)
        result.paste(convert(strip), (0, top))
    return result


def _grey_of_integers(image: Image.Image) -> Image.Image:
    from PIL import Image

    # Pillow's own conversion would clip at 255 and leave a white image.
    grey = np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    with_alpha = image.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(white, with_alpha).convert("RGB")
