"""`wsdhq evaluate`: figures that a few lines of NumPy repeat, for the rows they are about."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from wsdhq.data import decode_images, open_images, read_labels, split_rows
from wsdhq.embed import TrainedModel
from wsdhq.evaluation import evaluate_ranking
from wsdhq.quant import AQDIndex

FILES = {
    "metrics.json", "metrics.csv", "precision_recall.csv", "precision_recall.png",
    "precision_at_n.png", "report.html",
}  # fmt: skip


def _map_of_codes(model, embeddings, codes, matrix, num_queries, depth=5000, kept=None):
    """MAP of the codes from scratch; `kept`: the rows of 120 that the arrays are of."""
    if kept is None:
        query, database = split_rows(len(codes), num_queries, 0)
    else:
        # Row by row, without the bookkeeping of the code under test.
        place = {row: number for number, row in enumerate(kept.tolist())}
        query, database = (
            np.array([place[row] for row in rows.tolist() if row in place])
            for rows in split_rows(120, num_queries, 0)
        )
    index = AQDIndex(model.quantizer)
    index.add(codes[database])

    def rank(start, stop):
        return index.search(embeddings[query[start:stop]], len(database))

    return evaluate_ranking(rank, matrix[query], matrix[database], depth).map


def _gallery(report):
    """The part of a report that shows results, without its notes on the tags."""
    return report[report.index('id="gallery"') : report.index("Notes and settings</h2>")]


def _metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_figures_by_each_column(features, wsdhq, tmp_path):
    out = tmp_path / "results"
    outcome = wsdhq.done(
        "evaluate", features.run, "--labels", features / "labels.csv", "--out", out, "-R", 50,
        "--images", features / "images",
    )  # fmt: skip
    assert {path.name for path in out.iterdir()} == FILES
    assert not (features.run / "metrics.json").exists()
    metrics = _metrics(out)
    assert metrics["queries_held_out"] is True
    assert list(metrics["methods"]) == [
        "given features, cosine", "embedding, float", "codes, 16 bits",
    ]  # fmt: skip
    model = TrainedModel.load(features.run)
    embeddings = model.embed(np.load(features / "features.npy"))
    codes = np.load(features.run / "codes.npy")
    labels = read_labels(features / "labels.csv")
    for name in ("kind", "parity"):
        result = metrics["methods"]["codes, 16 bits"]["results"][name]
        expected = _map_of_codes(model, embeddings, codes, labels.grouping(name).matrix, 40, 50)
        assert result["map"] == pytest.approx(expected, abs=1e-6)
        assert result["num_queries"] == 40
        assert result["num_database"] == 200
    kind = metrics["methods"]["codes, 16 bits"]["results"]["kind"]
    assert kind["map"] > 2 * kind["map_random"]
    table = outcome.out
    assert table.splitlines()[0] == "MAP@50, 40 queries, 200 images in the database"
    for words in ("random", "codes, 16 bits", "by kind", "by parity", f"{kind['map']:.4f}"):
        assert words in table
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    (row,) = [
        row for row in rows
        if (row["ranking"], row["labels"], row["measure"]) == ("codes, 16 bits", "kind", "MAP@50")
    ]  # fmt: skip
    assert float(row["value"]) == kind["map"]
    report = (out / "report.html").read_text()
    assert "data:image/" in report
    assert "The queries were held out" in report
    assert "my boat" in _gallery(report)


@pytest.mark.parametrize("name", ["flags.csv", "labels.npy"])
def test_other_files_of_the_same_labels_give_the_same_figures(features, wsdhq, tmp_path, name):
    for labels, out, by in (("labels.csv", "a", "kind"), (name, "b", "labels")):
        wsdhq.done(
            "evaluate", features.run, "--labels", features / labels, "--out", tmp_path / out,
            "--by", by, "--codes-only",
        )  # fmt: skip
    first = _metrics(tmp_path / "a")["methods"]
    second = _metrics(tmp_path / "b")["methods"]
    assert list(first) == list(second) == ["codes, 16 bits"]
    assert list(first["codes, 16 bits"]["results"]) == ["kind"]
    assert (
        first["codes, 16 bits"]["results"]["kind"]["map"]
        == second["codes, 16 bits"]["results"]["labels"]["map"]
    )


def test_other_codes_are_evaluated_when_given(features, wsdhq, tmp_path):
    codes = np.random.default_rng(0).integers(256, size=(240, 2), dtype=np.uint8)
    np.save(tmp_path / "codes.npy", codes)
    wsdhq.done(
        "evaluate", features.run, "--labels", features / "labels.npy", "--out", tmp_path / "out",
        "--codes", tmp_path / "codes.npy", "--codes-only",
    )  # fmt: skip
    model = TrainedModel.load(features.run)
    embeddings = model.embed(np.load(features / "features.npy"))
    expected = _map_of_codes(model, embeddings, codes, np.load(features / "labels.npy"), 40)
    result = _metrics(tmp_path / "out")["methods"]["codes, 16 bits"]["results"]["labels"]
    assert result["map"] == pytest.approx(expected, abs=1e-6)


def test_queries_that_were_trained_on_are_said_to_be(features, wsdhq, tmp_path):
    wsdhq.done(
        "evaluate", features.run, "--labels", features / "labels.npy", "--out", tmp_path / "out",
        "--queries", 25, "--codes-only",
    )  # fmt: skip
    assert _metrics(tmp_path / "out")["queries_held_out"] is False
    assert "were among the images trained on" in (tmp_path / "out/report.html").read_text()


def test_other_features_are_encoded_and_not_shown_with_the_tags_of_the_run(
    features, wsdhq, tmp_path
):
    order = np.random.default_rng(0).permutation(240)
    values = np.load(features / "features.npy")[order]
    matrix = np.load(features / "labels.npy")[order]
    np.save(tmp_path / "features.npy", values)
    np.save(tmp_path / "labels.npy", matrix)
    wsdhq.done(
        "evaluate", features.run, "--labels", tmp_path / "labels.npy", "--out", tmp_path / "out",
        "--features", tmp_path / "features.npy", "--codes-only",
    )  # fmt: skip
    model = TrainedModel.load(features.run)
    embeddings = model.embed(values)
    expected = _map_of_codes(model, embeddings, model.quantizer.encode(embeddings), matrix, 40)
    metrics = _metrics(tmp_path / "out")
    result = metrics["methods"]["codes, 16 bits"]["results"]["labels"]
    assert result["map"] == pytest.approx(expected, abs=1e-6)
    assert metrics["queries_held_out"] is None
    assert "my boat" not in _gallery((tmp_path / "out/report.html").read_text())


def test_unreadable_images_shift_nothing(images, wsdhq, tmp_path):
    kept = np.setdiff1d(np.arange(120), wsdhq.broken)
    matrix = np.load(images / "labels.npy")
    model = TrainedModel.load(images.run)
    with open_images(images / "images") as collection:
        embeddings = model.embed(decode_images(collection, 16).pixels)
    codes = np.load(images.run / "codes.npy")
    expected = _map_of_codes(model, embeddings, codes, matrix[kept], 30, kept=kept)
    shifted = _map_of_codes(model, embeddings, codes, matrix[: len(kept)], 30, kept=kept)
    assert abs(expected - shifted) > 0.1

    codes_file = tmp_path / "codes.npy"
    wsdhq.done("encode", images.run, "--images", images / "images", "--out", codes_file)
    for extra in ((), ("--codes", codes_file)):
        out = tmp_path / f"out{len(extra)}"
        outcome = wsdhq.done(
            "evaluate", images.run, "--labels", images / "labels.csv", "--by", "kind",
            "--out", out, *extra,
        )  # fmt: skip
        metrics = _metrics(out)
        assert metrics["num_images"] == 120
        assert metrics["num_skipped"] == 3
        assert metrics["queries_held_out"] is True
        assert "untrained network" in metrics["methods"]
        result = metrics["methods"]["codes, 16 bits"]["results"]["kind"]
        assert result["map"] == pytest.approx(expected, abs=1e-6)
        assert "warning: 3 of 120 images could not be read" in outcome.err
        assert "003.png" in (out / "report.html").read_text()


def test_codes_of_all_rows_are_matched_with_the_images_that_can_be_read(images, wsdhq, tmp_path):
    kept = np.setdiff1d(np.arange(120), wsdhq.broken)
    codes = np.random.default_rng(3).integers(256, size=(120, 2), dtype=np.uint8)
    np.save(tmp_path / "codes.npy", codes)
    wsdhq.done(
        "evaluate", images.run, "--labels", images / "labels.npy", "--out", tmp_path / "out",
        "--codes", tmp_path / "codes.npy", "--codes-only",
    )  # fmt: skip
    model = TrainedModel.load(images.run)
    embeddings = model.embed_images(images / "images").embeddings
    matrix = np.load(images / "labels.npy")[kept]
    expected = _map_of_codes(model, embeddings, codes[kept], matrix, 30, kept=kept)
    result = _metrics(tmp_path / "out")["methods"]["codes, 16 bits"]["results"]["labels"]
    assert result["map"] == pytest.approx(expected, abs=1e-6)
    assert result["map"] != pytest.approx(
        _map_of_codes(model, embeddings, codes[:117], matrix, 30, kept=kept), abs=1e-3
    )


def test_images_that_break_after_the_training_shift_nothing(images, wsdhq, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(images / "images", folder)
    # One more is broken and one is mended: as many as before, but not the same ones.
    (folder / "010.png").write_bytes(b"")
    shutil.copy(folder / "011.png", folder / "040.png")
    run = shutil.copytree(images.run, tmp_path / "run")
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace(str(images / "images"), str(folder)))
    kept = np.setdiff1d(np.arange(120), [2, 3, 10])
    model = TrainedModel.load(run)
    embedded = model.embed_images(folder)
    np.testing.assert_array_equal(embedded.kept, kept)
    codes = model.quantizer.encode(embedded.embeddings)
    matrix = np.load(images / "labels.npy")[kept]
    expected = _map_of_codes(model, embedded.embeddings, codes, matrix, 30, kept=kept)
    wsdhq.done("evaluate", run, "--labels", images / "labels.npy", "--codes-only")
    metrics = _metrics(run)
    result = metrics["methods"]["codes, 16 bits"]["results"]["labels"]
    assert result["map"] == pytest.approx(expected, abs=1e-6)
    # The split goes by the rows of the input: what can be read of it changes no query.
    assert metrics["queries_held_out"] is True

    stale = wsdhq(
        "evaluate", run, "--labels", images / "labels.npy", "--codes", run / "codes.npy",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert stale.status == 2
    assert "has no code of row 40" in stale.err


def test_queries_without_anything_relevant_are_counted_and_left_out(features, wsdhq, tmp_path):
    query, _ = split_rows(240, 40, 0)
    labels = ["all"] * 240
    labels[query[0]] = "alone"
    (tmp_path / "labels.csv").write_text("\n".join(["kind", *labels]) + "\n")
    outcome = wsdhq.done(
        "evaluate", features.run, "--labels", tmp_path / "labels.csv", "--out", tmp_path / "out",
        "--codes-only",
    )  # fmt: skip
    assert "by kind: 1 of 40 queries share no label with any image" in outcome.err
    result = _metrics(tmp_path / "out")["methods"]["codes, 16 bits"]["results"]["kind"]
    assert result["map"] == 1.0
