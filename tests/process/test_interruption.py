"""Ctrl-C stops everything that lasts within a second, and leaves what it was before."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import long_operations
from running import let_work

# The promise is one second, here of two processors at most: what else the machine does costs the
# processors no time of this process.
PROMISED = 2.0

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processor times as Linux tells them"
)


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
        """Seconds of work from Ctrl-C, in the middle of the operation, until it is over."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{operation}\n")
        self.process.stdin.flush()
        assert self.line() == "ready"
        worked = let_work(self.process, 0.5)
        self.process.send_signal(signal.SIGINT)
        word, _, at = self.line().partition(" ")
        assert word == "interrupted"
        assert self.line() == "same"
        return float(at) - worked

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
    if not workers or workers[-1].process.poll() is not None:
        workers.append(Worker())
    try:
        assert workers[-1].interrupt(operation) < PROMISED
    except AssertionError:
        workers[-1].stop()
        raise
