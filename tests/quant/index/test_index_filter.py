"""The 8-bit filter behind a search: no result of the float scores is ever lost, whatever the level.

The truth is the float32 look-up-table score, formed here entry by entry in the documented order
from tables that NumPy can make exactly, or a search whose k takes every vector, which no filter
can shorten.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex, simd_levels

SIMILARITIES = ["ip", "l2", "cosine"]


@contextmanager
def level(name: str) -> Iterator[None]:
    before = os.environ.get("WSDHQ_SIMD")
    os.environ["WSDHQ_SIMD"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["WSDHQ_SIMD"]
        else:
            os.environ["WSDHQ_SIMD"] = before


def build(
    codebooks: NDArray[np.float32], codes: NDArray[np.uint8], similarity: str = "ip"
) -> AQDIndex:
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks), similarity=similarity)
    index.add(codes)
    return index


def float_scores(table: NDArray[np.float32], codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Sums of table entries (M, K) in float32, m ascending."""
    scores = table[0][codes[:, 0]]
    for m in range(1, len(table)):
        scores = scores + table[m][codes[:, m]]
    return scores


def head(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return np.argsort(-scores, kind="stable")[:k]


def adversarial_tables(M: int, K: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng([M, K])
    plain = rng.standard_normal((M, K))
    outlier = plain.copy()
    outlier[0, K // 2] = 1e6
    pit = plain.copy()
    pit[:, K // 3] = -1e12
    two_scales = plain * np.where(np.arange(M) % 2, 1.0, 1e7)[:, None]
    spread = np.sign(plain) * 10.0 ** rng.uniform(-30, 14, size=(M, K))
    near_ties = 1.0 + 1e-7 * rng.integers(-3, 4, size=(M, K))
    steps = np.linspace(0, 255, K)[None, :].repeat(M, 0)
    return {
        "plain": plain,
        "all equal": np.full((M, K), 0.1),
        "zeros": np.zeros((M, K)),
        "one outlier": outlier,
        "pits": pit,
        "two scales": two_scales,
        "spread": spread,
        "negative": plain - 100,
        "positive": plain + 1e4,
        "denormal": plain * 1e-41,
        "tiny": plain * 1e-30,
        "huge": plain * 1e15 / max(1.0, float(np.abs(plain).max())),
        "coarse ties": np.round(plain),
        "near ties": near_ties,
        "steps": steps,
        "cancelling": plain + np.where(np.arange(M) % 2, 1e5, -1e5)[:, None],
        "one bit": (plain > 0).astype(np.float64),
    }


@pytest.mark.parametrize("name", adversarial_tables(1, 1))
@pytest.mark.parametrize(
    ("M", "K", "N"), [(1, 256, 3000), (2, 7, 1537), (4, 256, 8192), (8, 200, 5121), (64, 256, 2050)]
)
def test_results_are_the_head_of_sorted_float_scores(name: str, M: int, K: int, N: int) -> None:
    # One dimension and a query of 1: the table is the codebooks, exactly.
    table = adversarial_tables(M, K)[name].astype(np.float32)
    codes = np.random.default_rng(N).integers(0, K, size=(N, M), dtype=np.uint8)
    index = build(table[:, :, None], codes)
    scores = float_scores(table, codes)
    query = np.ones((1, 1), np.float32)
    for one in simd_levels():
        with level(one):
            for k in (1, 10, 300):
                found_scores, found = index.search(query, k=k)
                np.testing.assert_array_equal(found[0], head(scores, k))
                np.testing.assert_array_equal(found_scores[0], scores[found[0]])
            threshold = scores[head(scores, 40)[-1]]
            limits, range_scores, ids = index.range_search(query, float(threshold))
            expected = head(scores, int(np.sum(scores >= threshold)))
            np.testing.assert_array_equal(ids, expected)
            np.testing.assert_array_equal(range_scores, scores[expected])
            assert limits.tolist() == [0, len(expected)]


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_sorted_databases(order: str) -> None:
    # Ascending scores make every block better than the threshold before it.
    rng = np.random.default_rng(3)
    table = rng.standard_normal((4, 256)).astype(np.float32)
    codes = rng.integers(0, 256, size=(20_000, 4), dtype=np.uint8)
    scores = float_scores(table, codes)
    arranged = np.argsort(scores if order == "ascending" else -scores, kind="stable")
    codes, scores = codes[arranged], scores[arranged]
    index = build(table[:, :, None], codes)
    query = np.ones((1, 1), np.float32)
    for one in simd_levels():
        with level(one):
            for k in (1, 10, 5000):
                np.testing.assert_array_equal(index.search(query, k=k)[1][0], head(scores, k))


def test_scores_far_from_zero_by_a_common_offset() -> None:
    # Differences of one unit in the last place of the sum decide.
    rng = np.random.default_rng(9)
    table = (rng.integers(0, 3, size=(3, 256)) + 2.0**22).astype(np.float32)
    codes = rng.integers(0, 256, size=(9000, 3), dtype=np.uint8)
    scores = float_scores(table, codes)
    index = build(table[:, :, None], codes)
    for k in (1, 17, 1000):
        found = index.search(np.ones((1, 1), np.float32), k=k)[1][0]
        np.testing.assert_array_equal(found, head(scores, k))


@pytest.mark.slow
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("num_queries", [1, 3, 65])
def test_few_results_are_the_head_of_all_at_any_level_and_threads(
    similarity: str, num_queries: int
) -> None:
    rng = np.random.default_rng(num_queries)
    N, M, D = 25_000, 5, 9
    size = (0.8 ** np.arange(M)).reshape(M, 1, 1)
    codebooks = (size * rng.standard_normal((M, 256, D)) + 0.3).astype(np.float32)
    codes = rng.integers(0, 256, size=(N, M), dtype=np.uint8)
    codes[N // 2 :] = codes[: N - N // 2]  # real numbers tie as well
    index = build(codebooks, codes, similarity)
    queries = (rng.standard_normal((num_queries, D)) * 2).astype(np.float32)
    queries[-1] *= 1e-3
    mask = rng.random(N) < 0.4
    few = np.zeros(N, bool)
    few[rng.integers(0, N, size=60)] = True
    all_scores, all_ids = index.search(queries, k=N)
    for one in simd_levels():
        with level(one):
            for threads in (1, 2, 5):
                for k in (1, 10, 700):
                    scores, ids = index.search(queries, k=k, threads=threads)
                    np.testing.assert_array_equal(ids, all_ids[:, :k])
                    np.testing.assert_array_equal(scores, all_scores[:, :k])
                for allowed in (mask, few):
                    scores, ids = index.search(queries, k=30, allowed=allowed, threads=threads)
                    by_id = index.search(queries, k=30, allowed=np.flatnonzero(allowed))
                    np.testing.assert_array_equal(by_id[1], ids)
                    for q in range(num_queries):
                        expected = all_ids[q][allowed[all_ids[q]]][:30]
                        np.testing.assert_array_equal(ids[q], expected)
                threshold = float(all_scores[0, 50])
                limits, _, ids = index.range_search(queries, threshold, threads=threads)
                for q in range(num_queries):
                    np.testing.assert_array_equal(
                        ids[limits[q] : limits[q + 1]],
                        all_ids[q][all_scores[q] >= np.float32(threshold)],
                    )


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("N", [1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025])
def test_sizes_around_a_block(similarity: str, N: int) -> None:
    rng = np.random.default_rng(N)
    codebooks = rng.integers(-2, 3, size=(3, 20, 4)).astype(np.float32)
    codes = rng.integers(0, 20, size=(N, 3), dtype=np.uint8)
    index = build(codebooks, codes, similarity)
    queries = rng.integers(-3, 4, size=(4, 4)).astype(np.float32)
    all_scores, all_ids = index.search(queries, k=N + 5)
    assert np.all(all_ids[:, N:] == -1)
    assert all(sorted(row.tolist()) == list(range(N)) for row in all_ids[:, :N])
    for k in (1, 5):
        for one in simd_levels():
            with level(one):
                scores, ids = index.search(queries, k=k)
                np.testing.assert_array_equal(ids, all_ids[:, :k])
                np.testing.assert_array_equal(scores, all_scores[:, :k])


@pytest.mark.parametrize("num_codebooks", [1, 2, 3, 5, 16, 33, 63, 64, 100])
def test_any_number_of_codebooks(num_codebooks: int) -> None:
    rng = np.random.default_rng(num_codebooks)
    codebooks = rng.standard_normal((num_codebooks, 40, 6)).astype(np.float32)
    codes = rng.integers(0, 40, size=(3000, num_codebooks), dtype=np.uint8)
    queries = rng.standard_normal((3, 6)).astype(np.float32)
    for similarity in SIMILARITIES:
        index = build(codebooks, codes, similarity)
        all_scores, all_ids = index.search(queries, k=3000)
        for one in simd_levels():
            with level(one):
                scores, ids = index.search(queries, k=12)
                np.testing.assert_array_equal(ids, all_ids[:, :12])
                np.testing.assert_array_equal(scores, all_scores[:, :12])


@pytest.mark.parametrize("similarity", ["l2", "cosine"])
def test_norms_of_every_size_in_one_index(similarity: str) -> None:
    # The first codebook scales: norms from 0 to 1e12, and 0 / 0 where everything cancels.
    rng = np.random.default_rng(8)
    direction = rng.standard_normal((1, 256, 5))
    codebooks = np.concatenate(
        [direction * 10.0 ** rng.uniform(-20, 12, size=(1, 256, 1)), direction], axis=0
    ).astype(np.float32)
    codebooks[:, :3] = 0
    codebooks[1, 7:20] = -codebooks[0, 7:20]
    codes = rng.integers(0, 256, size=(12_000, 2), dtype=np.uint8)
    codes[:500, 1] = codes[:500, 0]
    queries = np.concatenate(
        [rng.standard_normal((6, 5)), np.zeros((1, 5)), rng.standard_normal((1, 5)) * 1e-20]
    ).astype(np.float32)
    index = build(codebooks, codes, similarity)
    all_scores, all_ids = index.search(queries, k=12_000)
    assert np.all(np.isfinite(all_scores))
    for k in (1, 10, 3000):
        scores, ids = index.search(queries, k=k)
        np.testing.assert_array_equal(ids, all_ids[:, :k])
        np.testing.assert_array_equal(scores, all_scores[:, :k])


def test_values_as_large_as_may_be() -> None:
    rng = np.random.default_rng(1)
    codebooks = (rng.uniform(-1, 1, size=(4, 256, 8)) * 1e15).astype(np.float32)
    codes = rng.integers(0, 256, size=(4000, 4), dtype=np.uint8)
    queries = (rng.uniform(-1, 1, size=(3, 8)) * 1e15).astype(np.float32)
    for similarity in SIMILARITIES:
        index = build(codebooks, codes, similarity)
        all_scores, all_ids = index.search(queries, k=4000)
        assert np.all(np.isfinite(all_scores))
        scores, ids = index.search(queries, k=9)
        np.testing.assert_array_equal(ids, all_ids[:, :9])
        np.testing.assert_array_equal(scores, all_scores[:, :9])


@pytest.mark.parametrize("similarity", ["l2", "cosine"])
def test_norms_close_together(similarity: str) -> None:
    # In many dimensions the least norm is far from 0, and a large part of every score.
    rng = np.random.default_rng(6)
    codebooks = rng.choice([-1.0, 1.0], size=(2, 256, 300)).astype(np.float32)
    codes = rng.integers(0, 256, size=(30_000, 2), dtype=np.uint8)
    queries = oracle.decode(codebooks, codes[:4]).astype(np.float32)
    queries += rng.standard_normal(queries.shape).astype(np.float32)
    index = build(codebooks, codes, similarity)
    all_scores, all_ids = index.search(queries, k=30_000)
    for k in (1, 3, 200):
        scores, ids = index.search(queries, k=k)
        np.testing.assert_array_equal(ids, all_ids[:, :k])
        np.testing.assert_array_equal(scores, all_scores[:, :k])


@pytest.mark.parametrize("similarity", ["l2", "cosine"])
def test_squared_norms_beyond_the_range_of_float(similarity: str) -> None:
    codebooks = np.full((100, 2, 400), 1e15, np.float32)
    codebooks[:, 1] = 0
    codebooks[50:, 1, :7] = 3
    codes = np.random.default_rng(2).integers(0, 2, size=(2000, 100), dtype=np.uint8)
    codes[::3] = 1
    index = build(codebooks, codes, similarity)
    queries = np.ones((2, 400), np.float32)
    all_scores, all_ids = index.search(queries, k=2000)
    assert sorted(all_ids[0].tolist()) == list(range(2000))
    assert not np.isnan(all_scores).any()
    for k in (1, 5, 1000):
        scores, ids = index.search(queries, k=k)
        np.testing.assert_array_equal(ids, all_ids[:, :k])
        np.testing.assert_array_equal(scores, all_scores[:, :k])
