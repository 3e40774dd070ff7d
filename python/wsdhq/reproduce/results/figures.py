"""Figures 3, 4 and 5 of the paper, drawn from results.

A panel per grouping of labels (figure 5: per parameter), a line per method. Methods differ by
colour and by marker; ours is thicker and above all others. The legend stands beside the panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wsdhq._shared.files import atomic_path
from wsdhq.reproduce.paper import TITLES
from wsdhq.reproduce.plan import Plan, Point
from wsdhq.reproduce.results.summary import (
    Results,
    Spread,
    curve,
    gathered,
    measured,
    shown_depths,
)
from wsdhq.reproduce.results.tables import About

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAIN = "WSDHQ"
_MAIN_COLOUR = "#1f4fc4"
_MAIN_MARKER = "o"
# Colour and marker of the baselines: families have related colours (unsupervised shallow ones
# cool greys and greens, those that learn from tags warm ones), neighbours different markers.
_STYLES = {
    "LSH": ("#8c8c8c", "s"),
    "SH": ("#5f7f8f", "^"),
    "SpH": ("#9a8a3f", "v"),
    "ITQ": ("#2e8b57", "D"),
    "AQ": ("#1aa6a6", "P"),
    "DeepBit": ("#7a4fa3", "X"),
    "WMH": ("#d9a400", "<"),
    "WDH": ("#e07b39", ">"),
    "WDHT": ("#c0304f", "h"),
}
_GROUPING_COLOURS = ("#1f4fc4", "#b3571b", "#1a8a6b", "#7a4fa3", "#8c6d1f")
_GREY = "#555555"
_MARKS = 8
_PANELS_A_ROW = 3


def curve_figure(plan: Plan, about: About, results: Results) -> Figure:
    """Figure 3: precision against recall."""
    figure, panels = _panels(about.groupings, "Precision-recall curves", plan, about)
    for axes, grouping in zip(panels, about.groupings):
        for name in _last_ours(plan.rows):
            drawn = curve(gathered(results, name, plan.bits[0]), grouping)
            if drawn is None:
                continue
            # As many marks as can be told apart, evenly along the axis and not by depth.
            marks = np.searchsorted(drawn.recall, np.linspace(0.04, 0.96, _MARKS))
            marks = np.unique(np.minimum(marks, len(drawn.recall) - 1))
            _line(axes, name, drawn.recall, drawn.precision, markevery=marks.tolist())
        _chance(axes, results, grouping)
        axes.set(xlabel="recall", xlim=(0, 1))
    return _finished(figure, panels, "precision")


def precision_figure(plan: Plan, about: About, results: Results) -> Figure:
    """Figure 4: precision of the first N results."""
    figure, panels = _panels(about.groupings, "Precision of the first N results", plan, about)
    for axes, grouping in zip(panels, about.groupings):
        for name in _last_ours(plan.rows):
            found = gathered(results, name, plan.bits[0])
            points = {
                depth: spread.mean
                for depth in shown_depths(results, grouping)
                if (spread := measured(found, grouping, f"precision_at {depth}")) is not None
            }
            if points:
                _line(axes, name, list(points), list(points.values()))
        _chance(axes, results, grouping)
        axes.set(xlabel="number of results N")
    return _finished(figure, panels, "precision")


def sweep_figure(plan: Plan, about: About, results: Results) -> Figure:
    """Figure 5: MAP over gamma and over lambda, with the rival as dotted lines."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    parameters = list(dict.fromkeys(point.parameter for point in plan.points))
    figure, panels = _panels(
        [""] * len(parameters), "Sensitivity of WSDHQ", plan, about, sharey=True
    )
    swept = {point.method for point in plan.points}
    rivals = [name for name in plan.rows if name not in swept]
    for axes, parameter in zip(panels, parameters):
        points = [point for point in plan.points if point.parameter == parameter]
        places = _places(axes, points)
        for colour, grouping in zip(cycle(_GROUPING_COLOURS), about.groupings):
            _sweep(axes, plan, results, grouping, points, places, colour)
            for name in rivals:
                spread = measured(gathered(results, name, plan.bits[0]), grouping, "map")
                if spread is not None:
                    axes.axhline(spread.mean, color=colour, linestyle=":", linewidth=1.8)
    handles: list[Any] = [
        Line2D([], [], color=colour, marker=_MAIN_MARKER, linewidth=2.2)
        for colour, _ in zip(cycle(_GROUPING_COLOURS), about.groupings)
    ]
    names = [f"{_MAIN}, by {grouping}" for grouping in about.groupings]
    handles.append(Line2D([], [], color=_GREY, linestyle=":", linewidth=1.8))
    names.append(f"{', '.join(rivals)} (same colours)")
    if len(plan.seeds) > 1:
        handles.append(Patch(color=_GREY, alpha=0.2, linewidth=0))
        names.append("lowest to highest seed")
    return _finished(figure, panels, f"MAP@{about.depth}", (handles, names))


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=144)


