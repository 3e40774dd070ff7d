"""A report as tables: columns and rows of text, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wsdhq.bench.report.results import Comparison, Entry, Report, Verdict
from wsdhq.bench.settings import SUITES

# Seconds per unit of work to what is shown, and whether less is better.
_SHOWN: dict[str, Callable[[float], float]] = {
    "ns per vector and query": lambda seconds: seconds * 1e9,
    "vectors/s": lambda seconds: 1.0 / seconds,
    "ms": lambda seconds: seconds * 1e3,
    "s": lambda seconds: seconds,
}
_TITLES = {
    "search": "Search",
    "encode": "Encode",
    "solve": "Codebook update",
    "train": "Training",
}
_TEXT_COLUMNS = ("contestant", "wsdhq is faster by", "as good with", "wanted")


@dataclass(frozen=True)
class Group:
    """The rows of one comparison, under its setting."""

    setting: str
    rows: list[list[str]]
    ours: list[bool]


@dataclass(frozen=True)
class SuiteTable:
    """One suite: columns, groups of rows, and what there is to say."""

    title: str
    columns: list[str]
    groups: list[Group]
    notes: list[str]

    @property
    def texts(self) -> list[str]:
        """Columns that hold words and are set flush left."""
        return [column for column in self.columns if column in _TEXT_COLUMNS]


def suite_tables(report: Report) -> list[SuiteTable]:
    """A table per suite that has results, in the order of the suites."""
    tables = []
    for suite in SUITES:
        comparisons = [each for each in report.comparisons if each.suite == suite]
        if comparisons:
            tables.append(_table(suite, comparisons))
    return tables


def _table(suite: str, comparisons: list[Comparison]) -> SuiteTable:
    figures = list(
        dict.fromkeys(
            name for each in comparisons for entry in each.entries for name in entry.figures
        )
    )
    unit = comparisons[0].unit
    columns = ["contestant", unit, "spread", *figures, "wsdhq is faster by"]
    rated = any(each.quality is not None for each in comparisons)
    if rated:
        columns.append("as good with")
    columns.append("wanted")
    groups, notes = [], []
    for comparison in comparisons:
        verdicts = {verdict.against: verdict for verdict in comparison.verdicts}
        rows = [
            [
                entry.name,
                *_times(entry, unit),
                *(_figure(name, entry.figures.get(name)) for name in figures),
                *_verdict(entry, verdicts.get(entry.name), rated),
            ]
            for entry in comparison.entries
        ]
        groups.append(Group(comparison.setting, rows, [entry.ours for entry in comparison.entries]))
        notes += [note for note in comparison.notes if note not in notes]
    return SuiteTable(_TITLES[suite], columns, groups, notes)


def _times(entry: Entry, unit: str) -> tuple[str, str]:
    show = _SHOWN[unit]
    spread = entry.spread
    low, high = sorted((show(spread.least), show(spread.most)))
    return number(show(spread.median)), f"{number(low)} - {number(high)}"


def number(value: float) -> str:
    """Three digits that count, without powers of ten: 0.0972, 8.31, 124, 15,200."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2
    for limit in (10, 1, 0.1, 0.01):
        digits += abs(value) < limit
    return f"{value:.{digits - 1}f}"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if name.startswith("recall") else number(value)


def _verdict(entry: Entry, verdict: Verdict | None, rated: bool) -> list[str]:
    if verdict is None:
        missing = "" if entry.ours or not rated else "none of ours"
        return ["", missing, ""] if rated else ["", ""]
    ratio = f"{number(verdict.ratio.median)}x ({number(verdict.ratio.least)} - "
    ratio += f"{number(verdict.ratio.most)})"
    wanted = ""
    if verdict.wanted is not None:
        wanted = f"{verdict.wanted:g}x: {'met' if verdict.met else 'not met'}"
    # Ours of one group differ in their settings, which stand behind the first comma.
    setting = verdict.ours.partition(", ")[2] or verdict.ours
    return [ratio, setting, wanted] if rated else [ratio, wanted]


def limit_lines(report: Report) -> list[str]:
    """What the machine can do, and the memory that was taken, in sentences."""
    lines = [
        f"{limit['name']}, {limit['threads']} thread{'s' if limit['threads'] > 1 else ''}: "
        f"{limit['value']:.1f} {limit['unit']} ({limit['how']})"
        for limit in report.limits
    ]
    for memory in report.memory:
        met = max(memory["mib_small"], memory["mib_large"]) < memory["wanted"]
        lines.append(
            f"memory of {memory['work']}: {memory['mib_small']:.1f} MiB for {memory['small']:,} "
            f"vectors, {memory['mib_large']:.1f} MiB for {memory['large']:,} ({memory['how']}; "
            f"wanted below {memory['wanted']:g}: {'met' if met else 'not met'})"
        )
    return lines


def machine_line(report: Report) -> str:
    """Processor, level, compiler and versions in one line."""
    machine = report.machine
    libraries = ", ".join(f"{name} {found}" for name, found in machine["libraries"].items())
    compiler = machine["compiler"] or "unknown compiler"
    return (
        f"{machine['processor']}, {machine['cores']} cores, level {machine['level']}, {compiler}; "
        f"wsdhq {machine['wsdhq']}, {libraries}; BLAS of NumPy: {machine['blas']}"
    )


def markdown(report: Report) -> str:
    """The whole report in Markdown."""
    state = "" if report.finished else " The run was stopped: this is what it had measured."
    parts = [
        "## `wsdhq bench`",
        f"{machine_line(report)}. {report.date}, {report.seconds:.0f} s.{state}",
        f"```sh\n{report.command}\n```",
        "Contestants of a group take turns in one process; times are medians over rounds, with the "
        "least and the most; a ratio is the median of the ratios within each round, with their "
        "least and most.",
        "\n".join(f"- {line}" for line in [*limit_lines(report), *report.notes]),
    ]
    for table in suite_tables(report):
        parts.append(f"### {table.title}")
        for group in table.groups:
            parts.append(f"**{group.setting}**")
            kept = [
                place
                for place in range(len(table.columns))
                if any(row[place] for row in group.rows)
            ]
            lines = [
                _cells([table.columns[place] for place in kept]),
                _cells([":--" if table.columns[p] in _TEXT_COLUMNS else "--:" for p in kept]),
            ]
            for row, ours in zip(group.rows, group.ours):
                cells = [row[place] for place in kept]
                lines.append(_cells([f"**{cells[0]}**" if ours else cells[0], *cells[1:]]))
            parts.append("\n".join(lines))
        if table.notes:
            parts.append("\n".join(f"- {note}" for note in table.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _cells(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
