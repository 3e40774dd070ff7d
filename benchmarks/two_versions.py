"""Times operations of two installed versions by turns.

    python benchmarks/two_versions.py OLD NEW [OPERATION ...]

OLD and NEW are the Pythons of two environments. Each runs in a process of its own, on one thread;
they take turns, and who begins changes each round. Both are started anew after some rounds: where
in memory arrays happen to lie makes a process faster or slower by a few percent for all its life.
Times are of the processor, so that other work on the machine counts less. A line per operation: the
median of each, and the median and quartiles of their ratios.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable

import numpy as np

__all__ = ["OPERATIONS", "compare"]

# Of a turn: what is shorter is repeated.
SECONDS = 0.25
ROUNDS = 3
STARTS = 7


def _vectors(count: int, dim: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, dim), np.float32)


def _codes(count: int, num_codebooks: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, num_codebooks), dtype=np.uint8)


def _quantizer(num_codebooks: int, dim: int):
    from wsdhq.quant import AdditiveQuantizer

    codebooks = 0.4 * _vectors(num_codebooks * 256, dim).reshape(num_codebooks, 256, dim)
    return AdditiveQuantizer.from_codebooks(codebooks, threads=1)


def encode(dim: int, num_codebooks: int, count: int, beam_width: int) -> Callable[[], object]:
    """Encoding vectors."""
    quantizer, X = _quantizer(num_codebooks, dim), _vectors(count, dim)
    return lambda: quantizer.encode(X, beam_width=beam_width)


def decode(dim: int, num_codebooks: int, count: int) -> Callable[[], object]:
    """Decoding codes."""
    quantizer, codes = _quantizer(num_codebooks, dim), _codes(count, num_codebooks)
    return lambda: quantizer.decode(codes)


def search(
    dim: int, num_codebooks: int, count: int, num_queries: int, k: int, similarity: str
) -> Callable[[], object]:
    """Searching for the k best."""
    from wsdhq.quant import AQDIndex

    index = AQDIndex(_quantizer(num_codebooks, dim), similarity)
    index.add(_codes(count, num_codebooks))
    Q = _vectors(num_queries, dim)
    return lambda: index.search(Q, k)


def update(dim: int, num_codebooks: int, count: int) -> Callable[[], object]:
    """Adding vectors to statistics."""
    from wsdhq.quant import CodeStatistics

    X, codes = _vectors(count, dim), _codes(count, num_codebooks)
    sums = CodeStatistics(num_codebooks, 256, dim, threads=1)
    return lambda: sums.update(X, codes)


def solve(dim: int, num_codebooks: int) -> Callable[[], object]:
    """Solving for codebooks."""
    from wsdhq.quant import CodeStatistics

    sums = CodeStatistics(num_codebooks, 256, dim, threads=1)
    sums.update(_vectors(20_000, dim), _codes(20_000, num_codebooks))
    return sums.solve


KINDS = {each.__name__: each for each in (encode, decode, search, update, solve)}
OPERATIONS = [
    "encode:128:8:3000:32",
    "encode:128:4:20000:1",
    "encode:300:8:8000:4",
    "search:128:4:1000000:64:10:ip",
    "search:128:8:1000000:64:10:l2",
    "search:128:8:1000000:64:100:cosine",
    "search:128:4:16000000:1:10:ip",
    "update:128:8:200000",
    "update:300:4:20000",
    "solve:128:4",
    "solve:128:8",
    "solve:300:8",
]


def prepared(operation: str) -> Callable[[], object]:
    """The work that a line such as "solve:128:8" names."""
    kind, *parts = operation.split(":")
    return KINDS[kind](*(int(part) if part.isdigit() else part for part in parts))


def work() -> None:
    """Answer each line of standard input with the seconds of one run of it."""
    import time

    name, run = "", None
    for line in sys.stdin:
        if line.strip() != name:
            run = None  # what it holds is given up first
            name = line.strip()
            run = prepared(name)
            run()
        assert run is not None
        runs, begun = 0, time.process_time()
        while (taken := time.process_time() - begun) < SECONDS:
            run()
            runs += 1
        print(taken / runs, flush=True)


def compare(pythons: list[str], operation: str, rounds: int) -> list[list[float]]:
    """Seconds of each round, of each Python."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    workers = [
        subprocess.Popen(
            [python, __file__, "--work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for python in pythons
    ]
    times: list[list[float]] = [[] for _ in workers]
    try:
        for number in range(rounds):
            for i in range(len(workers)):
                turn = (i + number) % len(workers)
                process = workers[turn]
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{operation}\n")
                process.stdin.flush()
                times[turn].append(float(process.stdout.readline()))
    finally:
        for process in workers:
            process.kill()
            process.communicate()
    return times


def main(arguments: list[str]) -> None:
    """Print a line per operation."""
    pythons, operations = arguments[:2], arguments[2:] or OPERATIONS
    for operation in operations:
        old, new = [], []
        for _ in range(STARTS):
            for times, more in zip((old, new), compare(pythons, operation, ROUNDS), strict=True):
                times += more
        ratios = [b / a for a, b in zip(old, new, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{operation:36} old {statistics.median(old) * 1e3:9.2f} ms   "
            f"new {statistics.median(new) * 1e3:9.2f} ms   "
            f"new/old {middle:.3f} ({low:.3f} - {high:.3f})",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:] == ["--work"]:
        work()
    elif len(sys.argv) > 2:
        main(sys.argv[1:])
    else:
        sys.exit(__doc__)
