"""One picture of a run: what is gained in quality, and what it costs in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from wsdhq._shared.files import atomic_path
from wsdhq.bench.report.results import Comparison, Entry, Report

_OURS = "#1f4fc4"
_OURS_ELSEWHERE = "#7d9fe6"
_COLOURS = {
    "faiss LSQ": "#b3571b",
    "faiss PQ FastScan": "#1a8a6b",
    "faiss PQ": "#7a4fa3",
    "faiss OPQ": "#7a4fa3",
    "faiss RQ": "#b0861a",
    "scann": "#c03a6b",
}
_MARKERS = ("o", "s", "^", "D", "v")
# Panel by suite: title, horizontal axis, vertical axis, figure, seconds to the horizontal value.
_PANELS: dict[str, tuple[str, str, str, str, Any]] = {
    "search": (
        "Search, {threads}", "ns per vector and query", "recall@10", "recall@10",
        lambda seconds: seconds * 1e9,
    ),
    "encode": (
        "Encode, {threads}", "vectors per second", "mean squared error", "MSE",
        lambda seconds: 1 / seconds,
    ),
    "train": (
        "Train, {threads}", "seconds", "mean squared error", "MSE", lambda seconds: seconds,
    ),
}  # fmt: skip


def plot_report(path: Path, report: Report) -> bool:
    """Draw time against quality to a PNG file, a panel per suite.

    Returns
    -------
    bool
        False, and no file is written, if the report has nothing to draw.
    """
    panels = {suite: chosen for suite in _PANELS if (chosen := _chosen(report, suite))}
    if not panels:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.6 + 4.9 * len(panels), 4.9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr,call-arg]
    for axes, (suite, comparisons) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                          panels.items()):  # fmt: skip
        _panel(axes, suite, comparisons)
    machine = report.machine
    figure.suptitle(
        f"{machine['processor']}, level {machine['level']}  ·  wsdhq {machine['wsdhq']}"
        + "".join(f", {name} {found}" for name, found in machine["libraries"].items()
                  if name in ("faiss-cpu", "scann")),
        fontsize=9, color="#555555", x=0.01, ha="left",
    )  # fmt: skip
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=144)
    return True


def _chosen(report: Report, suite: str) -> list[Comparison]:
    """Comparisons of the first thread count, dimension and depth: one per number of codebooks.

    The two that tell of one encode race are put together.
    """
    figure = _PANELS[suite][3]
    found: dict[int, Comparison] = {}
    for each in report.comparisons:
        if each.suite != suite or not all(figure in entry.figures for entry in each.entries):
            continue
        first = next(iter(found.values()), each)
        if each.threads != first.threads or any(
            each.parameters.get(name) != first.parameters.get(name) for name in ("dim", "k")
        ):
            continue
        merged = found.setdefault(each.parameters["codebooks"], replace(each, entries=[]))
        known = {entry.name for entry in merged.entries}
        merged.entries += [entry for entry in each.entries if entry.name not in known]
    return list(found.values())


def _colour(entry: Entry) -> str:
    if entry.ours:
        return _OURS_ELSEWHERE if "LSQ" in entry.name else _OURS
    matches = [prefix for prefix in _COLOURS if entry.name.startswith(prefix)]
    return _COLOURS[max(matches, key=len)] if matches else "#666666"


def _family(entry: Entry) -> str:
    """What the settings of one method have in common: the name before the first comma."""
    return entry.name.split(",")[0]


def _panel(axes: Any, suite: str, comparisons: list[Comparison]) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    title, x_name, y_name, figure, show = _PANELS[suite]
    threads = comparisons[0].threads
    named: dict[str, Any] = {}
    for marker, comparison in zip(_MARKERS, comparisons):
        families: dict[str, list[Entry]] = {}
        for entry in comparison.entries:
            families.setdefault(_family(entry), []).append(entry)
        for family, entries in families.items():
            points = sorted((show(e.spread.median), e.figures[figure]) for e in entries)
            colour, ours = _colour(entries[0]), entries[0].ours
            (line,) = axes.plot(
                *zip(*points), color=colour, marker=marker, markersize=9 if ours else 7,
                linewidth=2.0 if ours else 1.3,
                # A line only where one setting leads from point to point.
                linestyle="none" if suite != "encode" else "-" if ours else "--",
                markeredgecolor="white", markeredgewidth=0.8, zorder=3 if ours else 2,
            )  # fmt: skip
            named.setdefault(family, line)
            # The settings of one line of ours are those of the other, and there is little room.
            named_points = suite == "encode" and comparison is comparisons[0]
            if named_points and colour != _OURS_ELSEWHERE:
                _label_points(axes, entries, show, colour)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value))
    axes.margins(x=0.12, y=0.12)
    axes.set_xlabel(f"{x_name}   ({'more' if suite == 'encode' else 'less'} is better)")
    axes.set_ylabel(f"{y_name}   ({'more' if suite == 'search' else 'less'} is better)")
    words = "one thread" if threads == 1 else f"{threads} threads"
    axes.set_title(title.format(threads=words), loc="left", fontweight="bold", pad=10)
    axes.grid(alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    _legends(axes, named, comparisons)


def _tick(value: float) -> str:
    """0.5, 20, 100 k, 2 M: powers of ten are for readers of formulas."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _label_points(axes: Any, entries: list[Entry], show: Any, colour: str) -> None:
    """Name the setting of each point of a line."""
    labelled = float("inf")
    for entry in sorted(entries, key=lambda each: -show(each.spread.median)):
        setting = entry.name.rpartition(", ")[2]
        rate = show(entry.spread.median)
        # Not a variant of its neighbour, too long to stand beside it, nor points close together.
        if len(entries) == 1 or " and " in setting or rate * 1.4 > labelled:
            continue
        labelled = rate
        axes.annotate(
            setting,
            (show(entry.spread.median), entry.figures["MSE"]),
            xytext=(0, -14 if entry.ours else 8), textcoords="offset points", ha="center",
            fontsize=7, color=colour,
        )  # fmt: skip


def _legends(axes: Any, named: dict[str, Any], comparisons: list[Comparison]) -> None:
    from matplotlib.lines import Line2D

    colours = [
        Line2D([], [], color=line.get_color(), linestyle="none", marker="s", markersize=9)
        for line in named.values()
    ]
    shapes = [
        Line2D([], [], color="#444444", marker=marker, linestyle="none", markersize=7)
        for marker, _ in zip(_MARKERS, comparisons)
    ]
    sizes = [f"{each.parameters['codebooks']} bytes per vector" for each in comparisons]
    axes.legend(
        [*colours, *shapes], [*named, *sizes], fontsize=8, frameon=False, ncols=2,
        loc="upper center", bbox_to_anchor=(0.5, -0.16), handlelength=2.2,
    )  # fmt: skip
