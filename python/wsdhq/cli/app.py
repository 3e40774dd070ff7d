"""The commands put together, and what happens when one fails."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from wsdhq import __version__
from wsdhq.cli.codes import embed, encode, index, search
from wsdhq.cli.console import errors, show_log
from wsdhq.cli.demo import demo
from wsdhq.cli.evaluate import evaluate
from wsdhq.cli.train import train

__all__ = ["app", "run"]

app = typer.Typer(
    name="wsdhq",
    help="Tagged images in, searchable byte codes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wsdhq {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors only.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    show_log(logging.WARNING if quiet else logging.INFO)


for _command in (demo, train, embed, encode, index, search, evaluate):
    app.command()(_command)


def run() -> int:
    """Run the command that `sys.argv` names; returns the exit status."""
    try:
        app()
    except SystemExit as ended:
        # Wrong options and Ctrl-C: the parser has printed what was wrong.
        return ended.code if isinstance(ended.code, int) else 1
    except (ValueError, TypeError, OSError) as error:
        # Messages hold file names and tags: nothing in them is markup.
        errors.print("error:", style="bold red", end=" ")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    return 0
