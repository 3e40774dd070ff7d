"""The run directory: which files it holds, what may be written into it, and the log."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from wsdhq._shared.files import as_path, write_text
from wsdhq.embed.config import TrainConfig

# What training and evaluation write; `overwrite` removes these and nothing else.
RUN_FILES = {
    "config.toml": "the settings of the run",
    "model.safetensors": "weights, codebooks, metric and semantic sphere",
    "tags.json": "the merged tags of the semantic sphere",
    "codes.npy": "the codes of all rows",
    "rows.npy": "the input rows that could be read, where images were skipped",
    "skipped.json": "the images that could not be read",
    "log.jsonl": "one line per epoch",
    "checkpoint.safetensors": "the state after the last epoch of an unfinished training",
    "metrics.json": "the evaluation",
    "metrics.csv": "the evaluation as a table",
    "precision_recall.csv": "the precision-recall curves",
    "precision_recall.png": "the same drawn",
    "precision_at_n.png": "precision among the first N results, drawn",
    "report.html": "the report",
}


class RunDirectory:
    """A run directory by its path; making one touches nothing.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = as_path(path)

    def file(self, name: str) -> Path:
        """The path of one of the run's files, a key of `RUN_FILES`."""
        if name not in RUN_FILES:
            raise KeyError(name)
        return self.path / name

    @property
    def is_finished(self) -> bool:
        """Whether training came to its end here: the model is the last file to be written."""
        model = self.file("model.safetensors").is_file()
        return model and not self.file("checkpoint.safetensors").exists()

    def check(self, config: TrainConfig, *, resume: bool, overwrite: bool) -> None:
        """Make sure that a training may write here, without writing.

        Parameters
        ----------
        config : TrainConfig
            The settings about to be trained with.
        resume : bool
            An earlier, interrupted training may be there, of the same settings.
        overwrite : bool
            Whatever run is there may be replaced.

        Raises
        ------
        NotADirectoryError
            The path is a file.
        ValueError
            There are files and neither `resume` nor `overwrite` was asked for, or both were;
            or what would be resumed was begun with other settings (the message names the
            first that differs).
        """
        if resume and overwrite:
            raise ValueError("resume and overwrite exclude each other: expected at most one")
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(f"out: {self.path} is a file, expected a run directory")
        present = sorted(entry.name for entry in self.path.iterdir()) if self.path.exists() else []
        if not present or overwrite:
            return
        if not resume:
            shown = ", ".join(present[:5]) + (", ..." if len(present) > 5 else "")
            raise ValueError(
                f"out: {self.path} is not empty ({shown}): resume=True continues an interrupted "
                "training, overwrite=True replaces the run, or name another directory"
            )
        if "config.toml" not in present:
            raise ValueError(
                f"out: {self.path} holds files but no config.toml, so there is no training to "
                "resume: name another directory"
            )
        begun = TrainConfig.load(self.file("config.toml"))
        for field in fields(TrainConfig):
            was, now = getattr(begun, field.name), getattr(config, field.name)
            # A directory may be reached by another path than it was made by.
            if field.name != "out" and was != now:
                raise ValueError(
                    f"{field.name}: the training in {self.path} was begun with {was!r}, "
                    f"cannot be resumed with {now!r}"
                )

    def begin(self, config: TrainConfig) -> None:
        """Make the directory, remove an earlier run's files and write the settings."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name in RUN_FILES:
            self.file(name).unlink(missing_ok=True)
        config.save(self.file("config.toml"))

    def append_log(self, record: dict[str, Any]) -> None:
        """Append one epoch to log.jsonl."""
        with self.file("log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """The epochs in log.jsonl; a last line cut short by a crash is left out.

        Raises
        ------
        ValueError
            A line other than the last is no JSON object with an epoch.
        """
        path = self.file("log.jsonl")
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                record["epoch"] += 0
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if number == len(lines):
                    break
                raise ValueError(
                    f"{path}, line {number}: expected a JSON object with an epoch, "
                    f"got {line[:60]!r}"
                ) from error
            records.append(record)
        return records

    def trim_log(self, last_epoch: int) -> None:
        """Drop the log lines of epochs after `last_epoch`: they will be trained again."""
        kept = [record for record in self.read_log() if record["epoch"] <= last_epoch]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_text(self.file("log.jsonl"), text)
