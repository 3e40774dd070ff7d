"""`wsdhq evaluate`: how good are the rankings of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsdhq.cli.console import print_table, say, say_skipped, shows_bars
from wsdhq.cli.options import (
    Features,
    Run,
    SimilarityName,
    Threads,
    as_options,
    check_folder_of,
    known_similarity,
)

if TYPE_CHECKING:
    from wsdhq.runs import Evaluation


def evaluate(
    run: Run,
    labels: Annotated[
        Path, typer.Option(help="Labels, one row per image: .csv with a header, or 0/1 .npy.")
    ],
    features: Features = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Images; for a run on features, they are shown in the report."),
    ] = None,
    codes: Annotated[
        Path | None, typer.Option(help="Codes of the same rows; by default those of the run.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option(help="Tags shown in the report; by default the run's.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Label column to evaluate by; by default each. May be repeated."
        ),
    ] = None,
    num_queries: Annotated[
        int | None,
        typer.Option(
            "--queries", help="Images to query with; by default those held out, else a tenth."
        ),
    ] = None,
    split_seed: Annotated[int | None, typer.Option(help="Seed of that choice.")] = None,
    depth: Annotated[int, typer.Option("--depth", "-R", min=1, help="R of MAP@R.")] = 5000,
    similarity: SimilarityName = "ip",
    codes_only: Annotated[
        bool, typer.Option("--codes-only", help="Leave out the float rankings.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, made if need be; by default RUN.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Measure MAP@R, P@N and precision-recall; writes JSON, CSV, plots and report.html."""
    from wsdhq import runs

    if out is not None:
        if out.exists() and not out.is_dir():
            raise NotADirectoryError(f"--out: {out} is a file, expected a folder")
        check_folder_of(out)
    with as_options("features", "images", "codes", "tags", "by", num_queries="queries"):
        evaluation = runs.evaluate(
            run, labels, features=features, images=images, codes=codes, tags=tags, by=by,
            num_queries=num_queries, split_seed=split_seed, R=depth,
            similarity=known_similarity(similarity), codes_only=codes_only, threads=threads,
            progress=None if shows_bars() else False,
        )  # fmt: skip
    say_skipped(evaluation.skipped, evaluation.num_images)
    written = runs.report(evaluation, out)
    print_evaluation(evaluation)
    say(f"wrote to {run if out is None else out}: " + ", ".join(path.name for path in written))


def print_evaluation(evaluation: Evaluation) -> None:
    """Print MAP@R of each way of ranking, the random one first."""
    first = next(iter(evaluation.methods.values()))
    columns = ["ranking"] + [f"by {name}" for name in first.results]
    rows = [["random"] + [_figure(result.map_random) for result in first.results.values()]]
    for name, method in evaluation.methods.items():
        rows.append([name] + [_figure(result.map) for result in method.results.values()])
    sizes = next(iter(first.results.values()))
    print_table(
        f"MAP@{sizes.R}, {sizes.num_queries} queries, {sizes.num_database} images in the database",
        columns,
        rows,
        texts=["ranking"],
    )
    for name, result in first.results.items():
        if result.num_without_relevant:
            say(
                f"by {name}: {result.num_without_relevant} of {result.num_queries} queries share "
                "no label with any image of the database and are left out"
            )


def _figure(value: float | None) -> str:
    # No query has a relevant result: there is nothing to average.
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"
