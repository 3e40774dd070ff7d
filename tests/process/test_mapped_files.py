"""Index files that somebody cuts short: while they are mapped, and while they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from wsdhq.quant import AdditiveQuantizer, AQDIndex

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows cuts no mapped file")

RNG = np.random.default_rng(0)
QUANTIZER = AdditiveQuantizer.from_codebooks(RNG.standard_normal((4, 256, 8)))
NUM = 100_000
QUERIES = RNG.standard_normal((3, 8)).astype(np.float32)


def saved(path: Path, *, listed: bool) -> AQDIndex:
    index = AQDIndex(QUANTIZER, "l2")
    ids = RNG.permutation(NUM) if listed else None
    index.add(RNG.integers(0, 256, (NUM, 4), dtype=np.uint8), ids)
    index.save(path)
    return index


# In a process of its own, which the system may end.
CHILD = """
import os, pickle, sys
import numpy as np
from wsdhq.quant import AQDIndex

path, what, mmap = sys.argv[1:]
index = AQDIndex.load(path, mmap=mmap == "True")
other = index.copy()
if what == "search after add":
    index.add(np.zeros((10, 4), np.uint8), np.arange(10) + 10**6)
walk = index.batches(1000)
next(walk)
os.truncate(path, 5000)
Q = np.ones((3, 8), np.float32)
work = {
    "search": lambda: index.search(Q, 10),
    "search after add": lambda: index.search(Q, 10),
    "range_search": lambda: index.range_search(Q, -1.0),
    "filter": lambda: index.search(Q, 10, allowed=[5, 7]),
    "subset": lambda: index.subset([5, 7]),
    "reconstruct": lambda: index.reconstruct([5]),
    "batches": lambda: list(walk),
    "codes": lambda: index.codes,
    "ids": lambda: index.ids,
    "contains": lambda: 5 in index,
    "copy": lambda: other.search(Q, 10),
    "add": lambda: index.add(np.zeros((10, 4), np.uint8), np.arange(10) + 10**6),
    "update": lambda: index.update(np.zeros((1, 4), np.uint8), [5]),
    "remove": lambda: index.remove([5]),
    "merge": lambda: AQDIndex(index.quantizer, "l2").merge(index),
    "save": lambda: index.save(path + ".new"),
    "pickle": lambda: pickle.dumps(index),
}
repr(index), len(index)
try:
    work[what]()
    print("done")
except ValueError as error:
    print(error)
"""
OPERATIONS = [
    "search", "search after add", "range_search", "filter", "subset", "reconstruct", "batches",
    "codes", "ids", "contains", "copy", "add", "update", "remove", "merge", "save", "pickle",
]  # fmt: skip


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("what", OPERATIONS)
def test_a_mapped_file_that_is_cut_short_is_an_error(what: str, mmap: bool, tmp_path: Path) -> None:
    path = tmp_path / "db"
    saved(path, listed=True)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), what, str(mmap)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    if mmap:
        assert done.stdout.startswith(f"{path}: was cut short while it was mapped: expected ")
        assert "got 5000; load it with mmap=False" in done.stdout
    else:
        assert done.stdout == "done\n"


def test_what_is_wholly_in_memory_needs_no_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    expected = saved(path, listed=False)
    index = AQDIndex.load(path)
    index.add(np.zeros((1, 4), np.uint8))
    kept = AQDIndex.load(path).subset(np.arange(0, NUM, 2))
    os.truncate(path, 100)
    # Ids that ascend by one are in no file, and blocks were copied.
    np.testing.assert_array_equal(index.search(QUERIES, 5)[1], expected.search(QUERIES, 5)[1])
    assert len(kept.search(QUERIES, 5)[1]) == 3


@pytest.mark.parametrize("mmap", [True, False])
def test_a_file_that_is_cut_anywhere_is_refused(mmap: bool, tmp_path: Path) -> None:
    path = tmp_path / "db"
    saved(path, listed=True)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    ends = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(whole) - 1, len(whole) // 2}
    for end in ends:
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="db: expected a wsdhq index file, got one that is"):
            AQDIndex.load(path, mmap=mmap)


LOADING = """
import sys
import numpy as np
from wsdhq.quant import AQDIndex

Q = np.ones((3, 8), np.float32)
answers = set()
print("ready", flush=True)
for _ in range(150):
    try:
        scores, ids = AQDIndex.load(sys.argv[1], mmap=False).search(Q, 5)
        answers.add(ids.tobytes().hex())
    except ValueError as error:
        answers.add("refused")
print(*sorted(answers))
"""


def test_a_file_that_is_cut_while_it_is_loaded_is_refused_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "db"
    expected = saved(path, listed=True).search(np.ones((3, 8), np.float32), 5)[1]
    whole = path.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", LOADING, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    over = threading.Event()

    def cut_and_mend() -> None:
        with path.open("rb+") as file:
            while not over.is_set():
                for end in (0, 500, len(whole) // 3, len(whole) - 1):
                    file.truncate(end)
                    os.pwrite(file.fileno(), whole[end:], end)

    cutter = threading.Thread(target=cut_and_mend)
    cutter.start()
    try:
        answers = process.communicate(timeout=600)[0].split()
    finally:
        over.set()
        cutter.join()
        process.kill()
    assert process.returncode == 0
    # Zeros stand for a moment where the end was cut: they may be found by damaged checks, or be
    # searched; what is answered without an error while nobody writes is right.
    assert answers
    np.testing.assert_array_equal(
        AQDIndex.load(path, mmap=False).search(np.ones((3, 8), np.float32), 5)[1], expected
    )
