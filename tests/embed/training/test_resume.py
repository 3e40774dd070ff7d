"""Trainings that were interrupted and go on, and checkpoints that do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training_runs import JOINT, interrupt, model_bytes, read_log
from wsdhq.embed import TrainedModel, train
from wsdhq.embed.tensor_files import read_tensors, write_tensors

OBJECTIVES = {
    "default": {},
    "joint": JOINT,
    "fixed tags": {"tag_rate_factor": 0.0},
    "as the paper": {"variant": "WSDHQ"},
}


@pytest.mark.parametrize(
    ("name", "epoch"),
    [(name, epoch) for name in ("default", "joint", "as the paper") for epoch in (1, 2, 3, 4)]
    + [("fixed tags", 2)],
)
def test_a_resumed_training_equals_an_uninterrupted_one(world, config_for, name, epoch):
    whole = config_for(world.folder, "whole", **OBJECTIVES[name])
    broken = config_for(world.folder, "broken", **OBJECTIVES[name])
    model = train(whole)
    interrupt(broken, epoch)
    assert (world.folder / "broken" / "checkpoint.safetensors").exists()
    # A crash between the log line and the checkpoint leaves a line too many, here a torn one.
    with open(world.folder / "broken" / "log.jsonl", "a", encoding="utf-8") as log:
        log.write('{"epoch": 99}\n{"epo')
    train(broken, resume=True)
    assert model_bytes(whole) == model_bytes(broken)
    losses = [
        [(r["epoch"], r["loss"], r["distortion"]) for r in read_log(c)] for c in (whole, broken)
    ]
    assert losses[0] == losses[1]
    assert not (world.folder / "broken" / "checkpoint.safetensors").exists()
    resumed = TrainedModel.load(broken.out)
    np.testing.assert_array_equal(resumed.sphere, model.sphere)
    np.testing.assert_array_equal(resumed.embed(world.features), model.embed(world.features))


def _rewrite(config, without=None, **changed):
    """The checkpoint of a run without a tensor, or with other metadata."""
    path = f"{config.out}/checkpoint.safetensors"
    tensors, metadata = read_tensors(path)
    kept = {name: value for name, value in tensors.items() if name != without}
    assert without is None or len(kept) == len(tensors) - 1
    write_tensors(path, kept, metadata | changed)


@pytest.mark.parametrize("missing", ["codes", "codebooks", "metric"])
def test_a_checkpoint_without_a_part_of_the_quantizer_is_named(world, config_for, missing):
    config = config_for(world.folder, **JOINT)
    interrupt(config, 2)
    _rewrite(config, without=missing)
    with pytest.raises(ValueError, match=rf"checkpoint\.safetensors: .* '{missing}' is missing"):
        train(config, resume=True)


def test_a_checkpoint_with_or_without_learnt_tags_does_not_fit_the_other(world, config_for):
    config = config_for(world.folder)
    interrupt(config, 1)
    _rewrite(config, without="objective.sphere")
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: the tensor 'sphere' is miss"):
        train(config, resume=True)


def test_a_checkpoint_of_another_format_is_named(world, config_for):
    config = config_for(world.folder)
    interrupt(config, 1)
    _rewrite(config, format="wsdhq checkpoint 1")
    with pytest.raises(ValueError, match=r"expected the format 'wsdhq checkpoint 3', got '.* 1'"):
        train(config, resume=True)


def test_a_resumed_training_on_images_equals_an_uninterrupted_one(world, config_for):
    changes = JOINT | {"images": world.folder / "images", "epochs": 3, "update_every": 1}
    whole = config_for(world.folder, "whole", **changes)
    broken = config_for(world.folder, "broken", **changes)
    train(whole)
    interrupt(broken, 1)
    interrupt(broken, 2, resume=True)
    train(broken, resume=True)
    assert model_bytes(whole) == model_bytes(broken)


def test_resuming_nothing_begins_and_resuming_a_finished_run_loads_it(world, config_for):
    config = config_for(world.folder, epochs=1)
    train(config, resume=True)
    before = model_bytes(config)
    model = train(config, resume=True, progress=lambda record: pytest.fail("trained again"))
    assert model_bytes(config) == before
    np.testing.assert_array_equal(
        model.encode(world.features), np.load(world.folder / "run" / "codes.npy")
    )


def test_resuming_with_other_settings_names_the_field(world, config_for):
    interrupt(config_for(world.folder), 1)
    with pytest.raises(ValueError, match=r"gamma: .* begun with 1\.0, cannot .* 2\.0"):
        train(config_for(world.folder, gamma=2.0), resume=True)


@pytest.mark.parametrize("part", ["inputs", "tags", "semantic sphere"])
def test_resuming_with_other_inputs_is_refused(world, config_for, part):
    interrupt(config_for(world.folder), 1)
    if part == "inputs":
        world.features[3, 2] += 1
        np.save(world.folder / "features.npy", world.features.astype(np.float32))
    elif part == "tags":
        world.tags[0], world.tags[1] = world.tags[1], world.tags[0] + ["cool"]
        lines = "".join(json.dumps(words) + "\n" for words in world.tags)
        (world.folder / "tags.jsonl").write_text(lines)
    else:
        path = world.folder / "words.vec"
        path.write_text(path.read_text().replace("cool ", "cool 1", 1))
    with pytest.raises(ValueError, match=f"checkpoint.safetensors: the {part} have another"):
        train(config_for(world.folder), resume=True)


def test_a_damaged_checkpoint_is_named(world, config_for):
    config = config_for(world.folder)
    interrupt(config, 1)
    path = world.folder / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: expected a whole"):
        train(config, resume=True)


def test_a_damaged_log_is_named_with_its_line(world, config_for):
    config = config_for(world.folder)
    interrupt(config, 2)
    log = world.folder / "run" / "log.jsonl"
    log.write_text("{}\n" + log.read_text())
    with pytest.raises(ValueError, match=r"log\.jsonl, line 1: expected a JSON object.*'{}'"):
        train(config, resume=True)
