"""What an index tells and gives out: batches, copies, memory, updates, results of each width."""

from __future__ import annotations

import copy
import threading
import tracemalloc

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.index import ids as ids_module

PROBLEM = oracle.float_problem(61, 1800, 6, 3, 21)
OTHER = oracle.float_problem(62, 1800, 6, 3, 21).codes
QUANTIZER = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
QUERIES = PROBLEM.X[:6]
IDS = np.random.default_rng(3).permutation(9000)[:1800]
SIMILARITIES = ["ip", "l2", "cosine"]


def make(similarity: str = "ip", count: int = 1800) -> AQDIndex:
    index = AQDIndex(QUANTIZER, similarity)
    index.add(PROBLEM.codes[:count], IDS[:count])
    return index


def assert_same(left: AQDIndex, right: AQDIndex) -> None:
    np.testing.assert_array_equal(left.ids, right.ids)
    np.testing.assert_array_equal(left.codes, right.codes)
    for mine, other in zip(left.search(QUERIES, 50), right.search(QUERIES, 50), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("batch_size", [1, 7, 512, 700, 1800, 5000])
def test_batches_hold_everything_in_order(similarity, batch_size):
    index = make(similarity)
    batches = list(index.batches(batch_size))
    assert [len(ids) for ids, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate([ids for ids, _ in batches]), IDS)
    np.testing.assert_array_equal(np.concatenate([codes for _, codes in batches]), PROBLEM.codes)
    assert not batches[0][0].flags.writeable


def test_batches_are_of_the_moment_they_were_asked_for():
    index = make(count=900)
    batches = index.batches(300)
    next(batches)
    index.remove(IDS[:500])
    index.add(OTHER[:700], np.arange(9000, 9700))
    rest = list(batches)
    np.testing.assert_array_equal(np.concatenate([ids for ids, _ in rest]), IDS[300:900])
    np.testing.assert_array_equal(
        np.concatenate([codes for _, codes in rest]), PROBLEM.codes[300:900]
    )
    assert list(AQDIndex(QUANTIZER).batches()) == []
    # A mistake is told before the first batch is asked for.
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        index.batches(0)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_updates_equal_an_index_made_with_the_new_codes(similarity):
    generator = np.random.default_rng(0)
    chosen = generator.permutation(1800)[:650]
    codes = PROBLEM.codes.copy()
    codes[chosen] = OTHER[chosen]
    expected = AQDIndex(QUANTIZER, similarity)
    expected.add(codes, IDS)
    index = make(similarity)
    index.update(OTHER[chosen], IDS[chosen])
    assert_same(index, expected)
    index.update_vectors(PROBLEM.X[:3], IDS[:3])
    np.testing.assert_array_equal(index.codes[:3], QUANTIZER.encode(PROBLEM.X[:3]))
    # And it can still grow.
    index.add(OTHER[:5], np.arange(9000, 9005))
    assert len(index) == 1805


@pytest.mark.parametrize("similarity", ["l2", "cosine"])
def test_an_update_to_a_norm_below_all_others_is_found(similarity):
    codebooks = np.array([[[8.0, 0], [0.1, 0]], [[8.0, 0], [0.1, 0]]], np.float32)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks), similarity)
    index.add(np.zeros((600, 2), np.uint8))
    index.update(np.ones((1, 2), np.uint8), [321])
    _, ids = index.search(np.array([[0.2, 0.0]], np.float32), 1)
    assert ids.tolist() == [[321 if similarity == "l2" else 0]]


def test_a_failed_update_changes_nothing():
    index = make("l2")
    before = make("l2")
    wrong = OTHER[:2].copy()
    wrong[1, 0] = 21
    for codes, ids, error, message in (
        (wrong, IDS[:2], ValueError, "codes"),
        (OTHER[:2], IDS[:3], ValueError, "ids: expected 2 ids, got 3"),
        (OTHER[:2], IDS[[4, 4]], ValueError, f"ids: id {IDS[4]} comes more than once"),
        (OTHER[:2], [int(IDS[0]), 9500], ValueError, "ids: id 9500 is not in the index"),
        (OTHER[:2], IDS[:2].astype(float), TypeError, "ids: expected integers"),
        (OTHER[:2].astype(int), IDS[:2], TypeError, "codes"),
    ):
        with pytest.raises(error, match=message):
            index.update(codes, ids)
    assert_same(index, before)
    index.update(np.empty((0, 3), np.uint8), [])
    assert_same(index, before)


