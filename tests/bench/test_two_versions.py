"""Two environments are timed by turns, whatever they are asked to do."""

from __future__ import annotations

import sys

import pytest

import two_versions


@pytest.mark.parametrize("operation", two_versions.OPERATIONS)
def test_each_operation_is_work(operation: str) -> None:
    # Of a size that is done at once.
    kind, *parts = operation.split(":")
    small = [str(min(int(part), 300)) if part.isdigit() else part for part in parts]
    assert two_versions.prepared(":".join([kind, *small]))() is not None


def test_both_take_their_turns() -> None:
    times = two_versions.compare([sys.executable] * 2, "decode:4:2:100", 1)
    assert [len(each) for each in times] == [1, 1]
    assert min(min(times)) > 0
