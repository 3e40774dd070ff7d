"""Beside libraries that bring a runtime of OpenMP of their own: in any order, and as fast."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

WORK = """
import json, sys, time, warnings
import numpy as np

def imported(name):
    if name == "torch":
        import torch
        matrix = torch.ones(400, 400)
        return lambda: float((matrix @ matrix)[0, 0])
    if name == "sklearn":
        from sklearn.cluster import KMeans
        means = KMeans(4, n_init=1, max_iter=3, random_state=0, tol=0)
        return lambda: means.fit(X).labels_.tolist()
    if name == "faiss":
        import faiss
        flat = faiss.IndexFlatL2(32)
        flat.add(X)
        return lambda: flat.search(X[:200], 3)[1].tolist()
    from wsdhq.quant import AdditiveQuantizer, AQDIndex
    quantizer = AdditiveQuantizer.from_codebooks(C)
    index = AQDIndex(quantizer)
    index.add(codes)
    def work():
        started = time.process_time()
        encoded = quantizer.encode(X, threads=2)
        found = index.search(X[:16], k=3, threads=2)[1]
        taken.append(time.process_time() - started)
        return [encoded.tolist(), found.tolist()]
    return work

warnings.simplefilter("ignore")
generator = np.random.default_rng(0)
X = generator.standard_normal((2000, 32)).astype(np.float32)
C = (generator.standard_normal((4, 64, 32)) * 0.5).astype(np.float32)
codes = generator.integers(0, 64, (200_000, 4)).astype(np.uint8)
taken = []
works = {name: imported(name) for name in sys.argv[1].split(",")}
first = {name: work() for name, work in works.items()}
del taken[:]
for _ in range(8):
    works["wsdhq"]()
alone = min(taken)
del taken[:]
for _ in range(8):
    for name, work in works.items():
        if work() != first[name]:
            sys.exit(f"{name} answers otherwise")
print(json.dumps({"alone": alone, "beside": min(taken), "codes": first["wsdhq"]}))
"""
OTHERS = [
    name for name in ("torch", "sklearn", "faiss") if importlib.util.find_spec(name) is not None
]


def measured(order: list[str]) -> dict[str, object]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMP_", "GOMP_", "KMP_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", WORK, ",".join(order)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def nothing_beside() -> dict[str, object]:
    return measured(["wsdhq"])


@pytest.mark.skipif(not OTHERS, reason="none of torch, scikit-learn and faiss is installed")
@pytest.mark.parametrize(
    "order",
    [["wsdhq", *OTHERS], [*OTHERS[::-1], "wsdhq"]],
    ids=",".join,
)
def test_libraries_with_threads_of_their_own_in_any_order(
    order: list[str], nothing_beside: dict[str, object]
) -> None:
    found = measured(order)
    assert found["codes"] == nothing_beside["codes"]
    # Runtimes that get in each other's way cost a factor of ten to a hundred; a busy machine, which
    # the shortest of several calls forgives, two or three.
    assert isinstance(found["beside"], float)
    assert isinstance(found["alone"], float)
    assert found["beside"] < 10 * found["alone"]
