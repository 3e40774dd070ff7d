"""`benchmarks/measuring.py`: what the measuring scripts share."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

import measuring
from tagged_clusters import write_kinds
from wsdhq.data import read_features, read_tags, split_rows
from wsdhq.embed import TrainConfig, train
from wsdhq.runs import evaluate


def test_map_of_codes_is_that_of_evaluate(tmp_path):
    files = write_kinds(tmp_path, 300)
    run = tmp_path / "run"
    settings = {
        "features": files.features, "tags": files.tags, "bits": 8, "epochs": 2, "num_queries": 20,
        "threads": 1, "hidden_dim": 16, "word_dim": 16,
    }  # fmt: skip
    train(TrainConfig(out=str(run), **settings), progress=False)
    expected = evaluate(run, files.labels, codes_only=True, threads=1)
    model, codes = measuring.train_and_encode(**settings)
    query, database = split_rows(300, 20)
    queries = model.embed(read_features(files.features)[query])
    rank = measuring.rank_by_codes(model.quantizer, codes[database], queries, 1)
    labels = measuring.chosen_labels(files.labels, None, 300)
    found = measuring.map_by_grouping(rank, labels, query, database)
    results = expected.methods[expected.main_method].results
    assert found == {name: result.map for name, result in results.items()}
    assert list(found) == ["kind", "half"]


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_several_widths_are_those_of_a_training_each(weight, tmp_path, monkeypatch):
    files = write_kinds(tmp_path, 300)
    settings = {
        "features": files.features, "tags": files.tags, "epochs": 2, "num_queries": 20,
        "num_train": 200, "threads": 1, "hidden_dim": 16, "word_dim": 16,
        "quantization_weight": weight,
    }  # fmt: skip
    expected = {bits: measuring.train_and_encode(bits=bits, **settings)[1] for bits in (8, 16)}
    trained = []

    def noted(config, **rest):
        trained.append(config.bits)
        return train(config, **rest)

    monkeypatch.setattr(measuring, "train", noted)
    found = list(measuring.train_at_widths([8, 16], **settings))
    assert [bits for bits, _, _ in found] == [8, 16]
    for bits, model, codes in found:
        assert model.config.bits == bits
        np.testing.assert_array_equal(codes, expected[bits])
    # The embedding knows the width where it is trained jointly with the codes only.
    assert trained == ([8, 16] if weight else [8])


def test_labels_by_column(tmp_path):
    files = write_kinds(tmp_path, 30)
    assert list(measuring.chosen_labels(files.labels, ["half"], 30).groupings) == ["half"]
    with pytest.raises(ValueError, match="no grouping is called 'sub'"):
        measuring.chosen_labels(files.labels, ["sub"], 30)
    with pytest.raises(ValueError, match=r"labels\.csv has 30 rows, but there are 31 images"):
        measuring.chosen_labels(files.labels, None, 31)


def test_tags_written_are_read_again(tmp_path):
    tags = [["red sofa", "кот"], [], ["a"]]
    assert read_tags(measuring.write_tags(tmp_path / "tags.jsonl", tags)) == tags


def test_widths_may_be_listed_and_repeated():
    parser = argparse.ArgumentParser()
    measuring.add_bits(parser)
    assert parser.parse_args([]).bits is None
    assert parser.parse_args(["--bits", "8", "--bits", "16", "32"]).bits == [8, 16, 32]


@pytest.mark.parametrize("text", ["12", "0", "-8", "520", "eight", "8.0"])
def test_widths_that_are_none(text, capsys):
    parser = argparse.ArgumentParser()
    measuring.add_bits(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--bits={text}"])
    assert repr(text) in capsys.readouterr().err


def test_mean_and_deviation():
    assert measuring.mean_and_deviation([0.25]) == "0.2500"
    assert measuring.mean_and_deviation([0.1, 0.2, 0.3]) == "0.2000 ± 0.1000"


def test_markdown_table():
    lines = measuring.markdown_table(["method", "a"], [["x", "1"], ["y", "2"]]).splitlines()
    assert lines == ["| method | a |", "| :-- | --: |", "| x | 1 |", "| y | 2 |"]


def test_ties_of_codes_come_in_database_order():
    from wsdhq.quant import AdditiveQuantizer

    quantizer = AdditiveQuantizer.from_codebooks(np.array([[[1.0], [2.0]]], dtype=np.float32))
    codes = np.array([[0], [1], [0], [1]], dtype=np.uint8)
    rank = measuring.rank_by_codes(quantizer, codes, np.ones((1, 1), dtype=np.float32), 1)
    assert rank(0, 1)[1].tolist() == [[1, 3, 0, 2]]
