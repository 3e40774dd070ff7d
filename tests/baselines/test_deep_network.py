"""What the deep baselines share: settings, inputs, repeatability, coding and ranking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deep_world import TinyBackbone, World, make_world
from wsdhq.baselines import make_baseline
from wsdhq.baselines.common.deep_network import DeepHashing, HashHead, augmented
from wsdhq.baselines.deepbit import DeepBit
from wsdhq.baselines.interface import TrainingData
from wsdhq.baselines.wdht import WDHT
from wsdhq.embed.networks.views import centre_crop, ten_crops

BOTH = pytest.mark.parametrize("method", [DeepBit, WDHT])


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(120)


def quick(method: type[DeepHashing], bits: int = 16, **settings: Any) -> DeepHashing:
    return method(bits, **({"threads": 1, "epochs": 2, "batch_size": 32} | settings))


def with_inputs(world: World, inputs: Any) -> TrainingData:
    return TrainingData(inputs, world.data.tags, world.data.word_vectors)


def test_the_head_ends_with_its_last_layer() -> None:
    with torch.random.fork_rng(devices=[]):
        head = HashHead(4, 3, hidden_dim=5).eval()
        features = 10 * torch.randn(6, 4)
    head.fit_scaling(features.numpy())
    hidden = nn.functional.gelu(head.hidden((features - head.shift) * head.scale))
    expected = hidden @ head.transform.weight.T + head.transform.bias
    assert torch.allclose(head(features), expected, atol=1e-6)
    linear = HashHead(4, 3)
    assert linear.hidden is None
    assert linear(features).shape == (6, 3)


@BOTH
def test_a_bit_is_one_where_the_output_is_not_negative(
    method: type[DeepHashing], world: World
) -> None:
    model = quick(method).fit(world.data)
    assert model.network is not None
    with torch.no_grad():
        outputs = model.network(torch.from_numpy(world.features)).numpy()
    assert not model.network.training
    expected = np.packbits(outputs[:, :16] >= 0, axis=1)
    codes = model.encode(world.features)
    assert codes.dtype == np.uint8
    assert np.array_equal(codes, expected)
    # In blocks, alone, from other float types: the same.
    assert np.array_equal(model.encode(world.features[7:8]), codes[7:8])
    assert model.encode(world.features[:0]).shape == (0, 2)
    assert np.array_equal(model.encode(world.features.astype(np.float64)), codes)


@BOTH
def test_ranking_is_by_hamming_distance_and_then_by_position(
    method: type[DeepHashing], world: World
) -> None:
    model = quick(method).fit(world.data)
    codes = model.encode(world.features)
    _, positions = model.rank(world.features[:9], codes)(2, 6)
    for query, found in zip(range(2, 6), np.asarray(positions), strict=True):
        distances = np.unpackbits(codes[query] ^ codes, axis=1).sum(axis=1)
        assert found.tolist() == np.argsort(distances, kind="stable").tolist()


@BOTH
@pytest.mark.parametrize("pixels", [False, True])
def test_the_same_seed_gives_the_same_codes_and_leaves_torch_alone(
    method: type[DeepHashing], world: World, pixels: bool
) -> None:
    data = world.with_pixels() if pixels else world.data
    backbone = TinyBackbone() if pixels else None
    before = {} if backbone is None else {k: v.clone() for k, v in backbone.state_dict().items()}
    threads = torch.get_num_threads()
    codes = []
    for seed, start in ((3, 11), (3, 12), (4, 11)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(start)
            state = torch.get_rng_state()
            model = quick(method, seed=seed, backbone=backbone).fit(data)
            codes.append(model.encode(data.inputs))
            assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert np.array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])
    if backbone is not None:
        assert all(
            torch.equal(value, before[name]) for name, value in backbone.state_dict().items()
        )


@BOTH
def test_fitting_again_begins_anew(method: type[DeepHashing], world: World) -> None:
    model = quick(method).fit(world.data)
    codes = model.encode(world.features)
    model.fit(make_world(80, seed=1).data)
    assert not np.array_equal(model.encode(world.features), codes)
    assert np.array_equal(model.fit(world.data).encode(world.features), codes)


@BOTH
def test_training_lowers_the_loss(method: type[DeepHashing], world: World) -> None:
    history = quick(method, epochs=8).fit(world.data).history
    assert len(history) == 8
    assert history[-1]["loss"] < history[0]["loss"]


@BOTH
def test_only_what_learns_moves_the_backbone(method: type[DeepHashing], world: World) -> None:
    backbone = TinyBackbone()
    backbone.convolution.requires_grad_(False)
    model = quick(method, backbone=backbone).fit(world.with_pixels())
    assert model.network is not None
    trained = model.network.backbone
    assert isinstance(trained, TinyBackbone)
    assert torch.equal(trained.convolution.weight, backbone.convolution.weight)
    assert not torch.equal(trained.normalization.weight, backbone.normalization.weight)


@BOTH
def test_images_are_mirrored_and_shifted_in_training_and_features_are_not(
    method: type[DeepHashing], world: World
) -> None:
    pixels, features = torch.from_numpy(world.pixels), torch.from_numpy(world.features)
    images = quick(method, epochs=1, backbone=TinyBackbone()).fit(world.with_pixels()).network
    plain = quick(method, epochs=1).fit(world.data).network
    assert images is not None
    assert plain is not None
    with torch.random.fork_rng(devices=[]):
        changed = augmented(images, pixels)
        assert augmented(plain, features) is features
    assert changed.shape == pixels.shape
    assert not torch.equal(changed, pixels)


@BOTH
@pytest.mark.parametrize("crops", ["centre", "ten"])
def test_images_are_cropped_in_training_and_when_encoding(
    method: type[DeepHashing], world: World, crops: str
) -> None:
    settings = {"backbone": TinyBackbone(), "crop_size": 12, "evaluation_crops": crops}
    model = quick(method, **settings).fit(world.with_pixels())
    network = model.network
    assert network is not None
    with torch.random.fork_rng(devices=[]):
        cropped = augmented(network, torch.from_numpy(world.pixels))
    assert cropped.shape == (120, 12, 12, 3)
    codes = model.encode(world.pixels)
    with torch.no_grad():
        shown = torch.from_numpy(world.pixels)
        views = [centre_crop(shown, 12)] if crops == "centre" else list(ten_crops(shown, 12))
        network.crop_size = None
        outputs = sum(network(view) for view in views) / len(views)
    assert np.array_equal(codes, np.packbits(outputs[:, :16].numpy() >= 0, axis=1))


def test_crops_that_cannot_be_are_named(world: World) -> None:
    with pytest.raises(ValueError, match=r"at least crop_size, 17, a side, got \(120, 16, 16, 3\)"):
        DeepBit(16, backbone=TinyBackbone(), crop_size=17).fit(world.with_pixels())
    with pytest.raises(ValueError, match="crop_size is for images: it needs a backbone"):
        WDHT(16, crop_size=12)
    with pytest.raises(ValueError, match="crop_size: expected at least 1, got 0"):
        DeepBit(16, backbone=TinyBackbone(), crop_size=0)
    with pytest.raises(
        ValueError, match="evaluation_crops: expected one of 'centre', 'ten', got 'all'"
    ):
        WDHT(16, evaluation_crops="all")


@BOTH
def test_a_last_batch_of_one_row_is_avoided(method: type[DeepHashing], world: World) -> None:
    # Rows 1 .. 3 have tags: three rows in batches of two would leave one alone.
    rows = slice(1, 4)
    data = TrainingData(world.pixels[rows], world.data.tags[rows], world.data.word_vectors)
    model = quick(method, batch_size=2, backbone=TinyBackbone()).fit(data)
    assert all(np.isfinite(losses["loss"]) for losses in model.history)


@BOTH
def test_before_fit_there_is_nothing_to_encode_with(
    method: type[DeepHashing], world: World
) -> None:
    model = quick(method)
    with pytest.raises(ValueError, match=f"{method.name} has not learnt anything yet: call fit"):
        model.encode(world.features)
    with pytest.raises(ValueError, match="call fit first"):
        model.rank(world.features, np.zeros((3, 2), dtype=np.uint8))


@BOTH
def test_inputs_of_another_kind_are_named(method: type[DeepHashing], world: World) -> None:
    with pytest.raises(TypeError, match=r"without a backbone needs features .* got uint8"):
        quick(method).fit(world.with_pixels())
    with pytest.raises(TypeError, match="with a backbone needs pixels of uint8, got float32"):
        quick(method, backbone=TinyBackbone()).fit(world.data)
    with pytest.raises(ValueError, match=r"expected shape \(N, F\), got \(120,\)"):
        quick(method).fit(with_inputs(world, world.features[:, 0]))
    with pytest.raises(ValueError, match=r"expected shape \(N, S, S, 3\), got \(120, 16, 12, 3\)"):
        quick(method, backbone=TinyBackbone()).fit(with_inputs(world, world.pixels[:, :, :12]))


@BOTH
def test_a_width_other_than_fitted_is_named(method: type[DeepHashing], world: World) -> None:
    model = quick(method).fit(world.data)
    with pytest.raises(ValueError, match=r"expected shape \(N, 12\), got \(120, 11\)"):
        model.encode(world.features[:, :11])
    images = quick(method, backbone=TinyBackbone()).fit(world.with_pixels())
    with pytest.raises(ValueError, match=r"\(N, 16, 16, 3\), got \(120, 15, 15, 3\)"):
        images.encode(world.pixels[:, 1:, 1:])


@BOTH
def test_values_that_are_not_finite_are_named(method: type[DeepHashing], world: World) -> None:
    spoilt = world.features.copy()
    spoilt[17, 3] = np.nan
    with pytest.raises(ValueError, match="expected finite float32 values, but row 17 is not"):
        quick(method).fit(with_inputs(world, spoilt))
    model = quick(method).fit(world.data)
    with pytest.raises(ValueError, match="row 17 is not"):
        model.encode(spoilt)
    huge = world.features.astype(np.float64)
    huge[3, 0] = 1e300
    with pytest.raises(ValueError, match="row 3 is not"):
        model.encode(huge)


@BOTH
def test_codes_of_another_length_are_named(method: type[DeepHashing], world: World) -> None:
    model = quick(method).fit(world.data)
    with pytest.raises(ValueError, match=r"codes: expected shape \(N, 2\) for 16 bits"):
        model.rank(world.features, np.zeros((5, 3), dtype=np.uint8))
    with pytest.raises(TypeError, match="codes: expected uint8, got int64"):
        model.rank(world.features, np.zeros((5, 2), dtype=np.int64))


@BOTH
def test_a_fit_that_fails_leaves_nothing_fitted(method: type[DeepHashing], world: World) -> None:
    model = quick(method).fit(world.data)
    with pytest.raises(ValueError, match="at least 2"):
        model.fit(TrainingData(world.features[1:2], world.data.tags[1:2], world.data.word_vectors))
    assert model.network is None
    assert model.history == []
    with pytest.raises(ValueError, match="call fit first"):
        model.encode(world.features)


@BOTH
def test_rows_that_teach_nothing_are_refused(method: type[DeepHashing], world: World) -> None:
    message = "inputs: expected rows that differ, got 120 equal rows"
    with pytest.raises(ValueError, match=message):
        quick(method).fit(with_inputs(world, np.ones_like(world.features)))
    black = np.zeros_like(world.pixels)
    with pytest.raises(ValueError, match=message):
        quick(method, backbone=TinyBackbone()).fit(with_inputs(world, black))
    with pytest.raises(ValueError, match=f"inputs: {method.name} needs at least 2 rows .* got 0"):
        quick(method).fit(TrainingData(world.features[:0], [], world.data.word_vectors))


@BOTH
def test_a_gpu_that_is_not_there_is_named(
    method: type[DeepHashing], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"device: torch .* sees no GPU, got 'cuda'"):
        quick(method, device="cuda").fit(world.data)


@BOTH
def test_a_loss_that_diverges_is_reported(method: type[DeepHashing], world: World) -> None:
    model = quick(method, learning_rate=1e30, epochs=3)
    with pytest.raises(ValueError, match=r"training diverged: .* a lower learning_rate may help"):
        model.fit(world.data)


@BOTH
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 12}, "bits"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number above 0"),
        ({"hidden_dim": 0}, "hidden_dim: expected at least 1"),
        ({"dropout": 1.0}, "dropout: expected 0 <= dropout < 1"),
        ({"device": "tpu"}, "device: expected 'cpu', 'cuda'"),
        (
            {"quantization_weight": -1.0},
            "quantization_weight: expected at least",
        ),
    ],
)
def test_settings_out_of_range_are_named(
    method: type[DeepHashing], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        method(**({"bits": 16} | settings))


@BOTH
def test_they_are_made_by_their_names(method: type[DeepHashing]) -> None:
    model = make_baseline(method.name, np.int64(16), seed=3, threads=1)  # type: ignore[arg-type]
    assert type(model) is method
    assert (model.bits, model.seed, model.threads) == (16, 3, 1)
    assert model.is_deep
    assert model.uses_tags == (method is WDHT)


@BOTH
def test_settings_of_another_type_are_named(method: type[DeepHashing]) -> None:
    with pytest.raises(TypeError, match=r"backbone: expected a torch.nn.Module, got str"):
        method(16, backbone="small")
    with pytest.raises(TypeError, match="quantization_weight: expected a number, got str"):
        method(16, quantization_weight="1")