def _panels(
    titles: Sequence[str], what: str, plan: Plan, about: About, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    # Imported here: matplotlib is only needed where there are figures.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(_PANELS_A_ROW, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(2.0 + 4.4 * columns, 0.6 + 4.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    panels = grid[: len(titles)]
    for axes in grid[len(titles) :]:
        axes.set_visible(False)
    for axes, title in zip(panels, titles):
        if title:
            axes.set_title(f"by {title}", loc="left", fontsize=10.5)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    seeds = f"mean of {len(plan.seeds)} seeds" if len(plan.seeds) > 1 else "one seed"
    quick = ", quick run" if about.quick else ""
    figure.suptitle(
        f"{what}\n{TITLES[about.dataset]}, {plan.bits[0]} bits, {seeds}{quick}",
        x=0.01, ha="left", fontsize=11,
    )  # fmt: skip
    return figure, panels


def _finished(
    figure: Figure,
    panels: Sequence[Axes],
    y_name: str,
    legend: tuple[Sequence[Any], Sequence[str]] | None = None,
) -> Figure:
    panels[0].set_ylabel(y_name)
    if legend is None:
        found: dict[str, Any] = {}
        for axes in panels:
            for handle, name in zip(*axes.get_legend_handles_labels()):
                found.setdefault(name, handle)
        # In the order of the lines from the top down, so that eyes need not search.
        order = sorted(found, key=lambda name: -float(np.mean(found[name].get_ydata())))
        legend = ([found[name] for name in order], order)
    if any(axes.lines for axes in panels):
        figure.legend(*legend, loc="outside right center", frameon=False, handlelength=2.6)
    else:
        for axes in panels:
            axes.text(0.5, 0.5, "nothing computed yet", ha="center", transform=axes.transAxes)
            axes.set(xticks=[], yticks=[])
    return figure


def _line(axes: Axes, name: str, x: Any, y: Any, **options: Any) -> None:
    ours = name == _MAIN
    colour, marker = (_MAIN_COLOUR, _MAIN_MARKER) if ours else _STYLES.get(name, (_GREY, "."))
    axes.plot(
        x, y, label=name, color=colour, marker=marker, linewidth=2.8 if ours else 1.4,
        markersize=7.5 if ours else 5.5, markeredgecolor="white", markeredgewidth=0.7,
        zorder=5 if ours else 3, **options,
    )  # fmt: skip


def _chance(axes: Axes, results: Results, grouping: str) -> None:
    spread = measured(list(results.values()), grouping, "chance")
    if spread is not None:
        axes.axhline(spread.mean, color=_GREY, linestyle=":", linewidth=1.4, label="random")


def _last_ours(rows: Sequence[str]) -> list[str]:
    return sorted(rows, key=lambda name: name == _MAIN)


def _places(axes: Axes, points: Sequence[Point]) -> dict[float, float]:
    """Where values stand: evenly, as powers of ten have no zero and gamma no scale."""
    values = sorted(point.value for point in points)
    places = {value: float(place) for place, value in enumerate(values)}
    is_weight = points[0].parameter == "quantization_weight"
    labels = [_value_label(value, is_weight) for value in values]
    axes.set_xticks(list(places.values()), labels)
    axes.set_xlabel("λ, weight of the quantization loss" if is_weight else "γ, shape of the margin")
    return places


def _value_label(value: float, is_weight: bool) -> str:
    if is_weight:
        return "0\n(two-stage)" if value == 0 else f"$10^{{{round(np.log10(value))}}}$"
    return f"{value:g}"


def _sweep(
    axes: Axes,
    plan: Plan,
    results: Results,
    grouping: str,
    points: Sequence[Point],
    places: dict[float, float],
    colour: str,
) -> None:
    found: dict[float, Spread] = {}
    for point in sorted(points, key=lambda each: each.value):
        cells = gathered(results, point.method, plan.bits[0], point.changes)
        spread = measured(cells, grouping, "map")
        if spread is not None:
            found[point.value] = spread
    if not found:
        return
    x = [places[value] for value in found]
    axes.plot(
        x, [spread.mean for spread in found.values()], color=colour, marker=_MAIN_MARKER,
        linewidth=2.2, markersize=7, markeredgecolor="white", markeredgewidth=0.7, zorder=4,
    )  # fmt: skip
    if len(plan.seeds) > 1:
        low = [spread.least for spread in found.values()]
        high = [spread.most for spread in found.values()]
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
