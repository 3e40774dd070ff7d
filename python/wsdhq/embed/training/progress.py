"""A progress bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["ProgressBar"]


class ProgressBar:
    """One line on standard error that shows what is being done and how far it is.

    A context manager.

    Parameters
    ----------
    enabled : bool
        False shows nothing on a terminal either.
    """

    def __init__(self, enabled: bool = True) -> None:
        enabled = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not enabled,
        )
        self._task = self._progress.add_task("", total=None)
        self._shown = ""

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stage(self, description: str) -> None:
        """Begin another stage, of a length not known yet."""
        self._progress.reset(self._task, description=description, total=None)
        self._progress.refresh()
        self._shown = description

    def advance_to(self, done: float, total: float, description: str | None = None) -> None:
        """Show that `done` of `total` is done, under another description if one is given."""
        shown = self._shown if description is None else description
        self._progress.update(self._task, completed=done, total=total, description=shown)
        if shown != self._shown:
            self._progress.refresh()
            self._shown = shown
