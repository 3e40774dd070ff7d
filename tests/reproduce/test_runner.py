"""Cells are computed once, kept when done, and never taken for others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wsdhq.evaluation import evaluate_ranking, rank_by_inner_product
from wsdhq.reproduce import Listener, Work
from wsdhq.reproduce.cells import Cell, CellStore
from wsdhq.reproduce.plan import Plan
from wsdhq.reproduce.runner import (
    POINTS,
    check_stale,
    compute_missing,
    gather,
    set_aside_other_rows,
    short_figure,
)

CELLS = tuple(Cell("LSH", bits, seed) for seed in (0, 1) for bits in (8, 16))
PLAN = Plan("table1", ("LSH",), (8, 16), (0, 1), CELLS, CELLS)


class Job:
    """One run of a plan, with its own store, as a command makes it."""

    def __init__(self, source, method, plan=PLAN, depth=5000, listener=None):
        self.methods = {name: method for name in plan.rows}
        self.plan, self.depth = plan, depth
        self.materials = {seed: source.materials(seed) for seed in plan.seeds}
        self.store = CellStore(source.out / "cells")
        self.work = Work(source.out / "runs", threads=1, listener=listener or Listener())

    def gather(self):
        return gather(self.plan, self.methods, self.materials, self.store, self.depth)

    def run(self, overwrite=False):
        gathered = self.gather()
        if not overwrite:
            check_stale(self.plan, gathered)
        arguments = (self.plan, self.methods, self.materials, self.store, self.depth)
        compute_missing(*arguments, self.work, gathered.results)
        return gathered.results


def test_figures_are_those_of_an_evaluation_by_hand(source, method):
    result = Job(source, method, depth=40).run()[CELLS[3]]
    data = source.load("folder", source.root, seed=1)
    features = np.load(source.features)[:, :2]
    rank = rank_by_inner_product(features[data.query], features[data.database])
    for name, grouping in data.groupings.items():
        labels = (grouping.matrix[data.query], grouping.matrix[data.database])
        expected = evaluate_ranking(rank, *labels, 40, points=POINTS).to_dict()
        assert result.results[name] == expected
    assert list(result.results) == ["kind", "parity"]
    assert result.counts == {
        "images": 150, "unreadable": 0, "query": 30, "database": 120, "train": 60,
    }  # fmt: skip
    assert result.seconds["fit"] == 1.0
    assert result.seconds["rank"] > 0
    assert {"python", "wsdhq", "numpy"} <= set(result.versions)


def test_finished_cells_are_not_computed_again(source, method):
    lines = []
    first = Job(source, method, listener=Listener(log=lines.append)).run()
    assert method.computed == list(CELLS)
    assert len(lines) == 4
    assert lines[0].startswith("[1/4] LSH 8 bits seed 0: .")
    assert " kind / ." in lines[0]
    assert " parity (" in lines[0]
    again = Job(source, method).run()
    assert method.computed == list(CELLS)
    assert list(again) == list(first) == list(CELLS)
    assert all(again[cell].results == first[cell].results for cell in CELLS)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_a_run_that_is_killed_loses_only_the_cell_at_hand(source, method, error):
    method.stop_at, method.error = CELLS[2], error
    job = Job(source, method)
    with pytest.raises(type(error)):
        job.run()
    assert method.computed == list(CELLS[:2])
    assert {path.stem for path in job.store.folder.iterdir()} == {
        cell.file_stem for cell in CELLS[:2]
    }
    method.stop_at = None
    results = Job(source, method).run()
    # Each was computed once, over both runs.
    assert method.computed == list(CELLS)
    assert list(results) == list(CELLS)


def test_only_wanted_cells_are_computed_and_all_are_shown(source, method):
    some = replace(PLAN, wanted=CELLS[1:2])
    assert list(Job(source, method, some).run()) == [CELLS[1]]
    rest = replace(PLAN, wanted=CELLS[2:])
    assert list(Job(source, method, rest).run()) == list(CELLS[1:])
    assert method.computed == list(CELLS[1:])


def test_cells_of_other_settings_are_refused_until_overwritten(source, method):
    Job(source, method).run()
    method.setting = 7
    with pytest.raises(ValueError, match=r"LSH-8bits-seed0\.json is of another") as caught:
        Job(source, method).run()
    message = str(caught.value)
    assert "settings.setting was 1, is now 7" in message
    assert "3 more cells do not fit" in message
    assert "--overwrite" in message
    assert len(method.computed) == 4
    Job(source, method).run(overwrite=True)
    assert len(method.computed) == 8
    # What fits is not computed again, whatever may be overwritten.
    Job(source, method).run(overwrite=True)
    assert len(method.computed) == 8


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("tags", "data.tags was"),
        ("labels", "data.labels was"),
        ("split", "data.split was"),
        ("depth", "protocol.depth was 5000, is now 10"),
        ("quick", "data.quick was False, is now True"),
        ("options", "data.options.num_queries was absent, is now 20"),
    ],
)
def test_cells_of_other_data_are_refused(change, expected, source, method, loader):
    Job(source, method).run()
    data = loader("folder", source.root)
    depth = 10 if change == "depth" else 5000
    if change == "tags":
        loader.changes["tags"] = [["other"], *data.tags[1:]]
    elif change == "labels":
        loader.changes["groupings"] = {"kind": data.groupings["kind"]}
    elif change == "split":
        loader.changes["train"] = data.database
    elif change == "quick":
        source.quick = True
    elif change == "options":
        source.options = {"num_queries": 20}
    with pytest.raises(ValueError, match="is of another LSH 8 bits seed 0") as caught:
        Job(source, method, depth=depth).run()
    assert expected in str(caught.value)


def test_damaged_cells_are_named_and_can_be_replaced(source, method):
    job = Job(source, method)
    job.run()
    job.store.path(CELLS[1]).write_text("{")
    with pytest.raises(ValueError, match=r"LSH-16bits-seed0\.json is not the result of a cell"):
        Job(source, method).run()
    Job(source, method).run(overwrite=True)
    assert method.computed == [*CELLS, CELLS[1]]


def test_unwanted_cells_of_something_else_are_left_out(source, method):
    Job(source, method).run()
    method.setting = 2
    job = Job(source, method, replace(PLAN, wanted=()))
    assert job.run() == {}
    assert list(job.gather().stale) == list(CELLS)


def test_cells_of_other_rows_stand_in_no_table_with_new_ones(source, method):
    Job(source, method, replace(PLAN, wanted=CELLS[:1])).run()
    job = Job(source, method)
    # The same data, but of which an image could not be read then.
    found = job.store.read(CELLS[0])
    job.store.write(replace(found, counts={**found.counts, "unreadable": 1, "query": 29}))
    shown = replace(PLAN, wanted=CELLS[:1])
    gathered = job.gather()
    set_aside_other_rows(shown, gathered, job.materials, job.store)
    assert list(gathered.results) == [CELLS[0]]
    set_aside_other_rows(PLAN, gathered, job.materials, job.store)
    assert not gathered.results
    with pytest.raises(ValueError, match=r"is of other rows: unreadable was 1, is now 0; query w"):
        check_stale(PLAN, gathered)


def test_a_figure_that_is_not_defined_says_why(source, method, loader):
    # The queries carry nothing that another image carries.
    lines = []
    groupings = source.load("folder", source.root).groupings
    matrix = groupings["kind"].matrix.copy()
    matrix[source.load("folder", source.root).query] = 0
    loader.changes["groupings"] = {"kind": replace(groupings["kind"], matrix=matrix)}
    plan = replace(PLAN, seeds=(0,), shown=CELLS[:1], wanted=CELLS[:1])
    Job(source, method, plan, listener=Listener(log=lines.append)).run()
    assert "LSH 8 bits seed 0: - kind, -: no query shares a label with the database" in lines[0]


def test_a_failure_begins_with_the_cell_and_leaves_no_file(source, method):
    method.stop_at, method.error = CELLS[1], ValueError("the loss diverged")
    job = Job(source, method)
    with pytest.raises(ValueError, match=r"^LSH 16 bits seed 0: the loss diverged$"):
        job.run()
    assert [path.stem for path in job.store.folder.iterdir()] == [CELLS[0].file_stem]


def test_nothing_is_left_but_cells(source, method):
    Job(source, method).run()
    assert {path.name for path in source.out.iterdir()} == {"cells"}


def test_figures_are_written_without_their_zero():
    assert [short_figure(x) for x in (0.8154, 1.0, 0.0, None)] == [".815", "1.000", ".000", "-"]
