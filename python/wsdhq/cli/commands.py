"""Commands that are imported when they are called.

`wsdhq bench` needs no torch, and a process that times threads should not have loaded one more
runtime for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["COMMANDS", "LazyCommands"]

# The module of each command, in the order of the help.
COMMANDS = {
    "demo": "demo",
    "tags": "tags",
    "train": "train",
    "embed": "codes",
    "encode": "codes",
    "index": "codes",
    "search": "search",
    "evaluate": "evaluate",
    "reproduce": "reproduce",
    "bench": "bench",
}


class LazyCommands(TyperGroup):
    """The group of all commands; the help, which describes each, imports them all."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, or None.

        Where a package that it needs is not installed, the help says so in place of the
        description, and a call raises ModuleNotFoundError.
        """
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f"wsdhq.cli.{COMMANDS[cmd_name]}")
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "wsdhq":
                raise
            return _absent(cmd_name, error.name)
        return _command(cmd_name, getattr(module, cmd_name))


def _command(name: str, function: Any) -> Any:
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(function)
    return typer.main.get_command(single)


def _absent(name: str, package: str) -> Any:
    def absent() -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    absent.__doc__ = (
        f"(needs {package}: pip install 'wsdhq\\[train]')"  # escaped: not a style of rich's
    )
    command = _command(name, absent)
    # Whatever follows the name, the missing package is what to tell.
    command.context_settings.update(ignore_unknown_options=True, allow_extra_args=True)
    return command
