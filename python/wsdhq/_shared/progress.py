"""How far long work is: one bar for all parts of the package, for people who watch.

A bar appears on work that takes longer than about a second, on a terminal or in a notebook, and is
gone when the work ends. It is drawn by tqdm, which is imported when the first bar appears.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

# Is told how much of a stage is done.
ProgressCallback = Callable[[float], None]

# Seconds: of work before a bar appears, and between two looks of it on a terminal and in a file.
SHOWN_AFTER = 1.0
REDRAWN_AFTER = 0.1
WRITTEN_AFTER = 10.0


def check_verbose(value: object) -> bool | None:
    """Check a `verbose` argument: None, True or False."""
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"verbose: expected True, False or None, got {type(value).__name__}")


class Progress:
    """A bar for work of one or more stages; a context manager.

    Parameters
    ----------
    verbose : bool or None
        False shows nothing. None shows a bar to someone who watches: on a terminal or in a
        notebook, once the work has taken a second. Nobody is taken to watch where another object
        stands in for standard error (a program that draws or captures there by itself), in
        threads other than the main one and in child processes. True shows a bar at once, wherever
        standard error goes, and leaves it there; in a file it is written every ten seconds.

    Notes
    -----
    A bar below one of tqdm's own takes the next line, and gives it back.
    """

    def __init__(self, verbose: bool | None) -> None:
        self._verbose = verbose
        self._title, self._unit = "", "it"
        self._total: float | None = None
        self._shown_from = time.monotonic() + (0.0 if verbose else SHOWN_AFTER)
        self._figures: dict[str, float] = {}
        self._stage_began = time.time()
        self._drawn_from = 0.0
        self._redrawn_after = REDRAWN_AFTER
        self._bar: Any = None
        self._is_over = verbose is False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self._close()

    def stage(self, title: str, total: float | None = None, unit: str = "it") -> None:
        """Begin a stage of `total` units, such as " vectors", or "it" for iterations.

        Without a total it is of unknown length, and only its title is shown.
        """
        self._close()
        self._title, self._total, self._unit = title, total, unit
        self._figures = {}
        self._drawn_from = 0.0
        self._stage_began = time.time()
        if total is None:
            self.move_to(0)

    def advance_to(self, done: float, total: float, title: str | None = None) -> None:
        """Show that `done` of `total` is done, of a stage whose length was not known before."""
        if self._bar is not None and self._bar.total is None:
            self._close()
        self._total = total
        if title is not None and title != self._title:
            self._title = title
            if self._bar is not None:
                self._bar.set_description(title, refresh=False)
        self.move_to(done)

    def move_to(self, done: float, **figures: float) -> None:
        """Show that `done` units of the stage are done, and figures such as distortion=0.25."""
        if self._is_over:
            return
        self._figures.update(figures)
        now = time.monotonic()
        if now < self._shown_from:
            return
        try:
            if self._bar is None and not self._open():
                self._is_over = True
                return
            # What is left of a bar in the end shows this, even if it is too soon to draw it.
            self._bar.n = round(done, 1) if self._unit == "it" else int(done)
            if self._figures:
                self._bar.set_postfix(self._figures, refresh=False)
            if now >= self._drawn_from:
                self._drawn_from = now + self._redrawn_after
                with self._bar.get_lock():
                    self._bar.refresh(nolock=True)
        except (OSError, ValueError):
            # Standard error was closed, or nobody reads it any more: the work goes on.
            self._is_over = True

    def _open(self) -> bool:
        stream = _stream_for(self._verbose)
        if stream is None:
            return False
        is_terminal = _is_terminal(stream) or _in_notebook()
        self._redrawn_after = REDRAWN_AFTER if is_terminal else WRITTEN_AFTER
        scaled = self._unit != "it"
        self._bar = _bar_class()(
            desc=self._title, total=self._total, unit=self._unit, unit_scale=scaled,
            unit_divisor=1024 if self._unit == "B" else 1000, file=stream,
            leave=self._verbose is True, dynamic_ncols=is_terminal, smoothing=0,
            bar_format="{desc} [{elapsed}]" if self._total is None else None,
        )  # fmt: skip
        self._bar.start_t = self._stage_began
        return True

    def _close(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            try:
                bar.close()
            except (OSError, ValueError):
                self._is_over = True


@contextlib.contextmanager
def above_bars() -> Iterator[None]:
    """Within the block other code writes lines to standard error: bars make room for them."""
    if _bar_class.cache_info().currsize == 0:
        yield
        return
    with _bar_class().external_write_mode(file=sys.stderr):
        yield


def _stream_for(verbose: bool | None) -> TextIO | None:
    """Where to draw a bar, if anywhere; see `Progress`."""
    stream = sys.stderr
    if stream is None or verbose is False:
        return None
    if verbose:
        return stream
    if threading.current_thread() is not threading.main_thread() or _in_child_process():
        return None
    if _in_notebook():
        return stream
    is_plain = stream is sys.__stderr__ and os.environ.get("TERM") != "dumb"
    return stream if is_plain and _is_terminal(stream) else None


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, OSError, ValueError):
        return False


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", {})


def _in_child_process() -> bool:
    # Whoever was started by multiprocessing has it loaded.
    module = sys.modules.get("multiprocessing.process")
    return module is not None and module.parent_process() is not None


@functools.cache
def _bar_class() -> Any:
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        # No thread that watches bars.
        monitor_interval = 0

    if not hasattr(tqdm, "_lock"):
        # tqdm would make a lock for several processes, for which some systems start one more.
        Bar.set_lock(threading.RLock())
    return Bar
