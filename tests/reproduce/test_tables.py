"""Tables and CSV files: means and spreads that a few lines repeat, gaps, the paper beside."""

from __future__ import annotations

import csv
import io
from statistics import fmean, stdev

import numpy as np
import pytest

from wsdhq.reproduce.cells import Cell
from wsdhq.reproduce.plan import make_methods, make_plan
from wsdhq.reproduce.results.exports import curves_csv, precision_csv, sweep_csv, table_csv
from wsdhq.reproduce.results.figure_tables import RECALLS, figure_markdown
from wsdhq.reproduce.results.summary import Spread, curve, depths_of, gathered, measured
from wsdhq.reproduce.results.tables import About, markdown, table_rows

pytestmark = pytest.mark.usefixtures("stand_ins")


def about(dataset="mirflickr25k", groupings=("kind", "parity"), **rest):
    return About(dataset, ("25,000 images",), groupings, 5000, "wsdhq reproduce X", **rest)


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_spread_is_the_sample_deviation():
    values = (0.5, 0.51, 0.55)
    spread = Spread(values)
    assert (spread.mean, spread.deviation) == (fmean(values), stdev(values))
    assert (spread.least, spread.most) == (0.5, 0.55)
    assert Spread((0.5,)).deviation is None


def test_a_table_holds_means_spreads_and_the_papers_figures(made_up):
    plan = make_plan("table1", {})
    made_up.bases = {"WSDHQ": 0.7}
    columns, rows = table_rows(plan, about(), made_up.of(plan), "kind")
    assert columns == ["method"] + [
        name for bits in (8, 16, 24, 32) for name in (f"{bits} bits", "paper")
    ]
    assert [row[0] for row in rows] == list(plan.rows)
    # Seeds are .01 apart: mean .01 above the first, sample deviation .01.
    assert rows[0][:3] == ["LSH", "0.518 ± 0.010", "0.524"]
    assert rows[-1][-2:] == ["0.742 ± 0.010", "0.772"]
    columns, rows = table_rows(plan, about("folder"), made_up.of(plan), "parity")
    assert columns == ["method", "8 bits", "16 bits", "24 bits", "32 bits"]
    assert rows[0][1] == "0.418 ± 0.010"


def test_missing_cells_are_dashes_and_missing_seeds_are_counted(made_up):
    plan = make_plan("table1", {}, bits=(8,))
    results = made_up.of(plan, without=("SpH",))
    del results[Cell("LSH", 8, 0)]
    del results[Cell("SH", 8, 1)], results[Cell("SH", 8, 2)]
    _, rows = table_rows(plan, about(), results, "kind")
    assert [row[1] for row in rows[:4]] == [
        "0.523 ± 0.007 (2 of 3)", "0.508 (1 of 3)", "-", "0.518 ± 0.010",
    ]  # fmt: skip
    _, empty = table_rows(plan, about(), {}, "kind")
    assert {row[1] for row in empty} == {"-"}


def test_a_single_seed_has_no_spread(made_up):
    plan = make_plan("table1", {}, bits=(8,), seeds=(0,))
    _, rows = table_rows(plan, about(), made_up.of(plan), "kind")
    assert rows[0][1] == "0.508"
    assert "a single run, so no spread is known" in markdown(plan, about(), made_up.of(plan))


def test_markdown_says_what_the_figures_are_of(made_up):
    plan = make_plan("table1", {}, bits=(8, 32))
    made_up.bases = {"WSDHQ": 0.7}
    text = markdown(plan, about(), made_up.of(plan))
    lines = text.splitlines()
    assert lines[0] == "# Table 1: all methods, MAP@5000 on MIR-FLICKR25K"
    assert "- 25,000 images" in lines
    assert "60 queries, 998 images in the database, 500 to learn from; 2 images could not" in text
    assert "seeds 0, 1, 2, each with a split of its own: mean ± sample standard deviation" in text
    assert "wsdhq reproduce X" in lines
    assert "versions: python 3.11.0, wsdhq 0.1.0" in text
    assert "## By kind" in lines
    assert "## By parity" in lines
    assert "A random ranking: 0.250." in lines
    assert "| LSH | 0.518 ± 0.010 | 0.524 | 0.542 ± 0.010 | 0.572 |" in lines
    assert "| **WSDHQ** | **0.718 ± 0.010** | 0.744 | **0.742 ± 0.010** | 0.772 |" in lines
    assert "0.766 at 8 bits, 0.755 at 16 bits" in text
    assert "| LSH | 11.0 | 2.0 | 0.5 |" in lines
    assert "quick run" not in text
    assert "a quick run: a random part" in markdown(plan, about(quick=True), made_up.of(plan))
    own = markdown(plan, about("folder"), made_up.of(plan))
    assert "paper:" not in own
    assert "Wang et al." not in own


