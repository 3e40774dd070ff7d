"""Ctrl-C stops everything that lasts within a second, and leaves what it was before."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import long_operations

# The promise is one second. A machine that is busy with other things may miss it now and then.
PROMISED = 1.0
ATTEMPTS = 3
BUSY = 2.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")


class Worker:
    """A process that runs `long_operations`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, long_operations.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def interrupt(self, operation: str) -> float:
        """Seconds from Ctrl-C, half a second into the operation, until it is over."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{operation}\n")
        self.process.stdin.flush()
        assert self.line() == "ready"
        time.sleep(0.5)
        sent = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.line() == "interrupted"
        taken = time.monotonic() - sent
        assert self.line() == "same"
        return taken

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    started: list[Worker] = []
    yield started
    for worker in started:
        worker.stop()


@pytest.mark.parametrize("operation", long_operations.OPERATIONS)
def test_ctrl_c_stops_within_a_second_and_changes_nothing(
    operation: str, workers: list[Worker]
) -> None:
    taken: list[float] = []
    while len(taken) < ATTEMPTS and not (taken and taken[-1] < PROMISED):
        if not workers or workers[-1].process.poll() is not None:
            workers.append(Worker())
        try:
            taken.append(workers[-1].interrupt(operation))
        except AssertionError:
            workers[-1].stop()
            raise
    assert statistics.median(taken) < PROMISED or max(taken) < BUSY, taken
