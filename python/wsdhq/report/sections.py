"""The parts of the page that are words and charts, as HTML."""

from __future__ import annotations

from wsdhq.report.charts import Line, LineStyle, draw_chart
from wsdhq.report.markup import RANDOM, escape, section
from wsdhq.report.model import ReportData


def header(report: ReportData) -> str:
    """Title, summary and the facts worth a glance."""
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in report.facts.items()
    )
    return (
        f"<header><h1>{escape(report.title)}</h1>"
        + (f'<p class="lead">{escape(report.summary)}</p>' if report.summary else "")
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
        + "</header>"
    )


def steps(report: ReportData) -> str:
    """What was done, as a numbered list."""
    if not report.steps:
        return ""
    items = "".join(
        f"<li><h3>{escape(heading)}</h3><p>{escape(text)}</p></li>"
        for heading, text in report.steps
    )
    return section("done", "What was done", f'<ol class="steps">{items}</ol>')


def curves(report: ReportData) -> str:
    """Precision-recall and precision at N, one line per method, under one legend."""
    if not report.methods:
        return ""
    charts = []
    for number, grouping in enumerate(report.groupings):
        named = f", {escape(grouping)}" if len(report.groupings) > 1 else ""
        found = [(m, m.results[grouping]) for m in report.methods]
        first = found[0][1]
        chance = first.chance
        # The curve leaves out queries without anything relevant, and so must its baseline.
        answerable = first.num_queries - first.num_without_relevant
        floor = chance * first.num_queries / answerable if answerable else float("nan")
        styles = _line_styles(report)
        recall_lines = [Line([0, 1], [floor, floor], LineStyle.random())]
        depths = sorted({depth for _, result in found for depth in result.precision_at})
        depth_lines = [Line(depths, [chance] * len(depths), LineStyle.random())]
        for method, result in found:
            style = styles[method.name]
            recall_lines.append(Line(result.recall, result.precision, style))
            points = list(result.precision_at), list(result.precision_at.values())
            depth_lines.append(Line(*points, style, markers=True))
        charts.append(
            _chart(
                f"Precision and recall{named}",
                "The further up and right, the better: how pure the results stay while more "
                "and more of what is relevant has been found.",
                draw_chart(
                    recall_lines,
                    title=f"Precision against recall{named}; the figures are in the table",
                    x_name="recall",
                    y_name="precision",
                    key=f"recall-{number}",
                    unit_y=True,
                ),
            )
        )
        charts.append(
            _chart(
                f"Precision at N{named}",
                "The share of relevant images among the first N results, averaged over queries.",
                draw_chart(
                    depth_lines,
                    title=f"Precision at N results{named}; the figures are in the table",
                    x_name="N, number of results",
                    y_name="precision",
                    key=f"depth-{number}",
                    log_x=True,
                    unit_y=True,
                ),
            )
        )
    body = f'{_legend(report)}<div class="charts">{"".join(charts)}</div>'
    return section("curves", "Curves", body)


def training(report: ReportData) -> str:
    """A small chart per quantity that training reported."""
    if not report.training:
        return ""
    charts = "".join(
        _chart(
            escape(curve.name),
            escape(curve.note),
            draw_chart(
                [Line(curve.x, curve.y, LineStyle.main(), markers=len(curve.x) <= 25)],
                title=escape(
                    f"{curve.name}: from {curve.y[0]:.4g} to {curve.y[-1]:.4g}"
                    if len(curve.y)
                    else curve.name
                ),
                x_name="epoch" if curve.x_name == "epoch" else "step",
                y_name="",
                key=f"training-{number}",
                size=(4.2, 2.6),
            ),
            outcome=f"{curve.y[0]:.4g} → {curve.y[-1]:.4g}" if len(curve.y) else "",
        )
        for number, curve in enumerate(report.training)
    )
    return section("training", "Training", f'<div class="charts small">{charts}</div>')


def settings(report: ReportData) -> str:
    """Notes in the open, the configuration folded."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    groups = "".join(
        f"<div><h3>{escape(name)}</h3><dl>"
        + "".join(
            f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>"
            for key, value in entries.items()
        )
        + "</dl></div>"
        for name, entries in report.settings.items()
    )
    body = f'<ul class="notes">{notes}</ul>' if notes else ""
    if groups:
        body += (
            "<details><summary>All settings of this run</summary>"
            f'<div class="settings">{groups}</div></details>'
        )
    return section("settings", "Notes and settings", body) if body else ""


def _line_styles(report: ReportData) -> dict[str, LineStyle]:
    others = [method.name for method in report.methods if method is not report.main_method]
    styles = {name: LineStyle.other(number) for number, name in enumerate(others)}
    if report.main_method is not None:
        styles[report.main_method.name] = LineStyle.main()
    return styles


def _legend(report: ReportData) -> str:
    styles = _line_styles(report)
    looks = [(RANDOM, LineStyle.random())]
    looks += [(method.name, styles[method.name]) for method in report.methods]
    items = []
    for name, style in looks:
        width = 1.4 * style.width
        dash = " ".join(f"{length * width:.3g}" for length in style.dash)
        pattern = f' stroke-dasharray="{dash}"' if dash else ""
        items.append(
            '<li><svg width="44" height="10" aria-hidden="true"><line x1="2" y1="5" x2="42" '
            f'y2="5" stroke="{style.css_colour}" stroke-width="{width:.3g}"{pattern}/></svg>'
            f"{escape(name)}</li>"
        )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _chart(heading: str, note: str, svg: str, outcome: str = "") -> str:
    aside = f"<span>{outcome}</span>" if outcome else ""
    return (
        f"<figure><figcaption><h3>{heading}{aside}</h3>"
        + (f"<p>{note}</p>" if note else "")
        + f"</figcaption>{svg}</figure>"
    )
