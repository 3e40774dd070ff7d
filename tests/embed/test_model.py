"""Trained models: embedding, encoding, and run directories that are not whole."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from wsdhq.data import open_images
from wsdhq.embed import TrainedModel, decoding, train
from wsdhq.embed import model as model_module


def test_embeddings_are_unit_rows(trained):
    embeddings = trained.model.embed(trained.world.features)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (180, 8)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 179, 5000])
def test_embeddings_do_not_depend_on_the_batch(trained, batch_size):
    whole = trained.model.embed(trained.world.features)
    parts = trained.model.embed(trained.world.features, batch_size=batch_size)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-6)


def test_floats_of_every_kind_and_layout_are_accepted(trained, tmp_path):
    half = trained.world.features.astype(np.float16)
    expected = trained.model.embed(half.astype(np.float32))
    np.save(tmp_path / "half.npy", half)
    wide = np.zeros((180, 20))
    wide[:, ::2] = half
    variants = [
        half,
        half.astype(np.float64),
        half.astype(">f4"),
        np.asfortranarray(half),
        wide[:, ::2],
        np.load(tmp_path / "half.npy", mmap_mode="r"),
        torch.from_numpy(half),
    ]
    for variant in variants:
        np.testing.assert_array_equal(trained.model.embed(variant), expected)


def test_empty_inputs_give_empty_results(trained):
    nothing = np.zeros((0, 10), dtype=np.float32)
    assert trained.model.embed(nothing).shape == (0, 8)
    assert trained.model.encode(nothing).shape == (0, 2)


def test_codes_are_those_of_the_embeddings_whatever_the_parts(trained, monkeypatch):
    embeddings = trained.model.embed(trained.world.features, batch_size=32)
    expected = trained.model.quantizer.encode(embeddings)
    monkeypatch.setattr(model_module, "_ENCODED_AT_ONCE", 50)
    codes = trained.model.encode(trained.world.features, batch_size=32)
    np.testing.assert_array_equal(codes, expected)


def test_threads_and_modes_are_restored(trained):
    before = torch.get_num_threads()
    for _ in trained.model.embed_blocks(trained.world.features, 64, threads=before + 1):
        assert torch.get_num_threads() == before
        assert torch.is_grad_enabled()
    assert not trained.model.network.training


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.zeros((3, 9), np.float32), ValueError, r"\(N, 10\), got \(3, 9\)"),
        (np.zeros(10, np.float32), ValueError, r"\(N, 10\), got \(10,\)"),
        (np.zeros((3, 10), np.int64), TypeError, "float16, float32 or float64, got int64"),
        (np.zeros((3, 10), complex), TypeError, "got complex128"),
        (np.zeros((3, 16, 16, 3), np.uint8), TypeError, "got uint8"),
        (["a.png"], ValueError, r"this model embeds features.*\(N, 10\) array, got list"),
    ],
)
def test_a_model_of_features_refuses(trained, data, error, message):
    with pytest.raises(error, match=message):
        trained.model.embed(data)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_not_finite_name_their_row(trained, value):
    features = trained.world.features.copy()
    features[101, 4] = value
    for call in (trained.model.embed, trained.model.encode):
        with pytest.raises(ValueError, match="finite float32 values, but row 101 is not"):
            call(features, batch_size=32)


@pytest.mark.parametrize(("name", "value"), [("batch_size", 0), ("threads", 0)])
def test_counts_below_one_are_refused(trained, name, value):
    with pytest.raises(ValueError, match=name):
        trained.model.embed(trained.world.features, **{name: value})


def test_images_from_arrays_files_and_collections_agree(trained_on_images):
    model, world = trained_on_images.model, trained_on_images.world
    expected = model.embed(world.pixels)
    assert expected.shape == (120, 8)
    paths = [world.folder / "images" / f"{row}.png" for row in range(120)]
    np.testing.assert_allclose(model.embed(paths), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.embed(world.folder / "images"), expected, rtol=1e-4, atol=1e-6)
    with open_images(world.folder / "images") as collection:
        np.testing.assert_allclose(model.embed(collection), expected, rtol=1e-4, atol=1e-6)
        codes = model.encode(collection)
    np.testing.assert_array_equal(codes, np.load(f"{trained_on_images.config.out}/codes.npy"))


def test_unreadable_images_stop_embed_and_are_told_by_embed_images(
    trained_on_images, tmp_path, monkeypatch
):
    model, world = trained_on_images.model, trained_on_images.world
    # Parts of two images: the second part holds no image that can be read.
    monkeypatch.setattr(decoding, "_MAX_PART", 2)
    paths = [world.folder / "images" / f"{row}.png" for row in range(6)]
    (tmp_path / "empty.png").write_bytes(b"")
    paths[2] = tmp_path / "empty.png"
    paths[3] = tmp_path / "missing.png"
    paths[5] = tmp_path / "empty.png"
    with pytest.raises(ValueError, match=r"3 images cannot be read.*empty\.png.*missing\.png"):
        model.embed(paths)
    images = model.embed_images(paths)
    np.testing.assert_array_equal(images.kept, [0, 1, 4])
    assert [image.row for image in images.skipped] == [2, 3, 5]
    expected = model.embed(world.pixels[[0, 1, 4]])
    np.testing.assert_allclose(images.embeddings, expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"none of the 2 images can be read.*empty\.png"):
        model.embed_images(paths[2:4])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), ValueError, r"\(N, 16, 16, 3\), got \(2, 8, 8, 3\)"),
        (np.zeros((2, 3, 16, 16), np.uint8), ValueError, r"\(N, 16, 16, 3\)"),
        (np.zeros((2, 16, 16, 3), np.float32), TypeError, "images: expected uint8, got float32"),
    ],
)
def test_a_model_of_images_refuses(trained_on_images, data, error, message):
    with pytest.raises(error, match=message):
        trained_on_images.model.embed(data)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(trained.config.out, tmp_path / "copy")


def test_saving_a_loaded_model_gives_the_same_files(trained, run, tmp_path):
    model = TrainedModel.load(run)
    model.save(tmp_path / "saved")
    for name in ("config.toml", "tags.json", "model.safetensors"):
        assert (tmp_path / "saved" / name).read_bytes() == (run / name).read_bytes()
    assert model.config == trained.config
    np.testing.assert_array_equal(model.sphere, trained.model.sphere)
    assert model.tags.members == trained.model.tags.members


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("config.toml", "the settings"),
        ("tags.json", "the merged tags"),
        ("model.safetensors", "weights, codebooks"),
    ],
)
def test_a_missing_file_is_named_with_what_it_should_hold(run, name, holds):
    (run / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing: expected {holds}"):
        TrainedModel.load(run)


def test_an_unfinished_training_is_told(run):
    (run / "model.safetensors").rename(run / "checkpoint.safetensors")
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing.*resume it"):
        TrainedModel.load(run)


def test_no_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such run directory"):
        TrainedModel.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_a_truncated_model_is_named(run, content):
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    with pytest.raises(ValueError, match=r"model\.safetensors: expected a whole safetensors"):
        TrainedModel.load(run)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"groups": [["a"]], "report": {}}'])
def test_damaged_tags_are_named(run, content):
    (run / "tags.json").write_text(content)
    with pytest.raises(ValueError, match=r"tags\.json: expected the merged tags"):
        TrainedModel.load(run)


def test_tags_of_another_run_are_noticed(run):
    tags = json.loads((run / "tags.json").read_text())
    tags["groups"] = tags["groups"][:-1]
    (run / "tags.json").write_text(json.dumps(tags))
    with pytest.raises(ValueError, match=r"tags\.json: .*fitting model\.safetensors"):
        TrainedModel.load(run)


def test_a_run_with_one_scale_for_all_dimensions_is_read(trained_as_paper, tmp_path):
    """As runs were before features could be whitened."""
    folder = shutil.copytree(trained_as_paper.config.out, tmp_path / "copy")
    features = trained_as_paper.world.features
    before = TrainedModel.load(folder)
    name = "network.head.scale"
    scale = load_file(folder / "model.safetensors")[name]
    assert scale.shape == (10,)
    assert torch.equal(scale, scale[:1].expand(10))
    _rewrite(folder, lambda tensors: tensors.update({name: scale[0].clone()}))
    after = TrainedModel.load(folder)
    assert torch.equal(after.network.head.scale, scale)
    np.testing.assert_array_equal(after.embed(features), before.embed(features))
    after.save(tmp_path / "saved")
    assert torch.equal(load_file(tmp_path / "saved" / "model.safetensors")[name], scale)


def test_the_metric_of_a_run_is_that_of_its_file_whatever_its_settings_say(
    trained_as_paper, tmp_path
):
    """Settings from before there was a choice do not name the metric."""
    folder = shutil.copytree(trained_as_paper.config.out, tmp_path / "copy")
    lines = (folder / "config.toml").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("quantizer_metric")]
    assert len(kept) == len(lines) - 1
    (folder / "config.toml").write_text("".join(kept))
    metric = load_file(folder / "model.safetensors")["metric"]
    model = TrainedModel.load(folder)
    np.testing.assert_array_equal(model.quantizer.metric, metric)
    model.save(tmp_path / "saved")
    assert torch.equal(load_file(tmp_path / "saved" / "model.safetensors")["metric"], metric)


def _rewrite(run, change, metadata=None) -> None:
    tensors = load_file(run / "model.safetensors")
    change(tensors)
    if metadata is None:
        with safe_open(run / "model.safetensors", framework="pt") as stored:
            metadata = stored.metadata()
    save_file(tensors, run / "model.safetensors", metadata=metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("codebooks"), r"tensor 'codebooks', \(2, 256, any\) float32"),
        (lambda t: t.update(codebooks=t["codebooks"][:1]), r"'codebooks'.*got \(1, 256, 8\)"),
        (lambda t: t.update(codebooks=t["codebooks"].double()), "'codebooks'.*float64"),
        (lambda t: t.update(metric=t["metric"][:3]), r"'metric' to be \(8, 8\)"),
        (lambda t: t.update(sphere=t["sphere"][:, :3].contiguous()), r"'sphere' to be \(any, 8\)"),
        (lambda t: t["codebooks"].fill_(torch.nan), "'codebooks' holds NaN"),
        (lambda t: t["network.head.transform.bias"].fill_(torch.nan), "bias' holds NaN"),
        (lambda t: t["network.head.scale"].fill_(torch.inf), "scale' holds NaN or infinite"),
        (lambda t: t.pop("network.head.transform.weight"), "transform.weight' is missing"),
        (lambda t: t.pop("network.head.shift"), "head.shift"),
        (lambda t: t.pop("network.head.scale"), "head.scale' is missing"),
        (lambda t: t.update({"network.head.scale": torch.ones(3)}), r"scale' has shape \(3,\)"),
        (lambda t: t.update({"network.head.scale": torch.tensor(torch.nan)}), "scale' holds NaN"),
        (lambda t: t.update({"network.extra": torch.ones(1)}), "'extra' belongs to no part"),
    ],
)
def test_a_model_that_does_not_fit_is_named(run, change, message):
    _rewrite(run, change)
    with pytest.raises(ValueError, match=rf"model\.safetensors: .*{message}"):
        TrainedModel.load(run)


def test_a_foreign_safetensors_file_is_named(run):
    _rewrite(run, lambda tensors: None, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"model\.safetensors: expected the format.*got None"):
        TrainedModel.load(run)


def test_a_model_tells_what_it_is(trained):
    model = trained.model
    assert repr(model) == (
        f"TrainedModel(of features, dim={model.dim}, bits={model.config.bits}, "
        f"{len(model.tags.group_of_tag)} tags)"
    )


def test_the_letters_of_a_tag_are_no_tags(trained):
    with pytest.raises(TypeError, match=r"tags: expected a list of tags such as \['boat'\]"):
        trained.model.embed_tags("boat")


def test_settings_that_are_none_are_refused():
    with pytest.raises(TypeError, match="config: expected a TrainConfig, got dict"):
        train({"features": "features.npy"})


def test_a_width_that_the_weights_have_not_takes_no_memory(run):
    config = run / "config.toml"
    text = config.read_text(encoding="utf-8")
    assert "hidden_dim = " in text
    config.write_text(re.sub(r"hidden_dim = .*", "hidden_dim = 65536", text), encoding="utf-8")
    # A layer of 65,536 by what is before it and behind it would be made, filled and thrown away.
    assert_nothing_is_made(run, r"head\..*has shape .*, expected .*65536")


def test_weights_that_are_missing_are_told_before_others_are_made(run):
    _rewrite(run, lambda tensors: [tensors.pop(n) for n in list(tensors) if "head.hidden" in n])
    assert_nothing_is_made(run, r"the tensor 'head\..*' is missing")


def assert_nothing_is_made(run, message):
    made = []
    original = torch.nn.Linear.__init__

    def spy(self, in_features, out_features, **more):
        original(self, in_features, out_features, **more)
        if self.weight.device.type != "meta":
            made.append(self.weight.numel())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Linear, "__init__", spy)
        with pytest.raises(ValueError, match=message):
            TrainedModel.load(run)
    assert made == []


@pytest.mark.parametrize("content", ["[" * 100_000, '{"tags": ' * 100_000])
def test_tags_that_are_nested_too_deeply_are_named(run, content):
    (run / "tags.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"tags\.json: expected"):
        TrainedModel.load(run)
