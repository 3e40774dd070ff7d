"""The variants of the paper: each is a change of settings, and each does what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from wsdhq.embed import TrainedModel, train
from wsdhq.embed.config import LOSSES, TrainConfig
from wsdhq.embed.losses import batch_hinge
from wsdhq.embed.objectives import OBJECTIVES, semantic_loss
from wsdhq.embed.presets import PRESETS, preset_settings
from wsdhq.embed.variants import VARIANTS, variant_settings


def _log(config) -> list[dict]:
    with open(f"{config.out}/log.jsonl", encoding="utf-8") as log:
        return [json.loads(line) for line in log]


def _train(config_for, world, name, **changes):
    settings = variant_settings(name)
    # Fewer than the 8 tags there are, so that "all negatives" is something else.
    settings = {"num_negatives": 2} | settings
    config = config_for(world.folder, out=name, **(settings | changes))
    return config, train(config)


def test_every_loss_that_a_setting_can_name_is_there():
    assert set(OBJECTIVES) == set(LOSSES)


def test_every_variant_differs_from_the_whole_method_in_its_own_settings_only():
    known = TrainConfig(out="run", tags="t.txt", features="f.npy")
    for name, variant in VARIANTS.items():
        assert all(hasattr(known, setting) for setting in variant.settings)
        changed = any(getattr(known, key) != value for key, value in variant.settings.items())
        assert changed == (name != "WSDHQ")


def test_every_variant_learns_and_each_its_own_codes(world, config_for):
    codes, precision = {}, {}
    for name in VARIANTS:
        config, model = _train(config_for, world, name, epochs=6)
        codes[name] = np.load(f"{config.out}/codes.npy")
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
        if name != "WSDHQ":
            assert (own != codes["WSDHQ"]).any(), name


def test_without_the_graph_no_tags_merge_and_each_keeps_its_own_vector(world, config_for):
    _, model = _train(config_for, world, "WSDHQ_G", epochs=1)
    assert all(len(members) == 1 for members in model.tags.members)
    assert model.tags.report.num_edges == 0


def test_without_normalisation_norms_stay(world, config_for):
    config, model = _train(config_for, world, "WSDHQ_N", epochs=2)
    norms = np.linalg.norm(model.sphere, axis=1)
    assert norms.max() > 1.5 * norms.min()
    norms = np.linalg.norm(model.embed(world.features), axis=1)
    assert norms.std() > 1e-3
    read = TrainedModel.load(config.out)
    np.testing.assert_array_equal(read.sphere, model.sphere)
    np.testing.assert_array_equal(read.embed(world.features), model.embed(world.features))


def test_the_hinge_variant_trains_on_the_hinge_of_wdht(world, config_for):
    config = config_for(world.folder, **variant_settings("WSDHQ_L"))
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(6, 5, generator=generator)
    sphere = torch.nn.functional.normalize(torch.randn(4, 5, generator=generator), dim=1)
    positives = torch.rand(6, 4, generator=generator) < 0.5
    expected = batch_hinge(embeddings, sphere, positives, 0.2)
    assert semantic_loss(config, embeddings, sphere, positives) == expected


def test_two_stages_fit_the_quantiser_once_the_embedding_is_done(world, config_for):
    config, model = _train(config_for, world, "WSDHQ_2")
    for record in _log(config):
        assert record["quantisation_loss"] is None
        assert record["distortion"] is None
        assert record["loss"] == record["margin_loss"]
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
    adaptive = config_for(world.folder, gamma=2.0)
    losses = [
        float(semantic_loss(config, embeddings, sphere, positives))
        for config in (fixed, given, adaptive)
    ]
    assert losses[0] == losses[1] == pytest.approx(losses[2])


@pytest.mark.parametrize("name", ["fixed-margin", "fixed_margin", "Fixed Margin"])
def test_variants_are_named_without_quotes(name):
    assert variant_settings(name) == {"loss": "fixed_margin"}
    assert variant_settings("wsdhq_2") == variant_settings("WSDHQ_2")


def test_unknown_variants_and_presets_list_the_known_ones():
    with pytest.raises(ValueError, match=r"no variant 'WSDHQ_X'; known: 'WSDHQ_G', .*'WSDHQ'"):
        variant_settings("WSDHQ_X")
    with pytest.raises(ValueError, match=r"no preset 'flickr'; known: 'mirflickr25k', 'nuswide'"):
        preset_settings("flickr", images=True)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_hold_the_hyper_parameters_of_the_paper(name):
    settings = preset_settings(name, images=True)
    config = TrainConfig(out="run", tags="t.txt", images="images", **settings)
    assert (config.num_neighbours, config.threshold, config.radius) == (20, 0.75, 0.1)
    assert (config.num_negatives, config.gamma, config.quantisation_weight) == (1000, 1.0, 1e-4)
    assert (config.word_dim, config.hidden_dim, config.dropout) == (300, None, 0.0)
    assert (config.backbone, config.crop_size, config.evaluation_crops) == ("alexnet", 227, "ten")
    assert (config.schedule, config.halve_every, config.batch_size) == ("halving", 300, 256)
    rows = config.num_train or 25_000 - config.num_queries
    steps = config.epochs * -(-rows // config.batch_size)
    # 800 and 1,500 steps, to a whole number of epochs.
    assert abs(steps - {"mirflickr25k": 800, "nuswide": 1500}[name]) <= 45
    assert "backbone" not in preset_settings(name, images=False)
