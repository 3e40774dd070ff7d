"""`wsdhq demo`: the whole job on a small world."""

from __future__ import annotations

import json

from wsdhq.quant import AQDIndex


def test_the_demo_ends_with_figures_and_a_report(wsdhq, tmp_path):
    out = tmp_path / "demo"
    outcome = wsdhq.done("demo", "--images", 200, "--epochs", 1, "--out", out, "--bits", 8)
    metrics = json.loads((out / "run/metrics.json").read_text())
    result = metrics["methods"]["codes, 8 bits"]["results"]["labels"]
    assert (result["num_queries"], result["num_database"], result["R"]) == (20, 180, 180)
    for words in ("random", "untrained network", "codes, 8 bits"):
        assert words in outcome.out
    assert f"{result['map']:.4f}" in outcome.out
    assert f"{result['map_random']:.4f}" in outcome.out
    for step in ("1/5", "2/5", "3/5", "4/5", "5/5"):
        assert f"{step} " in outcome.err
    assert (out / "run/report.html").resolve().as_uri() in outcome.err
    assert "The demo: from careless tags" in (out / "run/report.html").read_text()
    assert len(AQDIndex.load(out / "db.wsdhq")) == 200
    # Once more in the same folder: the world is used as it is.
    again = wsdhq("demo", "--images", 201, "--epochs", 1, "--out", out)
    assert again.status == 2
    assert str(out / "world") in again.err


def test_the_demo_leaves_a_folder_of_something_else_alone(wsdhq, tmp_path):
    (tmp_path / "world").mkdir()
    (tmp_path / "world/letter.txt").write_text("mine")
    outcome = wsdhq("demo", "--images", 200, "--out", tmp_path)
    assert outcome.status == 2
    assert "letter.txt" in outcome.err.splitlines()[-1]
    assert [path.name for path in tmp_path.rglob("*")] == ["world", "letter.txt"]
