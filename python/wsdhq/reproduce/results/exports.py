"""What tables and figures are made of, as CSV: means with their spread, a line per figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from wsdhq.reproduce.cells import CellResult
from wsdhq.reproduce.paper import paper_map
from wsdhq.reproduce.plan import Plan, point_map
from wsdhq.reproduce.results.summary import (
    Results,
    Spread,
    curve,
    depths_of,
    gathered,
    measured,
    seconds_of,
)
from wsdhq.reproduce.results.tables import About


def table_csv(plan: Plan, about: About, results: Results) -> str:
    """A table as CSV: a line per grouping, method and width, whether computed or not."""
    header = [
        "data_set", "labels", "method", "bits", "seeds", "map", "map_sd", "map_min", "map_max",
        "map_all", "map_tie_averaged", "map_random", "map_paper", "seconds_fit",
        "seconds_encode", "seconds_rank",
    ]  # fmt: skip
    lines: list[list[Any]] = []
    for grouping in about.groupings:
        for name in plan.rows:
            for bits in plan.bits:
                found = gathered(results, name, bits)
                others = (
                    measured(found, grouping, measure)
                    for measure in ("map_all", "map_tie_averaged", "map_random")
                )
                printed = paper_map(about.dataset, name, bits)
                lines.append(
                    [
                        about.dataset, grouping, name, bits, _seeds(found),
                        *_spread_cells(measured(found, grouping, "map")),
                        *(None if each is None else each.mean for each in others),
                        printed,
                        *(seconds_of(found, part) for part in ("fit", "encode", "rank")),
                    ]
                )  # fmt: skip
    return _csv(header, lines)


def curves_csv(plan: Plan, about: About, results: Results) -> str:
    """Figure 3 as CSV: a line per grouping, method, width and depth."""
    lines: list[list[Any]] = []
    for grouping in about.groupings:
        for name in plan.rows:
            for bits in plan.bits:
                found = gathered(results, name, bits)
                drawn = curve(found, grouping)
                if drawn is not None:
                    lines += [
                        [about.dataset, grouping, name, bits, _seeds(found), int(depth), *point]
                        for depth, *point in zip(drawn.depths, drawn.recall, drawn.precision)
                    ]
    return _csv(
        ["data_set", "labels", "method", "bits", "seeds", "depth", "recall", "precision"], lines
    )


def precision_csv(plan: Plan, about: About, results: Results) -> str:
    """Figure 4 as CSV: a line per grouping, method, width and N."""
    lines: list[list[Any]] = []
    for grouping in about.groupings:
        for name in plan.rows:
            for bits in plan.bits:
                found = gathered(results, name, bits)
                for depth in depths_of(found, grouping):
                    spread = measured(found, grouping, f"precision_at {depth}")
                    lines.append(
                        [about.dataset, grouping, name, bits, _seeds(found), depth,
                         *_spread_cells(spread)]
                    )  # fmt: skip
    header = ["data_set", "labels", "method", "bits", "seeds", "n", "precision"]
    return _csv([*header, "precision_sd", "precision_min", "precision_max"], lines)


def sweep_csv(plan: Plan, about: About, results: Results) -> str:
    """Figure 5 as CSV: a line per grouping, width, parameter and value, and the rival's."""
    header = ["data_set", "labels", "method", "bits", "seeds", "parameter", "value"]
    lines: list[list[Any]] = []
    swept = {point.method for point in plan.points}
    for grouping in about.groupings:
        for bits in plan.bits:
            for point in plan.points:
                found = gathered(results, point.method, bits, point.changes)
                lines.append(
                    [about.dataset, grouping, point.method, bits, _seeds(found), point.parameter,
                     point.value, *_spread_cells(measured(found, grouping, "map")),
                     point_map(point, about.dataset, bits)]
                )  # fmt: skip
            for name in plan.rows:
                if name not in swept:
                    found = gathered(results, name, bits)
                    lines.append(
                        [about.dataset, grouping, name, bits, _seeds(found), "", "",
                         *_spread_cells(measured(found, grouping, "map")),
                         paper_map(about.dataset, name, bits)]
                    )  # fmt: skip
    return _csv([*header, "map", "map_sd", "map_min", "map_max", "map_paper"], lines)


def _spread_cells(spread: Spread | None) -> list[float | None]:
    if spread is None:
        return [None] * 4
    return [spread.mean, spread.deviation, spread.least, spread.most]


def _seeds(found: Sequence[CellResult]) -> str:
    return " ".join(map(str, (result.cell.seed for result in found)))


def _csv(header: list[str], lines: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
