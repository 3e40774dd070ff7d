"""`benchmarks/pieces.py`: a row for each piece of the default, a column for each width."""

from __future__ import annotations

import sys

import pytest

import pieces
from tagged_clusters import write_kinds
from wsdhq.embed.config.variants import PIECES


def _run(monkeypatch, folder, *arguments: str) -> None:
    files = write_kinds(folder, 200)
    command = ["pieces.py", "--features", files.features, "--tags", files.tags]
    command += ["--labels", files.labels, "--queries", "20", "--threads", "1", *arguments]
    monkeypatch.setattr(sys, "argv", command)
    pieces.main()


def test_a_table_for_each_grouping(tmp_path, monkeypatch, capsys):
    _run(
        monkeypatch, tmp_path, "--bits", "8", "16", "--seeds", "2",
        "--piece", "graph", "WSDHQ",
    )  # fmt: skip
    written = capsys.readouterr()
    tables = written.out.split("MAP@5000 by ")[1:]
    assert [table.split(",")[0] for table in tables] == ["kind", "half"]
    for table in tables:
        rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
        assert [row[0] for row in rows] == ["| ", "| :--", "| graph", "| WSDHQ"]
        assert rows[0][1:] == ["8 bits", "16 bits |"]
        for cell in (cell for row in rows[2:] for cell in row[1:]):
            # Mean and deviation; by chance a quarter, or a half, is relevant.
            assert float(cell.split(" \u00b1 ")[0]) > 0.7
    assert len(written.err.splitlines()) == 2 * 2 * 2


def test_every_piece_can_be_asked_for_and_no_other(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        _run(monkeypatch, tmp_path, "--piece", "no tags")
    message = capsys.readouterr().err
    assert all(repr(name) in message for name in (*PIECES, "WSDHQ"))
