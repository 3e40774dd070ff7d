"""DeepBit: its three objectives against plain loops, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deep_world import TinyBackbone, World, make_world, precision
from wsdhq.baselines.deepbit import (
    DeepBit,
    distribution_loss,
    invariance_loss,
    quantization_loss,
    rotated,
)
from wsdhq.baselines.interface import TrainingData


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(200)


def random_activations(rows: int, bits: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, bits, generator=torch.Generator().manual_seed(seed))


def test_the_objectives_equal_plain_loops() -> None:
    first, second = random_activations(5, 3, 0), random_activations(5, 3, 1)
    weights = torch.tensor([1.0, 0.5, 0.25, 2.0, 0.0])
    quantization = invariance = 0.0
    for n in range(5):
        for m in range(3):
            value, other = float(first[n, m]), float(second[n, m])
            bit = 1 if value >= 0 else 0
            quantization += ((bit - 0.5) - value) ** 2 / 15
            invariance += float(weights[n]) * (value - other) ** 2 / 15
    distribution = 0.0
    for m in range(3):
        share = sum(float(first[n, m]) >= 0 for n in range(5)) / 5
        distribution += (share - 0.5) ** 2 / 3
    assert float(quantization_loss(first)) == pytest.approx(quantization, rel=1e-5)
    assert float(distribution_loss(first)) == pytest.approx(distribution, rel=1e-5)
    assert float(invariance_loss(first, second, weights)) == pytest.approx(invariance, rel=1e-5)
    plain = float(invariance_loss(first, second))
    assert plain == pytest.approx(float((first - second).square().mean()), rel=1e-6)


def test_quantization_pulls_activations_to_their_bits() -> None:
    activations = torch.tensor([[0.2, -0.9]], requires_grad=True)
    quantization_loss(activations).backward()
    # Towards +0.5 and -0.5: mean over two values of a square.
    assert activations.grad is not None
    assert torch.allclose(activations.grad, torch.tensor([[-0.3, -0.4]]))


def test_distribution_pushes_a_bit_that_is_always_one_down() -> None:
    activations = torch.tensor([[0.3, 0.3], [0.1, -0.3]], requires_grad=True)
    loss = distribution_loss(activations)
    loss.backward()
    assert activations.grad is not None
    assert loss.item() == pytest.approx(0.125)
    assert (activations.grad[:, 0] > 0).all()
    assert torch.equal(activations.grad[:, 1], torch.zeros(2))


def test_invariance_draws_views_together() -> None:
    first = torch.tensor([[1.0]], requires_grad=True)
    second = torch.tensor([[0.0]], requires_grad=True)
    invariance_loss(first, second).backward()
    assert first.grad is not None
    assert second.grad is not None
    assert first.grad > 0 > second.grad


def test_rotation_by_quarter_turns_moves_pixels_only() -> None:
    generator = np.random.default_rng(0)
    pixels = torch.from_numpy(generator.integers(0, 256, (3, 6, 6, 3), dtype=np.uint8))
    turned = rotated(pixels, torch.tensor([0.0, 90.0, -90.0]))
    assert turned.dtype == torch.uint8
    assert torch.equal(turned[0], pixels[0])
    assert torch.equal(turned[1], pixels[1].rot90(1, (0, 1)))
    assert torch.equal(turned[2], pixels[2].rot90(-1, (0, 1)))


def test_rotation_repeats_the_border() -> None:
    white = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    assert torch.equal(rotated(white, torch.tensor([10.0])), white)


def test_rotated_views_differ_and_are_weighted_by_their_angle(world: World) -> None:
    model = DeepBit(8, backbone=TinyBackbone(), epochs=1, threads=1).fit(world.with_pixels())
    assert model.network is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second, weights = model._views(model.network, torch.from_numpy(world.pixels))
    assert first.shape == second.shape
    assert not torch.equal(first, second)
    assert weights is not None
    expected = torch.exp(-torch.tensor([0.0, 1.0, 2.0]).square() / 2)
    assert torch.allclose(weights.unique().flip(0), expected)


def test_features_get_views_with_noise_on_their_own_scale(world: World) -> None:
    large = TrainingData(100 * world.features, world.data.tags)
    model = DeepBit(8, epochs=1, threads=1, noise=0.3).fit(large)
    assert model.network is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inputs = torch.from_numpy(large.inputs)
        first, second, weights = model._views(model.network, inputs)
    assert weights is None
    deviation = 0.3 * float(np.sqrt(large.inputs.var(axis=0).mean()))
    for view in (first, second):
        assert float((view - inputs).std()) == pytest.approx(deviation, rel=0.05)
    assert not torch.equal(first, second)


def test_it_learns_without_tags(world: World) -> None:
    # The dimensions that tell kinds apart, whose variance is not drowned in others here.
    features = world.features[:, :6]
    untagged = TrainingData(features, [[] for _ in features])
    settings = {"batch_size": 32, "threads": 1}
    fresh = DeepBit(16, epochs=1, learning_rate=1e-12, **settings).fit(untagged)
    model = DeepBit(16, epochs=20, **settings).fit(untagged)
    assert model.history[-1]["quantization_loss"] < 0.6 * fresh.history[-1]["quantization_loss"]
    result = precision(model, features, world.kinds)
    assert result > 2 / 5
    assert result > precision(fresh, features, world.kinds)


def test_the_distribution_keeps_bits_balanced(world: World) -> None:
    # Few rows are far from all others: bits that single them out round with the least error.
    skewed = TrainingData(np.exp(world.features / 2), world.data.tags)
    imbalance = []
    for weight in (0.0, 1.0):
        settings = {"batch_size": 50, "threads": 1, "learning_rate": 1e-3}
        model = DeepBit(16, epochs=20, distribution_weight=weight, **settings).fit(skewed)
        shares = np.unpackbits(model.encode(skewed.inputs), axis=1).mean(axis=0)
        imbalance.append(np.abs(shares - 0.5).max())
    assert imbalance[1] < 0.2
    assert imbalance[1] < 0.5 * imbalance[0]


def test_weights_of_zero_leave_an_objective_out(world: World) -> None:
    model = DeepBit(8, epochs=1, threads=1, distribution_weight=0.0, invariance_weight=0.0)
    for losses in model.fit(world.data).history:
        assert losses["loss"] == pytest.approx(losses["quantization_loss"])


def test_it_learns_kinds_from_pixels(world: World) -> None:
    model = DeepBit(16, epochs=4, batch_size=32, threads=1, backbone=TinyBackbone())
    assert precision(model.fit(world.with_pixels()), world.pixels, world.kinds) > 1.5 / 5


def test_noise_must_be_a_number_of_at_least_zero() -> None:
    with pytest.raises(ValueError, match="noise: expected at least 0, got -1"):
        DeepBit(16, noise=-1)