def test_searches_beside_updates_see_all_or_nothing():
    index = make("l2")
    before, after = make("l2").search(QUERIES, 5), None
    changed = make("l2")
    changed.update(OTHER, IDS)
    after = changed.search(QUERIES, 5)
    stop, wrong = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            scores, ids = index.search(QUERIES, 5, threads=1)
            if not any(
                np.array_equal(scores, seen[0]) and np.array_equal(ids, seen[1])
                for seen in (before, after)
            ):
                wrong.append(ids)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for round_ in range(60):
        index.update(OTHER if round_ % 2 == 0 else PROBLEM.codes, IDS)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


@pytest.mark.parametrize("copied", [AQDIndex.copy, copy.copy, copy.deepcopy])
def test_a_copy_changes_on_its_own(copied):
    index = make("cosine", count=1000)
    index.add(OTHER[:1], [8999 if 8999 not in IDS else 9001])
    other = copied(index)
    assert_same(index, other)
    kept = make("cosine", count=1000)
    kept.add(OTHER[:1], index.ids[-1:])
    other.add(OTHER[:700], np.arange(10_000, 10_700))
    other.remove(IDS[:10])
    other.update(OTHER[20:30], IDS[20:30])
    assert_same(index, kept)
    index.add(PROBLEM.codes[:2], [20_000, 20_001])
    assert len(index) == 1003
    assert len(other) == 1691


@pytest.mark.parametrize("copied", [AQDIndex.copy, lambda index: index.subset(range(9000))])
def test_settings_of_a_copy_are_its_own(copied):
    index = make()
    other = copied(index)
    other.quantizer.threads = 1
    other.quantizer.seed = 77
    assert index.quantizer.threads is None
    assert index.quantizer.seed == 0


def test_a_merge_copies_codes_and_ids_in_slices():
    quantizer = AdditiveQuantizer.from_codebooks(np.zeros((16, 2, 1), np.float32))
    index, other = AQDIndex(quantizer), AQDIndex(quantizer)
    other.add(np.zeros((500_000, 16), np.uint8))
    index.add(np.zeros((1, 16), np.uint8), [700_000])
    tracemalloc.start()
    index.merge(other)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(index) == 500_001
    assert peak < index.nbytes + 6_000_000


def test_a_removal_takes_memory_for_what_is_left(monkeypatch):
    monkeypatch.setattr(ids_module, "LONGEST_LIST", 2**14)
    quantizer = AdditiveQuantizer.from_codebooks(np.zeros((1, 2, 1), np.float32))
    index = AQDIndex(quantizer)
    count = 400_000
    index.add(np.zeros((count, 1), np.uint8), np.random.default_rng(1).permutation(count))
    gone = index.ids[[7, 100_000]]
    left = np.delete(index.ids, [7, 100_000])
    assert gone[0] in index
    tracemalloc.start()
    index.remove(gone)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(index.ids, left)
    # A mask, positions, ids and codes.
    assert peak < 1.2 * count * (1 + 8 + 8 + 1)


def test_an_index_tells_what_it_holds(tmp_path):
    index = make("l2")
    assert index.nbytes >= 1800 * (3 + 1 + 8)
    assert repr(index).startswith(
        "AQDIndex(1800 vectors, similarity='l2', num_codebooks=3, codebook_size=21, dim=6, "
    )
    assert repr(index).endswith(" KiB in memory)")
    index.save(tmp_path / "db")
    mapped = AQDIndex.load(tmp_path / "db")
    assert mapped.nbytes == 0
    assert "mapped from a file" in repr(mapped)
    mapped.add(OTHER[:1])
    assert mapped.nbytes > 0
    assert "in memory" in repr(mapped)
    assert int(IDS[5]) in index
    assert np.int64(IDS[5]) in index
    assert 9999 not in index
    assert "5" not in index


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_each_query_has_its_own_width(similarity):
    index = make(similarity, count=40)
    widths = np.array([3, 0, 7, 40, 55, 1])
    scores, ids = index.search(QUERIES, widths)
    assert scores.shape == ids.shape == (6, 55)
    for query, width in enumerate(widths):
        alone = index.search(QUERIES[query : query + 1], int(width))
        np.testing.assert_array_equal(scores[query, :width], alone[0][0])
        np.testing.assert_array_equal(ids[query, :width], alone[1][0])
        assert (ids[query, width:] == -1).all()
        assert np.isneginf(scores[query, width:]).all()
    assert index.search(QUERIES[:0], np.empty(0, int))[0].shape == (0, 0)
    for k, error, message in (
        ([1, 2], ValueError, r"k: expected one for each of 6 queries, got \(2,\)"),
        ([1.0] * 6, TypeError, "k: expected integers, got float64"),
        ([1, 2, 3, 4, 5, -1], ValueError, "k: expected 0 to .*, got -1"),
    ):
        with pytest.raises(error, match=message):
            index.search(QUERIES, k)
