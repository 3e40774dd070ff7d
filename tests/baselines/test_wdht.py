"""WDHT: its losses against plain loops, the vectors of tags, and what it learns from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from deep_world import TinyBackbone, World, make_world, precision
from wsdhq.baselines.deepbit import DeepBit
from wsdhq.baselines.interface import TrainingData
from wsdhq.baselines.wdht import (
    WDHT,
    hinge_loss,
    mean_tag_vectors,
    pairwise_loss,
    quantization_loss,
)
from wsdhq.embed.tags.word_vectors import WordVectors


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(300)


def drawn(rows: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def test_the_hinge_equals_plain_loops() -> None:
    predictions, means = drawn(5, 4, 0), drawn(5, 4, 1) / 4
    total = 0.0
    for n in range(5):
        for j in range(5):
            if j != n:
                difference = float((means[n] - means[j]) @ predictions[n])
                total += max(0.0, 0.2 - difference) / 20
    assert float(hinge_loss(predictions, means, 0.2)) == pytest.approx(total, rel=1e-5)
    assert float(hinge_loss(predictions[:1], means[:1])) == 0


def test_the_pairwise_loss_equals_plain_loops() -> None:
    hashes, means = torch.sigmoid(drawn(5, 3, 2)), drawn(5, 4, 3)
    total = 0.0
    for n in range(5):
        for j in range(5):
            distance = sum((float(hashes[n, m]) - float(hashes[j, m])) ** 2 for m in range(3)) / 3
            norms = math.sqrt(float(means[n] @ means[n])) * math.sqrt(float(means[j] @ means[j]))
            total += (distance - 0.7 * (1 - float(means[n] @ means[j]) / norms)) ** 2 / 25
    assert float(pairwise_loss(hashes, means, 0.7)) == pytest.approx(total, rel=1e-4)


def test_the_quantization_loss_equals_plain_loops() -> None:
    hashes = torch.sigmoid(drawn(4, 3, 4))
    total = -sum((float(value) - 0.5) ** 2 for value in hashes.flatten()) / 12
    assert float(quantization_loss(hashes)) == pytest.approx(total, rel=1e-5)


def test_gradients_point_where_the_losses_say() -> None:
    means = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    predictions = torch.zeros(2, 2, requires_grad=True)
    hinge_loss(predictions, means).backward()
    # Down the gradient each prediction goes to its own mean and from the other's.
    assert predictions.grad is not None
    assert torch.equal(predictions.grad.sign(), torch.tensor([[-1.0, 1.0], [1.0, -1.0]]))

    hashes = torch.tensor([[0.6], [0.4]], requires_grad=True)
    pairwise_loss(hashes, means).backward()
    # Unrelated tags: codes move apart; equal tags: together.
    assert hashes.grad is not None
    assert hashes.grad[0] < 0 < hashes.grad[1]
    together = torch.tensor([[0.6], [0.4]], requires_grad=True)
    pairwise_loss(together, means[:1].expand(2, 2)).backward()
    assert together.grad is not None
    assert together.grad[0] > 0 > together.grad[1]

    undecided = torch.tensor([[0.6, 0.4]], requires_grad=True)
    quantization_loss(undecided).backward()
    assert undecided.grad is not None
    assert undecided.grad[0, 0] < 0 < undecided.grad[0, 1]


def test_the_mean_is_over_unit_vectors_of_the_tags_that_have_one() -> None:
    vectors = WordVectors(
        ("sea", "boat", "back", "nil"), np.array([[4, 0], [0, 1], [-1, 0], [0, 0.0]])
    )
    tags = [["sea", "boat", "unknown"], ["Sea"], [], ["unknown"], ["sea", "back"], ["nil", "boat"]]
    expected = [[0.5, 0.5], [0, 0], [0, 0], [0, 0], [0, 0], [0, 1]]
    # "Sea" stands for the word "sea", whichever way it is written.
    expected[1] = [1, 0]
    means = mean_tag_vectors(tags, vectors)
    assert means.dtype == np.float32
    assert means.tolist() == expected
    assert mean_tag_vectors([["sea", "sea", "boat"]], vectors).tolist() == [[0.5, 0.5]]


def test_images_without_usable_tags_take_no_part(world: World) -> None:
    data = world.data
    usable = [row for row in range(len(data.tags)) if row % 5]
    settings = {"epochs": 2, "batch_size": 64, "threads": 1}
    kept = TrainingData(data.inputs[usable], [data.tags[row] for row in usable], data.word_vectors)
    others = data.inputs.copy()
    others[::5] = 1e6
    codes = WDHT(16, **settings).fit(kept).encode(world.features)
    spoilt = TrainingData(others, data.tags, data.word_vectors)
    assert np.array_equal(WDHT(16, **settings).fit(spoilt).encode(world.features), codes)


def test_distances_are_scaled_to_a_mean_of_one_half(world: World) -> None:
    task = WDHT(16)._task(world.data)
    assert task.targets is not None
    units = task.targets.double().numpy()
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    distances = 1 - units @ units.T
    mean = distances[~np.eye(len(units), dtype=bool)].mean()
    scale = task.losses.keywords["distance_scale"]  # type: ignore[attr-defined]
    assert scale * mean == pytest.approx(0.5, rel=1e-6)
    published = WDHT(16, distance_scale=1.0)._task(world.data)
    assert published.losses.keywords["distance_scale"] == 1.0  # type: ignore[attr-defined]


def test_tags_teach_what_features_alone_do_not() -> None:
    world = make_world(500)
    seen, unseen = slice(0, 300), slice(300, 500)
    data = TrainingData(world.features[seen], world.data.tags[seen], world.data.word_vectors)
    features, kinds = world.features[unseen], world.kinds[unseen]
    settings = {"batch_size": 32, "threads": 1}
    trained = WDHT(16, epochs=12, **settings).fit(data)
    fresh = WDHT(16, epochs=1, learning_rate=1e-12, **settings).fit(data)
    unsupervised = DeepBit(16, **settings).fit(data)
    result = precision(trained, features, kinds)
    assert result > 0.6
    assert result > precision(fresh, features, kinds) + 0.15
    assert result > precision(unsupervised, features, kinds) + 0.15
    shares = np.unpackbits(trained.encode(features), axis=1).mean(axis=0)
    assert ((shares > 0.02) & (shares < 0.98)).all()


def test_it_learns_kinds_from_pixels(world: World) -> None:
    model = WDHT(16, epochs=5, batch_size=32, threads=1, backbone=TinyBackbone())
    assert precision(model.fit(world.with_pixels()), world.pixels, world.kinds) > 2 / 5


def test_tags_that_teach_nothing_are_named(world: World) -> None:
    model = WDHT(16, epochs=1, threads=1)
    data = world.data
    assert data.word_vectors is not None
    rows = len(data.inputs)
    with pytest.raises(ValueError, match=r"got 0 of 300; .* such as 'unheard', .* 'kind0'"):
        model.fit(TrainingData(data.inputs, [["unheard"]] * rows, data.word_vectors))
    with pytest.raises(ValueError, match="every tag set is empty"):
        model.fit(TrainingData(data.inputs, [[]] * rows, data.word_vectors))
    with pytest.raises(ValueError, match="all 300 images have the same mean tag vector"):
        model.fit(TrainingData(data.inputs, [["kind1"]] * rows, data.word_vectors))
    with pytest.raises(TypeError, match="WDHT needs a WordVectors, got NoneType"):
        model.fit(TrainingData(data.inputs, data.tags))
    with pytest.raises(ValueError, match="tags: WDHT learns from tags, got None"):
        model.fit(TrainingData(data.inputs, None, data.word_vectors))


def test_a_distance_scale_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="distance_scale: expected a number above 0, got 0"):
        WDHT(16, distance_scale=0.0)
