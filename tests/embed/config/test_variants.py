"""Variants of the paper's method and of the default: changes of settings that do what they say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy import sparse

from wsdhq.embed import TrainedModel, train
from wsdhq.embed.config import TrainConfig
from wsdhq.embed.config.presets import PRESETS, preset_settings
from wsdhq.embed.config.variants import (
    DEFAULT,
    PAPER_OBJECTIVE,
    PIECES,
    VARIANTS,
    find_variant,
    variant_settings,
)
from wsdhq.embed.losses import batch_hinge
from wsdhq.embed.training.objectives import make_objective


def _log(config) -> list[dict]:
    with open(f"{config.out}/log.jsonl", encoding="utf-8") as log:
        return [json.loads(line) for line in log]


def _train(config_for, world, name, **changes):
    # Fewer than the 8 tags there are, so that "all negatives" is something else.
    config = config_for(world.folder, out=name, variant=name, **({"num_negatives": 2} | changes))
    return config, train(config)


def _settings(*arguments, **given) -> dict:
    settings = variant_settings(*arguments) | given
    config = TrainConfig(out="run", tags="t.txt", features="f.npy", **settings)
    return dataclasses.asdict(config)


@pytest.mark.parametrize(("variants", "whole"), [(VARIANTS, "WSDHQ"), (PIECES, DEFAULT)])
def test_every_variant_differs_from_the_whole_method_in_its_own_settings_only(variants, whole):
    usual = _settings(whole)
    assert variants[whole].settings == {}
    for name, variant in variants.items():
        own = _settings(name)
        assert own == usual | variant.settings
        assert (own == usual) == (name == whole), name
        assert variant.description
        assert variant.of_the_paper == (variants is VARIANTS)


def test_the_default_is_what_training_does_by_itself():
    by_itself = TrainConfig(out="run", tags="t.txt", features="f.npy")
    assert variant_settings(DEFAULT) == {}
    assert _settings(DEFAULT) == dataclasses.asdict(by_itself)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_papers_method_does_not_depend_on_defaults(name, monkeypatch):
    before = _settings(name)
    assert before["loss"] in ("adaptive_margin", "fixed_margin", "batch_hinge")
    assert (before["quantizer_metric"], before["whitening"]) == ("semantic", 0)
    defaults = TrainConfig.__init__.__kwdefaults__
    # No setting of the paper's objective may be left to a default: these would be refused.
    spoilt = defaults | dict.fromkeys(PAPER_OBJECTIVE, object())
    monkeypatch.setattr(TrainConfig.__init__, "__kwdefaults__", spoilt)
    with pytest.raises(TypeError, match=r"expected .* got object"):
        _settings(DEFAULT)
    assert _settings(name) == before


def test_settings_win_in_order():
    for key, value in PAPER_OBJECTIVE.items():
        assert variant_settings("WSDHQ")[key] == value
    # A preset stands above the paper's objective, a variant's own change above the preset.
    given = {"epochs": 3, "hidden_dim": None, "normalize": True, "num_neighbours": 7}
    assert variant_settings("WSDHQ_N", given) == PAPER_OBJECTIVE | given | {"normalize": False}
    assert variant_settings("WSDHQ", given) == PAPER_OBJECTIVE | given
    assert variant_settings("graph", given) == given | {"num_neighbours": 20, "radius": 0.1}
    # What is given stays as it was.
    assert given["normalize"]
    assert "loss" not in given


def test_settings_of_a_variant_are_a_copy():
    variant_settings("WSDHQ")["loss"] = "batch_hinge"
    variant_settings("WSDHQ_G")["radius"] = 3.0
    assert variant_settings("WSDHQ_G")["radius"] == 0.0
    assert PAPER_OBJECTIVE["loss"] == "adaptive_margin"


def test_every_name_is_another_however_it_is_written():
    names = [name.lower().replace("-", " ").replace("_", " ") for name in (*VARIANTS, *PIECES)]
    assert len(set(names)) == len(names)
    for name, variant in {**VARIANTS, **PIECES}.items():
        assert find_variant(name.upper().replace(" ", "-")) is variant


@pytest.mark.parametrize(
    ("variants", "whole", "changes"),
    [(VARIANTS, "WSDHQ", {}), (PIECES, DEFAULT, {"num_neighbours": 0, "radius": 0.0})],
)
def test_every_variant_learns_and_each_something_else(variants, whole, changes, world, config_for):
    codes, relaxations, precision = {}, {}, {}
    for name in variants:
        config, model = _train(config_for, world, name, epochs=6, **changes)
        codes[name] = np.load(f"{config.out}/codes.npy")
        relaxations[name] = model.quantizer.relaxation
        read = TrainedModel.load(config.out)
        np.testing.assert_array_equal(read.encode(world.features), codes[name])
        embeddings = model.embed(world.features)
        scores = embeddings @ embeddings.T
        np.fill_diagonal(scores, -np.inf)
        nearest = np.argsort(-scores, axis=1)[:, :10]
        precision[name] = (world.kinds[nearest] == world.kinds[:, None]).mean()
    # By chance a sixth of the neighbours is of the same kind.
    assert min(precision.values()) > 0.6, precision
    for name, own in codes.items():
        if name != whole:
            # With fewer rows than codewords, codes of two stages need no relaxation.
            unrelaxed = relaxations[name] != relaxations[whole]
            assert unrelaxed or (own != codes[whole]).any(), name


def test_without_the_graph_no_tags_merge_and_each_keeps_its_own_vector(world, config_for):
    _, model = _train(config_for, world, "WSDHQ_G", epochs=1)
    assert all(len(members) == 1 for members in model.tags.members)
    assert model.tags.report.num_edges == 0


def test_without_normalization_norms_stay(world, config_for):
    config, model = _train(config_for, world, "WSDHQ_N", epochs=2)
    norms = np.linalg.norm(model.sphere, axis=1)
    assert norms.max() > 1.5 * norms.min()
    norms = np.linalg.norm(model.embed(world.features), axis=1)
    assert norms.std() > 1e-3
    read = TrainedModel.load(config.out)
    np.testing.assert_array_equal(read.sphere, model.sphere)
    np.testing.assert_array_equal(read.embed(world.features), model.embed(world.features))


def test_the_hinge_variant_trains_on_the_hinge_of_wdht(world, config_for):
    config = config_for(world.folder, variant="WSDHQ_L")
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(6, 5, generator=generator)
    sphere = torch.nn.functional.normalize(torch.randn(4, 5, generator=generator), dim=1)
    positives = torch.rand(6, 4, generator=generator) < 0.5
    expected = batch_hinge(embeddings, sphere, positives, 0.2)
    assert _loss(config, embeddings, sphere, positives) == expected


def _loss(config, embeddings, sphere, positives) -> float:
    carried = sparse.csr_array(positives.numpy())
    rows = np.arange(len(positives))
    return make_objective(config, sphere, carried)(embeddings, rows, 0.5).item()


def test_two_stages_fit_the_quantizer_once_the_embedding_is_done(world, config_for):
    config, model = _train(config_for, world, "WSDHQ_2")
    for record in _log(config):
        assert record["quantization_loss"] is None
        assert record["distortion"] is None
        assert record["loss"] == record["semantic_loss"]
    embeddings = model.embed(world.features)
    codes = np.load(f"{config.out}/codes.npy")
    spread = np.var(embeddings, axis=0).sum()
    residual = embeddings - model.quantizer.decode(codes)
    assert np.mean(np.sum(residual**2, axis=1)) < 0.2 * spread


def test_margins_by_default_are_those_of_unrelated_tags_and_of_wdht(world, config_for):
    embeddings = torch.eye(3)
    sphere = torch.eye(3)
    positives = torch.tensor([[True, False, False]]).expand(3, 3).clone()
    fixed = config_for(world.folder, loss="fixed_margin", gamma=2.0)
    given = config_for(world.folder, loss="fixed_margin", gamma=2.0, margin=0.5)
    adaptive = config_for(world.folder, loss="adaptive_margin", gamma=2.0)
    losses = [_loss(each, embeddings, sphere, positives) for each in (fixed, given, adaptive)]
    assert losses[0] == losses[1] == pytest.approx(losses[2])


@pytest.mark.parametrize("name", ["fixed-margin", "fixed_margin", "Fixed Margin"])
def test_variants_are_named_without_quotes(name):
    assert variant_settings(name) == PAPER_OBJECTIVE | {"loss": "fixed_margin"}
    assert variant_settings("wsdhq_2") == variant_settings("WSDHQ_2")
    assert variant_settings("Semantic-Metric") == {"quantizer_metric": "semantic"}


def test_unknown_variants_and_presets_list_the_known_ones():
    known = r"one of 'WSDHQ_G', .*'WSDHQ'.*'default', 'no n.* got 'WSDHQ_X'"
    for look_up in (variant_settings, find_variant):
        with pytest.raises(ValueError, match=known):
            look_up("WSDHQ_X")
    with pytest.raises(
        ValueError, match=r"preset: expected one of 'mirflickr25k', 'nuswide', got 'fl"
    ):
        preset_settings("flickr", images=True)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_hold_the_hyper_parameters_of_the_paper(name):
    settings = preset_settings(name, images=True)
    config = TrainConfig(out="run", tags="t.txt", images="images", **settings)
    assert (config.num_neighbours, config.threshold, config.radius) == (20, 0.75, 0.1)
    assert (config.num_negatives, config.gamma, config.quantization_weight) == (1000, 1.0, 1e-4)
    assert (config.word_dim, config.hidden_dim, config.dropout) == (300, None, 0.0)
    assert (config.loss, config.quantizer_metric) == ("adaptive_margin", "semantic")
    assert config.whitening == 0
    assert (config.backbone, config.crop_size, config.evaluation_crops) == ("alexnet", 227, "ten")
    assert (config.schedule, config.halve_every, config.batch_size) == ("halving", 300, 256)
    rows = config.num_train or 25_000 - config.num_queries
    steps = config.epochs * -(-rows // config.batch_size)
    # 800 and 1,500 steps, to a whole number of epochs.
    assert abs(steps - {"mirflickr25k": 800, "nuswide": 1500}[name]) <= 45
    assert "backbone" not in preset_settings(name, images=False)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("images", [True, False])
def test_presets_without_their_objective_say_what_the_data_is(name, images):
    whole = preset_settings(name, images=images)
    data = preset_settings(name, images=images, objective=False)
    assert data.items() < whole.items()
    assert {"num_queries", "min_count", "word_dim"} <= set(data)
    rest = set(whole) - set(data)
    assert set(PAPER_OBJECTIVE) <= rest
    assert {"learning_rate", "schedule", "gamma", "num_negatives", "dropout"} <= rest
    assert ("backbone" in data) == images
