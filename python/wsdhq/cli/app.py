"""The commands put together, and what happens when one fails."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from wsdhq import __version__
from wsdhq.cli.commands import LazyCommands
from wsdhq.cli.console import say_error, say_interrupted, show_log

__all__ = ["app", "run"]

# Exit statuses, as shells and other programs have them.
_MISTAKE = 2
_INTERRUPTED = 130

# typer exports one of the errors of its parser, of which this is the common base.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="wsdhq",
    cls=LazyCommands,
    help="Tagged images in, searchable byte codes out.",
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
        bool, typer.Option("--quiet", "-q", help="Print results and errors only, show no bars.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Tell, too, what each step of a fit does."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    if quiet and verbose:
        raise ValueError("expected at most one of --quiet and --verbose, got both")
    show_log(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)


def run() -> int:
    """Run the command that `sys.argv` names.

    Returns
    -------
    int
        The exit status: 0; 2 for every mistake in options or files and for a package that is
        not installed, after one line on standard error that says what was wrong; 130 after
        Ctrl-C.
    """
    arguments = sys.argv[1:]
    try:
        # Not standalone, or the parser would draw a box around each of its errors.
        status = app(arguments or ["--help"], prog_name="wsdhq", standalone_mode=False)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except ModuleNotFoundError:
        # A package of the command line itself: `main` knows what to install.
        raise
    # Plain ImportErrors are about libraries that a setting asks for: a backbone of timm, say.
    except (ValueError, TypeError, OSError, ImportError) as error:
        say_error(_with_file(error))
        return _MISTAKE
    except _UsageError as error:
        say_error(_with_advice(error))
        return _MISTAKE
    if status == _INTERRUPTED:
        say_interrupted()
    if not arguments:
        return _MISTAKE
    return status if isinstance(status, int) else 0


def _with_file(error: Exception) -> str:
    # The system's own errors begin with a number that tells a user nothing.
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _with_advice(error: Exception) -> str:
    message = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    command = "wsdhq" if context is None else context.command_path
    return f"{message.rstrip('.')} (see {command} --help)"
