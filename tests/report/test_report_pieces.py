"""The small parts of the report: text, numbers, thumbnails."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from wsdhq.report.markup import amount, escape, figure, percent
from wsdhq.report.pictures import MAX_SIDE, data_uri


def picture(width=64, height=64, mode="RGB"):
    return Image.new(mode, (width, height), 1 if mode in "LP" else None)


def test_escape_is_complete():
    assert escape('<a href="x">\'&') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;"
    assert escape(3) == "3"
    assert escape("été 日本 🐟") == "été 日本 🐟"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "50%"), (0.954, "95%"), (0.0512, "5.1%"), (1.0, "100%"), (0.0, "0%"), (None, "–")],
)
def test_percent(value, shown):
    assert percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(4, "4 B"), (1200, "1.2 kB"), (999.6, "1 kB"), (4e6, "4 MB"), (5e15, "5e+03 TB"), (None, "–")],
)
def test_amount(value, shown):
    assert amount(value) == shown


def test_figure():
    assert figure(0.12345) == "0.123"
    assert figure(float("nan")) == figure(None) == "–"


def decoded(uri):
    head, body = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(body, validate=True)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1"])
def test_thumbnails_of_any_mode(mode):
    image = decoded(data_uri(picture(500, 250, mode)))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (MAX_SIDE, MAX_SIDE // 2))


def test_thumbnails_are_small_faithful_and_never_enlarged():
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[:, :30] = (250, 10, 10)
    image = decoded(data_uri(pixels[:, ::-1]))
    assert image.size == (60, 40)
    assert np.abs(np.asarray(image)[20, 50].astype(int) - (250, 10, 10)).max() < 20
    assert np.asarray(image)[20, 10].max() < 20
    assert decoded(data_uri(np.zeros((9, 7), dtype=np.uint8))).size == (7, 9)
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    assert len(data_uri(noise)) < 60_000


def test_transparent_parts_become_white():
    assert np.asarray(decoded(data_uri(Image.new("RGBA", (8, 8), (0, 0, 0, 0))))).min() > 250


def test_the_picture_given_is_not_changed():
    image = picture(600, 600)
    data_uri(image)
    assert image.size == (600, 600)


def test_bad_pictures_are_refused():
    with pytest.raises(TypeError, match="expected uint8, got float64"):
        data_uri(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match=r"got \(4, 4, 2\)"):
        data_uri(np.zeros((4, 4, 2), dtype=np.uint8))
    with pytest.raises(TypeError, match="Pillow image or a uint8 array, got bytes"):
        data_uri(b"JPEG")
