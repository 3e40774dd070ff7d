"""The command-line reference, written from the commands themselves when the site is built."""

from __future__ import annotations

import html
import re
from typing import Any

MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    return markdown.replace(MARK, reference()) if MARK in markdown else markdown


def reference() -> str:
    """A section for each command of `wsdhq`, with its arguments and options."""
    import typer

    from wsdhq.cli.app import app

    group = typer.main.get_command(app)
    context = group.context_class(group, info_name="wsdhq")
    return "\n\n".join(
        section(group.get_command(context, name), name, context)
        for name in group.list_commands(context)
    )


def section(command: Any, name: str, parent: Any) -> str:
    """One command: what it does, how it is called, a table of what it takes."""
    context = command.context_class(command, info_name=name, parent=parent)
    usage = re.sub(r"[{}]", "", " ".join(command.collect_usage_pieces(context)))
    lines = [
        f"## wsdhq {name}",
        "",
        _inline(command.help or ""),
        "",
        "```text",
        f"wsdhq {name} {usage}",
        "```",
        "",
    ]
    rows = [_row(parameter, context) for parameter in command.params]
    if rows:
        lines += ["| | |", "|---|---|", *(f"| {names} | {text} |" for names, text in rows)]
    return "\n".join(lines)


def _row(parameter: Any, context: Any) -> tuple[str, str]:
    record = parameter.get_help_record(context)
    if record is None:  # of an argument, in some versions of the parser
        return f"`{parameter.make_metavar(context)}`", _inline(parameter.help or "")
    names, text = record
    names = names.replace(" range>", ">")  # the range stands behind the text
    # Styles of the terminal, and brackets that were escaped for them.
    return f"`{names}`", _inline(re.sub(r"\\\[", "[", text))


def _inline(text: str) -> str:
    """A help text as one line of a Markdown table."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "&#124;")
