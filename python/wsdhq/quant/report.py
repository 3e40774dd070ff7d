"""What a fit did, as log lines to the logger "wsdhq.quant".

Nothing here adds a handler or sets a level.
"""

from __future__ import annotations

import logging
import sys

from wsdhq._shared.progress import above_bars

logger = logging.getLogger("wsdhq.quant")


def report(verbose: bool | None, message: str, *arguments: object) -> None:
    """Log a line at level INFO to "wsdhq.quant".

    With verbose=True it reaches the user even where no handler takes it: then, and only then, it
    is written to standard error, above the bars there may be. A handler of our own would do the
    same, but it would stay in the configuration of the program, or show lines twice once the
    program configures its logging.
    """
    logger.info(message, *arguments, stacklevel=2)
    if verbose is not True or sys.stderr is None or _is_handled(logging.INFO):
        return
    try:
        with above_bars():
            print(f"wsdhq: {message % arguments}", file=sys.stderr)
    except (OSError, ValueError):
        return  # standard error was closed


def _is_handled(level: int) -> bool:
    """Whether a handler of the program takes what our logger is given at this level."""
    if not logger.isEnabledFor(level):
        return False
    at: logging.Logger | None = logger
    while at is not None:
        for handler in at.handlers:
            if handler.level <= level and not isinstance(handler, logging.NullHandler):
                return True
        at = at.parent if at.propagate else None
    return False
