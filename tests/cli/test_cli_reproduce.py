"""`wsdhq reproduce`: its files, its rows, its mistakes, and going on after an interruption."""

from __future__ import annotations

import csv
import json
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

import wsdhq.cli.reproduce as command
from reproduction import Loader, SignHash, install_stand_ins, write_features
from wsdhq.reproduce.plan import rows_of


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with the small data set, and stand-ins for what is not of this test."""
    root = tmp_path / "data"
    root.mkdir()
    install_stand_ins(monkeypatch)
    loader = Loader()
    loader.changes["features"] = write_features(root / "features.npy")
    monkeypatch.setattr(command, "load", loader)
    arguments = ("--dataset", "folder", "--data", root, "--out", tmp_path / "out", "--threads", 1)
    return SimpleNamespace(root=root, out=tmp_path / "out", loader=loader, arguments=arguments)


SHORT = ("--seeds", 2, "--method", "LSH", "--method", "WSDHQ", "--bits")


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_table_is_computed_written_and_printed(data, wsdhq):
    outcome = wsdhq.done("reproduce", "table1", *data.arguments, *SHORT, "8,16", "-R", 50)
    assert {path.name for path in data.out.iterdir()} == {
        "cells", "table1.csv", "table1.md", "word_vectors-seed0.txt", "word_vectors-seed0.json",
        "word_vectors-seed1.txt", "word_vectors-seed1.json",
    }  # fmt: skip
    assert len(list((data.out / "cells").iterdir())) == 8
    cell = json.loads((data.out / "cells/WSDHQ-16bits-seed1.json").read_text())
    assert cell["results"]["kind"]["R"] == 50
    assert cell["results"]["kind"]["map"] > 2 * cell["results"]["kind"]["map_random"]
    assert cell["counts"]["train"] == 60
    # What was asked is said in the file, the data set's own words too.
    text = (data.out / "table1.md").read_text()
    assert "wsdhq reproduce table1 --dataset folder" in text
    assert "- 150 images" in text
    assert "- features: features.npy, for all methods" in text
    assert "MAP@50 on own folder" in text
    assert "150 images" in outcome.err
    lines = [line for line in outcome.err.splitlines() if line.startswith("[")]
    assert len(lines) == 8
    assert lines[0].startswith("[1/8] LSH 8 bits seed 0: .")
    (found,) = [
        row for row in rows(data.out / "table1.csv")
        if (row["labels"], row["method"], row["bits"]) == ("kind", "WSDHQ", "16")
    ]  # fmt: skip
    assert found["seeds"] == "0 1"
    for words in ("table1, folder: MAP@50 by kind, mean ± sample standard deviation", "by parity",
                  f"{float(found['map']):.3f} ± {float(found['map_sd']):.3f}"):  # fmt: skip
        assert words in outcome.out
    assert len(rows(data.out / "table1.csv")) == 2 * 10 * 2
    again = wsdhq.done("reproduce", "table1", *data.arguments, *SHORT, "8,16", "-R", 50)
    assert again.out == outcome.out
    assert "[1/" not in again.err


def test_figures_take_the_cells_of_the_table(data, wsdhq):
    arguments = (*data.arguments, *SHORT, "32", "--by", "kind")
    wsdhq.done("reproduce", "table1", *arguments)
    before = {path: path.stat().st_mtime_ns for path in (data.out / "cells").iterdir()}
    for target in ("fig3", "fig4"):
        outcome = wsdhq.done("reproduce", target, *arguments)
        assert "[1/" not in outcome.err
        assert str(data.out / f"{target}.png") in outcome.err
        with Image.open(data.out / f"{target}.png") as picture:
            assert picture.width > 600
        assert f"]({target}.png)" in (data.out / f"{target}.md").read_text()
        found = rows(data.out / f"{target}.csv")
        assert {row["method"] for row in found} == {"LSH", "WSDHQ"}
        assert {row["labels"] for row in found} == {"kind"}
    after = {path: path.stat().st_mtime_ns for path in (data.out / "cells").iterdir()}
    assert before == after


def test_a_sweep_adds_its_points(data, wsdhq, monkeypatch):
    monkeypatch.setattr("wsdhq.reproduce.plan.GAMMAS", (0.5, 1.0))
    monkeypatch.setattr("wsdhq.reproduce.plan.WEIGHTS", (0.0, 1e-4))
    wsdhq.done(
        "reproduce", "fig5", *data.arguments, "--seeds", 1, "--method", "WSDHQ", "--method", "WDHT"
    )
    assert {path.stem for path in (data.out / "cells").iterdir()} == {
        "WSDHQ-32bits-seed0", "WSDHQ-32bits-seed0-gamma=0.5", "WDHT-32bits-seed0",
    }  # fmt: skip
    found = rows(data.out / "fig5.csv")
    assert [(row["method"], row["parameter"], row["value"]) for row in found[:5]] == [
        ("WSDHQ", "gamma", "0.5"),
        ("WSDHQ", "gamma", "1.0"),
        ("WSDHQ_2", "quantization_weight", "0.0"),
        ("WSDHQ", "quantization_weight", "0.0001"),
        ("WDHT", "", ""),
    ]
    assert found[2]["map"] == ""
    assert float(found[4]["map"]) > 0


def test_ctrl_c_keeps_what_is_finished(data, wsdhq, monkeypatch):
    from wsdhq.reproduce.methods import EmbeddingMethod

    def interrupted(*_):
        raise KeyboardInterrupt

    arguments = ("reproduce", "table1", *data.arguments, *SHORT, "8", "--seeds", 1)
    with monkeypatch.context() as patch:
        patch.setattr(EmbeddingMethod, "compute", interrupted)
        outcome = wsdhq(*arguments)
    assert outcome.status == 130
    assert "the same command goes on from there" in outcome.err
    assert [path.stem for path in (data.out / "cells").iterdir()] == ["LSH-8bits-seed0"]
    assert float(rows(data.out / "table1.csv")[0]["map"]) > 0
    assert len(SignHash.fitted) == 1
    rest = wsdhq.done(*arguments)
    assert len(SignHash.fitted) == 1
    assert "[1/1] WSDHQ 8 bits seed 0" in rest.err


def test_a_quick_run_is_said_to_be_one(data, wsdhq):
    wsdhq.done("reproduce", "table1", *data.arguments, "--quick", "--method", "LSH")
    assert {path.stem for path in (data.out / "cells").iterdir()} == {
        "LSH-8bits-seed0", "LSH-32bits-seed0",
    }  # fmt: skip
    assert "a quick run" in (data.out / "table1.md").read_text()
    outcome = wsdhq("reproduce", "table1", *data.arguments, *SHORT, "8")
    assert outcome.status == 2
    assert "data.quick was True, is now False" in outcome.err


def test_other_settings_are_refused_until_overwritten(data, wsdhq):
    arguments = ("reproduce", "table1", *data.arguments, "--seeds", 1, "--method", "WSDHQ",
                 "--bits", 8)  # fmt: skip
    wsdhq.done(*arguments)
    outcome = wsdhq(*arguments, "--set", "gamma=2.0")
    assert outcome.status == 2
    assert "is of another WSDHQ 8 bits seed 0: settings.gamma was 1.0, is now 2.0" in outcome.err
    assert outcome.err.count("error: ") == 1
    wsdhq.done(*arguments, "--set", "gamma=2.0", "--overwrite")
    cell = json.loads((data.out / "cells/WSDHQ-8bits-seed0.json").read_text())
    assert cell["identity"]["settings"]["gamma"] == 2.0
    # A row that is not computed now is not shown as if it were of these settings.
    rest = wsdhq.done("reproduce", "table1", *data.arguments, "--seeds", 1, "--method", "LSH",
                      "--bits", 8)  # fmt: skip
    assert "not shown: 1 cells" in rest.err
    assert [row["map"] for row in rows(data.out / "table1.csv") if row["method"] == "WSDHQ"] == [
        "", "",
    ]  # fmt: skip


def test_runs_are_kept_when_asked_for(data, wsdhq):
    arguments = ("reproduce", "table2", *data.arguments, "--seeds", 1, "--method", "WSDHQ")
    wsdhq.done(*arguments, "--bits", 8, "--keep-runs", "--load", "num_queries=20")
    assert (data.out / "runs/WSDHQ-8bits-seed0/model.safetensors").is_file()
    assert (data.out / "inputs/seed0/features.npy").is_file()
    cell = json.loads((data.out / "cells/WSDHQ-8bits-seed0.json").read_text())
    assert cell["counts"]["query"] == 20


def test_the_list_names_every_row(data, wsdhq):
    outcome = wsdhq.done("reproduce", "table2", "--list")
    for name in rows_of("table2"):
        assert name in outcome.out
    for words in ("num_neighbours=0 radius=0.0", "num_negatives=none", "normalize=false",
                  "features or images, tags", "arXiv:2404.04998", "of this project"):  # fmt: skip
        assert words in outcome.out
    everything = wsdhq.done("reproduce", "--list").out
    for target in ("table1", "table2", "fig3", "fig4", "fig5"):
        assert f"{target}: " in everything
    for name in rows_of("table1"):
        assert name in everything
    assert "Stand-in 1999" in everything
    assert not data.out.exists()


MISTAKES = {
    "nothing": ("", "expected what to reproduce, one of table1, table2, fig3, fig4, fig5"),
    "unknown target": ("table3", "what: expected one of 'table1', 'table2', "),
    "unknown in a list": ("tabel --list", "got 'tabel'; did you mean 'table"),
    "no data set": ("table1", "--dataset is missing"),
    "no data": ("table1 --dataset folder", "--data is missing"),
    "unknown data set": (
        "table1 --dataset cifar --data {T}",
        "--dataset: expected one of 'mirflickr25k', 'nuswide', 'folder', got 'cifar'",
    ),
    "missing data": ("table1 --dataset folder --data {T}/none", "there is no folder {T}/none"),
    "unknown row": ("table1 {D} --method PCAH", "table1 has no row 'PCAH'; its rows are LSH, SH"),
    "row of another": ("table2 {D} --method LSH", "its rows are WSDHQ_G, WSDHQ_N, WSDHQ_L"),
    "unknown labels": ("table1 {D} --by x", "--by: no grouping of labels is called 'x': there is "
                       "'kind', 'parity'"),
    "odd bits": ("table1 {D} --bits 8,12", "--bits: expected multiples of 8 up to 512"),
    "two widths": ("fig3 {D} --bits 8,16", "--bits: fig3 is drawn for one width, got 8,16"),
    "no seeds": ("table1 {D} --seeds 0", "'--seeds'"),
    "unknown setting": ("table1 {D} --set gama=1", "got 'gama'; did you mean 'gamma'?"),
    "decided setting": ("table1 {D} --set bits=8", "--set: bits is given twice, or by an option"),
    "bad setting": ("table1 {D} --set gamma=-1", "--set: gamma: expected a number above 0"),
    "no pair": ("table1 {D} --set gamma", "--set: expected NAME=VALUE, got 'gamma'"),
    "unknown option of the reader": ("table1 {D} --load what=1", "--load: the reader of folder: "),
    "seed of the reader": ("table1 {D} --load seed=1", "--load: seed is that of each repetition"),
    "missing features": ("table1 {D} --features {T}/no.npy", "--features: there is no file"),
    "missing words": ("table1 {D} --word-vectors {T}/no.bin", "--word-vectors: there is no file"),
    "missing weights": ("table1 {D} --backbone-weights {T}/w", "--backbone-weights: there is no"),
    "unknown backbone": ("table1 {D} --backbone resnet", "backbone: expected one of alexnet, "),
    "foreign weights": ("table1 {D} --backbone-weights {T}/data/features.npy", "features.npy"),
    "no such device": ("table1 {D} --device cuda:99", "device: torch "),
    "data set of a list": ("--list --dataset cifar", "--dataset: expected one of 'mirflickr25k'"),
    "bad device": ("table1 {D} --device tpu", "device: expected 'cpu', 'cuda' or 'cuda:N'"),
    "out is a file": ("table1 {D} --out {T}/data/features.npy", "is a file, expected a folder"),
    "out in no folder": ("table1 {D} --out {T}/a/b", "--out: there is no folder {T}/a"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line_and_status_2(name, data, wsdhq, tmp_path):
    words, expected = MISTAKES[name]
    given = f"--dataset folder --data {data.root}"
    if "--out" not in words:
        given += f" --out {data.out}"
    outcome = wsdhq("reproduce", *words.format(T=tmp_path, D=given).split())
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert expected.format(T=tmp_path) in outcome.err
    assert not data.out.exists()


def test_a_package_that_is_not_installed_is_one_clear_line(data, wsdhq, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    outcome = wsdhq("reproduce", "table1", *data.arguments, "--backbone", "timm:resnet18")
    assert outcome.status == 2
    assert outcome.err.startswith("error: the backbone 'timm:resnet18' needs timm")
    assert outcome.err.count("\n") == 1


def test_it_stands_in_the_help(wsdhq):
    assert "reproduce" in wsdhq.done("--help").out
    assert "--list" in wsdhq.done("reproduce", "--help").out
