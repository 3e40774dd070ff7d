"""What the command line says by itself: its help, its version, and which package is missing.

It needs the base package alone, and loads nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from importlib.util import find_spec

from wsdhq.cli.commands import COMMANDS, NEEDED

_OPTIONS = {
    "-q, --quiet": "Print results and errors only, show no bars.",
    "-v, --verbose": "Tell, too, what each step of a fit does.",
    "--version": "Print the version.",
    "--install-completion": "Complete commands and options in your shell.",
    "--show-completion": "Print what that adds to the shell.",
    "-h, --help": "Print this; `wsdhq COMMAND --help` tells of a command.",
}
_FLAGS = {"-q", "--quiet", "-v", "--verbose"}
_COMPLETION = {"--install-completion", "--show-completion"}
_MISTAKE = 2


def answer(arguments: Sequence[str]) -> int | None:
    """Answer what needs no command; None where one is to be run, or a shell asks for completions.

    Returns
    -------
    int or None
        The exit status.
    """
    if "_WSDHQ_COMPLETE" in os.environ or _COMPLETION & set(arguments):
        return None
    before = [each for each in arguments[: _place(arguments)] if each not in _FLAGS]
    command = command_of(arguments)
    if not arguments or (before and before[0] in ("-h", "--help")):
        print(_help())
        return 0 if arguments else _MISTAKE
    if before and before[0] == "--version":
        from wsdhq import __version__

        print(f"wsdhq {__version__}")
        return 0
    if command is not None and command not in COMMANDS:
        from wsdhq._shared.arguments import did_you_mean

        print(
            f"error: there is no command {command!r}{did_you_mean(command, COMMANDS)} "
            "(see wsdhq --help)",
            file=sys.stderr,
        )
        return _MISTAKE
    if command is not None and (absent := _absent(command)):
        print(_advice(command, absent), file=sys.stderr)
        return _MISTAKE
    return None


def missing_package(error: ModuleNotFoundError, arguments: Sequence[str]) -> str | None:
    """What to say of a package that is not installed; None if it is none that an extra brings."""
    command = command_of(arguments)
    package = (error.name or "").partition(".")[0]
    if command is None:
        return _advice("wsdhq", package) if package == "typer" else None
    known = command in COMMANDS and package in NEEDED[COMMANDS[command].extra]
    return _advice(command, package) if known else None


def command_of(arguments: Sequence[str]) -> str | None:
    """The command that the arguments name, known or not."""
    place = _place(arguments)
    return arguments[place] if place < len(arguments) else None


def _place(arguments: Sequence[str]) -> int:
    return next(
        (place for place, each in enumerate(arguments) if not each.startswith("-")), len(arguments)
    )


def _absent(command: str) -> str | None:
    """The first package that the command needs and that is not installed."""
    needed = NEEDED[COMMANDS[command].extra]
    return next((package for package in needed if find_spec(package) is None), None)


def _advice(command: str, package: str) -> str:
    from wsdhq._shared.extras import install_command

    extra = COMMANDS[command].extra if command in COMMANDS else "train"
    name = f"wsdhq {command}" if command in COMMANDS else "wsdhq"
    return (
        f"error: {name} needs the package {package!r}, which is not installed: "
        f"{install_command(extra)}"
    )


def _help() -> str:
    from wsdhq._shared.extras import install_command

    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    lines = ["Usage: wsdhq [OPTIONS] COMMAND [ARGUMENTS]", ""]
    lines += ["Tagged images in, searchable byte codes out.", "", "Commands:"]
    absent = {name: _absent(name) for name in COMMANDS}
    for name, command in COMMANDS.items():
        note = f" (needs the extra {command.extra!r})" if absent[name] else ""
        lines += _entry(name, command.summary + note, 12, width)
    for extra in dict.fromkeys(COMMANDS[name].extra for name in COMMANDS if absent[name]):
        lines += ["", f"The extra {extra!r}:", f"  {install_command(extra)}"]
    lines += ["", "Options:"]
    for name, text in _OPTIONS.items():
        lines += _entry(name, text, 24, width)
    return "\n".join(lines)


def _entry(name: str, text: str, indent: int, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, indent + 20),
        initial_indent=f"  {name}".ljust(indent),
        subsequent_indent=" " * indent,
    )
