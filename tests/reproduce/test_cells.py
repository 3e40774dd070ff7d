"""Cells and their files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from wsdhq.reproduce.cells import Cell, CellStore
from wsdhq.reproduce.identity import checksum, differences, file_checksum, noted

CELL = Cell("WSDHQ", 32, 0)
POINT = Cell("WSDHQ", 32, 1, (("quantization_weight", 1e-5),))


def test_a_cell_has_a_readable_name_of_its_own():
    assert CELL.title == "WSDHQ 32 bits seed 0"
    assert CELL.file_stem == "WSDHQ-32bits-seed0"
    assert POINT.title == "WSDHQ 32 bits seed 1, quantization_weight 1e-05"
    assert POINT.file_stem == "WSDHQ-32bits-seed1-quantization_weight=1e-05"
    assert Cell("no relaxation", 8, 2).file_stem == "no-relaxation-8bits-seed2"
    assert Cell("WSDHQ", 32, 0, (("gamma", 0.3),)).file_stem.endswith("-gamma=0.3")


@pytest.mark.parametrize("cell", [CELL, POINT])
def test_a_result_comes_back_as_it_was(cell, made_up, tmp_path):
    store = CellStore(tmp_path / "cells")
    assert store.read(cell) is None
    result = replace(made_up.result(cell), identity={"data": {"split": "ab"}, "list": [1]})
    store.write(result)
    assert [path.name for path in store.folder.iterdir()] == [f"{cell.file_stem}.json"]
    found = store.read(cell)
    assert found.cell == cell
    for name in ("identity", "results", "seconds", "counts", "versions"):
        assert getattr(found, name) == getattr(result, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not the result of a cell: Expecting value"),
        ('{"format": "wsdhq-cell"', "is not the result of a cell"),
        ("[]", "is not the result of a cell"),
        ("{}", "no 'format'"),
        ('{"format": "other", "version": 1}', "expected wsdhq-cell of version 1, got 'other'"),
    ],
)
def test_a_damaged_file_is_named(text, message, tmp_path):
    store = CellStore(tmp_path)
    store.path(CELL).write_text(text)
    with pytest.raises(ValueError, match=r"WSDHQ-32bits-seed0\.json") as caught:
        store.read(CELL)
    assert message in str(caught.value)


def test_parts_of_another_type_and_files_of_other_cells_are_refused(made_up, tmp_path):
    store = CellStore(tmp_path)
    store.write(made_up.result(CELL))
    content = json.loads(store.path(CELL).read_text())
    store.path(CELL).write_text(json.dumps(content | {"results": 3}))
    with pytest.raises(ValueError, match="results: expected an object, got 3"):
        store.read(CELL)
    store.path(POINT).write_text(json.dumps(content))
    with pytest.raises(ValueError, match="is of WSDHQ 32 bits seed 0, expected WSDHQ 32 bits s"):
        store.read(POINT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results": {}}, "results: expected the figures by some labels, got none"),
        ({"results": {"kind": 1}}, "is not the result of a cell"),
        ({"results": {"kind": {"map": 0.5}}}, "no 'precision_at'"),
        ({"map": "x"}, "results of kind: map: expected a number, got 'x'"),
        ({"precision_at": {"1": [1]}}, "results of kind: precision_at 1: expected a number"),
        ({"precision_at": {"one": 1}}, "is not the result of a cell: invalid literal"),
        ({"recall": [0.5]}, "results of kind: depths, recall and precision: expected one length"),
        ({"recall": ["a"] * 4}, "results of kind: the curve: expected a number, got 'a'"),
        ({"seconds": {}}, "no 'fit'"),
        ({"counts": {}}, "no 'unreadable'"),
    ],
)
def test_figures_that_no_table_can_show_are_refused(change, message, made_up, tmp_path):
    store = CellStore(tmp_path)
    store.write(made_up.result(CELL))
    content = json.loads(store.path(CELL).read_text())
    if change.keys() & content.keys():
        content |= change
    else:
        content["results"]["kind"] |= change
    store.path(CELL).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"WSDHQ-32bits-seed0\.json") as caught:
        store.read(CELL)
    assert message in str(caught.value)


def test_figures_may_be_undefined(made_up, tmp_path):
    store = CellStore(tmp_path)
    result = made_up.result(CELL)
    result.results["kind"] |= {"map": None, "precision": [None] * 4}
    store.write(result)
    assert store.read(CELL).results == result.results


def test_differences_are_named_with_both_values():
    was = {"data": {"split": "ab", "quick": False}, "settings": {"gamma": 1.0, "sizes": [1, 2]}}
    now = {"data": {"split": "cd", "quick": False}, "settings": {"sizes": (1, 2), "loss": None}}
    assert differences(was, was) == []
    assert differences(was, now) == [
        "data.split was 'ab', is now 'cd'",
        "settings.loss was absent, is now None",
        "settings.gamma was 1.0, is now absent",
    ]


def test_checksums_tell_parts_apart(tmp_path):
    assert checksum([b"ab", b"c"]) != checksum([b"a", b"bc"])
    assert checksum([np.arange(3)]) == checksum([np.arange(6)[:3]])
    assert checksum([np.arange(4)[::2]]) == checksum([np.array([0, 2])])
    (tmp_path / "file").write_bytes(b"123456789")
    assert file_checksum(tmp_path / "file") == "cbf43926"


def test_a_missing_or_damaged_note_says_nothing(tmp_path):
    assert noted(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text("{")
    assert noted(tmp_path / "bad.json") is None
