"""The losses against plain-loop versions of the formulas of method sections 2 and 3."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from wsdhq.embed.losses import (
    adaptive_cosine_margin,
    adaptive_margin,
    batch_hinge,
    cosine_quantization,
    fixed_cosine_margin,
    semantic_metric,
)

GAMMAS = [0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 4.0]


def _unit_rows(generator: np.random.Generator, count: int, dim: int) -> np.ndarray:
    rows = generator.standard_normal((count, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _problem(seed: int, batch: int, tags: int, dim: int, share: float = 0.3):
    generator = np.random.default_rng(seed)
    embeddings = 3 * generator.standard_normal((batch, dim))
    positives = generator.random((batch, tags)) < share
    return (
        torch.from_numpy(embeddings),
        torch.from_numpy(_unit_rows(generator, tags, dim)),
        torch.from_numpy(positives),
    )


def _loop_margin_loss(embeddings, sphere, positives, gamma, num_negatives) -> float:
    total, pairs = 0.0, 0
    for r, carried in zip(embeddings.numpy(), positives.numpy()):
        r = r / math.sqrt(sum(x * x for x in r))
        cosine = [sum(a * b for a, b in zip(s, r)) for s in sphere.numpy()]
        others = [j for j in range(len(cosine)) if not carried[j]]
        others.sort(key=lambda j: -cosine[j])
        for i in range(len(cosine)):
            if not carried[i]:
                continue
            for j in others if num_negatives is None else others[:num_negatives]:
                between = min(float(sphere[i] @ sphere[j]), 1.0)
                margin = 2 ** (1 - gamma) * (1 - between) ** gamma
                total += max(0.0, margin - cosine[i] + cosine[j])
                pairs += 1
    return total / pairs if pairs else 0.0


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("num_negatives", [1, 3, 1000, None])
def test_margin_loss_equals_plain_loops(gamma, num_negatives):
    for seed, (batch, tags, dim) in enumerate([(1, 2, 1), (3, 7, 5), (6, 11, 4), (9, 5, 8)]):
        problem = _problem(seed, batch, tags, dim)
        expected = _loop_margin_loss(*problem, gamma, num_negatives)
        loss = adaptive_cosine_margin(*problem, gamma=gamma, num_negatives=num_negatives)
        assert loss.shape == ()
        assert float(loss) == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_margin_loss_over_more_pairs_than_a_block_holds():
    problem = _problem(seed=5, batch=40, tags=60, dim=6, share=0.5)
    assert int(problem[2].sum()) > 1024
    expected = _loop_margin_loss(*problem, 0.5, 20)
    loss = adaptive_cosine_margin(*problem, gamma=0.5, num_negatives=20)
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_margin_loss_in_float32_is_close_to_float64():
    embeddings, sphere, positives = _problem(seed=1, batch=20, tags=50, dim=16)
    wide = adaptive_cosine_margin(embeddings, sphere, positives, num_negatives=None)
    narrow = adaptive_cosine_margin(
        embeddings.float(), sphere.float(), positives, num_negatives=None
    )
    assert narrow.dtype == torch.float32
    assert float(narrow) == pytest.approx(float(wide), rel=1e-5)


def test_margin_loss_ignores_the_length_of_embeddings():
    embeddings, sphere, positives = _problem(seed=2, batch=5, tags=9, dim=4)
    loss = adaptive_cosine_margin(embeddings, sphere, positives)
    longer = adaptive_cosine_margin(7 * embeddings, sphere, positives)
    assert float(longer) == pytest.approx(float(loss), rel=1e-12)


def test_rows_without_positives_or_negatives_contribute_no_pair():
    embeddings, sphere, positives = _problem(seed=3, batch=6, tags=8, dim=4)
    positives[1] = False
    positives[4] = True
    kept = [0, 2, 3, 5]
    loss = adaptive_cosine_margin(embeddings, sphere, positives)
    alone = adaptive_cosine_margin(embeddings[kept], sphere, positives[kept])
    assert float(loss) == pytest.approx(float(alone), rel=1e-12)
    assert float(loss) > 0


@pytest.mark.parametrize("carried", [True, False])
def test_no_pair_at_all_is_zero_with_a_graph(carried):
    embeddings, sphere, positives = _problem(seed=3, batch=4, tags=8, dim=4)
    embeddings.requires_grad_()
    loss = adaptive_cosine_margin(embeddings, sphere, torch.full_like(positives, carried))
    loss.backward()
    assert loss.item() == 0
    assert torch.count_nonzero(embeddings.grad) == 0


def test_an_empty_batch_has_loss_zero():
    sphere = torch.eye(3)
    positives = torch.zeros((0, 3), dtype=torch.bool)
    assert float(adaptive_cosine_margin(torch.zeros(0, 3), sphere, positives)) == 0
    assert float(cosine_quantization(torch.zeros(0, 3), torch.zeros(0, 3), sphere)) == 0


@pytest.mark.parametrize("gamma", GAMMAS)
def test_margin_of_cosines_above_one_is_zero_not_nan(gamma):
    margin = adaptive_margin(torch.tensor([1 + 1e-6, 1.0, -1.0]), gamma)
    assert margin[0] == 0
    assert margin[1] == 0
    assert float(margin[2]) == pytest.approx(2.0, rel=1e-6)


def test_equal_tags_do_not_make_the_gradient_nan():
    tag = torch.tensor([[0.6, 0.8, 0.1]])
    sphere = torch.nn.functional.normalize(tag).repeat(4, 1)
    embeddings = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    positives = torch.tensor([[True, False, False, True], [False, True, False, False]])
    loss = adaptive_cosine_margin(embeddings, sphere, positives, gamma=0.3)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize(("gamma", "num_negatives"), [(1.0, None), (0.5, 2), (3.0, 4)])
def test_gradient_of_the_margin_loss(gamma, num_negatives):
    embeddings, sphere, positives = _problem(seed=8, batch=5, tags=9, dim=4)
    embeddings.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda r: adaptive_cosine_margin(r, sphere, positives, gamma, num_negatives), embeddings
    )


def test_gradient_of_the_margin_loss_through_a_head():
    _, sphere, positives = _problem(seed=9, batch=4, tags=6, dim=3)
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(3, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    features = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(
        lambda w: adaptive_cosine_margin(torch.tanh(features @ w.T), sphere, positives), weight
    )


def test_gradient_of_the_quantization_loss():
    embeddings, sphere, _ = _problem(seed=4, batch=5, tags=9, dim=4)
    reconstructions = _problem(seed=5, batch=5, tags=9, dim=4)[0]
    embeddings.requires_grad_()
    metric = sphere.T @ sphere
    assert torch.autograd.gradcheck(
        lambda r: cosine_quantization(r, reconstructions, metric), embeddings
    )


def test_no_gradient_reaches_reconstructions_sphere_or_metric():
    embeddings, sphere, positives = _problem(seed=4, batch=5, tags=9, dim=4)
    codebooks = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    reconstructions = codebooks[0, [0, 1, 2, 0, 1]] + codebooks[1, [2, 2, 1, 0, 1]]
    metric = (sphere.T @ sphere).requires_grad_()
    sphere.requires_grad_()
    embeddings.requires_grad_()
    loss = adaptive_cosine_margin(embeddings, sphere, positives)
    (loss + cosine_quantization(embeddings, reconstructions, metric)).backward()
    assert embeddings.grad is not None
    assert codebooks.grad is None
    assert metric.grad is None
    assert sphere.grad is None


def test_quantization_loss_equals_the_sum_over_tags():
    for seed, (batch, tags, dim) in enumerate([(1, 1, 1), (4, 7, 3), (6, 2, 5)]):
        embeddings, sphere, _ = _problem(seed, batch, tags, dim)
        reconstructions = _problem(seed + 50, batch, tags, dim)[0]
        expected = 0.0
        for r, r_hat in zip(embeddings, reconstructions):
            for s in sphere:
                expected += float(s @ r - s @ r_hat) ** 2 / batch
        metric = sphere.T @ sphere
        loss = float(cosine_quantization(embeddings, reconstructions, metric))
        assert loss == pytest.approx(expected, rel=1e-12)


def test_semantic_metric_is_the_sum_of_outer_products():
    sphere = _unit_rows(np.random.default_rng(0), 7, 4)
    expected = sum(np.outer(s, s) for s in sphere)
    metric = semantic_metric(sphere.astype(np.float32))
    assert metric.dtype == np.float32
    np.testing.assert_allclose(metric, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(metric, metric.T)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"embeddings": torch.zeros(2, 3, dtype=torch.int64)}, TypeError, "embeddings.*int64"),
        ({"embeddings": np.zeros((2, 3))}, TypeError, "embeddings: expected.*ndarray"),
        ({"embeddings": torch.zeros(3)}, ValueError, "embeddings: expected two dimensions"),
        ({"sphere": torch.zeros(4, 5)}, ValueError, r"sphere: expected 3 columns.*\(4, 5\)"),
        ({"sphere": torch.zeros(4)}, ValueError, "sphere: expected two dimensions"),
        ({"positives": torch.zeros(2, 4)}, TypeError, "positives: expected a bool tensor.*float32"),
        ({"positives": torch.zeros(4, 2).bool()}, ValueError, r"positives.*\(2, 4\).*\(4, 2\)"),
        ({"gamma": 0.0}, ValueError, "gamma"),
        ({"gamma": float("nan")}, ValueError, "gamma"),
        ({"num_negatives": 0}, ValueError, "num_negatives"),
    ],
)
def test_margin_loss_refuses(change, error, message):
    arguments = {
        "embeddings": torch.ones(2, 3),
        "sphere": torch.ones(4, 3),
        "positives": torch.zeros(2, 4, dtype=torch.bool),
    }
    with pytest.raises(error, match=message):
        adaptive_cosine_margin(**(arguments | change))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"reconstructions": torch.ones(2, 4)}, ValueError, r"reconstructions.*\(2, 3\)"),
        ({"metric": torch.ones(4, 4)}, ValueError, r"metric: expected shape.*\(3, 3\)"),
        ({"metric": torch.ones(3, 3).int()}, TypeError, "metric.*int32"),
        ({"reconstructions": None}, TypeError, "reconstructions.*NoneType"),
    ],
)
def test_quantization_loss_refuses(change, error, message):
    arguments = {
        "embeddings": torch.ones(2, 3),
        "reconstructions": torch.ones(2, 3),
        "metric": torch.eye(3),
    }
    with pytest.raises(error, match=message):
        cosine_quantization(**(arguments | change))


def test_semantic_metric_refuses():
    with pytest.raises(TypeError, match="sphere: expected a floating-point"):
        semantic_metric(np.ones((2, 3), dtype=np.int64))
    with pytest.raises(ValueError, match=r"sphere: expected shape.*\(3,\)"):
        semantic_metric(np.ones(3))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.5])
def test_batch_hinge_equals_plain_loops(margin, normalize):
    embeddings, sphere, positives = _problem(seed=3, batch=7, tags=6, dim=4)
    positives[2] = False
    rows = [row for row in range(7) if positives[row].any()]
    assert 2 not in rows
    means = {row: sphere[positives[row]].mean(dim=0) for row in rows}
    total = 0.0
    for n in rows:
        r = embeddings[n] / (embeddings[n].norm() if normalize else 1.0)
        for j in rows:
            if j != n:
                total += max(0.0, margin + float(means[j] @ r) - float(means[n] @ r))
    loss = batch_hinge(embeddings, sphere, positives, margin, normalize=normalize)
    assert float(loss) == pytest.approx(total / (len(rows) * (len(rows) - 1)), rel=1e-12)


def test_batch_hinge_of_fewer_than_two_tagged_images_is_zero_and_has_a_gradient():
    embeddings, sphere, positives = _problem(seed=3, batch=4, tags=6, dim=4)
    positives[1:] = False
    embeddings.requires_grad_()
    loss = batch_hinge(embeddings, sphere, positives)
    loss.backward()
    assert loss.item() == 0
    assert not embeddings.grad.any()


def test_batch_hinge_moves_an_image_towards_its_tags_and_away_from_those_of_others():
    sphere = torch.eye(3, dtype=torch.float64)
    positives = torch.eye(3, dtype=torch.bool)
    embeddings = torch.full((3, 3), 0.5, dtype=torch.float64, requires_grad=True)
    batch_hinge(embeddings, sphere, positives).backward()
    own = embeddings.grad.diagonal()
    assert (own < 0).all()
    assert (embeddings.grad[~positives] > 0).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"margin": -0.1}, ValueError, "margin: expected at least 0, got -0.1"),
        ({"margin": float("nan")}, ValueError, "margin"),
        ({"positives": torch.zeros(2, 4)}, TypeError, "positives: expected a bool tensor.*float32"),
        ({"sphere": torch.zeros(4, 5)}, ValueError, r"sphere: expected 3 columns.*\(4, 5\)"),
    ],
)
@pytest.mark.parametrize("loss", [batch_hinge, fixed_cosine_margin])
def test_losses_with_a_fixed_margin_refuse(loss, change, error, message):
    arguments = {
        "embeddings": torch.zeros(2, 3),
        "sphere": torch.zeros(4, 3),
        "positives": torch.zeros(2, 4).bool(),
    }
    with pytest.raises(error, match=message):
        loss(**(arguments | change))


@pytest.mark.parametrize("num_negatives", [2, None])
def test_fixed_margin_equals_plain_loops(num_negatives):
    embeddings, sphere, positives = _problem(seed=4, batch=5, tags=7, dim=4)
    total, pairs = 0.0, 0
    for r, carried in zip(functional.normalize(embeddings, dim=1), positives):
        cosine = [float(s @ r) for s in sphere]
        others = sorted((j for j in range(7) if not carried[j]), key=lambda j: -cosine[j])
        for i in range(7):
            for j in others[:num_negatives] if carried[i] else ():
                total += max(0.0, 0.6 - cosine[i] + cosine[j])
                pairs += 1
    loss = fixed_cosine_margin(embeddings, sphere, positives, 0.6, num_negatives)
    assert float(loss) == pytest.approx(total / pairs, rel=1e-12)


def test_margin_loss_without_normalization_takes_inner_products():
    embeddings, sphere, positives = _problem(seed=6, batch=5, tags=7, dim=4)
    sphere = sphere * torch.linspace(0.3, 1.6, 7, dtype=torch.float64).unsqueeze(1)
    total, pairs = 0.0, 0
    for r, carried in zip(embeddings, positives):
        for i in range(7):
            for j in range(7):
                if carried[i] and not carried[j]:
                    margin = max(0.0, 1 - float(sphere[i] @ sphere[j])) ** 2 / 2
                    total += max(0.0, margin - float(sphere[i] @ r) + float(sphere[j] @ r))
                    pairs += 1
    loss = adaptive_cosine_margin(embeddings, sphere, positives, 2.0, None, normalize=False)
    assert float(loss) == pytest.approx(total / pairs, rel=1e-12)
