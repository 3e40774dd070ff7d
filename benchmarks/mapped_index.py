"""Opening a large index that is mapped from its file: seconds, and memory that is not shared.

    python benchmarks/mapped_index.py --vectors 100000000 --processes 4

Writes an index of random codes of 4 bytes to a temporary folder, then opens it in several processes
at once. Each tells how long `AQDIndex.load` took, what one query over everything took at first and
then, and its private memory (Linux's /proc/self/smaps_rollup: Private_Clean and Private_Dirty) less
that before loading. `Pss` divides shared pages by those who share them. With `--listed` the ids
are random, and in the file; by default they ascend by one, and are not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from measuring import markdown_table, positive
from wsdhq.quant import AdditiveQuantizer, AQDIndex

OPEN = """
import sys, time
import numpy as np
from wsdhq.quant import AQDIndex

def memory(*names):
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names)) / 1024

private = memory("Private")
begun = time.perf_counter()
index = AQDIndex.load(sys.argv[1], mmap=True)
loaded = time.perf_counter() - begun
after_loading = memory("Private") - private
times = []
Q = np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)
for _ in range(5):
    begun = time.perf_counter()
    scores, ids = index.search(Q, 10, threads=1)
    times.append(time.perf_counter() - begun)
print(loaded, after_loading, times[0], min(times[1:]), memory("Private") - private, memory("Pss:"))
"""


def main() -> None:
    """Write, open, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=positive, default=100_000_000)
    parser.add_argument("--processes", type=positive, default=4)
    parser.add_argument("--listed", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "db.wsdhq")
        begun = time.perf_counter()
        index = make(arguments.vectors, arguments.listed)
        made = time.perf_counter()
        index.save(path)
        saved = time.perf_counter()
        print(f"{index}: made in {made - begun:.1f} s, {path.stat().st_size / 2**20:.0f} MiB")
        print(f"written, with checksums, in {saved - made:.1f} s\n")
        del index
        running = [
            subprocess.Popen([sys.executable, "-c", OPEN, str(path)], stdout=subprocess.PIPE)
            for _ in range(arguments.processes)
        ]
        rows = []
        for number, process in enumerate(running):
            answer = process.communicate()[0]
            if process.returncode != 0:
                raise SystemExit("a process failed")
            loaded, private, first, then, searched, shared = map(float, answer.split())
            rows.append([
                str(number + 1), f"{loaded * 1e3:.1f}", f"{private:.1f}", f"{first * 1e3:.0f}",
                f"{then * 1e3:.0f}", f"{searched:.1f}", f"{shared:.0f}",
            ])  # fmt: skip
    columns = ["process", "load ms", "private MiB", "first query ms", "then ms",
               "private MiB after searching", "Pss MiB"]  # fmt: skip
    print(markdown_table(columns, rows))


def make(count: int, is_listed: bool) -> AQDIndex:
    """An index of random codes."""
    rng = np.random.default_rng(0)
    codebooks = rng.standard_normal((4, 256, 64)).astype(np.float32)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks))
    ids = rng.permutation(2 * count)[:count] if is_listed else None
    index.add(rng.integers(0, 256, (count, 4), dtype=np.uint8), ids)
    return index


if __name__ == "__main__":
    main()
