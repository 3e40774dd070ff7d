"""`wsdhq bench`: how fast this library is here, beside those that are installed."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsdhq._shared.arguments import about
from wsdhq._shared.files import write_json, write_text
from wsdhq.bench import MODES, SUITES, Context, Report, Settings, find_peer, new_report, num_cores
from wsdhq.bench.checks import WrongResultError
from wsdhq.bench.report.plot import plot_report
from wsdhq.bench.report.tables import limit_lines, machine_line, markdown, suite_tables
from wsdhq.bench.runner import run_suites
from wsdhq.cli.console import WIDTH_OF_FILES, bar_for, printable, say
from wsdhq.cli.options import check_folder_of
from wsdhq.data import read_features

# Codebooks have 256 codewords: fewer rows would not even name each of them.
_MIN_FEATURES = 1500


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: under a minute.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every size of the project's targets: 40 minutes.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(metavar="SUITES", help="Of search, encode, solve, train.")
    ] = None,
    threads: Annotated[
        str, typer.Option(help="Thread counts, commas between them; `all` is every core.")
    ] = "1,all",
    seed: Annotated[int, typer.Option(min=0, help="Of vectors and quantizers.")] = 0,
    features: Annotated[
        Path | None, typer.Option(help="Your own vectors, (N, D) .npy, in place of made ones.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Every time, ratio and version as JSON; the plot goes beside it.")
    ] = Path("wsdhq-bench.json"),
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="The tables in Markdown.")
    ] = None,
    vectors: Annotated[
        int | None, typer.Option(min=1000, help="Database of the search suite.")
    ] = None,
    dims: Annotated[str | None, typer.Option(help="Dimensions, commas between them.")] = None,
    codebooks: Annotated[
        str | None, typer.Option(help="Bytes per vector of search and encode: 4,8.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns of every contestant.")] = None,
    lsq_iterations: Annotated[
        int | None,
        typer.Option(min=1, help="Of faiss LSQ before the encode suite; its default is 25."),
    ] = None,
) -> None:
    """Time encode, solve, search and training beside faiss and scann, where installed."""
    suites = _known_suites(only)
    counts = _thread_counts(threads)
    check_folder_of(out)
    with about("--out"):
        if out.suffix.lower() == ".png":
            raise ValueError(f"{out} is the name of the plot, expected that of a .json file")
    for path, option in ((out, "--out"), (markdown_file, "--markdown")):
        if path is not None and path.is_dir():
            raise IsADirectoryError(f"{option}: {path} is a folder, expected a file to write")
    if markdown_file is not None:
        check_folder_of(markdown_file, "--markdown")
    settings = _settings(quick, full, vectors, dims, codebooks, rounds, lsq_iterations)
    if features is not None and dims is not None:
        raise ValueError("expected at most one of --features and --dims, got both")
    # Without the path of the program: reports are published.
    command = shlex.join(["wsdhq", *sys.argv[1:]])
    with bar_for("starting") as bar:
        context = Context(
            settings,
            counts,
            seed,
            None if features is None else _read(features),
            find_peer("faiss"),
            find_peer("scann"),
            bar.stage,
            bar.advance_to,
        )
        report = new_report(context, suites, command)
        for note in report.notes:
            say(note)
        try:
            run_suites(context, report, lambda current: write_json(out, current.to_dict()))
        except WrongResultError as error:
            raise ValueError(f"a result is wrong, so nothing was compared: {error}") from error
        finally:
            write_json(out, report.to_dict())
            if not report.finished:
                say(f"stopped: what was measured so far is in {out}")
    print_report(report)
    written = [str(out)]
    picture = out.with_suffix(".png")
    if find_peer("matplotlib") is None:
        from wsdhq._shared.extras import install_command

        say(f"matplotlib is not installed: no plot ({install_command('bench')})")
    elif plot_report(picture, report):
        written.append(str(picture))
    if markdown_file is not None:
        write_text(markdown_file, markdown(report))
        written.append(str(markdown_file))
    say(f"{report.seconds:.0f} s in all; wrote {', '.join(written)}")


def print_report(report: Report) -> None:
    """Print a table per suite, and what there is to say about each, to standard output."""
    width = None if Console().is_terminal else WIDTH_OF_FILES
    output = Console(width=width)
    output.print(Text(printable(machine_line(report))), soft_wrap=True)
    for line in limit_lines(report):
        output.print(Text(line), soft_wrap=True)
    for suite in suite_tables(report):
        output.print()
        output.rule(Text(suite.title, style="bold"), align="left", characters="─")
        for group in suite.groups:
            table = Table(
                title=Text(group.setting), title_justify="left", title_style="italic",
                box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False,
            )  # fmt: skip
            kept = [p for p in range(len(suite.columns)) if any(row[p] for row in group.rows)]
            for place in kept:
                column = suite.columns[place]
                table.add_column(column, justify="left" if column in suite.texts else "right")
            for row, ours in zip(group.rows, group.ours):
                table.add_row(*(Text(row[p]) for p in kept), style="bold" if ours else None)
            output.print(table)
        for note in suite.notes:
            output.print(Text(note, style="dim"), soft_wrap=True)


def _read(path: Path) -> np.ndarray:
    array = read_features(path)
    if len(array) < _MIN_FEATURES:
        raise ValueError(
            f"--features: {path}: expected at least {_MIN_FEATURES} rows, got {len(array)}"
        )
    return array


def _known_suites(only: str | None) -> list[str]:
    names = list(SUITES) if only is None else [name.strip() for name in only.split(",")]
    for name in names:
        if name not in SUITES:
            raise ValueError(f"--only: expected some of {', '.join(SUITES)}, got {name!r}")
    return names


def _thread_counts(text: str) -> tuple[int, ...]:
    counts = []
    for word in text.split(","):
        if word.strip() == "all":
            counts.append(num_cores())
            continue
        counts += _numbers(word, "--threads", 1, 1024, "thread counts or all")
    return tuple(dict.fromkeys(counts))


def _numbers(text: str, option: str, least: int, most: int, what: str) -> list[int]:
    numbers = []
    for word in text.split(","):
        if not word.strip().isdecimal() or not least <= int(word) <= most:
            raise ValueError(
                f"{option}: expected {what} from {least} to {most} with commas between them, got "
                f"{word.strip()!r}"
            )
        numbers.append(int(word))
    return list(dict.fromkeys(numbers))


def _settings(
    quick: bool,
    full: bool,
    vectors: int | None,
    dims: str | None,
    codebooks: str | None,
    rounds: int | None,
    lsq_iterations: int | None,
) -> Settings:
    if quick and full:
        raise ValueError("expected at most one of --quick and --full, got both")
    settings = MODES["quick" if quick else "full" if full else "ordinary"]
    if vectors is not None:
        settings = replace(settings, vectors=vectors)
    if dims is not None:
        wide = _numbers(dims, "--dims", 1, 65536, "dimensions")
        settings = replace(settings, dims=tuple(wide), solve_dim=wide[-1])
    if codebooks is not None:
        counts = tuple(_numbers(codebooks, "--codebooks", 1, 64, "numbers of codebooks"))
        settings = replace(settings, codebooks=counts)
    if rounds is not None:
        settings = replace(settings, rounds=rounds)
    if lsq_iterations is not None:
        settings = replace(settings, lsq_iterations=lsq_iterations)
    return settings