def test_rows_that_are_not_in_the_paper_are_marked(made_up):
    plan = make_plan("table2", {}, bits=(32,))
    methods = make_methods(plan.rows, {})
    made_up.bases = {"WSDHQ": 0.7}
    text = markdown(plan, about(methods=methods), made_up.of(plan))
    assert "| all negatives † | 0.542 ± 0.010 | - |" in text
    assert "| WSDHQ_G | 0.542 ± 0.010 | 0.751 |" in text
    assert "- all negatives †: not in the paper; all tags outside an image's own" in text
    assert "(`num_negatives = None`)" in text
    assert "- WSDHQ_G: no correlation graph" in text
    assert "(`num_neighbours = 0`, `radius = 0.0`)" in text


def test_the_csv_of_a_table_has_all_that_was_measured(made_up):
    plan = make_plan("table1", {}, bits=(8, 64))
    rows = read(table_csv(plan, about(), made_up.of(plan, without=("SH",))))
    assert len(rows) == 2 * 10 * 2
    first = rows[0]
    assert (first["data_set"], first["labels"], first["method"]) == ("mirflickr25k", "kind", "LSH")
    assert (first["bits"], first["seeds"]) == ("8", "0 1 2")
    values = [0.508, 0.518, 0.528]
    assert float(first["map"]) == pytest.approx(fmean(values))
    assert float(first["map_sd"]) == pytest.approx(stdev(values))
    assert float(first["map_min"]) == pytest.approx(0.508)
    assert float(first["map_max"]) == pytest.approx(0.528)
    assert float(first["map_all"]) == pytest.approx(0.259)
    assert float(first["map_tie_averaged"]) == pytest.approx(0.517)
    assert (first["map_random"], first["map_paper"]) == ("0.25", "0.524")
    assert (first["seconds_fit"], first["seconds_rank"]) == ("11.0", "0.5")
    assert rows[1]["map_paper"] == ""
    gap = rows[2]
    assert (gap["method"], gap["seeds"], gap["map"], gap["map_paper"]) == ("SH", "", "", "0.592")


def test_the_csv_of_curves_has_their_means(made_up):
    plan = make_plan("fig3", {})
    rows = read(curves_csv(plan, about(groupings=("kind",)), made_up.of(plan, without=("AQ",))))
    assert len(rows) == 9 * 4
    assert (rows[1]["method"], rows[1]["depth"], rows[1]["recall"]) == ("LSH", "10", "0.01")
    assert float(rows[1]["precision"]) == pytest.approx(0.542 - 10 / 5000)
    rows = read(precision_csv(plan, about(groupings=("kind",)), made_up.of(plan)))
    assert len(rows) == 10 * 11
    assert (rows[1]["n"], rows[10]["n"]) == ("100", "1000")
    assert float(rows[10]["precision"]) == pytest.approx(0.542 - 0.1)
    assert float(rows[10]["precision_sd"]) == pytest.approx(0.01)


def test_the_csv_of_a_sweep_has_every_point_and_the_rival(made_up):
    plan = make_plan("fig5", {})
    rows = read(sweep_csv(plan, about(groupings=("kind",)), made_up.of(plan)))
    assert len(rows) == 7 + 6 + 1
    by_value = {(row["parameter"], float(row["value"] or 0)): row for row in rows}
    assert float(by_value["gamma", 2.0]["map"]) == pytest.approx(0.542 + 0.02)
    assert by_value["gamma", 1.0]["map"] == by_value["quantization_weight", 1e-4]["map"]
    assert by_value["quantization_weight", 0.0]["method"] == "WSDHQ_2"
    assert rows[-1]["method"] == "WDHT"
    assert rows[-1]["parameter"] == ""
    # The paper's tables have the point that is usual, the two-stage variant and the rival.
    assert by_value["gamma", 1.0]["map_paper"] == "0.772"
    assert by_value["gamma", 2.0]["map_paper"] == ""
    assert by_value["quantization_weight", 0.0]["map_paper"] == "0.747"
    assert rows[-1]["map_paper"] == "0.724"


