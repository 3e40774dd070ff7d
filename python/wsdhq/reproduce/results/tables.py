"""Tables 1 and 2 as text: rows for the console, and Markdown with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wsdhq.reproduce.methods import Method
from wsdhq.reproduce.paper import BITS, RELEASED_CODE, SOURCE, TITLES, paper_map
from wsdhq.reproduce.plan import Plan
from wsdhq.reproduce.results.summary import Results, Spread, gathered, measured, seconds_of

_TITLES = {
    "table1": "Table 1: all methods",
    "table2": "Table 2: WSDHQ and its variants",
}
_MAIN = "WSDHQ"
PAPER_DEPTH = 5000
SPREAD_NOTE = "mean ± sample standard deviation over the seeds"


@dataclass(frozen=True)
class About:
    """What a table is of, beside its figures.

    Attributes
    ----------
    dataset : str
        Its name.
    summary : tuple of str
        What the reader of the data set says of it.
    groupings : tuple of str
        Groupings of labels to show, in order.
    depth : int
        R of MAP@R.
    command : str
    methods : mapping of str to Method
    quick : bool
    """

    dataset: str
    summary: tuple[str, ...]
    groupings: tuple[str, ...]
    depth: int
    command: str
    methods: Mapping[str, Method] = field(default_factory=dict)
    quick: bool = False

    @property
    def in_paper(self) -> bool:
        """Whether the paper reports figures for the data set."""
        return self.dataset in RELEASED_CODE


def table_rows(
    plan: Plan, about: About, results: Results, grouping: str
) -> tuple[list[str], list[list[str]]]:
    """A table by one grouping of labels, as text.

    Returns
    -------
    columns : list of str
        "method", then a width and, where the paper reports any, its figure beside it.
    rows : list of list of str
        A row per method; "-" for what has not been computed.
    """
    columns = ["method"]
    for bits in plan.bits:
        columns += [f"{bits} bits", "paper"] if about.in_paper else [f"{bits} bits"]
    rows = []
    for name in plan.rows:
        row = [name]
        for bits in plan.bits:
            spread = measured(gathered(results, name, bits), grouping, "map")
            row.append(with_spread(spread, len(plan.seeds)))
            if about.in_paper:
                printed = paper_map(about.dataset, name, bits)
                row.append("-" if printed is None else f"{printed:.3f}")
        rows.append(row)
    return columns, rows


def markdown(plan: Plan, about: About, results: Results) -> str:
    """A table in Markdown, with the protocol, the seeds, the versions and the seconds."""
    title = f"{_TITLES[plan.target]}, MAP@{about.depth} on {TITLES[about.dataset]}"
    parts = [f"# {title}", facts(plan, about, results)]
    parts.append(f"```sh\n{about.command}\n```")
    for grouping in about.groupings:
        parts.append(f"## By {grouping}")
        parts.append(_markdown_table(plan, about, results, grouping))
        if (line := chance_line(results, grouping)) is not None:
            parts.append(line)
    parts += ["## Notes", notes(plan, about), "## Seconds", times(plan, results)]
    return "\n\n".join(parts) + "\n"


def _markdown_table(plan: Plan, about: About, results: Results, grouping: str) -> str:
    columns, rows = table_rows(plan, about, results, grouping)
    best = {}
    for bits in plan.bits:
        means = {
            name: spread.mean
            for name in plan.rows
            if (spread := measured(gathered(results, name, bits), grouping, "map")) is not None
        }
        best[f"{bits} bits"] = max(means, key=lambda name: means[name], default=None)
    lines = [line_of(columns), line_of([":--", *["--:"] * (len(columns) - 1)])]
    for row in rows:
        name = row[0]
        cells = [f"**{name}**" if name == _MAIN else name + _mark(about, name)]
        cells += [
            f"**{cell}**" if best.get(column) == name else cell
            for column, cell in zip(columns[1:], row[1:])
        ]
        lines.append(line_of(cells))
    return "\n".join(lines)


def facts(plan: Plan, about: About, results: Results) -> str:
    """A list of what the figures are of: the data, the protocol, the seeds, the versions."""
    lines = list(about.summary)
    if about.quick:
        lines.append(
            "a quick run: a random part of the rows, few epochs, "
            "small networks for images; not the paper's protocol"
        )
    counts = [result.counts for result in results.values()]
    if counts:
        one = counts[0]
        lines.append(
            f"{one['query']:,} queries, {one['database']:,} images in the database, "
            f"{one['train']:,} to learn from"
            + (f"; {one['unreadable']:,} images could not be read" if one["unreadable"] else "")
        )
    for grouping in about.groupings:
        of = [result.results[grouping] for result in results.values() if grouping in result.results]
        alone = max((each.get("num_without_relevant", 0) for each in of), default=0)
        if alone:
            lines.append(
                f"by {grouping} up to {alone:,} queries share no label with the database: left out"
            )
    lines.append(
        f"protocol: a result is relevant if it shares a label with the query; AP@{about.depth} is "
        "divided by the relevant results it found; queries without any are left out"
    )
    seeds = ", ".join(map(str, plan.seeds))
    if len(plan.seeds) > 1:
        lines.append(f"seeds {seeds}, each with a split of its own: {SPREAD_NOTE}")
    else:
        lines.append(f"seed {seeds}: a single run, so no spread is known")
    versions: dict[str, set[str]] = {}
    for result in results.values():
        for name, found in result.versions.items():
            versions.setdefault(name, set()).add(found)
    if versions:
        shown = (f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())
        lines.append(f"versions: {', '.join(shown)}")
    return "\n".join(f"- {line}" for line in lines)


def chance_line(results: Results, grouping: str) -> str | None:
    """What a random ranking comes to; None where it is not defined."""
    spread = measured(list(results.values()), grouping, "map_random")
    return None if spread is None else f"A random ranking: {spread.mean:.3f}."


def notes(plan: Plan, about: About) -> str:
    """A list of what the signs in a table mean, and what its rows are."""
    best = "the best figure of each column is bold; " if plan.target.startswith("table") else ""
    lines = [f"{best}`-`: not computed, not defined, or not in the paper"]
    if len(plan.seeds) > 1:
        lines.append(f"(1 of {len(plan.seeds)}): only so many seeds have been computed")
    if about.in_paper:
        lines.append(f"paper: {SOURCE}, MAP@{PAPER_DEPTH}")
        logs = RELEASED_CODE[about.dataset]
        shown = ", ".join(f"{value:.3f} at {bits} bits" for bits, value in zip(BITS, logs))
        lines.append(
            "the paper evaluates by one set of labels (38 concepts of MIR-FLICKR25K, 21 labels of "
            "NUS-WIDE): beside other groupings its figures are for orientation only"
        )
        lines.append(f"logs of the authors' released code, {_MAIN}: {shown}")
    for name in plan.rows:
        method = about.methods.get(name)
        if method is not None and (method.changes or not method.in_paper):
            changes = ", ".join(f"`{key} = {value!r}`" for key, value in method.changes.items())
            where = "" if method.in_paper else "not in the paper; "
            lines.append(f"{name}{_mark(about, name)}: {where}{method.description} ({changes})")
    return "\n".join(f"- {line}" for line in lines)


def times(plan: Plan, results: Results) -> str:
    """A table of the seconds that each method took."""
    lines = [line_of(["method", "fit", "encode", "rank and measure"])]
    lines.append(line_of([":--", "--:", "--:", "--:"]))
    for name in plan.rows:
        found = [result for cell, result in results.items() if cell.method == name]
        if found:
            times = (seconds_of(found, part) for part in ("fit", "encode", "rank"))
            lines.append(line_of([name, *(f"{value:,.1f}" for value in times)]))
    return "\n".join([*lines, "", "Means over widths and seeds."])


def _mark(about: About, name: str) -> str:
    method = about.methods.get(name)
    return "" if method is None or method.in_paper else " †"


def with_spread(spread: Spread | None, num_seeds: int) -> str:
    """A mean with its deviation, and of how many seeds it is if some are missing."""
    if spread is None:
        return "-"
    text = f"{spread.mean:.3f}"
    if spread.deviation is not None:
        text += f" ± {spread.deviation:.3f}"
    done = len(spread.values)
    # The others have not been computed yet: this mean will move.
    return text if done == num_seeds else f"{text} ({done} of {num_seeds})"


def line_of(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
