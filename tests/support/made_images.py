"""Images made on the spot, whole and damaged, for tests that read files."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image


def encoded(colour=(200, 30, 60), size=(20, 30), extension="JPEG", mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, extension, **options)
    return file.getvalue()


def noisy_jpeg(seed=0, size=(64, 48)):
    pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0], 3))
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def grey(level):
    """Return a PNG of one grey level, by which rows can be told apart after decoding."""
    return encoded((level, level, level), extension="PNG")


def write_folder(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pixel_bomb():
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + header + check + b"\x00\x00\x00\x09IDAT"


def damage_entry(path, name, find, replacement):
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset
    place = content.index(find, start)
    path.write_bytes(content[:place] + replacement + content[place + len(find) :])
