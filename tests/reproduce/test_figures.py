"""Figures: a panel per grouping or parameter, a line per method, files that are not blank."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from wsdhq.reproduce.plan import make_plan
from wsdhq.reproduce.results.figures import (
    curve_figure,
    precision_figure,
    save_figure,
    sweep_figure,
)
from wsdhq.reproduce.results.summary import FIGURE_DEPTHS
from wsdhq.reproduce.results.tables import About

pytestmark = pytest.mark.usefixtures("stand_ins")

DRAW = {"fig3": curve_figure, "fig4": precision_figure, "fig5": sweep_figure}


def about(groupings=("kind", "parity"), **rest):
    return About("nuswide", (), groupings, 5000, "wsdhq", **rest)


def panels(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def legend(figure):
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


@pytest.mark.parametrize("target", ["fig3", "fig4"])
def test_every_method_is_a_line_in_every_panel(target, made_up):
    plan = make_plan(target, {})
    made_up.bases = {"WSDHQ": 0.7, "WDHT": 0.6, "LSH": 0.4}
    figure = DRAW[target](plan, about(), made_up.of(plan))
    assert [axes.get_title("left") for axes in panels(figure)] == ["by kind", "by parity"]
    for axes in panels(figure):
        lines = {line.get_label(): line for line in axes.lines}
        assert set(lines) == {*plan.rows, "random"}
        methods = [lines[name] for name in plan.rows]
        assert len({to_hex(line.get_color()) for line in methods}) == 10
        assert len({line.get_marker() for line in methods}) == 10
        main = lines["WSDHQ"]
        others = [line for line in methods if line is not main]
        assert main.get_linewidth() > max(line.get_linewidth() for line in others)
        assert main.get_zorder() > max(line.get_zorder() for line in others)
    # From the top line down.
    assert legend(figure)[:2] == ["WSDHQ", "WDHT"]
    assert legend(figure)[-2:] == ["LSH", "random"]
    assert "NUS-WIDE, 32 bits, mean of 3 seeds" in figure.get_suptitle()


def test_a_small_database_is_shown_at_the_depths_it_has(made_up):
    plan = make_plan("fig4", {})
    results = made_up.of(plan)
    for result in results.values():
        at = {"1": 0.5, "10": 0.4, "50": 0.3, "100": 0.2}
        result.results["kind"]["precision_at"] = at
    kind, parity = panels(precision_figure(plan, about(), results))
    for axes, expected in ((kind, [1, 10, 50, 100]), (parity, list(FIGURE_DEPTHS))):
        line = next(line for line in axes.lines if line.get_label() == "LSH")
        assert list(line.get_xdata()) == expected


def test_points_are_means_over_seeds(made_up):
    plan = make_plan("fig4", {})
    (axes,) = panels(precision_figure(plan, about(("kind",)), made_up.of(plan)))
    line = next(line for line in axes.lines if line.get_label() == "AQ")
    assert line.get_xdata().tolist() == list(FIGURE_DEPTHS)
    assert line.get_ydata() == pytest.approx(0.542 - np.array(FIGURE_DEPTHS) / 10000)


def test_a_sweep_has_a_panel_per_parameter_and_dotted_rivals(made_up):
    plan = make_plan("fig5", {})
    made_up.bases = {"WDHT": 0.3}
    figure = sweep_figure(plan, about(), made_up.of(plan))
    gamma, weight = panels(figure)
    assert [text.get_text() for text in gamma.get_xticklabels()] == [
        "0.3", "0.5", "0.7", "1", "2", "3", "4",
    ]  # fmt: skip
    assert weight.get_xticklabels()[0].get_text() == "0\n(two-stage)"
    assert len(weight.get_xticklabels()) == 6
    for axes, count in ((gamma, 7), (weight, 6)):
        dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
        drawn = [line for line in axes.lines if line.get_linestyle() == "-"]
        assert [len(line.get_xdata()) for line in drawn] == [count, count]
        assert dotted[0].get_ydata() == pytest.approx([0.342, 0.342])
        # The lowest and the highest seed of each grouping.
        assert len(axes.collections) == 2
    assert legend(figure) == [
        "WSDHQ, by kind", "WSDHQ, by parity", "WDHT (same colours)", "lowest to highest seed",
    ]  # fmt: skip


@pytest.mark.parametrize("target", DRAW)
def test_what_is_missing_is_left_out(target, made_up):
    plan = make_plan(target, {}, seeds=(0,))
    results = made_up.of(plan, without=("ITQ", "WDHT"))
    figure = DRAW[target](plan, about(("kind",)), results)
    names = [line.get_label() for axes in panels(figure) for line in axes.lines]
    assert not {"ITQ", "WDHT"} & set(names)
    assert "one seed" in figure.get_suptitle()
    nothing = DRAW[target](plan, about(("kind",)), {})
    assert "nothing computed yet" in [text.get_text() for text in panels(nothing)[0].texts]


def test_many_groupings_take_several_rows(made_up):
    made_up.groupings = tuple("abcd")
    plan = make_plan("fig4", {}, seeds=(0,))
    figure = precision_figure(plan, about(made_up.groupings, quick=True), made_up.of(plan))
    assert len(panels(figure)) == 4
    width, height = figure.get_size_inches()
    assert width < 20
    assert height > 8
    assert "quick run" in figure.get_suptitle()


@pytest.mark.parametrize("target", DRAW)
def test_files_are_pictures_with_something_on_them(target, made_up, tmp_path):
    plan = make_plan(target, {})
    path = tmp_path / f"{target}.png"
    save_figure(path, DRAW[target](plan, about(), made_up.of(plan)))
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] > 400
    assert pixels.shape[1] > 1000
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    assert 0.003 < (pixels.min(axis=2) < 200).mean() < 0.5
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
