"""Images become RGB in strips: the same pixels as at once, in little memory."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from wsdhq.data import rgb


def encoded(mode: str, size: tuple[int, int]) -> bytes:
    rng = np.random.default_rng(0)
    width, height = size
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 2**16, (height, width), dtype=np.uint16))
    elif mode == "P":
        image = Image.fromarray(rng.integers(0, 255, (height, width), dtype=np.uint8))
        image = image.convert("P")
        image.putpalette(rng.integers(0, 256, 768, dtype=np.uint8).tobytes())
    else:
        bands = len(Image.new(mode, (1, 1)).getbands())
        shape = (height, width) if bands == 1 else (height, width, bands)
        image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode)
    file = io.BytesIO()
    options = {"transparency": 7} if mode == "P" else {}
    image.save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:.*mode.*:DeprecationWarning")
@pytest.mark.parametrize("mode", ["I;16", "P", "RGBA", "LA", "L", "RGB"])
@pytest.mark.parametrize("strip", [1, 50, 113, 1 << 20])
def test_strips_do_not_show(mode: str, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(mode, (37, 23))
    whole = rgb.decode_rgb(data, rgb.pillow_formats(), None)
    monkeypatch.setattr(rgb, "_STRIP_PIXELS", strip)
    np.testing.assert_array_equal(rgb.decode_rgb(data, rgb.pillow_formats(), None), whole)
    image = Image.open(io.BytesIO(data))
    if mode == "I;16":
        expected = np.repeat((np.asarray(image) >> 8)[..., None], 3, axis=2)
    elif mode in ("RGBA", "LA", "P"):
        pixels = image.convert("RGBA")
        white = Image.new("RGBA", pixels.size, "white")
        expected = np.asarray(Image.alpha_composite(white, pixels).convert("RGB"))
    else:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(whole, expected)


MEASURE = """
import io
from PIL import Image
from wsdhq.data.rgb import decode_rgb, pillow_formats

def mib(name):
    line = next(line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1]) / 1024

file = io.BytesIO()
Image.new({mode!r}, (4000, 4000)).save(file, "PNG")
open("/proc/self/clear_refs", "w").write("5")  # the peak so far is forgotten
before = mib("VmRSS")
decode_rgb(file.getvalue(), pillow_formats(), None)
print((mib("VmHWM") - before) * 2**20 / 4000**2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")
@pytest.mark.parametrize("mode", ["RGB", "I;16", "RGBA", "LA"])
def test_an_image_takes_few_bytes_a_pixel(mode: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.format(mode=mode)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    # Four of what is decoded, four of the result, and strips.
    assert float(done.stdout) < 11
