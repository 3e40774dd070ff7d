"""Peak working memory of encode and search, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wsdhq.quant import AdditiveQuantizer, AQDIndex

WORKS = ("encode", "search")
_WANTED = 64.0
_CHILD = """
import sys
from wsdhq.bench.memory import growth_of
print(growth_of(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""
_DIM, _CODEBOOKS, _QUERIES, _DEPTH = 64, 4, 16, 10


def measure_memory(work: str, sizes: tuple[int, int], seed: int) -> dict[str, Any]:
    """Growth of the resident memory during one call, results not counted, at two sizes.

    Parameters
    ----------
    work : "encode" or "search"
    sizes : tuple of two ints
        Numbers of vectors.
    seed : int

    Returns
    -------
    dict
        "work", "small", "large", "mib_small", "mib_large", "wanted", "how".

    Raises
    ------
    RuntimeError
        The process failed; the message is its own.
    """
    values = []
    for size in sizes:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, work, str(size), str(seed)],
            capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"the memory of {work} was not measured: {done.stderr.strip()}")
        values.append(float(done.stdout))
    return {
        "work": work,
        "small": sizes[0],
        "large": sizes[1],
        "mib_small": values[0],
        "mib_large": values[1],
        "wanted": _WANTED,
        "how": f"peak resident memory of one call, {_CODEBOOKS} codebooks, D={_DIM}, results not "
        "counted",
    }


def _peak() -> int:
    """Largest resident memory so far, in bytes."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> None:
    """Begin a new peak where the system can; elsewhere a smaller one than the last is unseen."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _growth(call: Callable[[], int]) -> float:
    """MiB that the resident memory grew by during a call that gives the bytes of its result."""
    _forget_peak()
    before = _peak()
    result = call()
    return max(0, _peak() - before - result) / 2**20


def growth_of(work: str, num_vectors: int, seed: int) -> float:
    """MiB that one call grows this process by; what the child of `measure_memory` prints."""
    rng = np.random.default_rng(seed)
    codebooks = rng.standard_normal((_CODEBOOKS, 256, _DIM), dtype=np.float32)
    quantizer = AdditiveQuantizer.from_codebooks(codebooks)
    if work == "encode":
        vectors = np.empty((num_vectors, _DIM), np.float32)
        for first in range(0, num_vectors, 4096):
            part = vectors[first : first + 4096]
            rng.standard_normal(part.shape, dtype=np.float32, out=part)
        # Nothing was encoded before: the tables that a first call makes are counted.
        return _growth(lambda: quantizer.encode(vectors).nbytes)
    # Nor was anything searched.
    index = AQDIndex(quantizer)
    codes = rng.integers(256, size=(num_vectors, _CODEBOOKS), dtype=np.uint8)
    index.add(codes)
    queries = rng.standard_normal((_QUERIES, _DIM), dtype=np.float32)
    return _growth(lambda: sum(each.nbytes for each in index.search(queries, _DEPTH)))
