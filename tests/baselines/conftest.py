"""Small collections that the tests of the baselines share."""

from __future__ import annotations

import pytest

from tagged_clusters import Collection, draw


@pytest.fixture(scope="session")
def collection() -> Collection:
    return draw(0.3)


@pytest.fixture(scope="session")
def noisy_collection() -> Collection:
    """What features vary in most has nothing to do with the clusters; tags have."""
    return draw(2.5)
