"""Evaluating a run from Python: what the command line does, with labels of any form."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wsdhq.data import read_labels
from wsdhq.runs import Evaluation, RunDirectory, evaluate, report


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on features of four kinds, with 40 rows held out; labels.npy beside it."""
    from wsdhq.embed import TrainConfig, train

    folder = tmp_path_factory.mktemp("run")
    generator = np.random.default_rng(0)
    kinds = generator.integers(4, size=300)
    centres = 3 * generator.standard_normal((4, 12))
    features = centres[kinds] + generator.standard_normal((300, 12))
    np.save(folder / "features.npy", features.astype(np.float32))
    (folder / "tags.txt").write_text("".join(f"kind{kind} word{kind}\n" for kind in kinds))
    np.save(folder / "labels.npy", np.eye(4, dtype=np.uint8)[kinds])
    config = TrainConfig(
        out=folder / "run", tags=folder / "tags.txt", features=folder / "features.npy", bits=16,
        word_dim=8, word_epochs=5, epochs=4, hidden_dim=16, num_queries=40, threads=1,
    )  # fmt: skip
    train(config, progress=False)
    return folder


def figures(evaluation: Evaluation) -> dict[str, list[float]]:
    return {
        name: [each.map for each in method.results.values()]
        for name, method in evaluation.methods.items()
    }


def test_labels_may_come_in_any_form(run):
    matrix = np.load(run / "labels.npy")
    by_path = evaluate(run / "run", run / "labels.npy", R=50, threads=1, progress=False)
    assert list(by_path.methods) == ["given features, cosine", "embedding, float", "codes, 16 bits"]
    assert by_path.held_out
    assert by_path.results["labels"].map > 2 * by_path.results["labels"].map_random
    labels = read_labels(run / "labels.npy")
    for given in (str(run / "labels.npy"), labels, matrix, matrix.astype(bool), matrix.tolist()):
        same = evaluate(run / "run", given, R=50, threads=1, progress=False)
        assert figures(same) == figures(by_path)
    two = evaluate(
        run / "run", {"kind": matrix, "first": matrix[:, :1]}, R=50, codes_only=True, progress=False
    )
    assert list(two.results) == ["kind", "first"]
    assert list(two.methods) == ["codes, 16 bits"]
    assert two.results["kind"].map == by_path.results["labels"].map
    one = evaluate(run / "run", {"kind": matrix, "first": matrix[:, :1]}, by=["first"], R=50)
    assert list(one.results) == ["first"]


def test_it_says_in_a_line_what_it_found(run):
    evaluation = evaluate(run / "run", run / "labels.npy", R=50, codes_only=True)
    result = evaluation.results["labels"]
    assert repr(evaluation) == (
        f"Evaluation(codes, 16 bits: MAP@50 by labels {result.map:.4f} (random "
        f"{result.map_random:.4f}); 40 queries, 260 images in the database)"
    )


def test_a_report_is_one_more_call(run, tmp_path):
    evaluation = evaluate(run / "run", run / "labels.npy", R=50, threads=1)
    written = report(evaluation, tmp_path / "out", title="A & B")
    assert {path.name for path in written} == {path.name for path in (tmp_path / "out").iterdir()}
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    codes = metrics["methods"]["codes, 16 bits"]["results"]["labels"]
    assert codes["map"] == evaluation.results["labels"].map
    assert "<title>A &amp; B</title>" in (tmp_path / "out/report.html").read_text()
    # Without a folder it is the run's own.
    assert all(path.parent == run / "run" for path in report(evaluation))
    assert RunDirectory(run / "run").file("report.html").is_file()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": np.zeros((9, 2), np.uint8)}, ValueError, "labels .* 9 images, .* has 300"),
        ({"labels": np.full((300, 2), 3)}, ValueError, "labels: expected 0 and 1 only"),
        ({"labels": np.zeros(300, np.uint8)}, ValueError, "labels: expected two dimensions"),
        ({"labels": {}}, ValueError, "groupings: expected at least one"),
        ({"labels": "none.npy"}, FileNotFoundError, "none.npy"),
        ({"by": ["kind"]}, ValueError, "by: .*no grouping is called 'kind'"),
        ({"codes": "none.npy"}, FileNotFoundError, "codes: there is no file none.npy"),
        ({"features": "none.npy"}, FileNotFoundError, "none.npy"),
        ({"similarity": "dot"}, ValueError, "similarity: expected one of 'ip', 'l2', 'cosine'"),
        ({"num_queries": 300}, ValueError, "num_queries: expected .* less than .* 300"),
        ({"R": 0}, ValueError, "R: expected at least 1, got 0"),
    ],
)
def test_mistakes_name_the_argument(run, changes, error, message):
    given = {"labels": run / "labels.npy", "R": 50, "progress": False} | changes
    with pytest.raises(error, match=message):
        evaluate(run / "run", given.pop("labels"), **given)


def test_a_report_goes_to_no_file(run, tmp_path):
    evaluation = evaluate(run / "run", run / "labels.npy", R=50, codes_only=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"out: .*file is a file, expected a folder"):
        report(evaluation, tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        report(evaluation, tmp_path / "none" / "out")
