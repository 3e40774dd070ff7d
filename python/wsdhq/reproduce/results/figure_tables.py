"""Figures 3, 4 and 5 as Markdown: the picture, what it is of, and its numbers as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsdhq.reproduce.paper import TITLES
from wsdhq.reproduce.plan import Plan, Point, point_map
from wsdhq.reproduce.results.summary import Results, curve, gathered, measured, shown_depths
from wsdhq.reproduce.results.tables import (
    About,
    chance_line,
    facts,
    line_of,
    notes,
    times,
    with_spread,
)

#: Recalls at which the table of figure 3 gives the precision.
RECALLS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 11))

_TITLES = {
    "fig3": "Figure 3: precision-recall curves",
    "fig4": "Figure 4: precision of the first N results",
    "fig5": "Figure 5: MAP over gamma and lambda",
}
_PARAMETERS = {"gamma": "gamma", "quantization_weight": "lambda"}

_Table = tuple[list[str], list[list[str]]]


def figure_markdown(plan: Plan, about: About, results: Results) -> str:
    """The numbers of a figure in Markdown, beside the picture of the same name.

    Parameters
    ----------
    plan : Plan
        Of "fig3", "fig4" or "fig5".
    about : About
    results : mapping of Cell to CellResult

    Returns
    -------
    str
        A table per grouping of labels (figure 5: and per parameter), with the protocol, the
        seeds, the versions and the seconds.
    """
    title = f"{_TITLES[plan.target]}, {plan.bits[0]} bits, on {TITLES[about.dataset]}"
    parts = [f"# {title}", facts(plan, about, results), f"```sh\n{about.command}\n```"]
    parts.append(f"![{_TITLES[plan.target]}]({plan.target}.png)")
    for grouping in about.groupings:
        parts.append(f"## By {grouping}")
        for caption, (columns, rows) in _tables(plan, about, results, grouping):
            aligned = line_of([":--", *["--:"] * (len(columns) - 1)])
            lines = [line_of(columns), aligned, *map(line_of, rows)]
            parts += [caption, "\n".join(lines)]
        if plan.target == "fig5" and (line := chance_line(results, grouping)) is not None:
            parts.append(line)
    parts += ["## Notes", notes(plan, about), "## Seconds", times(plan, results)]
    return "\n\n".join(parts) + "\n"


def _tables(plan: Plan, about: About, results: Results, grouping: str) -> list[tuple[str, _Table]]:
    if plan.target == "fig3":
        return [("Precision at the recall that heads a column:", _curves(plan, results, grouping))]
    if plan.target == "fig4":
        return [("Precision of the first N results:", _precisions(plan, results, grouping))]
    parameters = dict.fromkeys(point.parameter for point in plan.points)
    return [
        (
            f"MAP@{about.depth} over {_PARAMETERS[parameter]}:",
            _sweep(plan, about, results, grouping, parameter),
        )
        for parameter in parameters
    ]


def _curves(plan: Plan, results: Results, grouping: str) -> _Table:
    rows = []
    for name in plan.rows:
        drawn = curve(gathered(results, name, plan.bits[0]), grouping)
        if drawn is None:
            rows.append([name, *["-"] * len(RECALLS)])
            continue
        # Where many depths have one recall, the first of them reached it.
        recall, first = np.unique(drawn.recall, return_index=True)
        values = np.interp(RECALLS, recall, drawn.precision[first])
        rows.append([name, *(f"{value:.3f}" for value in values)])
    return ["method", *(f"{recall:g}" for recall in RECALLS)], rows


def _precisions(plan: Plan, results: Results, grouping: str) -> _Table:
    depths = shown_depths(results, grouping)
    rows = []
    for name in plan.rows:
        found = gathered(results, name, plan.bits[0])
        spreads = [measured(found, grouping, f"precision_at {depth}") for depth in depths]
        rows.append([name, *(with_spread(spread, len(plan.seeds)) for spread in spreads)])
    return ["method", *(f"N = {depth}" for depth in depths)], rows


def _sweep(plan: Plan, about: About, results: Results, grouping: str, parameter: str) -> _Table:
    points = [point for point in plan.points if point.parameter == parameter]
    bits = plan.bits[0]
    columns = [_PARAMETERS[parameter], *(f"{point.value:g}" for point in points)]

    def map_of(point: Point) -> str:
        found = gathered(results, point.method, bits, point.changes)
        return with_spread(measured(found, grouping, "map"), len(plan.seeds))

    rows = [["WSDHQ", *map(map_of, points)]]
    if about.in_paper:
        printed = [point_map(point, about.dataset, bits) for point in points]
        rows.append(
            ["paper's tables", *("-" if each is None else f"{each:.3f}" for each in printed)]
        )
    rows += _rivals(plan, results, grouping, points)
    return columns, rows


def _rivals(
    plan: Plan, results: Results, grouping: str, points: Sequence[Point]
) -> list[list[str]]:
    swept = {point.method for point in plan.points}
    rows = []
    for name in plan.rows:
        if name not in swept:
            spread = measured(gathered(results, name, plan.bits[0]), grouping, "map")
            rows.append([name, *[with_spread(spread, len(plan.seeds))] * len(points)])
    return rows
