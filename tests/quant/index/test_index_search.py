"""Search against decode-then-sort, on data where every score and every tie is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex

SIMILARITIES = ["ip", "l2", "cosine"]
EXACT = ["ip", "l2"]
SHAPES = st.tuples(
    st.integers(0, 90),
    st.integers(1, 18),
    st.integers(1, 5),
    st.sampled_from([1, 2, 3, 16, 17, 256]),
)
SEEDS = st.integers(0, 2**32 - 1)


def build(
    codebooks: NDArray[np.float32], codes: NDArray[np.uint8], similarity: str = "ip"
) -> AQDIndex:
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks), similarity=similarity)
    index.add(codes)
    return index


def queries(seed: int, count: int, dim: int) -> NDArray[np.float32]:
    rng = np.random.default_rng([seed, 1])
    return rng.integers(-3, 4, size=(count, dim)).astype(np.float32)


def assert_best(
    found: tuple[NDArray[np.float32], NDArray[np.int64]],
    Q: NDArray[np.float32],
    codebooks: NDArray[np.float32],
    codes: NDArray[np.uint8],
    similarity: str,
) -> None:
    """`found` is the k best of scores that are those of the oracle up to rounding."""
    expected = oracle.scores(Q, codebooks, codes, similarity)
    slack = oracle.score_rounding(Q, codebooks, codes, similarity)
    for scores, ids, truth, off in zip(*found, expected, slack, strict=True):
        count = min(len(ids), len(truth))
        assert np.all(ids[count:] == -1)
        assert np.all(scores[count:] == -np.inf)
        scores, ids = scores[:count], ids[:count]
        assert len(set(ids.tolist())) == count
        assert np.all(np.abs(scores - truth[ids]) <= off[ids])
        steps = np.diff(scores)
        assert np.all(steps <= 0)
        assert np.all(np.diff(ids)[steps == 0] > 0)
        left_out = np.setdiff1d(np.arange(len(truth)), ids)
        if count:
            assert np.all(truth[left_out] - off[left_out] <= scores[-1])


@pytest.mark.parametrize("similarity", EXACT)
@given(shape=SHAPES, seed=SEEDS, nq=st.integers(0, 9), k=st.integers(1, 120))
def test_search_is_decode_then_sort(
    similarity: str, shape: tuple[int, int, int, int], seed: int, nq: int, k: int
) -> None:
    p = oracle.integer_problem(seed, *shape)
    Q = queries(seed, nq, shape[1])
    scores, ids = build(p.codebooks, p.codes, similarity).search(Q, k=k)
    assert scores.dtype == np.float32
    assert ids.dtype == np.int64
    expected_scores, expected_ids = oracle.top_k(
        oracle.scores(Q, p.codebooks, p.codes, similarity), k
    )
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@given(shape=SHAPES, seed=SEEDS, k=st.integers(1, 120))
def test_search_of_real_numbers(
    similarity: str, shape: tuple[int, int, int, int], seed: int, k: int
) -> None:
    p = oracle.float_problem(seed, *shape)
    Q = np.random.default_rng([seed, 2]).standard_normal((5, shape[1])).astype(np.float32)
    scores, ids = build(p.codebooks, p.codes, similarity).search(Q, k=k)
    assert scores.shape == ids.shape == (5, k)
    assert_best((scores, ids), Q, p.codebooks, p.codes, similarity)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize(("M", "K"), [(1, 256), (2, 16), (4, 256), (3, 5), (8, 256)])
def test_few_best_are_the_head_of_the_whole_order(similarity: str, M: int, K: int) -> None:
    # Larger than any block or filter, with each code twice so that real numbers tie as well.
    p = oracle.float_problem(M, 4000, 12, M, K)
    codes = np.concatenate([p.codes, p.codes])
    index = build(p.codebooks, codes, similarity)
    Q = p.X[:6]
    all_scores, all_ids = index.search(Q, k=8000)
    assert_best((all_scores, all_ids), Q, p.codebooks, codes, similarity)
    for k in (1, 10, 100, 1001, 7999):
        scores, ids = index.search(Q, k=k)
        np.testing.assert_array_equal(scores, all_scores[:, :k])
        np.testing.assert_array_equal(ids, all_ids[:, :k])
    everywhere = np.ones(8000, dtype=bool)
    scores, ids = index.search(Q, k=10, allowed=everywhere)
    np.testing.assert_array_equal(ids, all_ids[:, :10])
    np.testing.assert_array_equal(scores, all_scores[:, :10])


def test_small_differences_beside_large_ones() -> None:
    # The scores reach 2^20 and differ by 1: a table of fewer bits than float32 cannot tell them.
    rng = np.random.default_rng(4)
    codebooks = np.zeros((3, 16, 2), dtype=np.float32)
    codebooks[0, :, 0] = 2.0**16 * np.arange(16)
    codebooks[1, :, 1] = np.arange(16)
    codebooks[2, :, 1] = 16 * np.arange(16)
    codes = rng.integers(0, 16, size=(30_000, 3), dtype=np.uint8)
    Q = np.array([[1, 1], [-1, 1], [1, -1], [0, 1]], dtype=np.float32)
    scores, ids = build(codebooks, codes).search(Q, k=50)
    expected_scores, expected_ids = oracle.top_k(oracle.scores(Q, codebooks, codes, "ip"), 50)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_equal_scores_come_in_database_order(similarity: str) -> None:
    p = oracle.integer_problem(4, 1, 6, 3, 16)
    index = build(p.codebooks, np.repeat(p.codes, 5000, axis=0), similarity)
    for k in (1, 7, 4999):
        scores, ids = index.search(p.X, k=k, threads=2)
        assert ids.tolist() == [list(range(k))]
        assert len(set(scores[0].tolist())) == 1


def test_ties_follow_positions_and_not_ids() -> None:
    p = oracle.integer_problem(4, 1, 6, 2, 16)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(p.codebooks))
    index.add(np.repeat(p.codes, 4, axis=0), ids=[40, 7, 99, 8])
    assert index.search(p.X, k=4)[1].tolist() == [[40, 7, 99, 8]]
    index.remove([7])
    index.add(p.codes, ids=[1])
    assert index.search(p.X, k=4)[1].tolist() == [[40, 99, 8, 1]]


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_more_results_than_vectors(similarity: str) -> None:
    p = oracle.float_problem(2, 3, 4, 2, 5)
    scores, ids = build(p.codebooks, p.codes, similarity).search(p.X, k=5)
    assert sorted(ids[0, :3].tolist()) == [0, 1, 2]
    assert np.all(ids[:, 3:] == -1)
    assert np.all(scores[:, 3:] == -np.inf)
    scores, ids = build(p.codebooks, p.codes[:0], similarity).search(p.X, k=2)
    assert np.all(ids == -1)
    assert np.all(scores == -np.inf)
    assert ids.shape == (3, 2)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_no_queries(similarity: str) -> None:
    p = oracle.float_problem(2, 3, 4, 2, 5)
    index = build(p.codebooks, p.codes, similarity)
    scores, ids = index.search(p.X[:0], k=5)
    assert scores.shape == ids.shape == (0, 5)
    limits, scores, ids = index.range_search(p.X[:0], 0.0)
    assert limits.tolist() == [0]
    assert scores.shape == ids.shape == (0,)


def test_cosine_of_a_zero_reconstruction_is_zero() -> None:
    codebooks = np.array([[[1, 0], [0, 1], [-1, -1]], [[0, 0], [-1, 0], [1, 1]]], np.float32)
    codes = np.array([[0, 1], [2, 0], [1, 0], [2, 2]], dtype=np.uint8)
    index = build(codebooks, codes, "cosine")
    scores, ids = index.search(np.array([[2.0, 2.0]], np.float32), k=4)
    assert ids.tolist() == [[2, 0, 3, 1]]
    np.testing.assert_allclose(scores, [[np.sqrt(0.5), 0, 0, -1]], atol=1e-6)
    assert scores[0, 1] == scores[0, 2] == 0


def test_cosine_ignores_the_length_of_the_query() -> None:
    p = oracle.float_problem(2, 300, 7, 3, 16)
    index = build(p.codebooks, p.codes, "cosine")
    scores, ids = index.search(p.X[:4], k=300)
    doubled_scores, doubled_ids = index.search(8 * p.X[:4], k=300)
    np.testing.assert_allclose(doubled_scores, scores, atol=1e-6)
    np.testing.assert_array_equal(doubled_ids[:, :5], ids[:, :5])
    assert np.all(np.abs(scores) <= 1 + 1e-6)


def test_the_index_knows_its_quantizer() -> None:
    p = oracle.float_problem(2, 5, 7, 3, 16)
    q = AdditiveQuantizer.from_codebooks(p.codebooks)
    np.testing.assert_array_equal(AQDIndex(q).quantizer.codebooks, p.codebooks)


def test_search_does_not_know_the_metric() -> None:
    p = oracle.integer_problem(2, 50, 7, 3, 16)
    q = AdditiveQuantizer.from_codebooks(p.codebooks, metric=p.metric)
    for similarity in SIMILARITIES:
        index = AQDIndex(q, similarity=similarity)
        index.add(p.codes)
        plain = build(p.codebooks, p.codes, similarity)
        for mine, other in zip(
            index.search(p.X[:5], k=20), plain.search(p.X[:5], k=20), strict=True
        ):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("similarity", EXACT)
@given(shape=SHAPES, seed=SEEDS, k=st.integers(1, 60), share=st.floats(0, 1))
def test_allowed_as_a_mask_and_as_ids(
    similarity: str, shape: tuple[int, int, int, int], seed: int, k: int, share: float
) -> None:
    p = oracle.integer_problem(seed, *shape)
    rng = np.random.default_rng([seed, 3])
    Q = queries(seed, 3, shape[1])
    names = rng.permutation(10 * shape[0] + 1)[: shape[0]].astype(np.int64)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(p.codebooks), similarity=similarity)
    index.add(p.codes, ids=names)
    mask = rng.random(shape[0]) < share
    expected_scores, expected_ids = oracle.top_k(
        oracle.scores(Q, p.codebooks, p.codes, similarity), k, ids=names, allowed=mask
    )
    for allowed in (mask, rng.permutation(names[mask]), names[mask].astype(np.int32)):
        scores, ids = index.search(Q, k=k, allowed=allowed)
        np.testing.assert_array_equal(ids, expected_ids)
        np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("similarity", EXACT)
@given(shape=SHAPES, seed=SEEDS, nq=st.integers(0, 5), threshold=st.integers(-60, 20))
def test_range_search_is_decode_then_filter(
    similarity: str, shape: tuple[int, int, int, int], seed: int, nq: int, threshold: int
) -> None:
    p = oracle.integer_problem(seed, *shape)
    Q = queries(seed, nq, shape[1])
    names = np.arange(shape[0])[::-1] * 3
    index = AQDIndex(AdditiveQuantizer.from_codebooks(p.codebooks), similarity=similarity)
    index.add(p.codes, ids=names)
    limits, scores, ids = index.range_search(Q, float(threshold))
    assert scores.dtype == np.float32
    assert limits.dtype == ids.dtype == np.int64
    expected = oracle.range_search(
        oracle.scores(Q, p.codebooks, p.codes, similarity), threshold, ids=names
    )
    for mine, truth in zip((limits, scores, ids), expected, strict=True):
        np.testing.assert_array_equal(mine, truth)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_range_search_agrees_with_search(similarity: str) -> None:
    p = oracle.float_problem(7, 3000, 9, 4, 64)
    index = build(p.codebooks, p.codes, similarity)
    all_scores, all_ids = index.search(p.X[:4], k=3000)
    for place in (0, 10, 2999):
        threshold = float(all_scores[1, place])
        limits, scores, ids = index.range_search(p.X[:4], threshold)
        for q in range(4):
            reached = all_scores[q] >= np.float32(threshold)
            mine = slice(limits[q], limits[q + 1])
            np.testing.assert_array_equal(scores[mine], all_scores[q][reached])
            np.testing.assert_array_equal(ids[mine], all_ids[q][reached])
    limits, scores, _ = index.range_search(p.X[:4], float("inf"))
    assert limits.tolist() == [0] * 5
    assert len(scores) == 0
    assert index.range_search(p.X[:4], float("-inf"))[0].tolist() == [0, 3000, 6000, 9000, 12000]


def test_thresholds_beyond_every_float_are_numbers() -> None:
    problem = oracle.float_problem(5, 40, 3, 2, 8)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(problem.codebooks))
    index.add(problem.codes)
    assert index.range_search(problem.X[:2], 10**400)[0].tolist() == [0, 0, 0]
    assert index.range_search(problem.X[:2], -(10**400))[0].tolist() == [0, 40, 80]
    for text in ("0.5", b"0.5"):
        with pytest.raises(TypeError, match=r"threshold: expected a number, got (str|bytes)"):
            index.range_search(problem.X[:2], text)  # type: ignore[arg-type]


def test_no_query_takes_no_width() -> None:
    problem = oracle.float_problem(5, 40, 3, 2, 8)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(problem.codebooks))
    scores, ids = index.search(problem.X[:0], [])
    assert scores.shape == ids.shape == (0, 0)
