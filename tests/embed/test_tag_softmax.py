"""Softmax over tags and over neighbours against plain loops of their equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from wsdhq.embed.losses import (
    neighbour_softmax,
    plausible_targets,
    tag_log_probabilities,
    tag_softmax,
)

TEMPERATURES = [0.05, 0.2, 1.0]
SIZES = [(1, 2, 1), (3, 7, 5), (6, 11, 4), (9, 5, 8)]


def _problem(batch: int, tags: int, dim: int, share: float = 0.4):
    """Unit embeddings, tag vectors of any norm, and weights; the last image has no tag."""
    generator = np.random.default_rng([batch, tags, dim])
    embeddings = generator.standard_normal((batch, dim))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    tag_vectors = generator.standard_normal((tags, dim)) * generator.uniform(0.2, 3, (tags, 1))
    weights = generator.uniform(0.1, 4, (batch, tags)) * (generator.random((batch, tags)) < share)
    if batch > 1:
        weights[-1] = 0
    return tuple(map(torch.from_numpy, (embeddings, tag_vectors, weights)))


def _loop_log_probabilities(embeddings, tag_vectors, temperature) -> list[list[float]]:
    rows = []
    for r in embeddings.tolist():
        logits = []
        for s in tag_vectors.tolist():
            norm = math.sqrt(sum(x * x for x in s))
            logits.append(sum(a * b / norm for a, b in zip(r, s)) / temperature)
        total = math.log(sum(map(math.exp, logits)))
        rows.append([logit - total for logit in logits])
    return rows


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("size", SIZES)
def test_log_probabilities_equal_plain_loops(size, temperature):
    embeddings, tag_vectors, _ = _problem(*size)
    got = tag_log_probabilities(embeddings, tag_vectors, temperature)
    assert got.dtype == torch.float64
    expected = _loop_log_probabilities(embeddings, tag_vectors, temperature)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(got.exp().sum(dim=1), 1, rtol=1e-12)


def test_only_directions_of_tags_count():
    embeddings, tag_vectors, _ = _problem(6, 11, 4)
    longer = tag_vectors * torch.linspace(0.01, 100, 11, dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(
        tag_log_probabilities(embeddings, longer, 0.2),
        tag_log_probabilities(embeddings, tag_vectors, 0.2),
    )


@pytest.mark.parametrize("size", SIZES)
def test_tag_softmax_equals_plain_loops(size):
    embeddings, tag_vectors, weights = _problem(*size)
    log_probabilities = tag_log_probabilities(embeddings, tag_vectors, 0.3)
    total, mass = 0.0, 0.0
    for n in range(size[0]):
        for t in range(size[1]):
            y = float(weights[n, t])
            total += y * -float(log_probabilities[n, t])
            mass += y
    loss = tag_softmax(log_probabilities, weights)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(total / mass if mass else 0.0, rel=1e-12)


def test_tag_softmax_counts_an_image_by_the_weight_of_its_tags():
    log_probabilities = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])
    heavy = torch.tensor([[9.0, 0.0], [0.0, 1.0]])
    assert float(tag_softmax(log_probabilities, heavy)) == pytest.approx((9 * 1 + 1 * 4) / 10)
    # Only the ratios of weights count.
    assert float(tag_softmax(log_probabilities, heavy / 7)) == pytest.approx(1.3)


def test_rows_without_tags_have_no_part_in_tag_softmax():
    log_probabilities = torch.tensor([[-1.0, -2.0], [-30.0, -40.0]], requires_grad=True)
    loss = tag_softmax(log_probabilities, torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(1)
    np.testing.assert_allclose(log_probabilities.grad, [[-1, 0], [0, 0]])


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (0, 4)])
def test_without_any_weight_the_losses_are_zero_with_a_gradient(shape):
    log_probabilities = torch.full(shape, -2.0, requires_grad=True)
    loss = tag_softmax(log_probabilities, torch.zeros(shape))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(log_probabilities.grad, torch.zeros(shape))
    embeddings = torch.ones(shape[0], 5, requires_grad=True)
    loss = neighbour_softmax(embeddings, torch.zeros(shape), 0.2)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros(shape[0], 5))


def _loop_plausible(weights, log_probabilities, power) -> np.ndarray:
    """`y p^power`, scaled to the sum that was there: without a trick, for moderate numbers."""
    result = np.zeros(tuple(weights.shape))
    for n, (ys, logs) in enumerate(zip(weights.tolist(), log_probabilities.tolist())):
        shares = [y * math.exp(log) ** power for y, log in zip(ys, logs)]
        if sum(shares) > 0:
            result[n] = [share * sum(ys) / sum(shares) for share in shares]
    return result


@pytest.mark.parametrize("power", [0.0, 0.3, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("size", SIZES)
def test_plausible_targets_equal_plain_loops(size, power):
    embeddings, tag_vectors, weights = _problem(*size)
    log_probabilities = tag_log_probabilities(embeddings, tag_vectors, 0.3)
    got = plausible_targets(weights, log_probabilities, power)
    assert got.dtype == torch.float64
    np.testing.assert_allclose(
        got.numpy(), _loop_plausible(weights, log_probabilities, power), rtol=1e-11, atol=1e-14
    )
    np.testing.assert_allclose(got.sum(dim=1), weights.sum(dim=1), rtol=1e-12, atol=1e-14)
    assert ((got > 0) == (weights > 0)).all()


def test_a_power_of_zero_shifts_nothing():
    _, _, weights = _problem(9, 5, 8)
    logs = torch.from_numpy(-np.random.default_rng(0).uniform(0, 50, weights.shape))
    torch.testing.assert_close(plausible_targets(weights, logs, 0.0), weights, rtol=1e-14, atol=0)


def test_plausible_targets_by_hand():
    targets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    logs = torch.tensor([[0.6, 0.2, 0.2], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]).log()
    # 2 * .6 / .8 and 2 * .2 / .8; one tag keeps its weight whole, no tag stays none.
    expected = torch.tensor([[1.5, 0.5, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(plausible_targets(targets, logs, 1.0), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_probabilities_too_small_for_a_float_shift_weights_all_the_same(dtype, power):
    """All the tags of an image may be beyond belief: exp(-10,000) is 0 in any float."""
    logs = torch.tensor([[-1e4, -1e4 - 1, 0.0], [-1e4, -2e4, 0.0], [-1e4, 0.0, 0.0]], dtype=dtype)
    targets = torch.tensor([[2.0, 2.0, 0.0], [1.0, 5.0, 0.0], [4.0, 0.0, 0.0]], dtype=dtype)
    got = plausible_targets(targets, logs, power)
    assert torch.isfinite(got).all()
    torch.testing.assert_close(got.sum(dim=1), targets.sum(dim=1))
    ratio = math.exp(-power)
    expected = [4 / (1 + ratio), 4 * ratio / (1 + ratio), 0]
    torch.testing.assert_close(got[0], torch.tensor(expected, dtype=dtype), rtol=1e-3, atol=0)
    torch.testing.assert_close(got[1:], torch.tensor([[6.0, 0, 0], [4, 0, 0]], dtype=dtype))


def _loop_neighbours(embeddings, weights, temperature, power) -> float:
    r, w = embeddings.tolist(), weights.tolist()
    losses = []
    for n in range(len(r)):
        others = [j for j in range(len(r)) if j != n]
        kinship = {}
        for j in others:
            norms = math.sqrt(sum(x * x for x in w[n])) * math.sqrt(sum(x * x for x in w[j]))
            common = sum(a * b for a, b in zip(w[n], w[j]))
            kinship[j] = (common / norms) ** power if common > 0 else 0.0
        if not sum(kinship.values()):
            continue
        near = {j: math.exp(sum(a * b for a, b in zip(r[n], r[j])) / temperature) for j in others}
        loss = 0.0
        for j in others:
            y = kinship[j] / sum(kinship.values())
            loss += y * -math.log(near[j] / sum(near.values()))
        losses.append(loss)
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("power", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("size", SIZES)
def test_neighbour_softmax_equals_plain_loops(size, temperature, power):
    embeddings, _, weights = _problem(*size)
    loss = neighbour_softmax(embeddings, weights, temperature, power)
    assert loss.shape == ()
    expected = _loop_neighbours(embeddings, weights, temperature, power)
    assert float(loss) == pytest.approx(expected, rel=1e-10, abs=1e-14)
    if power == 0.5:
        assert float(neighbour_softmax(embeddings, weights, temperature)) == float(loss)


def test_images_that_share_no_tag_with_another_are_not_averaged_over():
    embeddings, _, _ = _problem(6, 11, 4)
    weights = torch.zeros(6, 3, dtype=torch.float64)
    weights[[0, 1], 0] = 1
    weights[2, 1] = 1
    assert float(neighbour_softmax(embeddings, weights, 0.2)) == pytest.approx(
        _loop_neighbours(embeddings, weights, 0.2, 0.5)
    )
    # The loners are still among those that the others could be near to.
    fewer = neighbour_softmax(embeddings[:2], weights[:2], 0.2)
    assert float(fewer) == pytest.approx(0, abs=1e-12)


def test_a_single_image_has_no_neighbours():
    embeddings = torch.ones(1, 3, requires_grad=True)
    loss = neighbour_softmax(embeddings, torch.ones(1, 2), 0.2)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros(1, 3))


def test_an_image_is_never_its_own_neighbour_however_low_the_temperature():
    """Two opposite images of a kind: all of their neighbourhood is the other one."""
    embeddings = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    for temperature in (1e-5, 1e-3, 0.2):
        loss = neighbour_softmax(embeddings, torch.ones(2, 1), temperature)
        assert loss.item() == pytest.approx(0, abs=1e-6)
        (gradient,) = torch.autograd.grad(loss, embeddings)
        assert torch.equal(gradient, torch.zeros(2, 2))


def test_neighbours_of_a_kind_are_drawn_together():
    embeddings = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 1.0]]), dim=1
    ).requires_grad_()
    weights = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    neighbour_softmax(embeddings, weights, 0.2).backward()
    together = embeddings[1] - embeddings[0]
    assert (-embeddings.grad[0] @ together).item() > 0
    assert (-embeddings.grad[1] @ -together).item() > 0


def test_gradients():
    embeddings, tag_vectors, weights = _problem(6, 11, 4)
    embeddings.requires_grad_()
    tag_vectors.requires_grad_()
    assert gradcheck(lambda r, s: tag_log_probabilities(r, s, 0.3), (embeddings, tag_vectors))
    logs = tag_log_probabilities(embeddings, tag_vectors, 0.3).detach().requires_grad_()
    assert gradcheck(lambda log: tag_softmax(log, weights), (logs,))
    assert gradcheck(lambda r: neighbour_softmax(r, weights, 0.3), (embeddings,))
    assert gradcheck(lambda r: neighbour_softmax(r, weights, 0.05, 2.0), (embeddings,))


def test_what_is_held_constant_gets_no_gradient():
    embeddings, tag_vectors, weights = _problem(6, 11, 4)
    for each in (embeddings, tag_vectors, weights):
        each.requires_grad_()
    logs = tag_log_probabilities(embeddings, tag_vectors, 0.3)
    plausible = plausible_targets(weights, logs, 0.5)
    assert not plausible.requires_grad
    loss = tag_softmax(logs, weights) + neighbour_softmax(embeddings, weights, 0.3)
    loss.backward()
    assert weights.grad is None
    assert torch.count_nonzero(embeddings.grad) > 0
    assert torch.count_nonzero(tag_vectors.grad) > 0


def test_float32_is_close_to_float64():
    embeddings, tag_vectors, weights = _problem(40, 60, 16)
    wide = tag_log_probabilities(embeddings, tag_vectors, 0.2)
    narrow = tag_log_probabilities(embeddings.float(), tag_vectors.float(), 0.2)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, wide.float(), rtol=1e-4, atol=1e-5)
    for loss, arguments in (
        (tag_softmax, (wide, weights)),
        (plausible_targets, (weights, wide, 0.5)),
        (neighbour_softmax, (embeddings, weights, 0.2)),
    ):
        floats = [x.float() if isinstance(x, torch.Tensor) else x for x in arguments]
        got = loss(*floats)
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, loss(*arguments).float(), rtol=1e-4, atol=1e-5)


NUMBERS = [0.0, -1.0, math.nan, math.inf]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"embeddings": torch.zeros(2, 3, dtype=torch.int64)},
            TypeError,
            "embeddings: expected a floating-point tensor, got Tensor of torch.int64",
        ),
        ({"embeddings": np.zeros((2, 3))}, TypeError, "embeddings: expected .* ndarray of float64"),
        ({"embeddings": torch.zeros(3)}, ValueError, r"embeddings: expected two dim.* \(3,\)"),
        ({"tag_vectors": None}, TypeError, "tag_vectors: expected .* got NoneType"),
        ({"tag_vectors": torch.ones(4)}, ValueError, "tag_vectors: expected two dimensions"),
        ({"tag_vectors": torch.ones(4, 5)}, ValueError, r"tag_vectors: expected 3 columns.*4, 5"),
        (
            {"tag_vectors": torch.ones(4, 3).double()},
            TypeError,
            "tag_vectors: expected torch.float32, as embeddings, got Tensor of torch.float64",
        ),
    ]
    + [
        ({"temperature": x}, ValueError, f"temperature: expected a .*number.*, got {x}")
        for x in NUMBERS
    ],
)
def test_log_probabilities_refuse(change, error, message):
    usual = {"embeddings": torch.ones(2, 3), "tag_vectors": torch.ones(4, 3), "temperature": 0.2}
    with pytest.raises(error, match=message):
        tag_log_probabilities(**(usual | change))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"log_probabilities": torch.ones(2, 4).int()}, TypeError, "log_probabilities.*int32"),
        ({"log_probabilities": torch.ones(8)}, ValueError, "log_probabilities: expected two dim"),
        ({"targets": torch.ones(2, 4).bool()}, TypeError, "targets: expected a float.*torch.bool"),
        ({"targets": [[1.0]]}, TypeError, "targets: expected a floating-point tensor, got list"),
        ({"targets": torch.ones(2, 4, 1)}, ValueError, "targets: expected two dimensions"),
        (
            {"targets": torch.ones(4, 2)},
            ValueError,
            r"targets: expected the shape of log_probabilities, \(2, 4\), got \(4, 2\)",
        ),
        (
            {"targets": torch.ones(2, 4).double()},
            TypeError,
            "targets: expected torch.float32, as log_probabilities, got Tensor of torch.float64",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(change, error, message):
    usual = {"log_probabilities": torch.ones(2, 4), "targets": torch.ones(2, 4)}
    with pytest.raises(error, match=message):
        tag_softmax(**(usual | change))
    with pytest.raises(error, match=message):
        plausible_targets(**(usual | change), power=0.5)


@pytest.mark.parametrize("power", [-0.1, math.nan, math.inf])
def test_powers_out_of_range_are_refused(power):
    with pytest.raises(
        ValueError, match=f"power: expected (at least 0|a finite number), got {power}"
    ):
        plausible_targets(torch.ones(2, 4), torch.ones(2, 4), power)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"embeddings": torch.ones(2, 3).int()}, TypeError, "embeddings: expected .*int32"),
        ({"embeddings": torch.ones(3)}, ValueError, "embeddings: expected two dimensions"),
        ({"tag_weights": torch.ones(2, 4).bool()}, TypeError, "tag_weights: expected .*torch.bool"),
        ({"tag_weights": torch.ones(2)}, ValueError, "tag_weights: expected two dimensions"),
        (
            {"tag_weights": torch.ones(3, 4)},
            ValueError,
            r"tag_weights: expected 2 rows, as embeddings have, got shape \(3, 4\)",
        ),
    ]
    + [
        ({"temperature": x}, ValueError, f"temperature: expected a .*number.*, got {x}")
        for x in NUMBERS
    ]
    + [({"power": x}, ValueError, f"power: expected a .*number.*, got {x}") for x in NUMBERS],
)
def test_neighbour_softmax_refuses(change, error, message):
    usual = {"embeddings": torch.ones(2, 3), "tag_weights": torch.ones(2, 4), "temperature": 0.2}
    with pytest.raises(error, match=message):
        neighbour_softmax(**(usual | change))
