"""`wsdhq train`, `embed`, `encode` and `index`: what lands in which file, row by row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from wsdhq.embed import TrainConfig, TrainedModel
from wsdhq.embed.backbones import make_backbone
from wsdhq.quant import AQDIndex


@pytest.fixture
def copied_run(features, tmp_path: Path) -> Path:
    """A copy of the run on features, to be written to."""
    return Path(shutil.copytree(features.run, tmp_path / "run"))


def test_train_writes_a_run_with_the_settings_asked_for(features):
    config = TrainConfig.load(features.run / "config.toml")
    assert (config.bits, config.epochs, config.num_queries) == (16, 6, 40)
    assert (config.batch_size, config.min_count, config.radius) == (32, 1, 0.2)
    assert (config.hidden_dim, config.threads) == (16, 1)
    codes = np.load(features.run / "codes.npy")
    assert codes.shape == (240, 2)
    assert codes.dtype == np.uint8
    assert len((features.run / "log.jsonl").read_text().splitlines()) == 6


def test_zero_stands_for_none_where_none_has_a_meaning(features, wsdhq, tmp_path):
    wsdhq.done(
        "train", *features.train, "--hidden-dim", 0, "--set", "num_negatives=none",
        "--out", tmp_path / "run", "--epochs", 1,
    )  # fmt: skip
    config = TrainConfig.load(tmp_path / "run/config.toml")
    assert config.hidden_dim is None
    assert config.num_negatives is None


def test_a_backbone_is_chosen_by_options(images, wsdhq, tmp_path):
    torch.save(make_backbone("small").state_dict(), tmp_path / "small.pth")
    wsdhq.done(
        "train", *images.train, "--out", tmp_path / "run", "--epochs", 1, "--backbone", "small",
        "--backbone-weights", tmp_path / "small.pth", "--crop-size", 16,
    )  # fmt: skip
    config = TrainConfig.load(tmp_path / "run/config.toml")
    assert (config.backbone, config.crop_size) == ("small", 16)
    assert config.backbone_weights == str(tmp_path / "small.pth")


def test_features_are_embedded_row_by_row(features, wsdhq, tmp_path):
    out = tmp_path / "embeddings.npy"
    outcome = wsdhq.done(
        "embed", features.run, "--features", features / "features.npy", "--out", out
    )
    embeddings = np.load(out)
    expected = TrainedModel.load(features.run).embed(np.load(features / "features.npy"))
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)
    assert embeddings.dtype == np.float32
    assert outcome.err == f"wrote {out}: 240 embeddings of 8 dimensions\n"
    assert outcome.out == ""


def test_encoding_what_was_trained_on_repeats_the_codes_of_the_run(features, wsdhq, tmp_path):
    out = tmp_path / "codes.npy"
    wsdhq.done("encode", features.run, "--features", features / "features.npy", "--out", out)
    np.testing.assert_array_equal(np.load(out), np.load(features.run / "codes.npy"))


def test_no_rows_of_features_give_empty_files(features, wsdhq, tmp_path):
    np.save(tmp_path / "none.npy", np.empty((0, 10), np.float32))
    for name, shape in (("embed", (0, 8)), ("encode", (0, 2))):
        out = tmp_path / f"{name}.npy"
        wsdhq.done(name, features.run, "--features", tmp_path / "none.npy", "--out", out)
        assert np.load(out).shape == shape


def test_unreadable_images_are_named_and_leave_a_file_of_rows(images, wsdhq, tmp_path):
    kept = np.setdiff1d(np.arange(120), wsdhq.broken)
    model = TrainedModel.load(images.run)
    expected = model.embed_images(images / "images").embeddings
    for name, shape in (("embed", (117, 8)), ("encode", (117, 2))):
        out = tmp_path / f"{name}.npy"
        outcome = wsdhq.done(name, images.run, "--images", images / "images", "--out", out)
        assert "warning: 3 of 120 images could not be read" in outcome.err
        assert "040.png" in outcome.err
        assert np.load(out).shape == shape
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.rows.npy"), kept)
    np.testing.assert_allclose(np.load(tmp_path / "embed.npy"), expected, atol=1e-6)


def test_a_file_of_rows_does_not_outlive_the_codes_it_belonged_to(images, wsdhq, tmp_path):
    out = tmp_path / "codes.npy"
    wsdhq.done("encode", images.run, "--images", images / "images", "--out", out)
    whole = tmp_path / "whole"
    whole.mkdir()
    for row in (0, 1, 4):
        shutil.copy(images / f"images/{row:03d}.png", whole)
    wsdhq.done("encode", images.run, "--images", whole, "--out", out)
    assert not (tmp_path / "codes.rows.npy").exists()
    wsdhq.done("index", images.run, "--codes", out, "--out", tmp_path / "db")
    assert AQDIndex.load(tmp_path / "db").ids.tolist() == [0, 1, 2]


def test_ids_of_an_index_are_input_rows_whoever_made_the_codes(images, wsdhq, tmp_path):
    kept = np.setdiff1d(np.arange(120), wsdhq.broken).tolist()
    assert AQDIndex.load(images / "db").ids.tolist() == kept
    out = tmp_path / "codes.npy"
    wsdhq.done("encode", images.run, "--images", images / "images", "--out", out)
    # A file of that name beside other codes than the run's own says nothing about them.
    np.save(tmp_path / "rows.npy", np.arange(117))
    wsdhq.done("index", images.run, "--codes", out, "--out", tmp_path / "db")
    assert AQDIndex.load(tmp_path / "db").ids.tolist() == kept


def test_an_index_takes_ids_and_a_similarity(features, wsdhq, tmp_path):
    ids = np.arange(240) * 7 + 1
    np.save(tmp_path / "ids.npy", ids)
    wsdhq.done(
        "index", features.run, "--codes", features.run / "codes.npy", "--out", tmp_path / "db",
        "--ids", tmp_path / "ids.npy", "--similarity", "cosine",
    )  # fmt: skip
    index = AQDIndex.load(tmp_path / "db")
    assert index.similarity == "cosine"
    np.testing.assert_array_equal(index.ids, ids)
    np.testing.assert_array_equal(index.codes, np.load(features.run / "codes.npy"))


def test_a_run_is_replaced_only_when_asked(features, wsdhq, copied_run):
    before = (copied_run / "model.safetensors").read_bytes()
    refused = wsdhq("train", *features.train, "--epochs", 1, "--out", copied_run)
    assert refused.status == 2
    assert "holds a run: --resume" in refused.err
    assert "--overwrite" in refused.err
    assert (copied_run / "model.safetensors").read_bytes() == before
    wsdhq.done("train", *features.train, "--epochs", 1, "--out", copied_run, "--overwrite")
    assert TrainConfig.load(copied_run / "config.toml").epochs == 1


def test_bad_inputs_leave_the_run_to_be_overwritten_whole(features, wsdhq, copied_run, tmp_path):
    before = {path.name: path.read_bytes() for path in copied_run.iterdir()}
    values = np.load(features / "features.npy")
    values[17, 3] = np.nan
    np.save(tmp_path / "bad.npy", values)
    refused = wsdhq(
        "train", *features.train, "--features", tmp_path / "bad.npy", "--out", copied_run,
        "--overwrite",
    )  # fmt: skip
    assert refused.status == 2
    assert "row 17" in refused.err
    assert {path.name: path.read_bytes() for path in copied_run.iterdir()} == before


def test_resuming_a_finished_run_changes_nothing(features, wsdhq, copied_run):
    before = (copied_run / "codes.npy").read_bytes()
    arguments = (*features.train, "--epochs", 6, "--out", copied_run)
    assert "nothing to resume" in wsdhq.done("train", *arguments, "--resume").err
    assert (copied_run / "codes.npy").read_bytes() == before


def test_an_interrupted_training_says_how_to_go_on_and_ends_as_if_it_had_not_been(
    features, wsdhq, tmp_path, monkeypatch
):
    from wsdhq.embed.training import trainer as training

    write = training.write_checkpoint

    def write_and_interrupt(*arguments, epoch, **rest):
        write(*arguments, epoch=epoch, **rest)
        if epoch == 3:
            raise KeyboardInterrupt

    out = tmp_path / "run"
    arguments = ("train", *features.train, "--epochs", 6, "--out", out)
    with monkeypatch.context() as patched:
        patched.setattr(training, "write_checkpoint", write_and_interrupt)
        interrupted = wsdhq(*arguments)
    assert interrupted.status == 130
    assert "--resume goes on" in interrupted.err
    assert interrupted.err.endswith("interrupted\n")
    half = wsdhq("encode", out, "--features", features / "features.npy", "--out", tmp_path / "c")
    assert half.status == 2
    assert "the training has not ended" in half.err
    wsdhq.done(*arguments, "--resume")
    np.testing.assert_array_equal(np.load(out / "codes.npy"), np.load(features.run / "codes.npy"))
    epochs = [json.loads(line)["epoch"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5, 6]
