"""What the default learns from tags of which a third is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from wsdhq.data import split_rows
from wsdhq.embed import train
from wsdhq.embed.losses import plausible_targets, tag_log_probabilities

NUM_ROWS, NUM_QUERIES, WRONG = 500, 100, 0.3


@pytest.fixture
def noisy(world):
    """`world` with other rows, whose tags are wrong as often as `WRONG` says.

    Directions that tell nothing vary most, so that the features' own neighbours are of any kind.
    """
    generator = np.random.default_rng(4)
    num_kinds = len(world.words)
    world.kinds = generator.integers(num_kinds, size=NUM_ROWS)
    centres = 2 * generator.standard_normal((num_kinds, 10))
    telling = centres[world.kinds] + generator.standard_normal((NUM_ROWS, 10))
    idle = 6 * generator.standard_normal((NUM_ROWS, 30))
    world.features = np.concatenate([telling, idle], axis=1).astype(np.float32)
    every = [word for words in world.words for word in words]
    world.tags = []
    for kind in world.kinds:
        words = generator.permutation(world.words[kind])[:2]
        careless = [generator.choice(every) if generator.random() < WRONG else w for w in words]
        world.tags.append(sorted({str(word) for word in careless}))
    np.save(world.folder / "features.npy", world.features)
    lines = "".join(json.dumps(words) + "\n" for words in world.tags)
    (world.folder / "tags.jsonl").write_text(lines)
    return world


def _same_kind(rows: np.ndarray, kinds: np.ndarray) -> float:
    """Share of the ten nearest rows, by cosine, that are of a row's kind."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argsort(-scores, axis=1)[:, :10]
    return float((kinds[nearest] == kinds[:, None]).mean())


def test_neighbours_are_of_a_kind_though_a_third_of_the_tags_is_wrong(noisy, config_for):
    settings = {"loss": "tag_softmax", "plausibility": 0.5, "epochs": 15}
    model = train(config_for(noisy.folder, num_queries=NUM_QUERIES, **settings))
    queries, database = split_rows(NUM_ROWS, NUM_QUERIES)
    embeddings = model.embed(noisy.features)
    assert _same_kind(noisy.features, noisy.kinds) < 0.35
    # By chance a sixth.
    assert _same_kind(embeddings[queries], noisy.kinds[queries]) > 0.5
    assert _same_kind(embeddings[database], noisy.kinds[database]) > 0.6

    # Where an image has a right and a wrong tag, it points to the right one.
    (own,) = zip(*({model.tags.group_of_tag[word] for word in words} for words in noisy.words))
    carried = model.tags.positives_of(noisy.tags).toarray()
    right = carried & (np.arange(carried.shape[1]) == np.array(own)[noisy.kinds][:, None])
    mixed = right.any(axis=1) & (carried & ~right).any(axis=1)
    assert mixed.sum() > 100
    logs = tag_log_probabilities(torch.from_numpy(embeddings), torch.from_numpy(model.sphere), 0.2)
    weights = torch.from_numpy(carried.astype(np.float32))
    shares = plausible_targets(weights, logs, 1.0).numpy()
    assert (carried * right)[mixed].sum() <= 0.5 * carried[mixed].sum()
    assert (shares * right)[mixed].sum() > 0.6 * shares[mixed].sum()
