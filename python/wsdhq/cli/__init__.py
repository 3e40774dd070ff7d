"""The command line: `wsdhq COMMAND`."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

# What each command needs beyond `import wsdhq.quant`.
_NEEDED = ("typer", "rich", "matplotlib", "PIL", "torch", "gensim", "sklearn", "tomli_w")


def main() -> None:
    """Run the command line; errors of use are one line on standard error and exit status 2."""
    # Threads that wait for each other by spinning are tens of times slower when another program
    # has a core. The runtime reads this once, when torch or the core is loaded: not before here.
    # The library leaves the environment alone; this process is the command's own.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from wsdhq.cli.app import run

        status = run()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        print(
            f"wsdhq: the command line needs the package {error.name!r}, which is not installed: "
            "pip install 'wsdhq[train]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        # While packages were being loaded; `run` sees to everything after it.
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(status)
