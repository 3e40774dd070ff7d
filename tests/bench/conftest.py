"""A run so small that it takes seconds."""

from __future__ import annotations

import pytest

from tiny_bench import TINY
from wsdhq.bench import Settings


@pytest.fixture(scope="session")
def tiny() -> Settings:
    return TINY
