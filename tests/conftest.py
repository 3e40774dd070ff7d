"""Settings that every test shares: where the oracle is, and how hard Hypothesis searches."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

# On problems as small as these, threads that spin while they wait only take the cores from each
# other. Both are read once, before NumPy or the extension are loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The tests are not a package: `import oracle` must work in every folder of them.
sys.path.insert(0, str(Path(__file__).resolve().parent / "support"))

settings.register_profile(
    "quick",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough", parent=settings.get_profile("quick"), derandomize=False, max_examples=400
)
# `pytest --hypothesis-profile=thorough` searches longer, with new examples each time.
settings.load_profile("quick")
