"""What the machine can do at most: arithmetic of a matrix product, and reading of memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from wsdhq.bench.peers import thread_limit
from wsdhq.bench.timing import Contestant, Spread, race


def product_limit(
    threads: int, rounds: int, shape: tuple[int, int, int] = (20_000, 300, 1024)
) -> dict[str, Any]:
    """GFLOP/s of NumPy's float32 matrix product: the best round."""
    n, d, c = shape
    rng = np.random.default_rng(0)
    left = rng.standard_normal((n, d), dtype=np.float32)
    right = rng.standard_normal((d, c), dtype=np.float32)
    out = np.empty((n, c), np.float32)
    with thread_limit(threads):
        times = race([Contestant("product", lambda: np.matmul(left, right, out=out), 1)], rounds)
    operations = 2.0 * n * d * c
    return {
        "name": "matrix product, float32",
        "threads": threads,
        "value": operations / Spread.of(times["product"]).least / 1e9,
        "unit": "GFLOP/s",
        "how": f"numpy.matmul, {n} x {d} x {c}, best round",
    }


def _dot(part: np.ndarray) -> object:
    flat = part.view(np.float32)
    return np.dot(flat, flat)


# A reader counts if memory, and not its arithmetic, holds it up: the fastest one is taken.
_READERS: dict[str, Callable[[np.ndarray], object]] = {
    "numpy.dot of float32 with itself": _dot,
    "numpy.max of uint64": lambda part: part.max(),
    "numpy.bitwise_or.reduce of uint64": np.bitwise_or.reduce,
}


def read_limit(threads: int, rounds: int, num_bytes: int = 1 << 29) -> dict[str, Any]:
    """GB/s of reading an array that no cache holds: the best round of the best of some readers.

    Each thread reads its own share of the array.
    """
    shares = [np.ones(num_bytes // 8 // threads, np.uint64) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool, thread_limit(1):
        contestants = [
            Contestant(name, lambda reader=reader: list(pool.map(reader, shares)), 1)  # type: ignore[misc]
            for name, reader in _READERS.items()
        ]
        times = race(contestants, rounds)
    best = min(times, key=lambda name: min(times[name]))
    total = sum(share.nbytes for share in shares)
    return {
        "name": "reading memory",
        "threads": threads,
        "value": total / min(times[best]) / 1e9,
        "unit": "GB/s",
        "how": f"{best}, {total >> 20} MiB, best round",
    }


def one_thread_reader(num_bytes: int) -> Callable[[], object]:
    """A call that reads so many bytes with one thread, to take turns with other work."""
    array = np.ones(num_bytes // 8, np.uint64)
    return lambda: _dot(array)
