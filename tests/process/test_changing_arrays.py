"""Arrays that another thread or process writes to during a call lead nowhere outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

import changing_arrays

CALLS = 25


@pytest.mark.parametrize("operation", changing_arrays.OPERATIONS)
def test_what_changes_during_a_call_is_answered_or_refused(operation: str) -> None:
    done = subprocess.run(
        [sys.executable, changing_arrays.__file__, operation, str(CALLS)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("refused\n")
