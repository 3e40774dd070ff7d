"""Loops of deep learning: codes made and searched in the workers of a data loader."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from pathlib import Path

import pytest

from running import output_of

METHODS = multiprocessing.get_all_start_methods()
NEEDS_TORCH = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed"
)

LOADER = """
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from wsdhq.quant import AdditiveQuantizer, AQDIndex

class Coded(Dataset):
    # Codes and neighbours of blocks that are large enough for several threads.
    def __init__(self, blocks, q, index):
        self.blocks, self.q, self.index = blocks, q, index
    def __len__(self):
        return len(self.blocks)
    def __getitem__(self, i):
        block = self.blocks[i]
        return self.q.encode(block, threads=2), self.index.search(block, 5, threads=2)[1]

class Batched(Coded):
    def __getitems__(self, numbers):
        some = torch.cat([self.blocks[i] for i in numbers])
        codes, ids = self.q.encode(some), self.index.search(some, 5)[1]
        return list(zip(np.split(codes, len(numbers)), np.split(ids, len(numbers))))

def main():
    method, kind = "METHOD", "KIND"
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 19)).astype(np.float32)
    q = AdditiveQuantizer(4, 16, iterations=2, threads=2).fit(X[:4000])
    index = AQDIndex(q, "l2")
    index.add_vectors(X)
    # Teams of several threads have worked in this process, of both runtimes.
    torch.ones(500, 500) @ torch.ones(500, 500)
    codes, ids = q.encode(X, threads=2), index.search(X, 5, threads=2)[1]
    blocks = torch.from_numpy(X).split(2500)
    data = {"one by one": Coded, "batches": Batched}[kind](blocks, q, index)
    loader = DataLoader(
        data, batch_size=2, num_workers=2, multiprocessing_context=method, persistent_workers=True
    )
    for epoch in range(2):
        parts = list(loader)
        found = [np.concatenate([part[i].flatten(0, 1).numpy() for part in parts]) for i in (0, 1)]
        np.testing.assert_array_equal(found[0], codes)
        np.testing.assert_array_equal(found[1], ids)
        # The loop itself goes on using threads between the batches.
        np.testing.assert_array_equal(q.encode(X, threads=2), codes)
    print("same", flush=True)

if __name__ == "__main__":
    main()
"""


@NEEDS_TORCH
@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("fork", "one by one"),
        ("fork", "batches"),
        ("forkserver", "one by one"),
        ("spawn", "batches"),
    ],
)
def test_workers_of_a_data_loader(method: str, kind: str, tmp_path: Path) -> None:
    if method not in METHODS:
        pytest.skip(f"this system has no {method}")
    code = LOADER.replace("METHOD", method).replace("KIND", kind)
    assert output_of(code, tmp_path) == "same\n"


POOLS = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex

rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 19)).astype(np.float32)

def answers(given):
    q, index, part = given
    fitted = AdditiveQuantizer(2, 8, iterations=2, threads=2).fit(X)
    return q.encode(part, threads=2), index.search(part, 5, threads=2)[1], fitted.codebooks

def main():
    q = AdditiveQuantizer(4, 16, iterations=2).fit(X)
    index = AQDIndex(q)
    index.add_vectors(X)
    whole = answers((q, index, X))
    context = multiprocessing.get_context("METHOD")
    work = [(q, index, X[:5000]), (q, index, X[5000:])]
    with context.Pool(2) as pool:
        found = [pool.map(answers, work)]
    with ProcessPoolExecutor(2, context) as executor:
        found.append(list(executor.map(answers, work)))
    for parts in found:
        np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), whole[0])
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), whole[1])
        for part in parts:
            np.testing.assert_array_equal(part[2], whole[2])
    print("same", flush=True)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("method", [name for name in METHODS if name != "forkserver"])
def test_pools_of_processes(method: str, tmp_path: Path) -> None:
    assert output_of(POOLS.replace("METHOD", method), tmp_path) == "same\n"


BUSY = """
import os, threading
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex
rng = np.random.default_rng(0)
X = rng.standard_normal((20_000, 19)).astype(np.float32)
q = AdditiveQuantizer(4, 16, iterations=2, threads=2).fit(X)
index = AQDIndex(q)
index.add_vectors(X)
few = X[:5000]
codes, ids = q.encode(few), index.search(few, 5)[1]
stop = threading.Event()
def busy():
    while not stop.is_set():
        q.encode(X, threads=2)
        index.search(X, 5, threads=2)
workers = [threading.Thread(target=busy) for _ in range(2)]
[worker.start() for worker in workers]
def works():
    found = index.search(few, 5, threads=2)[1]
    return (q.encode(few, threads=2) == codes).all() and (found == ids).all()
try:
    for _ in range(5):
        child = os.fork()
        if child == 0:
            # And a child of the child.
            grandchild = os.fork()
            if grandchild == 0:
                os._exit(0 if works() else 3)
            _, status = os.waitpid(grandchild, 0)
            os._exit(os.waitstatus_to_exitcode(status) or (0 if works() else 4))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
    assert works()
finally:
    stop.set()
print("same", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_while_other_threads_encode_and_search(tmp_path: Path) -> None:
    assert output_of(BUSY, tmp_path) == "same\n"
