"""Ctrl-C on the command line: status 130, one line, no half-written file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from running import let_work, processor_seconds_of_ended_children

pytest.importorskip("torch")
pytest.importorskip("typer")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processor times as Linux tells them"
)

WORDS = ("boat", "sea", "tree", "dog", "red", "night")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, len(WORDS), 600)
    centres = rng.standard_normal((len(WORDS), 16))
    features = centres[kinds] + 0.3 * rng.standard_normal((600, 16))
    np.save(folder / "features.npy", features.astype(np.float32))
    lines = [f"{WORDS[kind]} {WORDS[(kind + 1) % len(WORDS)]}" for kind in kinds]
    (folder / "tags.txt").write_text("\n".join(lines) + "\n")
    return folder


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "wsdhq", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def training(inputs: Path, out: Path, epochs: int) -> subprocess.Popen[str]:
    return start(
        "--quiet", "train", "--features", inputs / "features.npy", "--tags", inputs / "tags.txt",
        "--out", out, "--bits", 16, "--epochs", epochs, "--threads", 1,
    )  # fmt: skip


def wait_for(condition: object, process: subprocess.Popen[str]) -> None:
    assert callable(condition)
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def interrupted(process: subprocess.Popen[str]) -> str:
    """What a command that works says after Ctrl-C; its status is 130, two seconds of work later."""
    before = processor_seconds_of_ended_children()
    worked = let_work(process, 0.3)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=600)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert out == ""
    # The promise is one second, here of two processors at most.
    assert processor_seconds_of_ended_children() - before - worked < 2.0
    return err


def half_written(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*.part")]


def test_training_keeps_its_last_epoch(inputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = training(inputs, run, 1_000_000)
    wait_for((run / "checkpoint.safetensors").is_file, process)
    assert interrupted(process) == ""
    assert half_written(tmp_path) == []
    assert not (run / "model.safetensors").exists()


def test_a_command_that_loads_its_packages_stops_without_a_traceback(tmp_path: Path) -> None:
    process = start("encode", tmp_path)
    # NumPy is one of the first of them, torch comes last.
    wait_for(lambda: _reads(process, "_multiarray_umath"), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err == "interrupted\n"
    assert process.returncode == 130


def test_encoding_leaves_no_file(inputs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = training(inputs, run, 1)
    _, err = trained.communicate(timeout=120)
    assert trained.returncode == 0, err
    # A sparse file, and more vectors than are encoded in seconds.
    many = np.lib.format.open_memmap(
        tmp_path / "many.npy", "w+", np.float32, shape=(20_000_000, 16)
    )
    many[0] = 1
    del many
    process = start(
        "encode", run, "--features", tmp_path / "many.npy", "--out", tmp_path / "codes.npy",
        "--threads", 1,
    )  # fmt: skip
    wait_for(lambda: _reads(process, "many.npy"), process)
    assert interrupted(process) == "interrupted\n"
    assert sorted(os.listdir(tmp_path)) == ["many.npy", "run"]


def _reads(process: subprocess.Popen[str], name: str) -> bool:
    """Whether a process has mapped a file, where the system tells."""
    maps = Path(f"/proc/{process.pid}/maps")
    if not maps.exists():
        time.sleep(5)
        return True
    return name in maps.read_text()
