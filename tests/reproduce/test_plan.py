"""Which cells a table or figure is made of."""

from __future__ import annotations

import pytest

from wsdhq.embed.config.presets import PRESETS
from wsdhq.reproduce.cells import Cell
from wsdhq.reproduce.plan import (
    FIGURE_BITS,
    TARGETS,
    base_settings,
    make_methods,
    make_plan,
    rows_of,
    sweep_points,
)

pytestmark = pytest.mark.usefixtures("stand_ins")

TABLE_1 = ("LSH", "SH", "SpH", "ITQ", "AQ", "DeepBit", "WMH", "WDH", "WDHT", "WSDHQ")
TABLE_2 = (
    "WSDHQ_G", "WSDHQ_N", "WSDHQ_L", "WSDHQ_2", "WSDHQ", "fixed margin", "all negatives",
    "no relaxation",
)  # fmt: skip


def test_rows_are_in_the_order_of_the_paper():
    assert rows_of("table1") == rows_of("fig3") == rows_of("fig4") == TABLE_1
    assert rows_of("table2") == TABLE_2
    assert rows_of("fig5") == ("WSDHQ", "WSDHQ_2", "WDHT")


def test_a_table_has_a_cell_for_each_row_width_and_seed():
    plan = make_plan("table1", {})
    assert plan.bits == (8, 16, 24, 32)
    assert plan.seeds == (0, 1, 2)
    assert len(set(plan.shown)) == len(plan.shown) == 10 * 4 * 3
    assert plan.wanted == plan.shown
    # A seed is finished before the next: its files can go.
    assert [cell.seed for cell in plan.shown] == sorted(cell.seed for cell in plan.shown)


def test_figures_and_tables_share_cells():
    table = set(make_plan("table1", {}).shown)
    for target in ("fig3", "fig4"):
        figure = make_plan(target, {})
        assert figure.bits == (FIGURE_BITS,)
        assert set(figure.shown) < table
    shared = set(make_plan("fig5", {}).shown) & (table | set(make_plan("table2", {}).shown))
    assert {cell.method for cell in shared} == {"WSDHQ", "WSDHQ_2", "WDHT"}


def test_a_sweep_goes_through_both_parameters_once():
    points = sweep_points({})
    assert [p.value for p in points if p.parameter == "gamma"] == [0.3, 0.5, 0.7, 1, 2, 3, 4]
    weights = [p for p in points if p.parameter == "quantization_weight"]
    assert [p.value for p in weights] == [0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert (weights[0].method, weights[0].changes) == ("WSDHQ_2", ())
    assert [p.changes for p in points if p.value in (1.0, 1e-4)] == [(), ()]
    plan = make_plan("fig5", {}, seeds=(0,))
    # 6 + 4 changed points, WSDHQ as it is, two-stage, and the rival.
    assert len(plan.shown) == len(set(plan.shown)) == 13
    assert Cell("WDHT", 32, 0) in plan.shown


def test_a_sweep_shares_the_cell_of_whatever_is_usual():
    points = sweep_points({"gamma": 0.5})
    assert [p.changes for p in points if p.value == 0.5] == [()]
    assert [p.changes for p in points if p.value == 1.0] == [(("gamma", 1.0),)]


def test_rows_widths_and_seeds_can_be_chosen():
    plan = make_plan("table2", {}, bits=(16,), seeds=(0,), chosen=["wsdhq_g", "all negatives"])
    assert [cell.method for cell in plan.wanted] == ["WSDHQ_G", "all negatives"]
    assert {cell.method for cell in plan.shown} == set(TABLE_2)
    quick = make_plan("table1", {}, quick=True)
    assert quick.bits == (8, 32)


def test_unknown_names_are_answered_with_the_known_ones():
    message = r"what: expected one of 'table1', .*, got 'table3'; did you mean 'table"
    with pytest.raises(ValueError, match=message):
        rows_of("table3")
    with pytest.raises(ValueError, match="table1 has no row 'WSDHQ_G'; its rows are LSH, SH"):
        make_plan("table1", {}, chosen=["WSDHQ_G"])
    with pytest.raises(ValueError, match="dataset: expected one of 'mirflickr25k', 'nuswide', 'fo"):
        base_settings("cifar", {})


def test_settings_are_those_of_the_preset_unless_given():
    settings = base_settings("nuswide", {"gamma": 3.0}, backbone="small")
    assert settings["gamma"] == 3.0
    assert settings["word_dim"] == PRESETS["nuswide"]["word_dim"] == 300
    assert settings["crop_size"] == 227
    assert settings["backbone"] == "small"
    assert base_settings("mirflickr25k", {})["backbone"] == "alexnet"
    # The split is the data set's, and its training rows are all there is to train on.
    assert "num_train" in PRESETS["nuswide"]
    assert not {"num_train", "num_queries"} & set(settings)
    assert base_settings("folder", {}, quick=True)["epochs"] == 4
    assert base_settings("folder", {"epochs": 9}, quick=True)["epochs"] == 9


def test_a_quick_run_shows_images_to_a_small_network_unless_one_is_named():
    quick = base_settings("mirflickr25k", {}, quick=True)
    assert quick["word_dim"] == 300
    assert not {"backbone", "image_size", "crop_size"} & set(quick)
    for named in ({"backbone": "alexnet"}, {"weights": True}):
        settings = base_settings("mirflickr25k", {}, quick=True, **named)
        assert (settings["backbone"], settings["crop_size"]) == ("alexnet", 227)
        assert settings["evaluation_crops"] == "centre"
    assert base_settings("mirflickr25k", {})["evaluation_crops"] == "ten"


def test_methods_say_what_they_are():
    made = make_methods((*TABLE_1, *TABLE_2), {})
    assert list(made) == list(dict.fromkeys((*TABLE_1, *TABLE_2)))
    assert made["LSH"].learns_from == "features"
    assert made["LSH"].reference == "Stand-in 1999"
    assert made["WDHT"].learns_from == "features or images, tags"
    assert made["WSDHQ_G"].changes == {"num_neighbours": 0, "radius": 0.0}
    assert "arXiv:2404.04998" in made["WSDHQ"].reference
    assert {name for name, each in made.items() if not each.in_paper} == {
        "fixed margin", "all negatives", "no relaxation",
    }  # fmt: skip
    for target in TARGETS:
        assert set(rows_of(target)) <= set(made)
