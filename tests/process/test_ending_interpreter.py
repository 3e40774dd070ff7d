"""The interpreter may end while a daemon thread is inside a call: the process ends as it should."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORK = {
    "search": "index.search(X, 10, threads=threads)",
    "range_search": "index.range_search(X, -1.0, threads=threads)",
    "encode": "q.encode(X, threads=threads)",
    "encode, with progress": "q.encode(X, threads=threads, verbose=True)",
    "decode": "q.decode(codes, threads=threads)",
    "statistics": "CodeStatistics(8, 256, 32).update(X, codes, threads=threads)",
    "fit": "AdditiveQuantizer(8, 256, iterations=10**6).fit(X[:2000], threads=threads)",
}

SCRIPT = """
import sys, threading, time
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics

threads = {threads}
rng = np.random.default_rng(0)
q = AdditiveQuantizer.from_codebooks(rng.standard_normal((8, 256, 32)))
X = rng.standard_normal((200_000, 32), np.float32)
codes = rng.integers(0, 256, (200_000, 8), dtype=np.uint8)
index = AQDIndex(q, "l2")
index.add(codes)
begun = threading.Event()

def work():
    begun.set()
    while True:
        {work}

threading.Thread(target=work, daemon=True).start()
begun.wait()
# However far the call is by then: the outcome must not depend on it.
time.sleep({delay})
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", WORK)
def test_a_daemon_thread_in_a_call_does_not_end_the_process_badly(name: str, threads: int) -> None:
    for delay in (0.0, 0.02, 0.3):
        script = SCRIPT.format(work=WORK[name], threads=threads, delay=delay)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        assert "terminate" not in done.stderr


def test_threads_that_python_waits_for_come_to_their_end() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import atexit, threading, numpy as np\n"
            "from wsdhq.quant import AdditiveQuantizer\n"
            "q = AdditiveQuantizer.from_codebooks(np.ones((2, 4, 3)))\n"
            "def work(): print(q.encode(np.ones((50_000, 3), np.float32)).shape, flush=True)\n"
            "def at_exit():\n"
            "    work()\n"
            "atexit.register(at_exit)\n"
            "class Late:\n"
            "    def __init__(self): self.work = work\n"
            "    def __del__(self): self.work()\n"
            "late = Late()\n"
            "threading.Thread(target=work).start()\n",
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["(50000, 2)"] * 2, done.stdout + done.stderr
