"""Filters by mask, ids and range; subsets; what an index refuses to mix."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex

PROBLEM = oracle.float_problem(9, 3000, 6, 3, 32)
QUANTIZER = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
SIMILARITIES = ["ip", "l2", "cosine"]


def make(similarity: str = "ip", ids: object = None) -> AQDIndex:
    index = AQDIndex(QUANTIZER, similarity)
    index.add(PROBLEM.codes, ids)
    return index


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("kept", [1, 30, 900, 1100, 2999, 3000])
def test_filters_of_every_kind_agree(similarity: str, kept: int) -> None:
    rng = np.random.default_rng(kept)
    index = make(similarity)
    first = int(rng.integers(0, 3000 - kept + 1))
    inside = range(first, first + kept)
    mask = np.zeros(3000, bool)
    mask[first : first + kept] = True
    expected = make(similarity).subset(list(inside)).search(PROBLEM.X[:7], 40)
    for allowed in (inside, mask, np.arange(first, first + kept)[::-1], list(inside)):
        for threads in (1, 2):
            found = index.search(PROBLEM.X[:7], 40, allowed=allowed, threads=threads)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])
    limits, _, ids = index.range_search(PROBLEM.X[:2], -np.inf, allowed=inside)
    assert np.diff(limits).tolist() == [kept, kept]
    assert sorted(ids[: limits[1]].tolist()) == list(inside)


def test_a_range_takes_the_ids_that_are_there() -> None:
    ids = np.random.default_rng(0).permutation(10_000)[:3000]
    index = make(ids=ids)
    found = index.search(PROBLEM.X[:1], 3000, allowed=range(2000, 4000))[1][0]
    there = ids[(ids >= 2000) & (ids < 4000)]
    assert sorted(found[found >= 0].tolist()) == sorted(there.tolist())
    for nothing in (
        range(20_000, 30_000),
        range(5, 5),
        range(10, 2),
        [],
        np.array([]),
        np.array([], np.int64),
    ):
        assert (index.search(PROBLEM.X[:1], 3, allowed=nothing)[1] == -1).all()
        assert len(index.subset(nothing)) == 0
        assert len(index.range_search(PROBLEM.X[:1], -np.inf, allowed=nothing)[1]) == 0


def test_filters_that_are_none_are_named() -> None:
    index = make()
    for call in (
        lambda allowed: index.search(PROBLEM.X[:1], allowed=allowed),
        lambda allowed: index.range_search(PROBLEM.X[:1], 0.0, allowed=allowed),
        index.subset,
    ):
        with pytest.raises(
            ValueError, match=r"allowed: expected a range of step 1.*range\(0, 9, 2"
        ):
            call(range(0, 9, 2))
        with pytest.raises(ValueError, match=r"allowed: expected a mask of shape \(3000,\)"):
            call(np.ones(2999, bool))
        with pytest.raises(ValueError, match="allowed: id 3000 is not in the index"):
            call([5, 3000])
        with pytest.raises(TypeError, match=r"allowed: expected integers .*, got float64"):
            call(np.array([0.5]))
        with pytest.raises(TypeError, match=r"allowed: expected .* a range, got set"):
            call({3, 5})
        for dtype in (np.uint8, np.int64):
            with pytest.raises(TypeError, match=r"got zeros and ones of .*makes a mask"):
                call(np.ones(3000, dtype))


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_subset_is_an_index_of_its_own(similarity: str, tmp_path: Path) -> None:
    index = make(similarity, np.random.default_rng(0).permutation(3000) * 3)
    some = index.subset(np.arange(3000) % 7 == 0)
    assert len(some) == 429
    some.save(tmp_path / "some")
    index.remove(index.ids[:100])
    assert len(some) == 429
    some.add(PROBLEM.codes[:2])
    assert some.ids[-2:].tolist() == [8998, 8999]  # as in the whole: none comes twice
    assert len(AQDIndex.load(tmp_path / "some", verify=True)) == 429
    np.testing.assert_array_equal(
        some.search(PROBLEM.X[:3], 5, allowed=some.ids[:-2])[1],
        AQDIndex.load(tmp_path / "some").search(PROBLEM.X[:3], 5)[1],
    )


def test_a_filter_takes_memory_for_what_it_keeps() -> None:
    index = AQDIndex(QUANTIZER)
    index.add(np.zeros((2_000_000, 3), np.uint8))
    mask = np.zeros(2_000_000, bool)
    mask[::200] = True
    ids = np.flatnonzero(mask)
    for allowed in (mask, ids, range(500_000, 510_000)):
        tracemalloc.start()
        index.search(PROBLEM.X[:2], 5, allowed=allowed, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


def test_ids_by_default_take_no_memory() -> None:
    index = make()
    assert index.nbytes < 3000 * 3 + 2 * 3 * 512
    assert make(ids=np.random.default_rng(0).permutation(3000)).nbytes > 3000 * (3 + 8)


def test_what_the_caller_does_with_ids_later_changes_nothing() -> None:
    ids = np.random.default_rng(0).permutation(3000)
    index = make(ids=ids)
    before = index.ids.copy()
    ids[:] = 0
    np.testing.assert_array_equal(index.ids, before)
    with pytest.raises(ValueError, match="read-only"):
        index.ids[0] = 5


def test_a_quantizer_that_is_fitted_again_changes_no_index(tmp_path: Path) -> None:
    quantizer = AdditiveQuantizer(2, 16, iterations=1).fit(PROBLEM.X)
    codes = quantizer.encode(PROBLEM.X[:60])
    index = AQDIndex(quantizer)
    index.add_vectors(PROBLEM.X[:50])
    quantizer.fit(PROBLEM.X[1000:])
    index.add_vectors(PROBLEM.X[50:60])
    np.testing.assert_array_equal(index.codes, codes)
    index.save(tmp_path / "db")
    for other in (index.copy(), AQDIndex.load(tmp_path / "db")):
        np.testing.assert_array_equal(
            other.search(PROBLEM.X[:3], 5)[0], index.search(PROBLEM.X[:3], 5)[0]
        )
    index.quantizer.fit(PROBLEM.X[1000:])
    for call in (
        lambda: index.add_vectors(PROBLEM.X[:5]),
        lambda: index.update_vectors(PROBLEM.X[:1], [0]),
        lambda: index.save(tmp_path / "other"),
    ):
        with pytest.raises(ValueError, match="quantizer: that of the index was fitted again"):
            call()
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("ids", [None, np.random.default_rng(0).permutation(3000)])
def test_copies_of_a_mapped_index(ids: object, tmp_path: Path) -> None:
    make("l2", ids).save(tmp_path / "db")
    index = AQDIndex.load(tmp_path / "db")
    assert index.nbytes == 0
    for other in (pickle.loads(pickle.dumps(index)), copy.deepcopy(index)):
        assert other.nbytes > 3000 * 4
        assert "in memory" in repr(other)
        np.testing.assert_array_equal(other.ids, index.ids)
        other.add(PROBLEM.codes[:1])
        assert other.ids[-1] == 3000
    assert copy.copy(index).nbytes == 0  # shares the pages


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_while_another_thread_writes_can_write() -> None:
    index = make()
    with index._store._writing():
        child = os.fork()
        if child == 0:
            try:
                index.add(PROBLEM.codes[:5])
                os._exit(0 if len(index) == 3005 else 1)
            finally:
                os._exit(2)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise AssertionError("the child waits for a thread that it does not have")
    assert os.waitstatus_to_exitcode(status) == 0


def test_ids_are_checked_before_vectors_are_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    index = make()

    def encode(*_: object, **__: object) -> None:
        raise AssertionError("encoded")

    monkeypatch.setattr(AdditiveQuantizer, "encode", encode)
    with pytest.raises(ValueError, match="ids: expected 2 ids, got 1"):
        index.add_vectors(PROBLEM.X[:2], [5000])
    with pytest.raises(TypeError, match="ids: expected integers"):
        index.update_vectors(PROBLEM.X[:2], [0.5, 1.5])


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_checked_everywhere(threads: int) -> None:
    index = make()
    calls = [
        lambda: index.search(PROBLEM.X[:1], threads=threads),
        lambda: index.range_search(PROBLEM.X[:1], 0.0, threads=threads),
        lambda: index.add(PROBLEM.codes[:1], threads=threads),
        lambda: index.add_vectors(PROBLEM.X[:1], threads=threads),
        lambda: index.update(PROBLEM.codes[:1], [0], threads=threads),
        lambda: index.update_vectors(PROBLEM.X[:1], [0], threads=threads),
        lambda: index.remove([0], threads=threads),
        lambda: index.merge(AQDIndex(QUANTIZER), threads=threads),
        lambda: index.subset([0], threads=threads),
        lambda: index.reconstruct([0], threads=threads),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="threads: expected at least 1"):
            call()
    assert len(index) == 3000


def test_additions_tell_their_ids() -> None:
    index = make()
    assert index.add(PROBLEM.codes[:3]).tolist() == [3000, 3001, 3002]
    assert index.add(PROBLEM.codes[:2], [9000, 7000]).tolist() == [9000, 7000]
    assert index.add_vectors(PROBLEM.X[:1]).tolist() == [9001]
    assert index.add(PROBLEM.codes[:0]).tolist() == []
    # What was found under the ids is what was added.
    np.testing.assert_array_equal(index.codes[-3:-1], PROBLEM.codes[:2])
    assert index.ids[-3:].tolist() == [9000, 7000, 9001]


@pytest.mark.parametrize("spans", ["listed", "ascending"])
def test_ranges_have_any_bounds(spans: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(4).permutation(9000)[:3000] + (2**63 - 1 - 9000)
    index = make(ids=ids if spans == "listed" else np.sort(ids))
    searched = []
    search = np.searchsorted

    def look_up(values: object, wanted: object, **options: object) -> object:
        searched.append(np.asarray(wanted).dtype)
        return search(values, wanted, **options)

    monkeypatch.setattr(np, "searchsorted", look_up)
    bounds = [-(10**30), -1, 0, 2**63 - 5000, 2**63 - 2, 2**63 - 1, 2**63, 2**64, 10**30]
    for low in bounds:
        for high in bounds:
            found = index.search(PROBLEM.X[:1], 3000, allowed=range(low, high))[1]
            expected = [id for id in index.ids.tolist() if low <= id < high]
            assert sorted(found[found >= 0].tolist()) == sorted(expected)
    # Never among Python objects, nor in floats that round ids.
    assert set(searched) == {np.dtype(np.int64)}


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("empty", "message"),
    [
        (np.empty(0, bool), r"allowed: expected a mask of shape \(3000,\), got \(0,\)"),
        (np.empty(0, np.float32), "allowed: expected integers .*, got float32"),
        (np.empty((0, 5), np.int64), r"allowed: expected one dimension, got shape \(0, 5\)"),
    ],
)
def test_empty_filters_of_the_wrong_kind_are_named(kind: str, empty: object, message: str) -> None:
    if kind == "torch":
        empty = pytest.importorskip("torch").from_numpy(empty)
    with pytest.raises((TypeError, ValueError), match=message):
        make().search(PROBLEM.X[:1], allowed=empty)


def test_filters_of_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    index, mask = make(), np.random.default_rng(5).random(3000) < 0.3
    expected = index.search(PROBLEM.X[:3], allowed=mask)[1]
    for allowed in (pyarrow.array(mask), pyarrow.array(np.flatnonzero(mask))):
        found = index.search(PROBLEM.X[:3], allowed=allowed)[1]
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="allowed: expected integers"):
        index.search(PROBLEM.X[:3], allowed=pyarrow.array([1, None]))
