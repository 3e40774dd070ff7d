"""Objectives: what they are made of, what they learn, and the weights of tags."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import sparse
from torch.nn import functional

from wsdhq.embed import TrainConfig, TrainedModel, train
from wsdhq.embed.config import LOSSES
from wsdhq.embed.losses import (
    adaptive_cosine_margin,
    batch_hinge,
    fixed_cosine_margin,
    neighbour_softmax,
    plausible_targets,
    tag_log_probabilities,
    tag_softmax,
)
from wsdhq.embed.tags.propagation import propagate_tags
from wsdhq.embed.tags.weights import inverse_document_frequency
from wsdhq.embed.training.objectives import (
    OBJECTIVES,
    SphereObjective,
    TagObjective,
    make_objective,
)

NUM_ROWS, NUM_TAGS, DIM = 12, 5, 4


def _config(**changes) -> TrainConfig:
    given = {
        "loss": "tag_softmax",
        "temperature": 0.3,
        "neighbour_weight": 0.7,
        "plausibility": 0.6,
        "tag_rate_factor": 0.5,
        "features": "f.npy",
    }
    return TrainConfig(out="run", tags="t.txt", **(given | changes))


def _problem() -> tuple[torch.Tensor, torch.Tensor, sparse.csr_array]:
    """Embeddings of a batch, the first rows; a sphere; and who carries what."""
    generator = np.random.default_rng(8)
    embeddings = torch.from_numpy(generator.standard_normal((6, DIM)).astype(np.float32))
    sphere = torch.from_numpy(generator.standard_normal((NUM_TAGS, DIM)).astype(np.float32))
    positives = generator.random((NUM_ROWS, NUM_TAGS)) < 0.4
    positives[:, 2] = True
    positives[3] = False
    return (
        functional.normalize(embeddings, dim=1),
        functional.normalize(sphere, dim=1),
        sparse.csr_array(positives),
    )


# The positions of the batch among all rows.
ROWS = np.arange(6)


def _batch(positives: sparse.csr_array) -> torch.Tensor:
    return torch.from_numpy(positives[:6].toarray())


def _loop_weights(carried: np.ndarray) -> list[float]:
    tagged = sum(any(row) for row in carried.tolist())
    counts = [sum(column) for column in carried.T.tolist()]
    weights = [math.log(max(tagged, 1) / max(count, 1)) for count in counts]
    return weights if any(weights) else [1.0] * len(weights)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
def test_weights_of_tags_equal_a_plain_loop(share):
    carried = np.random.default_rng(0).random((40, 9)) < share
    carried[::7] = False
    weights = inverse_document_frequency(sparse.csr_array(carried))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, _loop_weights(carried), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(inverse_document_frequency(sparse.csr_matrix(carried)), weights)


def test_a_tag_on_all_images_tells_nothing_and_a_rare_one_most():
    carried = np.zeros((8, 4), dtype=bool)
    carried[:, 0] = True
    carried[:4, 1] = True
    carried[:1, 2] = True
    weights = inverse_document_frequency(sparse.csr_array(carried))
    # A tag that nobody carries counts as one that a single image does.
    np.testing.assert_allclose(weights, [0, math.log(2), math.log(8), math.log(8)], rtol=1e-6)
    # Images without tags are not among those that a tag could be on.
    more = np.concatenate([carried, np.zeros((5, 4), dtype=bool)])
    np.testing.assert_array_equal(inverse_document_frequency(sparse.csr_array(more)), weights)


@pytest.mark.parametrize(
    "carried", [np.ones((3, 2)), np.ones((1, 1)), np.zeros((3, 2)), np.zeros((0, 2))]
)
def test_where_no_tag_tells_more_than_another_all_count_one(carried):
    weights = inverse_document_frequency(sparse.csr_array(carried.astype(bool)))
    np.testing.assert_array_equal(weights, np.ones(carried.shape[1]))


def test_every_loss_that_a_setting_can_name_is_there():
    assert set(OBJECTIVES) == set(LOSSES)
    embeddings, sphere, positives = _problem()
    for name in OBJECTIVES:
        objective = make_objective(_config(loss=name), sphere, positives)
        embeddings.requires_grad_().grad = None
        loss = objective(embeddings, ROWS, 0.5)
        assert loss.shape == ()
        loss.backward()
        assert torch.isfinite(embeddings.grad).all()
        assert torch.count_nonzero(embeddings.grad) > 0
        torch.testing.assert_close(objective.current_sphere(), sphere)
        assert not objective.current_sphere().requires_grad


@pytest.mark.parametrize("progress", [0.0, 0.19, 0.2, 1.0])
@pytest.mark.parametrize("neighbour_weight", [0.0, 0.7])
@pytest.mark.parametrize("plausibility", [0.0, 0.6])
def test_the_default_is_put_together_of_its_pieces(progress, neighbour_weight, plausibility):
    embeddings, sphere, positives = _problem()
    config = _config(neighbour_weight=neighbour_weight, plausibility=plausibility)
    objective = make_objective(config, sphere, positives)
    assert isinstance(objective, TagObjective)
    logs = tag_log_probabilities(embeddings, sphere, 0.3)
    targets = torch.tensor(_loop_weights(positives.toarray())) * _batch(positives)
    # The network is not asked for its opinion in the first fifth.
    if progress >= 0.2 and plausibility > 0:
        doubted = plausible_targets(targets, logs, plausibility)
        assert not torch.allclose(doubted, targets, rtol=1e-2)
        targets = doubted
    expected = tag_softmax(logs, targets)
    if neighbour_weight > 0:
        expected = expected + neighbour_weight * neighbour_softmax(embeddings, targets, 0.3)
    loss = objective(embeddings, ROWS, progress)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_plausibility_begins_after_the_first_fifth():
    embeddings, sphere, positives = _problem()
    trusting = make_objective(_config(plausibility=0.0), sphere, positives)
    doubting = make_objective(_config(plausibility=0.6), sphere, positives)
    trusted = trusting(embeddings, ROWS, 0.5)
    for progress in (0.0, 0.1, 0.199):
        assert torch.equal(doubting(embeddings, ROWS, progress), trusted)
    for progress in (0.2, 0.7, 1.0):
        assert abs(doubting(embeddings, ROWS, progress) - trusted).item() > 1e-3


def test_without_tags_in_a_batch_the_default_is_zero():
    embeddings, sphere, positives = _problem()
    objective = make_objective(_config(), sphere, positives)
    embeddings.requires_grad_()
    # The only row without tags.
    loss = objective(embeddings, np.full(6, 3), 0.5)
    loss.backward()
    assert loss.item() == 0
    assert torch.count_nonzero(embeddings.grad) == 0


def test_a_rate_of_zero_leaves_the_tags_where_they_are():
    embeddings, sphere, positives = _problem()
    objective = make_objective(_config(tag_rate_factor=0.0), sphere, positives)
    assert not objective.refines_sphere
    assert list(objective.parameters()) == []
    assert objective.state_dict() == {}
    torch.testing.assert_close(objective.current_sphere(), sphere)
    objective(embeddings.requires_grad_(), ROWS, 0.5).backward()
    assert objective.sphere.grad is None


def test_tags_that_are_learnt_move_and_keep_their_norm():
    embeddings, sphere, positives = _problem()
    before = sphere.clone()
    objective = make_objective(_config(), sphere, positives)
    assert objective.refines_sphere
    assert [name for name, _ in objective.named_parameters()] == ["sphere"]
    assert list(objective.state_dict()) == ["sphere"]
    optimizer = torch.optim.SGD(objective.parameters(), lr=1.0)
    first = objective(embeddings, ROWS, 0.0)
    for _ in range(5):
        optimizer.zero_grad()
        objective(embeddings, ROWS, 0.0).backward()
        optimizer.step()
    assert objective(embeddings, ROWS, 0.0).item() < first.item()
    moved = objective.current_sphere()
    assert not moved.requires_grad
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(NUM_TAGS))
    assert (moved - before).norm(dim=1).max().item() > 0.05
    # The tensor that it began with is the caller's.
    assert torch.equal(sphere, before)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"tag_softmax"}))
def test_the_papers_objectives_are_their_losses_on_tags_that_stay(name):
    embeddings, sphere, positives = _problem()
    batch = _batch(positives)
    config = _config(loss=name, gamma=2.0, num_negatives=2, margin=0.4)
    objective = make_objective(config, sphere, positives)
    assert isinstance(objective, SphereObjective)
    assert not objective.refines_sphere
    assert list(objective.parameters()) == []
    assert objective.state_dict() == {}
    expected = {
        "adaptive_margin": lambda: adaptive_cosine_margin(embeddings, sphere, batch, 2.0, 2),
        "fixed_margin": lambda: fixed_cosine_margin(embeddings, sphere, batch, 0.4, 2),
        "batch_hinge": lambda: batch_hinge(embeddings, sphere, batch, 0.4),
    }[name]()
    for progress in (0.0, 1.0):
        assert torch.equal(objective(embeddings, ROWS, progress), expected)


def test_a_trained_model_has_the_tags_where_training_left_them(world, config_for):
    tags = {"loss": "tag_softmax", "epochs": 6}
    fixed = train(config_for(world.folder, "fixed", tag_rate_factor=0.0, **tags))
    learnt = train(config_for(world.folder, "learnt", tag_rate_factor=1.0, **tags))
    as_paper = train(config_for(world.folder, "paper", variant="WSDHQ", epochs=1))
    # Where the word vectors and the graph put them.
    np.testing.assert_array_equal(fixed.sphere, as_paper.sphere)
    assert learnt.sphere.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(learnt.sphere, axis=1), 1, rtol=1e-5)
    assert np.linalg.norm(learnt.sphere - fixed.sphere, axis=1).max() > 0.05
    assert learnt.tags.members == fixed.tags.members
    loaded = TrainedModel.load(learnt.config.out)
    np.testing.assert_array_equal(loaded.sphere, learnt.sphere)
    for model in (learnt, loaded):
        place = model.sphere[model.tags.group_of_tag["boat"]]
        np.testing.assert_allclose(model.embed_tags(["boat"]), place, rtol=1e-5, atol=1e-6)
    assert np.abs(learnt.embed_tags(["boat"]) - fixed.embed_tags(["boat"])).max() > 1e-3


def _looks(positives: sparse.csr_array) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((positives.shape[0], DIM)).astype(np.float32)


def test_propagated_tags_join_the_images_own():
    embeddings, sphere, positives = _problem()
    config = _config(propagation=2.0, plausibility=0.0)
    objective = make_objective(config, sphere, positives)
    own = objective.targets(ROWS)
    expected = torch.tensor(_loop_weights(positives.toarray())) * _batch(positives)
    torch.testing.assert_close(own, expected, rtol=1e-6, atol=1e-7)
    looks, generator = _looks(positives), np.random.default_rng(3)
    objective.begin_epoch(lambda: looks, 0.4, generator)
    weighted = sparse.csr_array(
        positives.toarray() * np.float32(_loop_weights(positives.toarray()))
    )
    found = propagate_tags(looks, weighted, np.random.default_rng(3)).toarray()
    # The weight of two tags, as they are on average where they are carried.
    mass = 2 * weighted.toarray()[positives.toarray()].mean()
    joined = objective.targets(ROWS)
    torch.testing.assert_close(joined, own + mass * torch.from_numpy(found[:6]))
    assert (joined - own).sum(dim=1).min().item() == pytest.approx(mass, rel=1e-5)
    logs = tag_log_probabilities(embeddings, sphere, 0.3)
    loss = tag_softmax(logs, joined) + 0.7 * neighbour_softmax(embeddings, joined, 0.3)
    torch.testing.assert_close(objective(embeddings, ROWS, 0.5), loss)


def test_propagation_begins_after_the_first_fifth_and_can_be_left_out():
    _, sphere, positives = _problem()

    def refuse() -> np.ndarray:
        raise AssertionError("nobody should be embedded")

    pixels = {"features": None, "images": "images"}
    for config, progress in (
        (_config(), 0.19),
        (_config(propagation=0.0), 0.9),
        # A backbone that begins with random weights takes longer to see what is alike.
        (_config(**pixels), 0.69),
        (_config(**pixels, backbone_weights="w.npy"), 0.19),
    ):
        objective = make_objective(config, sphere, positives)
        before = objective.targets(ROWS)
        objective.begin_epoch(refuse, progress, np.random.default_rng(0))
        assert torch.equal(objective.targets(ROWS), before)
    for config, progress in (
        (_config(), 0.2),
        (_config(**pixels), 0.7),
        (_config(**pixels, backbone_weights="w.npy"), 0.2),
    ):
        objective = make_objective(config, sphere, positives)
        before = objective.targets(ROWS)
        objective.begin_epoch(lambda: _looks(positives), progress, np.random.default_rng(0))
        assert not torch.equal(objective.targets(ROWS), before)
    for name in set(LOSSES) - {"tag_softmax"}:
        objective = make_objective(_config(loss=name), sphere, positives)
        objective.begin_epoch(refuse, 0.9, np.random.default_rng(0))
