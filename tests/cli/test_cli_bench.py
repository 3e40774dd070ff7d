"""`wsdhq bench`: its files, its tables and its mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wsdhq as package
from tiny_bench import TINY
from wsdhq._shared.extras import install_command
from wsdhq.bench import MODES


@pytest.fixture
def small(monkeypatch):
    """`--quick` at sizes of a test."""
    monkeypatch.setitem(MODES, "quick", TINY)


def test_a_quick_run_writes_json_plot_and_markdown(small, wsdhq, tmp_path):
    pytest.importorskip("faiss")
    out, text = tmp_path / "result.json", tmp_path / "result.md"
    outcome = wsdhq.done("bench", "--quick", "--out", out, "--markdown", text, "--threads", "1")
    report = json.loads(out.read_text())
    assert (report["format"], report["version"], report["finished"]) == ("wsdhq-bench", 1, True)
    assert report["command"].startswith("wsdhq bench --quick")
    machine = report["machine"]
    assert machine["level"] in machine["levels"]
    assert {"numpy", "scipy", "faiss-cpu"} <= set(machine["libraries"])
    assert all(machine[name] for name in ("processor", "cores", "compiler", "python", "blas"))
    assert {each["suite"] for each in report["comparisons"]} == {
        "search", "encode", "solve", "train",
    }  # fmt: skip
    for comparison in report["comparisons"]:
        rounds = {len(entry["seconds"]) for entry in comparison["entries"]}
        assert len(rounds) == 1
        by_name = {entry["name"]: entry for entry in comparison["entries"]}
        for ratio in comparison["ratios"]:
            rates = np.divide(
                by_name[ratio["against"]]["seconds"], by_name[ratio["ours"]]["seconds"]
            )
            assert ratio["median"] == pytest.approx(np.median(rates))
            assert ratio["least"] == pytest.approx(rates.min())
            assert comparison["setting"] in outcome.out
        for entry in comparison["entries"]:
            assert entry["name"] in outcome.out
            assert entry["median"] == pytest.approx(np.median(entry["seconds"]))
    names = " ".join(e["name"] for c in report["comparisons"] for e in c["entries"])
    for peer in ("LSQ", "PQ, 8 bits", "FastScan", "RQ", "OPQ", "authors"):
        assert peer in names
    assert all(memory["mib_large"] >= 0 for memory in report["memory"])
    with Image.open(tmp_path / "result.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] > 1000
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert 0.005 < (pixels.min(axis=2) < 200).mean() < 0.5
    assert "| **wsdhq**" in text.read_text()
    assert "**wsdhq" in text.read_text()


def test_without_faiss_ours_is_timed_and_the_user_is_told(small, wsdhq, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    out = tmp_path / "result.json"
    outcome = wsdhq.done("bench", "--quick", "--only", "search,solve", "--out", out)
    assert install_command("bench") in outcome.err
    report = json.loads(out.read_text())
    peers = {e["name"] for c in report["comparisons"] for e in c["entries"] if not e["ours"]}
    assert peers == {"limit: reading memory, 1 thread"}
    assert report["notes"]


def test_ctrl_c_leaves_what_was_measured(small, wsdhq, tmp_path, monkeypatch):
    from wsdhq.bench import runner

    def interrupted(context):
        raise KeyboardInterrupt
        yield

    monkeypatch.setitem(runner._RUN, "train", interrupted)
    out = tmp_path / "result.json"
    outcome = wsdhq("bench", "--quick", "--only", "solve,train", "--threads", "1", "--out", out)
    assert outcome.status == 130
    report = json.loads(out.read_text())
    assert report["finished"] is False
    assert [each["suite"] for each in report["comparisons"]] == ["solve"]
    assert str(out) in outcome.err


def test_a_wrong_result_is_an_error(small, wsdhq, tmp_path, monkeypatch):
    from wsdhq.quant import CodeStatistics

    right = CodeStatistics.solve
    monkeypatch.setattr(CodeStatistics, "solve", lambda self: right(self) * np.float32(2))
    outcome = wsdhq("bench", "--quick", "--only", "solve", "--out", tmp_path / "r.json")
    assert outcome.status == 2
    assert "a result is wrong" in outcome.err


MISTAKES = {
    "unknown suite": ("--only search,sort", "--only: expected some of search, encode, solve, t"),
    "no suite": ("--only ,", "got ''"),
    "no threads": ("--threads 0", "--threads: expected thread counts or all from 1 to 1024"),
    "threads in words": ("--threads 1,many", "got 'many'"),
    "both sizes": ("--quick --full", "at most one of --quick and --full"),
    "few vectors": ("--vectors 5", "'--vectors'"),
    "odd dims": ("--dims 12,x", "--dims: expected dimensions from 1"),
    "no codebooks": ("--codebooks 0", "--codebooks: expected"),
    "out in no folder": ("--out {T}/none/x.json", "there is no folder {T}/none"),
    "out is a folder": ("--out {T}", "--out: {T} is a folder"),
    "out is the plot": ("--out {T}/x.png", "name of the plot"),
    "markdown in no folder": ("--markdown {T}/none/x.md", "--markdown: there is no folder"),
    "missing features": ("--features {T}/none.npy", "none.npy"),
    "few features": ("--features {T}/few.npy", "at least 1500 rows, got 20"),
    "features and dims": ("--features {T}/few.npy --dims 5", "at most one of --features and"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line_and_status_2(name, wsdhq, tmp_path):
    np.save(tmp_path / "few.npy", np.ones((20, 4), np.float32))
    words, expected = MISTAKES[name]
    arguments = [word.format(T=tmp_path) for word in words.split()]
    if "--out" not in arguments:
        arguments += ["--out", tmp_path / "result.json"]
    outcome = wsdhq("bench", *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert expected.format(T=tmp_path) in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["few.npy"]


LOADED = """
import sys
sys.path.insert(0, {root!r})
for name in ("torch", "gensim", "sklearn", "tomli_w"):
    sys.modules[name] = None
sys.argv = ["wsdhq", *{arguments!r}]
from wsdhq.cli import main
main()
"""


def _without_training(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(package.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", LOADED.format(root=root, arguments=arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_bench_and_help_need_none_of_the_training_packages():
    asked = _without_training("bench", "--help")
    assert asked.returncode == 0, asked.stderr
    assert "--quick" in asked.stdout
    listed = _without_training("--help")
    assert listed.returncode == 0, listed.stderr
    assert "bench" in listed.stdout
    assert f"The extra 'train':\n  {install_command('train')}" in listed.stdout
    missing = _without_training("train", "--bits", "32")
    assert missing.returncode == 2
    assert "'torch'" in missing.stderr
    assert install_command("train") in missing.stderr
    assert "Traceback" not in missing.stderr
