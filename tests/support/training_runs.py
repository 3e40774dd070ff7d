"""What tests of training ask of a run directory, and trainings that are interrupted."""

from __future__ import annotations

import json

import pytest

from wsdhq.embed import train

MODEL_FILES = ("model.safetensors", "codes.npy", "tags.json")

# What is learnt jointly with the quantizer, whose metric follows the tags as they move.
JOINT = {"quantization_weight": 0.1, "quantizer_metric": "semantic", "update_every": 2}


def model_bytes(config) -> dict[str, bytes]:
    """What the files of a finished run hold."""
    folder = config.out
    return {name: open(f"{folder}/{name}", "rb").read() for name in MODEL_FILES}


def read_log(config) -> list[dict]:
    """The lines of log.jsonl."""
    with open(f"{config.out}/log.jsonl", encoding="utf-8") as log:
        return [json.loads(line) for line in log]


class StopTrainingError(Exception):
    """Raised by the progress callback of `interrupt`."""


def _stop_after(epoch: int):
    def progress(record):
        if record["epoch"] == epoch:
            raise StopTrainingError

    return progress


def interrupt(config, epoch: int, **arguments) -> None:
    """Train up to the end of an epoch, counted from 1, and stop there."""
    with pytest.raises(StopTrainingError):
        train(config, progress=_stop_after(epoch), **arguments)
