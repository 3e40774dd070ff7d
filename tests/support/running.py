"""Runs code in a process of its own, as a user would, with a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# What the tests or their caller set for threads, and a user does not.
_OURS = ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "WSDHQ_SIMD")


def processor_seconds(process: subprocess.Popen[str]) -> float:
    """How long the processors have worked for a process, whatever else the machine is doing."""
    # The name, which comes first, may hold spaces; user and system time are the 12th and 13th.
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def let_work(process: subprocess.Popen[str], seconds: float) -> float:
    """Wait until a process has worked so long; gives how long it has worked in all."""
    end = processor_seconds(process) + seconds
    while (now := processor_seconds(process)) < end:
        assert process.poll() is None, "it ended before it was interrupted"
        time.sleep(0.01)
    return now


def processor_seconds_of_ended_children() -> float:
    """How long the processors have worked for the children that were waited for."""
    import resource  # Windows has none

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def output_of(code: str, folder: Path, timeout: float = 240) -> str:
    """What a script prints; an error with what it wrote to stderr when it fails or hangs.

    The script is a file in `folder`, so that processes that it spawns can import it.
    """
    script = folder / "script.py"
    script.write_text(code, "utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"still running after {timeout} s:\n{code}") from None
    finally:
        # Workers that hang are children of the script, in its session.
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    return out
