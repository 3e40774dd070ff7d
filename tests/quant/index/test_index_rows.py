"""How an index stores its rows: growth, copies, readers beside a writer, files, memory."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import safe_open

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.index.rows import BLOCK_SIZE

PROBLEM = oracle.float_problem(51, 2600, 7, 3, 29)
QUANTIZER = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
QUERIES = PROBLEM.X[:5]
SIMILARITIES = ["ip", "l2", "cosine"]


def make(count: int = 2600, similarity: str = "ip") -> AQDIndex:
    index = AQDIndex(QUANTIZER, similarity=similarity)
    index.add(PROBLEM.codes[:count])
    return index


def found(index: AQDIndex, k: int = 40) -> list[list[list[float]]]:
    scores, ids = index.search(QUERIES, k=k)
    return [scores.tolist(), ids.tolist()]


def in_norm_order(similarity: str, descending: bool) -> NDArray[np.uint8]:
    lengths = np.linalg.norm(oracle.decode(PROBLEM.codebooks, PROBLEM.codes), axis=1)
    order = np.argsort(-lengths if descending else lengths)
    return PROBLEM.codes[order]


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("descending", [False, True])
def test_additions_in_pieces_equal_one_addition(similarity: str, descending: bool) -> None:
    # Norms in order outgrow the bins set for those before, at either end.
    codes = in_norm_order(similarity, descending)[:1400]
    whole = AQDIndex(QUANTIZER, similarity=similarity)
    whole.add(codes)
    for sizes in ([1] * 1400, [511, 1, 1, 511, 1, 300, 75], [1300, 100]):
        pieces = AQDIndex(QUANTIZER, similarity=similarity)
        first = 0
        for size in sizes:
            pieces.add(codes[first : first + size])
            first += size
        assert first == len(pieces) == 1400
        assert found(pieces) == found(whole)
        assert found(pieces, 1400) == found(whole, 1400)
        np.testing.assert_array_equal(pieces.codes, codes)
        np.testing.assert_array_equal(pieces.ids, np.arange(1400))


def test_adding_one_by_one_does_not_copy_the_index_each_time() -> None:
    index = make()
    index.add(PROBLEM.codes[:1])
    before = index._rows
    index.add(PROBLEM.codes[:1])
    assert np.shares_memory(before.blocks.full, index._rows.blocks.full)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_snapshot_stays_as_it_was(similarity: str) -> None:
    index = make(700, similarity)
    rows = index._rows
    codes, edges = rows.blocks.codes(), rows.blocks.edges.copy()
    columns = rows.blocks.columns(0, 700).copy()
    for first in range(700, 2600, 100):
        index.add(PROBLEM.codes[first : first + 100])
    index.remove(np.arange(0, 2000, 3))
    assert len(rows) == 700
    np.testing.assert_array_equal(rows.blocks.codes(), codes)
    np.testing.assert_array_equal(rows.blocks.columns(0, 700), columns)
    np.testing.assert_array_equal(rows.blocks.edges, edges)
    np.testing.assert_array_equal(rows.ids.between(0, 700), np.arange(700))


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_go_their_own_ways(similarity: str, copied: Callable[[AQDIndex], AQDIndex]) -> None:
    index = make(600, similarity)
    index.add(PROBLEM.codes[600:610])
    other = copied(index)
    assert found(other) == found(index)
    index.add(PROBLEM.codes[1000:1500])
    other.add(PROBLEM.codes[2000:2600])
    np.testing.assert_array_equal(index.codes[610:], PROBLEM.codes[1000:1500])
    np.testing.assert_array_equal(other.codes[610:], PROBLEM.codes[2000:2600])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_readers_beside_a_writer_see_before_or_after(similarity: str) -> None:
    sizes = list(range(1, 2600, 37))
    index = AQDIndex(QUANTIZER, similarity=similarity)
    index.add(PROBLEM.codes[:1])
    whole = make(similarity=similarity)
    ids = whole.search(QUERIES, k=2600)[1]
    expected = {
        size: [row[row < size][:9].tolist() + [-1] * max(0, 9 - size) for row in ids]
        for size in sizes
    }
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            low = len(index)
            mine = index.search(QUERIES, k=9)[1].tolist()
            high = len(index)
            if not any(expected[size] == mine for size in sizes if low <= size <= high):
                wrong.append(f"{low} to {high}: {mine}")
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for first, end in itertools.pairwise(sizes):
        index.add(PROBLEM.codes[first:end])
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert len(index) == sizes[-1]


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_an_interrupted_addition_changes_nothing(
    similarity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make(600, similarity)
    before = found(index)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wsdhq.quant.index.block_buffer.BlockBuffer._write", stop)
    with pytest.raises(KeyboardInterrupt):
        index.add(PROBLEM.codes[600:900])
    monkeypatch.undo()
    assert found(index) == before
    index.add(PROBLEM.codes[600:2600])
    assert found(index) == found(make(similarity=similarity))


def write_version_1(path: Path, similarity: str) -> None:
    """What `save` of the first release wrote: codes row by row, and float norms."""
    whole = make(similarity=similarity)
    QUANTIZER.save(path)
    with safe_open(path, framework="numpy") as opened:
        metadata = opened.metadata()
    tensors = safetensors.numpy.load_file(path)
    tensors |= {
        "codes": PROBLEM.codes,
        "ids": np.arange(2600, dtype=np.int64)[::-1].copy() + 5,
        "norms": whole._searcher.norms(PROBLEM.codes, 1),
    }
    settings = {
        "quantizer": json.loads(metadata["settings"]),
        "similarity": similarity,
        "next_id": 7000,
    }
    safetensors.numpy.save_file(
        tensors,
        path,
        {"format": "wsdhq.index", "version": "1", "settings": json.dumps(settings)},
    )


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("mmap", [True, False])
def test_files_of_the_first_version_are_read(tmp_path: Path, similarity: str, mmap: bool) -> None:
    write_version_1(tmp_path / "old", similarity)
    loaded = AQDIndex.load(tmp_path / "old", mmap=mmap)
    expected = AQDIndex(QUANTIZER, similarity=similarity)
    expected.add(PROBLEM.codes, ids=np.arange(2600)[::-1] + 5)
    assert found(loaded) == found(expected)
    loaded.add(PROBLEM.codes[:1])
    assert loaded.ids[-1] == 7000
    loaded.save(tmp_path / "new")
    assert found(AQDIndex.load(tmp_path / "new")) == found(loaded)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("count", [1, 511, 512, 513, 2600])
@pytest.mark.parametrize("mmap", [True, False])
def test_files_of_any_size(tmp_path: Path, similarity: str, count: int, mmap: bool) -> None:
    index = make(count, similarity)
    index.save(tmp_path / "db")
    loaded = AQDIndex.load(tmp_path / "db", mmap=mmap)
    assert found(loaded) == found(index)
    np.testing.assert_array_equal(loaded.codes, PROBLEM.codes[:count])
    np.testing.assert_array_equal(
        loaded.reconstruct([count - 1, 0]),
        oracle.decode(PROBLEM.codebooks, PROBLEM.codes[[count - 1, 0]]).astype(np.float32),
    )
    loaded.add(PROBLEM.codes[:700])
    index.add(PROBLEM.codes[:700])
    assert found(loaded) == found(index)


def test_a_mapped_file_is_searched_where_it_lies(tmp_path: Path) -> None:
    codebooks = oracle.float_problem(1, 1, 4, 2, 256).codebooks
    codes = np.random.default_rng(0).integers(0, 256, size=(3000, 2), dtype=np.uint8)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks))
    index.add(codes)
    index.save(tmp_path / "db")
    loaded = AQDIndex.load(tmp_path / "db", mmap=True)
    assert isinstance(loaded._rows.blocks.full, np.memmap)
    Q = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    np.testing.assert_array_equal(loaded.search(Q)[1], index.search(Q)[1])
    assert isinstance(loaded._rows.blocks.full, np.memmap)


def edited(path: Path, **changes: NDArray[np.generic] | None) -> None:
    """Write an index file anew with some arrays changed."""
    with safe_open(path, framework="numpy") as opened:
        metadata = opened.metadata()
    tensors = safetensors.numpy.load_file(path) | changes
    kept = {name: np.ascontiguousarray(a) for name, a in tensors.items() if a is not None}
    safetensors.numpy.save_file(kept, path, metadata)


DAMAGE = {
    "blocks missing": {"blocks": None},
    "no last block": {"last_block": None},
    "no edges": {"norm_edges": None},
    "blocks of one dimension": {"blocks": np.zeros(20, np.uint8)},
    "blocks of few rows": {"blocks": np.zeros((5, 3, BLOCK_SIZE), np.uint8)},
    "blocks of floats": {"blocks": np.zeros((5, 4, BLOCK_SIZE), np.float32)},
    "last block long": {"last_block": np.zeros((4, 512), np.uint8)},
    "last block of few rows": {"last_block": np.zeros((3, 40), np.uint8)},
    "ids short": {"ids": np.arange(2500)},
    "ids of two dimensions": {"ids": np.arange(2600).reshape(1, -1)},
    "ids of floats": {"ids": np.arange(2600.0)},
    "edges short": {"norm_edges": np.zeros(255, np.float32)},
    "edges not a number": {"norm_edges": np.full(256, np.nan, np.float32)},
    "edges descending": {"norm_edges": np.arange(256, 0, -1).astype(np.float32)},
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("mmap", [True, False])
def test_damaged_arrays_are_refused_by_file(tmp_path: Path, name: str, mmap: bool) -> None:
    path = tmp_path / "broken.wsdhq"
    index = AQDIndex(QUANTIZER, similarity="l2")
    index.add(PROBLEM.codes, np.random.default_rng(0).permutation(5000)[:2600])
    index.save(path)
    edited(path, **DAMAGE[name])
    with pytest.raises(ValueError, match=r"broken\.wsdhq"):
        AQDIndex.load(path, mmap=mmap)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_codes_that_change_behind_a_mapped_index_crash_nothing(
    tmp_path: Path, similarity: str
) -> None:
    path = tmp_path / "db"
    make(similarity=similarity).save(path)
    loaded = AQDIndex.load(path, mmap=True)
    place = path.read_bytes().index(loaded._rows.blocks.full.tobytes())
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * loaded._rows.blocks.full.nbytes)
    for k in (5, 2600):
        scores, _ = loaded.search(QUERIES, k=k)
        assert scores.shape == (5, k)
    assert len(loaded.range_search(QUERIES, -1e9)[0]) == 6


def test_the_first_change_of_a_mapped_index_checks_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "db"
    index = AQDIndex(QUANTIZER)
    index.add(PROBLEM.codes, np.arange(2600)[::-1])
    index.save(path)
    edited(path, ids=np.arange(2600)[::-1] + 10)
    loaded = AQDIndex.load(path, mmap=True)
    with pytest.raises(ValueError, match="next_id"):
        loaded.add(PROBLEM.codes[:1])
    with pytest.raises(ValueError, match="db"):
        AQDIndex.load(path, mmap=False)


PEAK = """
import sys
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex

def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024

rng = np.random.default_rng(0)
similarity, k, num_queries, M = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
N = 1_500_000 if M < 10 else 60_000
C = rng.standard_normal((M, 256, 8)).astype(np.float32)
index = AQDIndex(AdditiveQuantizer.from_codebooks(C), similarity=similarity)
for _ in range(10):
    index.add(rng.integers(0, 256, size=(N // 10, M), dtype=np.uint8))
Q = rng.standard_normal((num_queries, 8)).astype(np.float32)
mask = np.ones(N, bool)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts anew
before = memory("VmRSS")
index.search(Q, k=k, threads=2)
index.search(Q[:3], k=min(k, 100), allowed=mask, threads=2)
print(memory("VmHWM") - before - num_queries * k * 12 / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("similarity", "k", "num_queries", "M"),
    [("ip", 10, 500, 4), ("cosine", 100, 300, 4), ("l2", 500_000, 2, 4), ("ip", 10, 300, 64)],
)
def test_searching_takes_little_memory(similarity: str, k: int, num_queries: int, M: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, similarity, str(k), str(num_queries), str(M)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 64
