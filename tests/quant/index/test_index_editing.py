"""Adding, removing, merging and looking up: an index against a list of (id, code) pairs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from numpy.typing import ArrayLike, NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex

DIM, NUM_CODEBOOKS, CODEBOOK_SIZE = 5, 3, 9
PROBLEM = oracle.integer_problem(77, 12, DIM, NUM_CODEBOOKS, CODEBOOK_SIZE)
QUANTIZER = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
QUERIES = PROBLEM.X[:3]


def make(codes: ArrayLike = (), ids: ArrayLike | None = None, similarity: str = "ip") -> AQDIndex:
    index = AQDIndex(QUANTIZER, similarity=similarity)
    index.add(np.reshape(np.array(codes, dtype=np.uint8), (-1, NUM_CODEBOOKS)), ids=ids)
    return index


def content(index: AQDIndex) -> tuple[int, list[list[float]], list[list[int]]]:
    scores, ids = index.search(QUERIES, k=len(index) + 2)
    return len(index), scores.tolist(), ids.tolist()


class IndexAgainstList(RuleBasedStateMachine):
    """Any sequence of edits leaves the index equal to a list that was edited likewise."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ids: list[int] = []
        self.codes: list[list[int]] = []
        self.next_id = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    @initialize(similarity=st.sampled_from(["ip", "l2"]))
    def start(self, similarity: str) -> None:
        self.similarity = similarity
        self.index = AQDIndex(QUANTIZER, similarity=similarity)

    def note(self, ids: list[int], codes: NDArray[np.uint8]) -> None:
        self.ids += ids
        self.codes += codes.tolist()
        self.next_id = max([self.next_id, *(i + 1 for i in ids)])

    def draw_codes(self, seed: int, count: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        return rng.integers(0, CODEBOOK_SIZE, size=(count, NUM_CODEBOOKS), dtype=np.uint8)

    @rule(seed=st.integers(0, 99), count=st.integers(0, 6))
    def add(self, seed: int, count: int) -> None:
        codes = self.draw_codes(seed, count)
        self.index.add(codes)
        self.note(list(range(self.next_id, self.next_id + count)), codes)

    @rule(count=st.integers(0, 12))
    def add_vectors(self, count: int) -> None:
        X = PROBLEM.X[:count]
        self.index.add_vectors(X)
        self.note(list(range(self.next_id, self.next_id + count)), QUANTIZER.encode(X))

    @rule(seed=st.integers(0, 99), ids=st.lists(st.integers(0, 60), max_size=5))
    def add_with_ids(self, seed: int, ids: list[int]) -> None:
        codes = self.draw_codes(seed, len(ids))
        if len(set(ids)) < len(ids) or set(ids) & set(self.ids):
            with pytest.raises(ValueError, match="id"):
                self.index.add(codes, ids=ids)
        else:
            self.index.add(codes, ids=np.array(ids, dtype=np.int64))
            self.note(ids, codes)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if not self.ids:
            return
        gone = data.draw(st.lists(st.sampled_from(self.ids), unique=True))
        self.index.remove(np.array(gone, dtype=np.int64))
        kept = [n for n, name in enumerate(self.ids) if name not in gone]
        self.ids = [self.ids[n] for n in kept]
        self.codes = [self.codes[n] for n in kept]

    @rule(data=st.data())
    def remove_unknown(self, data: st.DataObject) -> None:
        gone = data.draw(st.lists(st.sampled_from(self.ids), unique=True)) if self.ids else []
        with pytest.raises(ValueError, match="4711"):
            self.index.remove([*gone, 4711])

    @rule(seed=st.integers(0, 99), ids=st.lists(st.integers(0, 90), max_size=4, unique=True))
    def merge(self, seed: int, ids: list[int]) -> None:
        codes = self.draw_codes(seed, len(ids))
        other = make(codes, ids=np.array(ids, dtype=np.int64), similarity=self.similarity)
        before = content(other)
        shared = set(ids) & set(self.ids)
        if shared:
            with pytest.raises(ValueError, match="|".join(str(i) for i in shared)):
                self.index.merge(other)
        else:
            self.index.merge(other)
            self.note(ids, codes)
        assert content(other) == before

    @rule(mmap=st.booleans())
    def save_and_load(self, mmap: bool) -> None:
        path = Path(self.folder.name) / "index.wsdhq"
        self.index.save(path)
        self.index = AQDIndex.load(path, mmap=mmap)

    @invariant()
    def same_as_the_list(self) -> None:
        if not hasattr(self, "index"):
            return
        codes = np.array(self.codes, dtype=np.uint8).reshape(-1, NUM_CODEBOOKS)
        assert len(self.index) == len(self.ids)
        table = oracle.scores(QUERIES, PROBLEM.codebooks, codes, self.similarity)
        scores, ids = self.index.search(QUERIES, k=len(codes) + 1)
        expected_scores, expected_ids = oracle.top_k(table, len(codes) + 1, ids=self.ids)
        np.testing.assert_array_equal(ids, expected_ids)
        np.testing.assert_array_equal(scores, expected_scores)
        np.testing.assert_array_equal(
            self.index.reconstruct(np.array(self.ids, dtype=np.int64)),
            oracle.decode(PROBLEM.codebooks, codes),
        )


TestIndexAgainstList = IndexAgainstList.TestCase
TestIndexAgainstList.settings = settings(
    settings.get_profile("quick"), max_examples=25, stateful_step_count=15
)


def test_default_ids_go_on_after_the_largest_ever_used() -> None:
    index = make(PROBLEM.codes[:3])
    index.remove([2])
    index.add(PROBLEM.codes[:1])
    assert sorted(index.search(QUERIES[:1], k=3)[1][0].tolist()) == [0, 1, 3]
    index.add(PROBLEM.codes[:1], ids=[100])
    index.add(PROBLEM.codes[:1])
    assert sorted(index.search(QUERIES[:1], k=5)[1][0].tolist()) == [0, 1, 3, 100, 101]
    other = make(PROBLEM.codes[:1], ids=[500])
    index.merge(other)
    index.add(PROBLEM.codes[:1])
    assert max(index.search(QUERIES[:1], k=7)[1][0].tolist()) == 501


def test_the_largest_id_ever_used_survives_a_file(tmp_path: Path) -> None:
    index = make(PROBLEM.codes[:3], ids=[5, 6, 900])
    index.remove([900])
    index.save(tmp_path / "index")
    loaded = AQDIndex.load(tmp_path / "index")
    loaded.add(PROBLEM.codes[:1])
    assert sorted(loaded.search(QUERIES[:1], k=3)[1][0].tolist()) == [5, 6, 901]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16, ">i8"])
