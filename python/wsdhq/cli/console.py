"""What the commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsdhq.data import SkippedImage

__all__ = [
    "Features",
    "Images",
    "Run",
    "Threads",
    "check_folder_of",
    "errors",
    "one_input",
    "print_table",
    "say",
    "say_skipped",
    "show_log",
]

errors = Console(stderr=True)
_logger = logging.getLogger("wsdhq")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory that `wsdhq train` wrote.")]
Features = Annotated[
    Path | None, typer.Option(help="Features of the images, (N, F) .npy, one row per image.")
]
Images = Annotated[
    Path | None,
    typer.Option(help="Images: a folder, a .zip, or a .txt list with a path per line."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]


class _LineHandler(logging.Handler):
    """Log lines as plain text, after the progress bar if one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        text = Text(self.format(record))
        if record.levelno >= logging.WARNING:
            text = Text.assemble(("warning: ", "bold yellow"), text)
        errors.print(text, soft_wrap=True)


def show_log(level: int) -> None:
    """Send the library's log to standard error from `level` on."""
    for handler in [each for each in _logger.handlers if isinstance(each, _LineHandler)]:
        _logger.removeHandler(handler)
    _logger.addHandler(_LineHandler())
    _logger.setLevel(level)
    # One line per alternation of the quantiser would drown the line per epoch.
    logging.getLogger("wsdhq.quant").setLevel(logging.WARNING)


def say(line: str) -> None:
    """Tell the user what was done; silent with --quiet."""
    _logger.info("%s", line)


def say_skipped(skipped: list[SkippedImage], total: int) -> None:
    """Name images that could not be read."""
    if not skipped:
        return
    shown = "; ".join(f"{image.name} ({image.reason})" for image in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    _logger.warning(
        "%d of %d images could not be read and are left out: %s%s",
        len(skipped), total, shown, more,
    )  # fmt: skip


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table to standard output; the first column is text, the others are figures."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # Not a terminal: as wide as the table needs, so that a log file is not cut.
    width = None if Console().is_terminal else 160
    Console(width=width).print(table)


def one_input(features: Path | None, images: Path | None) -> None:
    """Check that exactly one of --features and --images was given."""
    if (features is None) == (images is None):
        given = "neither" if features is None else "both"
        raise ValueError(f"expected exactly one of --features and --images, got {given}")


def check_folder_of(path: Path, option: str) -> None:
    """Find out that an output has no place to go before hours of work, not after."""
    if path.is_dir():
        raise ValueError(f"{option}: {path} is a folder, expected the name of a file to write")
    folder = path.parent
    if not folder.is_dir():
        raise ValueError(f"{option}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{option}: the folder {folder} cannot be written to")
