"""A made-up collection to train on: a few kinds of thing, their features, images and tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from wsdhq.embed.config import TrainConfig
from wsdhq.embed.config.variants import variant_settings

KINDS = ("boat", "house", "tree", "fish", "star", "cup")
# Synonyms lie close together, kinds far apart.
WORDS = {kind: (kind, f"{kind}s", f"my {kind}") for kind in KINDS}
VAGUE = ("cool", "photo")


def write_world(folder: Path, num_rows: int, seed: int = 0) -> SimpleNamespace:
    """Write tags, word vectors, features and small images of `num_rows` things.

    Rows 5, 15, 25, ... have no tags.
    """
    generator = np.random.default_rng(seed)
    kinds = generator.integers(len(KINDS), size=num_rows)
    tags = []
    for row, kind in enumerate(kinds):
        words = [str(word) for word in generator.permutation(WORDS[KINDS[kind]])[:2]]
        words += [str(word) for word in VAGUE if generator.random() < 0.3]
        tags.append([] if row % 10 == 5 else words)
    (folder / "tags.jsonl").write_text("".join(json.dumps(words) + "\n" for words in tags))

    centres = 3 * generator.standard_normal((len(KINDS), 10))
    features = centres[kinds] + generator.standard_normal((num_rows, 10))
    np.save(folder / "features.npy", features.astype(np.float32))

    hues = generator.integers(40, 215, size=(len(KINDS), 3))
    noise = generator.integers(-40, 40, size=(num_rows, 16, 16, 3))
    pixels = (hues[kinds][:, None, None, :] + noise).astype(np.uint8)
    (folder / "images").mkdir()
    for row, image in enumerate(pixels):
        Image.fromarray(image).save(folder / "images" / f"{row}.png", compress_level=0)

    directions = generator.standard_normal((len(KINDS) + len(VAGUE), 8))
    lines = []
    for place, kind in enumerate(KINDS):
        for word in WORDS[kind]:
            vector = directions[place] + 0.02 * generator.standard_normal(8)
            lines.append(" ".join([word.replace(" ", "_"), *(f"{x:.6f}" for x in vector)]))
    for place, word in enumerate(VAGUE, start=len(KINDS)):
        lines.append(" ".join([word, *(f"{x:.6f}" for x in directions[place])]))
    (folder / "words.vec").write_text(f"{len(lines)} 8\n" + "\n".join(lines) + "\n")
    return SimpleNamespace(
        folder=folder,
        kinds=kinds,
        words=tuple(WORDS.values()),
        tags=tags,
        features=features,
        pixels=pixels,
    )


def make_config(
    folder: Path, out: str = "run", variant: str | None = None, **changes
) -> TrainConfig:
    """Settings for a few seconds of training on `write_world(folder)` in features mode.

    Those of `variant` stand above `changes`.
    """
    settings = {
        "out": folder / out,
        "tags": folder / "tags.jsonl",
        "features": folder / "features.npy",
        "word_vectors": folder / "words.vec",
        "radius": 0.2,
        "bits": 16,
        "num_queries": 20,
        "epochs": 4,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "hidden_dim": 16,
        "dropout": 0.1,
        "image_size": 16,
        "threads": 1,
        "min_count": 1,
    }
    if "images" in changes:
        settings["features"] = None
    settings |= changes
    return TrainConfig(**(settings if variant is None else variant_settings(variant, settings)))


@pytest.fixture
def world(tmp_path: Path) -> SimpleNamespace:
    """A small collection in `tmp_path`."""
    return write_world(tmp_path, num_rows=180)


@pytest.fixture
def config_for() -> Callable[..., TrainConfig]:
    """`make_config`, for tests that train."""
    return make_config


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A finished run in features mode: `world`, `config`, `model`. Not to be written to."""
    from wsdhq.embed import train

    world = write_world(tmp_path_factory.mktemp("trained"), num_rows=180)
    config = make_config(world.folder, epochs=10)
    return SimpleNamespace(world=world, config=config, model=train(config))


@pytest.fixture(scope="session")
def trained_as_paper(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """As `trained`, with the paper's objective: jointly with the quantizer, in its metric."""
    from wsdhq.embed import train

    world = write_world(tmp_path_factory.mktemp("paper"), num_rows=180)
    config = make_config(world.folder, variant="WSDHQ", epochs=10, update_every=2)
    return SimpleNamespace(world=world, config=config, model=train(config))


@pytest.fixture(scope="session")
def trained_on_images(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A finished run in images mode: `world`, `config`, `model`. Not to be written to."""
    from wsdhq.embed import train

    world = write_world(tmp_path_factory.mktemp("images"), num_rows=120)
    images = world.folder / "images"
    config = make_config(world.folder, images=images, epochs=3, learning_rate=1e-3)
    return SimpleNamespace(world=world, config=config, model=train(config))