def test_ids_of_any_integer_type(dtype: object) -> None:
    index = make(PROBLEM.codes[:3], ids=np.array([30, 10, 20], dtype=dtype))
    assert sorted(index.search(QUERIES[:1], k=3)[1][0].tolist()) == [10, 20, 30]
    index.remove(np.array([10], dtype=dtype))
    np.testing.assert_array_equal(
        index.reconstruct(np.array([20, 30], dtype=dtype)),
        oracle.decode(PROBLEM.codebooks, PROBLEM.codes[[2, 0]]),
    )


def test_large_ids() -> None:
    names = [2**62, 2**40 + 1, 0]
    index = make(PROBLEM.codes[:3], ids=names)
    assert sorted(index.search(QUERIES[:1], k=3)[1][0].tolist()) == sorted(names)
    index.remove([2**62])
    assert len(index) == 2


def test_reconstruct_in_the_order_asked_with_repeats() -> None:
    index = make(PROBLEM.codes, ids=np.arange(12) * 2)
    rows = index.reconstruct([22, 0, 22, 4])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(
        rows, oracle.decode(PROBLEM.codebooks, PROBLEM.codes[[11, 0, 11, 2]])
    )
    assert index.reconstruct(np.array([], dtype=np.int64)).shape == (0, DIM)


ADDITIONS = {
    "add": lambda index, ids: index.add(PROBLEM.codes[:3], ids=ids),
    "add_vectors": lambda index, ids: index.add_vectors(PROBLEM.X[:3], ids=ids),
    "merge": lambda index, ids: index.merge(make(PROBLEM.codes[:3], ids=ids)),
}


@pytest.mark.parametrize("operation", ADDITIONS)
def test_a_duplicate_id_changes_nothing(operation: str) -> None:
    index = make(PROBLEM.codes[:3], ids=[5, 6, 7])
    before = content(index)
    with pytest.raises(ValueError, match=r"\b6\b"):
        ADDITIONS[operation](index, [8, 6, 9])
    assert content(index) == before
    index.add(PROBLEM.codes[:1])
    assert 8 in index.search(QUERIES[:1], k=4)[1][0]


def test_a_duplicate_within_the_new_ids_changes_nothing() -> None:
    index = make(PROBLEM.codes[:1])
    before = content(index)
    with pytest.raises(ValueError, match=r"\b31\b"):
        index.add(PROBLEM.codes[:3], ids=[31, 8, 31])
    assert content(index) == before


@pytest.mark.parametrize("operation", ["remove", "reconstruct"])
def test_an_unknown_id_is_named_and_changes_nothing(operation: str) -> None:
    index = make(PROBLEM.codes[:3], ids=[5, 6, 7])
    before = content(index)
    with pytest.raises(ValueError, match=r"\b1234\b"):
        getattr(index, operation)([5, 1234])
    assert content(index) == before


def test_merging_an_index_with_itself_changes_nothing() -> None:
    index = make(PROBLEM.codes[:3], ids=[5, 6, 7])
    before = content(index)
    with pytest.raises(ValueError, match=r"\b5\b"):
        index.merge(index)
    assert content(index) == before


def test_merge_refuses_other_codebooks_and_other_similarities() -> None:
    index = make(PROBLEM.codes[:3])
    other_books = AQDIndex(AdditiveQuantizer.from_codebooks(PROBLEM.codebooks + 1))
    other_books.add(PROBLEM.codes[:1], ids=[50])
    other_similarity = make(PROBLEM.codes[:1], ids=[50], similarity="l2")
    for other in (other_books, other_similarity):
        with pytest.raises(ValueError, match="other"):
            index.merge(other)
    with pytest.raises(TypeError, match="other"):
        index.merge("index")
    assert len(index) == 3


def test_failed_additions_change_nothing() -> None:
    index = make(PROBLEM.codes[:3])
    before = content(index)
    wrong_codes = PROBLEM.codes.copy()
    wrong_codes[7, 1] = CODEBOOK_SIZE
    with pytest.raises(ValueError, match="codes"):
        index.add(wrong_codes)
    wrong_vectors = PROBLEM.X.copy()
    wrong_vectors[7, 1] = np.nan
    with pytest.raises(ValueError, match="X"):
        index.add_vectors(wrong_vectors)
    assert content(index) == before


def test_the_index_keeps_its_own_codes() -> None:
    codes = PROBLEM.codes.copy()
    index = make()
    index.add(codes)
    before = content(index)
    codes[:] = 0
    assert content(index) == before