def test_curves_of_other_depths_are_read_off_between_neighbours(made_up):
    first, second = made_up.result(Cell("LSH", 32, 0)), made_up.result(Cell("LSH", 32, 1))
    shorter = second.results["kind"]
    shorter |= {"depths": [1, 19, 199], "recall": [0.0, 0.18, 0.9], "precision": [0.8, 0.6, 0.4]}
    found = curve([first, second], "kind")
    assert found.num_seeds == 2
    assert found.depths.tolist() == [1, 10, 100]
    ours = np.array(first.results["kind"]["precision"][:3])
    theirs = np.array([0.8, 0.7, 0.6 - 0.2 * 81 / 180])
    assert found.precision == pytest.approx((ours + theirs) / 2)


def test_what_is_not_defined_is_left_out(made_up):
    result = made_up.result(Cell("LSH", 32, 0))
    result.results["kind"] |= {"map": None, "precision": [None] * 4}
    assert measured([result], "kind", "map") is None
    assert measured([result], "none", "map") is None
    assert measured([result], "kind", "precision_at 7") is None
    assert curve([result], "kind") is None
    assert curve([], "kind") is None
    assert depths_of([], "kind") == []
    assert gathered({result.cell: result}, "LSH", 16) == []


def cells_of(text, row):
    """The cells of each line of Markdown tables that begins with a name."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines]


def test_markdown_of_precision_has_the_depths_of_the_figure(made_up):
    plan = make_plan("fig4", {})
    text = figure_markdown(plan, about(), made_up.of(plan, without=("SH",)))
    assert text.startswith(
        "# Figure 4: precision of the first N results, 32 bits, on MIR-FLICKR25K"
    )
    assert "![Figure 4: precision of the first N results](fig4.png)" in text
    header, *_ = cells_of(text, "method")
    assert header == [f"N = {depth}" for depth in range(100, 1001, 100)]
    first, second, _ = cells_of(text, "LSH")
    assert first[0] == "0.532 ± 0.010"
    assert second[0] == "0.432 ± 0.010"
    assert cells_of(text, "SH")[0] == ["-"] * 10
    assert "the best figure of each column" not in text


def test_markdown_of_curves_has_the_precision_at_each_recall(made_up):
    plan = make_plan("fig3", {}, seeds=(0,))
    results = made_up.of(plan)
    for result in results.values():
        result.results["kind"] |= {
            "depths": [1, 2, 3, 4], "recall": [0.0, 0.5, 0.5, 1.0],
            "precision": [0.0, 0.8, 0.6, 0.4],
        }  # fmt: skip
    text = figure_markdown(plan, about(groupings=("kind",)), results)
    (header, _) = cells_of(text, "method")
    assert header == [f"{recall:g}" for recall in RECALLS]
    values = dict(zip(header, cells_of(text, "LSH")[0]))
    # At the first depth that reached it, and between neighbours.
    assert (values["0.5"], values["1"], values["0.6"]) == ("0.800", "0.400", "0.720")


def test_markdown_of_a_sweep_has_the_papers_figures_below_those_measured(made_up):
    plan = make_plan("fig5", {})
    text = figure_markdown(plan, about(groupings=("kind",)), made_up.of(plan))
    assert "MAP@5000 over gamma:" in text
    assert "MAP@5000 over lambda:" in text
    (gamma,) = cells_of(text, "gamma")
    by_gamma, *_ = cells_of(text, "WSDHQ")
    assert dict(zip(gamma, by_gamma))["2"] == "0.562 ± 0.010"
    (_, paper_weight) = cells_of(text, "paper's tables")
    assert paper_weight == ["0.747", "-", "0.772", "-", "-", "-"]
    assert cells_of(text, "WDHT")[0] == ["0.542 ± 0.010"] * 7
    assert "paper's tables" not in figure_markdown(
        plan, about("folder", groupings=("kind",)), made_up.of(plan)
    )


def test_queries_that_are_left_out_are_counted(made_up):
    plan = make_plan("table1", {})
    results = made_up.of(plan)
    for result in results.values():
        result.results["kind"]["num_without_relevant"] = 3 + result.cell.seed
    text = markdown(plan, about(), results)
    assert "- by kind up to 5 queries share no label with the database: left out" in text
    assert "by parity up to" not in text
