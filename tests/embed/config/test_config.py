"""Settings: their checks, and the round trip through TOML."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from wsdhq.embed.config import OptimizerConfig, TrainConfig, check_settings


def _config(**changes) -> TrainConfig:
    return TrainConfig(**({"out": "run", "tags": "t.txt", "features": "f.npy"} | changes))


def test_paths_are_kept_as_given():
    config = _config(out=Path("a/run"), features=None, images=Path("photos"))
    assert (config.out, config.images) == ("a/run", "photos")
    assert TrainConfig.from_toml(config.to_toml()) == config


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"relaxation": None, "num_negatives": None, "hidden_dim": None},
        {"relaxation": "data", "num_negatives": 7, "hidden_dim": 33},
        {"features": None, "images": "i.zip", "threads": 3, "word_vectors": 'a "b" \\ ä.kv'},
        {"learning_rate": 1, "gamma": 0.3, "augment": False, "device": "cuda:1"},
        {"loss": "batch_hinge", "margin": 0.3, "quantizer_metric": "semantic", "whitening": 1},
        {"temperature": 0.07, "neighbour_weight": 2, "plausibility": 0, "tag_rate_factor": 0},
    ],
)
def test_round_trip_through_toml(changes, tmp_path):
    config = _config(**changes)
    assert TrainConfig.from_toml(config.to_toml()) == config
    config.save(tmp_path / "config.toml")
    assert TrainConfig.load(tmp_path / "config.toml") == config


def test_whole_numbers_are_accepted_where_a_float_is_meant():
    assert isinstance(_config(learning_rate=1).learning_rate, float)


def test_num_codebooks_is_one_per_byte():
    assert _config(bits=24).num_codebooks == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bits", 0),
        ("bits", 12),
        ("bits", -8),
        ("bits", 520),
        ("word_dim", 0),
        ("word_epochs", 0),
        ("min_count", 0),
        (("num_neighbours", -1)),
        ("threshold", 1.5),
        ("radius", -0.1),
        ("num_queries", -1),
        ("split_seed", -1),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("head_rate_factor", -1.0),
        ("schedule", "linear"),
        ("halve_every", 0),
        ("weight_decay", -1.0),
        ("hidden_dim", 0),
        ("dropout", 1.0),
        ("gamma", 0.0),
        ("gamma", float("inf")),
        ("num_negatives", 0),
        ("quantization_weight", -1e-4),
        ("quantization_weight", float("inf")),
        ("quantizer_metric", "covariance"),
        ("loss", "softmax"),
        ("temperature", 0.0),
        ("temperature", -0.2),
        ("temperature", float("inf")),
        ("neighbour_weight", -0.5),
        ("neighbour_weight", float("nan")),
        ("plausibility", -0.1),
        ("plausibility", float("inf")),
        ("propagation", -1.0),
        ("propagation", float("nan")),
        ("tag_rate_factor", -1.0),
        ("whitening", -0.1),
        ("whitening", 1.1),
        ("whitening", float("nan")),
        ("margin", -0.1),
        ("evaluation_crops", "five"),
        ("crop_size", 8),
        ("update_every", 0),
        ("relaxation", "both"),
        ("seed", -1),
        ("seed", 2**32),
        ("threads", 0),
        ("image_size", 8),
        ("device", "tpu"),
        ("device", "cuda:x"),
    ],
)
def test_values_out_of_range_name_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        _config(**{field: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"whitening": 1.5}, "whitening: expected 0 to 1, got 1.5"),
        ({"temperature": 0}, "temperature: expected a number above 0, got 0.0"),
        ({"plausibility": -1}, "plausibility: expected at least 0, got -1.0"),
        ({"tag_rate_factor": -2}, "tag_rate_factor: expected at least 0, got -2.0"),
        ({"neighbour_weight": -0.5}, "neighbour_weight: expected at least 0, got -0.5"),
        ({"temperature": float("nan")}, "temperature: expected a finite number, got nan"),
        (
            {"loss": "softmax"},
            "loss: expected one of 'tag_softmax', 'adaptive_margin', 'fixed_margin', "
            "'batch_hinge', got 'softmax'; did you mean 'tag_softmax'?",
        ),
        (
            {"quantizer_metric": "tags"},
            "quantizer_metric: expected one of 'identity', 'semantic', got 'tags'",
        ),
    ],
)
def test_a_message_says_what_was_expected_and_what_came(changes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        _config(**changes)


@pytest.mark.parametrize("whitening", [0, 0.0, 0.5, 1, 1.0])
def test_both_ends_of_whitening_are_in_range(whitening):
    assert _config(whitening=whitening).whitening == whitening
    for name in ("neighbour_weight", "plausibility", "tag_rate_factor", "quantization_weight"):
        assert getattr(_config(**{name: 0}), name) == 0.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bits", 32.0),
        ("bits", True),
        ("tags", 3),
        ("tags", None),
        ("features", ["f.npy"]),
        ("learning_rate", "fast"),
        ("augment", 1),
        ("hidden_dim", "wide"),
        ("relaxation", 1),
        ("loss", None),
        ("loss", 1),
        ("quantizer_metric", None),
        ("temperature", None),
        ("temperature", "low"),
        ("temperature", True),
        ("neighbour_weight", None),
        ("plausibility", "much"),
        ("tag_rate_factor", False),
        ("whitening", None),
        ("whitening", True),
    ],
)
def test_values_of_another_type_name_the_field(field, value):
    with pytest.raises(TypeError, match=f"{field}: expected"):
        _config(**{field: value})


@pytest.mark.parametrize(
    ("changes", "given"), [({"images": "photos"}, "both"), ({"features": None}, "neither")]
)
def test_exactly_one_input(changes, given):
    with pytest.raises(ValueError, match=f"exactly one of features and images, got {given}"):
        _config(**changes)


@pytest.mark.parametrize("part", [TrainConfig, *TrainConfig.__bases__])
def test_every_field_is_documented(part):
    for field in dataclasses.fields(part):
        assert re.search(rf"\b{field.name}\b", part.__doc__.split("Raises")[0])


def test_a_function_may_take_one_concern_or_the_whole():
    config = _config(epochs=3, learning_rate=0.1, head_rate_factor=2.0)
    alone = OptimizerConfig(epochs=3, learning_rate=0.1, head_rate_factor=2.0)
    assert isinstance(config, OptimizerConfig)
    given = {"is_alone": True, "is_trained": False}
    assert config.rates(**given) == alone.rates(**given) == (0.1, 0.2)
    with pytest.raises(ValueError, match="epochs: expected at least 1, got 0"):
        OptimizerConfig(epochs=0)


def test_settings_are_checked_before_there_are_files():
    check_settings({"bits": 16, "loss": "adaptive_margin", "normalize": False})
    with pytest.raises(ValueError, match="normalize: expected True for the loss"):
        check_settings({"normalize": False})
    with pytest.raises(ValueError, match="crop_size: expected at most image_size, 64, got 65"):
        check_settings({"crop_size": 65})
    with pytest.raises(TypeError, match="epochs: expected an integer, got str"):
        check_settings({"epochs": "3"})
    with pytest.raises(ValueError, match="got 'epoch'; did you mean 'epochs'"):
        check_settings({"epoch": 3})


def test_runs_keep_the_names_that_keys_had_before():
    text = 'out = "r"\ntags = "t"\nfeatures = "f"\n'
    former = 'quantisation_weight = 0.5\nquantiser_metric = "semantic"\nnormalise = true\n'
    config = TrainConfig.from_toml(text + former)
    assert (config.quantization_weight, config.quantizer_metric) == (0.5, "semantic")
    assert "quantization_weight" in config.to_toml()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bits = ", "x.toml: expected TOML"),
        ('out = "r"\ntags = "t"\nbitz = 8', "expected keys among augment, backbone"),
        ('tags = "t"\nfeatures = "f"', "the key 'out' is missing"),
        ('out = "r"\ntags = "t"\nfeatures = "f"\nbits = 9', "x.toml: bits: expected a multiple"),
    ],
)
def test_bad_toml_names_the_file(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TrainConfig.from_toml(text, source="x.toml")


def test_wrong_type_in_toml_names_the_file():
    with pytest.raises(TypeError, match=r"x\.toml: bits: expected an integer"):
        TrainConfig.from_toml('out = "r"\ntags = "t"\nfeatures = "f"\nbits = "9"', source="x.toml")


def test_load_names_a_missing_or_unreadable_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.toml: no such file"):
        TrainConfig.load(tmp_path / "config.toml")
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"config\.toml: expected UTF-8"):
        TrainConfig.load(tmp_path / "config.toml")


def test_dropout_follows_the_tags_unless_it_is_given():
    config = TrainConfig(out="r", tags="t.txt", features="f.npy")
    assert config.dropout is None
    shares = [config.dropout_for(tags) for tags in (1.0, 1.5, 3.0, 6.0, 100.0)]
    np.testing.assert_allclose(shares, [0.6, 0.5, 1 / 3, 0.2, 1.5 / 101.5])
    for given in (0.0, 0.3):
        config = TrainConfig(out="r", tags="t.txt", features="f.npy", dropout=given)
        assert config.dropout_for(1.0) == config.dropout_for(9.0) == given


@pytest.mark.parametrize(
    ("changes", "backbone", "head"),
    [
        ({"features": "f.npy"}, 2e-3, 7e-3),
        ({"images": "i"}, 2e-3, 2e-3),
        ({"images": "i", "backbone": "alexnet", "backbone_weights": "w.npy"}, 2e-4, 2e-3),
        ({"images": "i", "backbone_weights": "w.npy", "learning_rate": 1e-3}, 1e-3, 1e-2),
        ({"images": "i", "backbone_weights": "w.npy", "head_rate_factor": 3.0}, 2e-4, 6e-4),
        ({"features": "f.npy", "learning_rate": 1.0, "head_rate_factor": 2.0}, 1.0, 2.0),
    ],
)
def test_what_was_trained_before_learns_slowly_beside_a_fresh_head(changes, backbone, head):
    config = TrainConfig(out="r", tags="t.txt", **changes)
    assert config.backbone_rate == pytest.approx(backbone)
    assert config.head_rate == pytest.approx(head)
    assert TrainConfig.from_toml(config.to_toml()) == config


def test_the_graph_is_that_of_word_vectors_that_know_more_than_the_tags():
    given = {"out": "r", "tags": "t.txt", "features": "f.npy"}
    for vectors, expected in ((None, (0, 0.0)), ("w.bin", (20, 0.1))):
        config = TrainConfig(**given, word_vectors=vectors)
        assert (config.graph_neighbours, config.merge_radius) == expected
        config = TrainConfig(**given, word_vectors=vectors, radius=0.3, num_neighbours=7)
        assert (config.graph_neighbours, config.merge_radius) == (7, 0.3)
        config = TrainConfig(**given, word_vectors=vectors, radius=0.0, num_neighbours=0)
        assert (config.graph_neighbours, config.merge_radius) == (0, 0.0)


def test_arrays_in_place_of_files_are_refused_in_a_line():
    with pytest.raises(TypeError) as caught:
        _config(features=np.zeros((5, 3)))
    assert str(caught.value) == "features: expected the path of a file or folder, got ndarray"
    with pytest.raises(TypeError, match=r"epochs: expected an integer, got list") as caught:
        _config(epochs=list(range(999)))
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("name", ["hidden_dim", "word_dim", "image_size", "batch_size", "epochs"])
def test_sizes_that_can_only_be_a_mistake_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}: expected at most .*, got 10*$"):
        _config(**{name: 10**12})
    with pytest.raises(ValueError, match=f"{name}: expected at most .*, got 10*$"):
        TrainConfig.from_toml(f'out = "r"\ntags = "t"\nfeatures = "f"\n{name} = 1{"0" * 300}')


def test_toml_that_is_nested_too_deeply_is_named(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("out = " + "[" * 100_000)
    with pytest.raises(ValueError, match=r"config\.toml: expected TOML"):
        TrainConfig.load(path)
