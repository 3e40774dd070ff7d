"""With little memory left a call is done, on fewer threads perhaps, or raises MemoryError."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")

WORK = {
    "search": "index.search(X[:500], 10, threads=threads)",
    "range_search": "index.range_search(X[:50], -60.0, threads=threads)",
    "encode": "q.encode(X, threads=threads)",
    "encode, with noise": "q.encode(X, iterations=3, threads=threads)",
    "decode": "q.decode(codes, threads=threads)",
    "statistics": "CodeStatistics(8, 256, 32).update(zeros, codes, threads=threads)",
    "statistics of few": "statistics.update(zeros[:3000], codes[:3000], threads=threads)",
    "add": "index.add(codes, threads=threads)",
    "fit": "AdditiveQuantizer(2, 256, iterations=1).fit(X[:2000], threads=threads)",
    "fit with a metric": (
        "AdditiveQuantizer(2, 256, iterations=1, metric=np.eye(32)).fit(X[:2000], threads=threads)"
    ),
}

# Prints how each call ended that had so many MiB left: in a child of its own, as the limit stays.
SCRIPT = """
import os, resource, sys
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics

rng = np.random.default_rng(0)
q = AdditiveQuantizer.from_codebooks(rng.standard_normal((8, 256, 32)))
X = rng.standard_normal((8_000, 32), np.float32)
codes = rng.integers(0, 256, (200_000, 8), dtype=np.uint8)
zeros = np.zeros((len(codes), 32), np.float32)
index = AQDIndex(q, "l2")
index.add(codes, threads=1)
q.encode(X[:10], threads=1)
statistics = CodeStatistics(8, 256, 32)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for mib in (0.25, 1, 2, 4, 8, 9, 12, 16, 17, 20, 25, 33, 48, 70):
    for threads in (2, 8):
        child = os.fork()
        if child == 0:
            from wsdhq.quant import threads as module
            module._forked = False  # the parent has made no threads that this child could lack
            limit = size + int(mib * 2**20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            try:
                {work}
            except MemoryError:
                os._exit(3)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(mib, threads, {{0: "done", 3: "MemoryError"}}.get(status, status), flush=True)
"""


@pytest.mark.parametrize("name", WORK)
def test_a_call_is_done_or_raises(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT.format(work=WORK[name])],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    ends = [line.split() for line in done.stdout.splitlines()]
    assert len(ends) == 28
    assert {end for _, _, end in ends} <= {"done", "MemoryError"}, done.stdout + done.stderr
    # Two threads need no more than 70 MiB for what little there is.
    assert ends[-2] == ["70", "2", "done"]
