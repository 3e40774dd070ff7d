"""How good it is: the tiles at the top and the tables, as HTML."""

from __future__ import annotations

import math

from wsdhq.evaluation import EvaluationResult
from wsdhq.report.markup import RANDOM, amount, escape, figure, percent, section
from wsdhq.report.model import Method, ReportData


def glance(report: ReportData) -> str:
    """The main method in a few tiles: right answers against chance, MAP, memory."""
    method = report.main_method
    if method is None:
        return ""
    tiles = [_quality_tile(method, name, result) for name, result in method.results.items()]
    if method.bytes_per_image is not None:
        tiles.append(_memory_tile(report, method))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def results(report: ReportData) -> str:
    """One table per grouping, the random ranking first, and all figures folded below."""
    if not report.methods:
        return ""
    first = next(iter(report.methods[0].results.values()))
    depth = min(first.R, first.num_database)
    tables = "".join(_results_table(report, grouping) for grouping in report.groupings)
    text = (
        f"Mean average precision (MAP) looks at the first {depth:,} results of a query: 1 means "
        "that every relevant image among them stands before every irrelevant one. A method that "
        "has learnt nothing scores as the random order does. An image is relevant if it shares a "
        "label with the query; labels serve to measure and are not searched."
    )
    return section(
        "results",
        "How good it is",
        f'<p>{text}</p><div class="tables">{tables}</div>{_all_figures(report)}',
    )


def _by(grouping: str) -> str:
    """What makes an image relevant; "labels" is what a single grouping is called."""
    return "Relevant by label" if grouping == "labels" else f"Relevant by {escape(grouping)}"


def _top(result: EvaluationResult) -> int | None:
    """The depth that tells most to a person: the one nearest to 10, None without any."""
    return min(result.precision_at, key=lambda depth: abs(depth - 10), default=None)


def _bar(value: float | None, kind: str) -> str:
    width = 0.0 if value is None or math.isnan(value) else 100 * value
    return (
        f'<span class="bar" aria-hidden="true"><i class="{kind}" '
        f'style="width:{width:.1f}%"></i></span>'
    )


def _quality_tile(method: Method, grouping: str, result: EvaluationResult) -> str:
    depth = _top(result)
    right = result.precision_at[depth] if depth else None
    unit = "result is" if depth == 1 else f"{depth or 0} results are"
    versus = ""
    if result.map_random is not None:
        factor = ""
        if result.map_random > 0 and not math.isnan(result.map):
            factor = f" ({result.map / result.map_random:.1f} times as much)"
        versus = (
            f"<p>MAP@{result.R} is <b>{figure(result.map)}</b>; "
            f"a random order has {figure(result.map_random)}{factor}.</p>"
        )
    bars = _versus(
        (method.name, right, percent(right)), ("by chance", result.chance, percent(result.chance))
    )
    return (
        f'<div class="tile"><h3>{_by(grouping)}</h3>'
        f'<p class="big">{percent(right)}</p><p>of the first {unit} relevant</p>'
        f"{bars}{versus}</div>"
    )


def _versus(main: tuple[str, float | None, str], other: tuple[str, float, str]) -> str:
    """Two bars, one below the other: (name, length from 0 to 1, what to print)."""
    rows = "".join(
        f"<span>{escape(name)}</span>{_bar(length, kind)}<b>{printed}</b>"
        for (name, length, printed), kind in ((main, "main"), (other, "random"))
    )
    return f'<div class="versus">{rows}</div>'


def _memory_tile(report: ReportData, method: Method) -> str:
    size = method.bytes_per_image or 0.0
    others = [
        (other.bytes_per_image, other.name)
        for other in report.methods
        if other is not method and other.bytes_per_image
    ]
    compared = ""
    if others and size:
        largest, name = max(others)
        if largest > size:
            bars = _versus(
                (method.name, size / largest, amount(size)), (name, 1.0, amount(largest))
            )
            compared = f"{bars}<p>{largest / size:,.0f} times smaller.</p>"
    return (
        f'<div class="tile"><h3>Memory</h3><p class="big">{amount(size)}</p>'
        f"<p>per image: {amount(size * 1e6)} for a million images</p>{compared}</div>"
    )


def _results_table(report: ReportData, grouping: str) -> str:
    first = report.methods[0].results[grouping]
    depth = _top(first)
    columns = [
        "Ranked by",
        f"MAP@{first.R}",
        f"Precision@{depth}" if depth else "Precision",
        "Per image",
    ]

    def row(
        name: str, note: str, mean: float | None, top: float | None, size: str, kind: str
    ) -> str:
        small = f"<small>{escape(note)}</small>" if note else ""
        return (
            f'<tr class="{kind}"><th scope="row">{escape(name)}{small}</th>'
            f'<td data-name="{columns[1]}"><span class="cell">{_bar(mean, kind)}'
            f"<b>{figure(mean)}</b></span></td>"
            f'<td data-name="{columns[2]}">{figure(top)}</td>'
            f'<td data-name="{columns[3]}">{size}</td></tr>'
        )

    rows = [row(RANDOM, "nothing learnt", first.map_random, first.chance, "–", "random")]
    for method in report.methods:
        result = method.results[grouping]
        top = result.precision_at.get(depth) if depth else None
        kind = "main" if method is report.main_method else "other"
        rows.append(
            row(method.name, method.note, result.map, top, amount(method.bytes_per_image), kind)
        )
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    skipped = ""
    most = max(method.results[grouping].num_skipped for method in report.methods)
    if most:
        skipped = (
            f" A query without a relevant result among the first {first.R:,} is left out of MAP: "
            f"up to {most:,} per row."
        )
    return (
        f'<table class="results"><caption><b>{_by(grouping)}</b> '
        f"{first.num_queries:,} queries over {first.num_database:,} images.{skipped}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _all_figures(report: ReportData) -> str:
    """Every figure behind the charts, for reading and for those who cannot see the charts."""
    blocks = []
    for grouping in report.groupings:
        found = [(method.name, method.results[grouping]) for method in report.methods]
        lines: list[tuple[str, list[str]]] = [
            ("MAP", [figure(result.map) for _, result in found]),
            ("MAP, divided by all relevant", [figure(result.map_all) for _, result in found]),
            ("MAP, mean over ties", [figure(result.map_tie_averaged) for _, result in found]),
            ("queries skipped", [f"{result.num_skipped:,}" for _, result in found]),
        ]
        depths = sorted({depth for _, result in found for depth in result.precision_at})
        for depth in depths:
            values = [figure(result.precision_at.get(depth)) for _, result in found]
            lines.append((f"precision@{depth}", values))
        for level in (0.1, 0.25, 0.5, 0.75):
            values = [figure(_precision_at_recall(result, level)) for _, result in found]
            lines.append((f"precision at recall {level:g}", values))
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in found)
        body = "".join(
            f'<tr><th scope="row">{name}</th>'
            + "".join(f"<td>{value}</td>" for value in values)
            + "</tr>"
            for name, values in lines
        )
        blocks.append(
            '<div class="scroll" tabindex="0" role="region" aria-label="All figures">'
            f'<table class="figures"><caption>{_by(grouping)}</caption>'
            f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
    return f"<details><summary>All figures in a table</summary>{''.join(blocks)}</details>"


def _precision_at_recall(result: EvaluationResult, level: float) -> float | None:
    """Precision at the first depth whose recall reaches `level`, None if the list ends before."""
    for recall, precision in zip(result.recall.tolist(), result.precision.tolist()):
        if recall >= level:
            return float(precision)
    return None
