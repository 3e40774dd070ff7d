"""The small files that pages speak of: vectors, and a collection of tagged images."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

# More than the 500 queries that pages hold out.
NUM_IMAGES = 560
NUM_VECTORS = 4000
_WORDS = (
    ("boat", "ship", "sea"),
    ("house", "roof"),
    ("cat", "kitten"),
    ("red", "shoes", "sneakers"),
)


def write_files(folder: Path) -> None:
    """Write what examples read into an empty folder."""
    generator = np.random.default_rng(0)
    _write_vectors(folder, generator)
    _write_images(folder, generator)


def link_files(source: Path, folder: Path) -> None:
    """The same files in another folder, without their bytes: each page begins with its own."""
    shutil.copytree(source, folder, copy_function=os.link, dirs_exist_ok=True)


def _write_vectors(folder: Path, generator: np.random.Generator) -> None:
    centres = generator.standard_normal((8, 32))
    kinds = generator.integers(8, size=NUM_VECTORS + 8)
    noise = generator.standard_normal((len(kinds), 32)) * np.linspace(1, 0.1, 32)
    vectors = (centres[kinds] + noise).astype(np.float32)
    np.save(folder / "vectors.npy", vectors[8:])
    np.save(folder / "queries.npy", vectors[:8])
    np.save(folder / "kinds.npy", kinds[8:])
    np.save(folder / "query_kinds.npy", kinds[:8])


def _write_images(folder: Path, generator: np.random.Generator) -> None:
    kinds = generator.integers(len(_WORDS), size=NUM_IMAGES)
    centres = 2 * generator.standard_normal((len(_WORDS), 16))
    features = centres[kinds] + generator.standard_normal((NUM_IMAGES, 16))
    np.save(folder / "features.npy", features.astype(np.float32))
    np.save(folder / "some_features.npy", features[:3].astype(np.float32))
    tags = [
        " ".join(str(word) for word in generator.permutation(_WORDS[kind])[:2]) for kind in kinds
    ]
    (folder / "tags.txt").write_text("\n".join(tags) + "\n")
    _write_word_vectors(folder / "GoogleNews-vectors-negative300.bin", generator)
    labels = ["kind", *(_WORDS[kind][0] for kind in kinds)]
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    # A data set of one's own, of features alone.
    (folder / "mine").mkdir()
    for name in ("features.npy", "tags.txt", "labels.csv"):
        os.link(folder / name, folder / "mine" / name)
    (folder / "photos").mkdir()
    colours = generator.integers(40, 215, size=(len(_WORDS), 3))
    pixels = colours[kinds][:, None, None] + generator.integers(-25, 25, (NUM_IMAGES, 16, 16, 3))
    for row, image in enumerate(pixels.astype(np.uint8)):
        Image.fromarray(image).save(folder / "photos" / f"{row}.png", compress_level=0)


def _write_word_vectors(path: Path, generator: np.random.Generator) -> None:
    """In word2vec's binary form, of a few words and dimensions."""
    words = [word for kind in _WORDS for word in kind]
    vectors = generator.standard_normal((len(words), 8)).astype("<f4")
    rows = [word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(words, vectors)]
    path.write_bytes(b"%d %d\n" % vectors.shape + b"".join(rows))
