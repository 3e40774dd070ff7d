"""`wsdhq reproduce`: the paper's tables and figures, computed again."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wsdhq._shared.arguments import about, as_choice
from wsdhq.cli.console import bar_for, print_table, say, say_skipped
from wsdhq.cli.options import Threads, as_options, check_folder_of
from wsdhq.data import load
from wsdhq.embed.config import check_settings
from wsdhq.embed.config.pairs import read_pairs, read_settings
from wsdhq.reproduce import (
    TARGETS,
    Listener,
    Plan,
    Source,
    Work,
    base_settings,
    make_methods,
    make_plan,
)
from wsdhq.reproduce.inputs.dataset import setting as setting_of
from wsdhq.reproduce.inputs.extraction import make_seeded_backbone
from wsdhq.reproduce.paper import BITS, DATASETS
from wsdhq.reproduce.plan import FIGURE_BITS, GAMMAS, WEIGHTS, rows_of
from wsdhq.reproduce.reproduction import FIGURES, Reproduction
from wsdhq.reproduce.results.summary import Results
from wsdhq.reproduce.results.tables import SPREAD_NOTE, About, table_rows

# Fields of TrainConfig that other options decide, or that would make rows differ.
_TAKEN = (
    "out", "tags", "features", "images", "bits", "word_vectors", "num_queries", "num_train",
    "split_seed", "seed", "threads", "device", "backbone", "backbone_weights",
)  # fmt: skip
_WIDTHS = ", ".join(map(str, BITS))
_TITLES = {
    "table1": f"table1: MAP of all methods at {_WIDTHS} bits",
    "table2": f"table2: MAP of WSDHQ and its variants at {_WIDTHS} bits",
    "fig3": f"fig3: precision-recall curves at {FIGURE_BITS} bits",
    "fig4": f"fig4: precision of the first N results at {FIGURE_BITS} bits",
    "fig5": f"fig5: MAP at {FIGURE_BITS} bits; WSDHQ with gamma of "
    + ", ".join(f"{value:g}" for value in GAMMAS)
    + " and lambda of "
    + ", ".join(f"{value:g}" for value in WEIGHTS),
}


def reproduce(
    what: Annotated[
        str | None, typer.Argument(metavar="WHAT", help=f"One of {', '.join(TARGETS)}.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"One of {', '.join(DATASETS)}.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder that the data set is in.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for cells and results; by default wsdhq-reproduce-NAME."),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="ROW", help="Compute this row only. May be repeated."),
    ] = None,
    bits: Annotated[
        str | None, typer.Option(help="Widths with commas between them; by default the paper's.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Repetitions: seeds 0, 1, ...; by default 3.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="LABELS", help="Grouping of labels to show. May be repeated."),
    ] = None,
    depth: Annotated[int, typer.Option("--depth", "-R", min=1, help="R of MAP@R.")] = 5000,
    features: Annotated[
        Path | None,
        typer.Option(help="Features, (N, F) .npy; by default the data set's, or a backbone's."),
    ] = None,
    word_vectors: Annotated[
        Path | None, typer.Option(help="Word vectors; by default trained on the tags.")
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="Learn deep methods from images through it, features or not."),
    ] = None,
    backbone_weights: Annotated[
        Path | None, typer.Option(help="Weights that the backbone begins with.")
    ] = None,
    loading: Annotated[
        list[str] | None,
        typer.Option(
            "--load", metavar="NAME=VALUE", help="Of the data set's reader: num_queries=1000."
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of WSDHQ and its variants."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="4,000 images at most, 8 and 32 bits, one seed, small networks."
        ),
    ] = False,
    keep_runs: Annotated[
        bool, typer.Option("--keep-runs", help="Keep the run directories of WSDHQ.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Compute cells of other data or settings anew.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Threads = None,
    list_rows: Annotated[
        bool, typer.Option("--list", help="Name the rows and what each learns from, and stop.")
    ] = False,
) -> None:
    """Compute a table or figure of the paper, cell by cell; interrupted, it goes on."""
    if dataset is not None:
        as_choice(dataset, "--dataset", DATASETS)
    if list_rows:
        _print_rows(TARGETS if what is None else (what,))
        return
    if what is None:
        raise ValueError(f"expected what to reproduce, one of {', '.join(TARGETS)}, got nothing")
    rows_of(what)
    if dataset is None:
        raise ValueError(f"--dataset is missing: expected one of {', '.join(DATASETS)}")
    if data is None:
        raise ValueError("--data is missing: expected the folder that the data set is in")
    with about("--dataset"):
        usual = base_settings(
            dataset, {}, backbone=backbone, quick=quick, weights=backbone_weights is not None
        )
    settings = {**usual, **read_settings(setting or [], _TAKEN)}
    with about("--set"):
        check_settings(settings)
    # Imported here: torch takes seconds, and `--list` needs none of it.
    from wsdhq.embed.devices import usable_device

    usable_device(device)
    options = read_pairs(loading or [], "--load")
    if "seed" in options:
        raise ValueError("--load: seed is that of each repetition, see --seeds")
    folder = _output_folder(out, dataset)
    _check_files(features, word_vectors, backbone_weights)
    if backbone is not None or backbone_weights is not None:
        # Found out now, and not when the first deep method begins, hours later.
        make_seeded_backbone(
            backbone or str(setting_of(settings, "backbone")), backbone_weights, seed=0
        )
    widths = None if bits is None else _widths(bits, what)
    repetitions = range(seeds if seeds is not None else 1 if quick else 3)
    plan = make_plan(what, settings, bits=widths, seeds=repetitions, chosen=methods, quick=quick)
    source = Source(
        name=dataset, root=data, out=folder, load=load, options=options, settings=settings,
        features=features, word_vectors=word_vectors, backbone=backbone,
        backbone_weights=backbone_weights, quick=quick, threads=threads, device=device,
    )  # fmt: skip
    used = dict.fromkeys(cell.method for cell in plan.shown)
    command = shlex.join(["wsdhq", *sys.argv[1:]])
    made = make_methods(used, settings, quick)
    job = Reproduction(plan, made, source, by or [], depth, overwrite, command)
    with bar_for("reading") as bar, as_options("load", "by"):
        listener = Listener(say, bar.stage, bar.advance_to, say_skipped)
        shown, results, written = job.run(
            Work(folder / "runs", threads, device, keep_runs, listener)
        )
    if plan.target.startswith("table"):
        _print_tables(plan, shown, results)
    say(f"wrote {', '.join(str(path) for path in written)}")


def _check_files(
    features: Path | None, word_vectors: Path | None, backbone_weights: Path | None
) -> None:
    for path, option in ((features, "--features"), (word_vectors, "--word-vectors"),
                         (backbone_weights, "--backbone-weights")):  # fmt: skip
        if path is not None and not path.is_file():
            raise FileNotFoundError(f"{option}: there is no file {path}")


def _print_tables(plan: Plan, shown: About, results: Results) -> None:
    for grouping in shown.groupings:
        columns, rows = table_rows(plan, shown, results, grouping)
        spread = f", {SPREAD_NOTE}" if len(plan.seeds) > 1 else ", one seed"
        title = f"{plan.target}, {shown.dataset}: MAP@{shown.depth} by {grouping}{spread}"
        print_table(title, columns, rows, texts=["method"])


def _print_rows(targets: tuple[str, ...]) -> None:
    for target in targets:
        names = rows_of(target)
        if len(targets) > 1 and target in ("fig3", "fig4"):
            typer.echo(f"{_TITLES[target]}; the rows of table1\n")
            continue
        made = make_methods(names, {})
        columns = ["row", "in the paper", "learns from", "settings", "what it is", "reference"]
        rows = [
            [
                name,
                "yes" if method.in_paper else "no",
                method.learns_from,
                " ".join(f"{key}={_shown(value)}" for key, value in method.changes.items()),
                method.description,
                method.reference,
            ]
            for name, method in made.items()
        ]
        if not any(row[3] for row in rows):
            columns, rows = _without(columns), [_without(row) for row in rows]
        print_table(_TITLES[target], columns, rows, texts=columns)


def _without(cells: list[str]) -> list[str]:
    """All but settings and what they make: in table 1 every method is another one."""
    return [*cells[:3], *cells[5:]]


def _shown(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else value


def _output_folder(out: Path | None, dataset: str) -> Path:
    folder = Path(f"wsdhq-reproduce-{dataset}") if out is None else out
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"--out: {folder} is a file, expected a folder")
    check_folder_of(folder)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise PermissionError(f"--out: the folder {folder} cannot be written to")
    # Runs name their inputs: they are found again from wherever the command is given.
    return folder.resolve()


def _widths(text: str, what: str) -> tuple[int, ...]:
    widths = []
    for word in text.split(","):
        width = int(word) if word.strip().isdecimal() else 0
        if not 8 <= width <= 512 or width % 8:
            raise ValueError(
                "--bits: expected multiples of 8 up to 512 with commas between them, got "
                f"{word.strip()!r}"
            )
        widths.append(width)
    if what in FIGURES and len(set(widths)) > 1:
        raise ValueError(f"--bits: {what} is drawn for one width, got {text}")
    return tuple(dict.fromkeys(widths))
