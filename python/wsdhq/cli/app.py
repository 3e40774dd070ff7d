"""The commands put together, and what happens when one fails."""

from __future__ import annotations

import logging
import os
import re
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wsdhq.cli.commands import COMMANDS
from wsdhq.cli.console import say_error, say_interrupted, show_log

# Exit statuses, as shells and other programs have them.
_MISTAKE = 2
_INTERRUPTED = 130

# typer exports one of the errors of its parser, of which this is the common base.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
# A path as an argument, or the value of an option, that shells leave as it is.
_HOME = re.compile(r"^((?:--?[\w-]+|[\w.]+)=)?(~[\w.-]*(?:/.*)?)$", re.DOTALL)


class _LazyCommands(TyperGroup):
    """The group of all commands, each imported when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, or None.

        A shell that completes names is given stand-ins, which load nothing.
        """
        if cmd_name not in COMMANDS:
            return None
        command = COMMANDS[cmd_name]
        if ctx is not None and ctx.resilient_parsing and cmd_name not in _words_on_the_line():
            return _made(cmd_name, lambda: None, command.summary)
        module = import_module(f"wsdhq.cli.{command.module}")
        return _made(cmd_name, getattr(module, cmd_name))


def _words_on_the_line() -> list[str]:
    return os.environ.get("COMP_WORDS", os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()


def _made(name: str, function: Any, summary: str | None = None) -> Any:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=summary)(function)
    return typer.main.get_command(single)


app = typer.Typer(
    name="wsdhq",
    cls=_LazyCommands,
    help="Tagged images in, searchable byte codes out.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False,
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
    arguments = [_at_home(each) for each in sys.argv[1:]]
    try:
        # Not standalone, or the parser would draw a box around each of its errors.
        status = app(arguments, prog_name="wsdhq", standalone_mode=False)
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
    return status if isinstance(status, int) else 0


def _at_home(argument: str) -> str:
    """An argument with the user's folder in place of a "~" that begins a path."""
    found = _HOME.match(argument)
    return argument if found is None else (found[1] or "") + os.path.expanduser(found[2])


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
