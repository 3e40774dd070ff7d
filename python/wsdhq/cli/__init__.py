"""The command line: `wsdhq COMMAND`."""

from __future__ import annotations

import contextlib
import os
import sys

__all__ = ["main"]

_MISTAKE = 2
_INTERRUPTED = 130  # as shells have it


def main() -> None:
    """Run the command line; errors of use are one line on standard error and exit status 2."""
    # Threads that wait for each other by spinning are tens of times slower when another program
    # has a core. The runtime reads this once, when torch or the core is loaded: not before here.
    # The library leaves the environment alone; this process is the command's own.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from wsdhq.cli.front import answer

        status = answer(sys.argv[1:])
        if status is None:
            from wsdhq.cli.app import run

            status = run()
    except ModuleNotFoundError as error:
        from wsdhq.cli.front import missing_package

        message = missing_package(error, sys.argv[1:])
        if message is None:
            raise
        print(message, file=sys.stderr)
        status = _MISTAKE
    except KeyboardInterrupt:
        # While packages were being loaded; `run` sees to everything after it.
        print("interrupted", file=sys.stderr)
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        _leave_at_once(status)
    sys.exit(status)


def _leave_at_once(status: int) -> None:
    """End the process without taking down the interpreter: with torch that takes seconds.

    Files were seen to while the interruption passed the blocks that write them.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
