"""What the commands print: results to standard output, everything else to standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsdhq._shared.progress import Progress, above_bars
from wsdhq.data import SkippedImage
from wsdhq.data.skipped import list_skipped

# Width of tables in files and pipes: a log is not cut at the 80 columns of no terminal.
WIDTH_OF_FILES = 160

_errors = Console(stderr=True)
_logger = logging.getLogger("wsdhq")


def printable(text: str) -> str:
    """`text` on one line and without control characters, which could reprogram a terminal.

    Tags and file names are written by anyone.
    """
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


class _LineHandler(logging.Handler):
    """Log lines as plain text, above the progress bar if one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        text = Text(printable(self.format(record)))
        if record.levelno >= logging.WARNING:
            text = Text.assemble(("warning: ", "bold yellow"), text)
        with above_bars():
            _errors.print(text, soft_wrap=True)


def show_log(level: int) -> None:
    """Send the library's log to standard error from `level` on; the quantizer's from DEBUG."""
    for handler in [each for each in _logger.handlers if isinstance(each, _LineHandler)]:
        _logger.removeHandler(handler)
    _logger.addHandler(_LineHandler())
    _logger.setLevel(level)
    # One line per alternation of the quantizer would drown the line per epoch.
    for_all = level < logging.INFO
    logging.getLogger("wsdhq.quant").setLevel(level if for_all else logging.WARNING)


def shows_bars() -> bool:
    """Whether bars are wanted: not with --quiet. They are shown on a terminal only."""
    return _logger.isEnabledFor(logging.INFO)


def say(line: str) -> None:
    """Tell the user what was done; silent with --quiet."""
    _logger.info("%s", line)


def say_interrupted() -> None:
    """Tell that Ctrl-C ended the command, also where it came before the options were read."""
    if not any(isinstance(each, _LineHandler) for each in _logger.handlers):
        show_log(logging.INFO)
    say("interrupted")


def say_error(message: str) -> None:
    """Tell the user what was wrong, on one line."""
    _errors.print(Text.assemble(("error: ", "bold red"), printable(message)), soft_wrap=True)


def say_skipped(skipped: Sequence[SkippedImage], total: int) -> None:
    """Name images that could not be read."""
    if skipped:
        _logger.warning(
            "%d of %d images could not be read and are left out: %s",
            len(skipped),
            total,
            list_skipped(skipped),
        )


@contextmanager
def bar_for(stage: str) -> Iterator[Progress]:
    """A progress bar while one stage lasts; nothing where there is no terminal."""
    with Progress(None if shows_bars() else False) as bar:
        bar.stage(stage)
        yield bar


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str] = ()
) -> None:
    """Print a table to standard output.

    Parameters
    ----------
    title : str
        A line above it.
    columns : sequence of str
        Headings.
    rows : sequence of sequences of str
        One cell per column.
    texts : sequence of str
        Headings of the columns that hold words; figures are set flush right.
    """
    table = Table(header_style="bold")
    for column in columns:
        table.add_column(Text(printable(column)), justify="left" if column in texts else "right")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    width = None if Console().is_terminal else WIDTH_OF_FILES
    output = Console(width=width)
    output.print(Text(printable(title), style="bold"), soft_wrap=True)
    output.print(table)
