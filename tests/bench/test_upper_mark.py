"""`benchmarks/upper_mark.py`: the head trained on labels."""

from __future__ import annotations

import sys

import numpy as np

import upper_mark
from tagged_clusters import write_kinds
from wsdhq.data import Grouping


def test_labels_become_tags():
    matrix = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1]], dtype=np.uint8)
    grouping = Grouping(("Shoe", "shoe", "flip flops"), matrix)
    assert upper_mark.labels_as_tags(grouping) == [["label0"], [], ["label1", "label2"]]


def test_labels_are_learnt(tmp_path, monkeypatch, capsys):
    files = write_kinds(tmp_path, 320)
    monkeypatch.setattr(upper_mark, "_SETTINGS", {**upper_mark._SETTINGS, "epochs": 6})
    arguments = [
        "--features", files.features, "--labels", files.labels, "--queries", "20",
        "--bits", "8", "--threads", "1", "--seeds", "2",
        "--condition", "as they are", "80 % dropped",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["upper_mark.py", *arguments])
    upper_mark.main()
    said = capsys.readouterr()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in said.out.splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == ["trained on, ranking", "by kind", "by half"]
    assert [row[0] for row in rows[2:]] == [
        f"{taught}, {method}"
        for taught in ("kind", "kind (80 % dropped)", "half", "half (80 % dropped)")
        for method in ("embedding, float", "codes")
    ]
    figures = {row[0]: [float(cell.split(" ± ")[0]) for cell in row[1:]] for row in rows[2:]}
    for method in ("embedding, float", "codes"):
        # Each teaches what it says, and the halves nothing about the kinds within them.
        assert figures[f"kind, {method}"][0] > 0.9
        assert figures[f"half, {method}"][1] > 0.95
        assert figures[f"half, {method}"][0] < figures[f"kind, {method}"][0] - 0.05
        # With a fifth of the labels, fewer are learnt, but more than chance.
        dropped = figures[f"kind (80 % dropped), {method}"][0]
        assert figures[f"half, {method}"][0] < dropped < figures[f"kind, {method}"][0]
    assert len(said.err.splitlines()) == 16
