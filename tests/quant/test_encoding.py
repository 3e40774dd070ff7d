"""The encoder against the plain definition: what a code costs, and what a sweep may do to it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from wsdhq.quant import AdditiveQuantizer, icm_encode

RELAXATIONS = [None, "codebooks", "data"]
SIZES = st.sampled_from([1, 2, 3, 7, 16, 33, 255, 256])
SHAPES = st.tuples(st.integers(0, 20), st.integers(1, 19), st.integers(1, 5), SIZES)
SEEDS = st.integers(0, 2**32 - 1)


@given(shape=SHAPES, seed=SEEDS, with_metric=st.booleans())
def test_decode_and_distortion(
    shape: tuple[int, int, int, int], seed: int, with_metric: bool
) -> None:
    p = oracle.float_problem(seed, *shape)
    metric = p.metric if with_metric else None
    q = AdditiveQuantizer.from_codebooks(p.codebooks, metric=metric)
    decoded = q.decode(p.codes)
    assert decoded.shape == p.X.shape
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, oracle.decode(p.codebooks, p.codes), rtol=1e-5, atol=1e-5)
    if len(p.X):
        assert q.distortion(p.X, p.codes) == pytest.approx(
            oracle.distortion(p.X, p.codebooks, p.codes, metric), rel=1e-5
        )


@given(
    shape=SHAPES,
    seed=SEEDS,
    with_metric=st.booleans(),
    relaxation=st.sampled_from(RELAXATIONS),
    iterations=st.integers(1, 6),
)
def test_no_iteration_raises_the_objective(
    shape: tuple[int, int, int, int],
    seed: int,
    with_metric: bool,
    relaxation: str | None,
    iterations: int,
) -> None:
    p = oracle.float_problem(seed, *shape)
    metric = p.metric if with_metric else None
    codes = p.codes
    for step in range(3):
        encoded = icm_encode(
            p.X,
            p.codebooks,
            codes=codes,
            metric=metric,
            iterations=iterations,
            relaxation=relaxation,
            seed=seed + step,
        )
        assert encoded.dtype == np.uint8
        assert encoded.shape == codes.shape
        assert np.all(encoded < shape[3])
        before = oracle.objective(p.X, p.codebooks, codes, metric)
        after = oracle.objective(p.X, p.codebooks, encoded, metric)
        assert np.all(after <= before + oracle.rounding(p.X, p.codebooks, codes, metric))
        codes = encoded


@given(shape=SHAPES, seed=SEEDS, with_metric=st.booleans())
def test_reencoding_by_the_quantizer_raises_nothing(
    shape: tuple[int, int, int, int], seed: int, with_metric: bool
) -> None:
    p = oracle.float_problem(seed, *shape)
    metric = p.metric if with_metric else None
    q = AdditiveQuantizer.from_codebooks(p.codebooks, metric=metric)
    given_codes = p.codes.copy()
    for codes in (given_codes, q.encode(p.X)):
        again = q.encode(p.X, codes=codes)
        before = oracle.objective(p.X, p.codebooks, codes, metric)
        after = oracle.objective(p.X, p.codebooks, again, metric)
        assert np.all(after <= before + oracle.rounding(p.X, p.codebooks, codes, metric))
    # The warm start is the caller's array: it is read, never written.
    np.testing.assert_array_equal(given_codes, p.codes)


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_no_iteration_raises_the_objective_where_terms_cancel(
    offset: float, relaxation: str | None
) -> None:
    # Codewords far larger than the residual: the expanded objective loses its leading digits.
    p = oracle.float_problem(11, 200, 24, 4, 32)
    codebooks = p.codebooks.copy()
    codebooks[0] += offset
    codebooks[1] -= offset / 2
    X = p.X + np.float32(offset / 2)
    before = oracle.objective(X, codebooks, p.codes)
    encoded = icm_encode(X, codebooks, codes=p.codes, iterations=8, relaxation=relaxation)
    after = oracle.objective(X, codebooks, encoded)
    assert np.all(after <= before + oracle.rounding(X, codebooks, p.codes))
    again = icm_encode(X, codebooks, codes=encoded, iterations=8, relaxation=relaxation, seed=9)
    final = oracle.objective(X, codebooks, again)
    assert np.all(final <= after + oracle.rounding(X, codebooks, encoded))


@given(
    shape=st.tuples(
        st.integers(1, 12), st.integers(1, 9), st.integers(1, 4), st.sampled_from([1, 2, 5, 16, 40])
    ),
    seed=SEEDS,
    with_metric=st.booleans(),
)
def test_enough_sweeps_end_in_a_conditional_mode(
    shape: tuple[int, int, int, int], seed: int, with_metric: bool
) -> None:
    p = oracle.float_problem(seed, *shape)
    metric = p.metric if with_metric else None
    for start in (None, p.codes):
        codes = icm_encode(p.X, p.codebooks, codes=start, metric=metric, iterations=100)
        excess = oracle.conditional_excess(p.X, p.codebooks, codes, metric)
        rounding = oracle.rounding(p.X, p.codebooks, codes, metric)
        assert np.all(excess <= rounding + oracle.table_rounding(p.codebooks, metric))


@pytest.mark.parametrize("with_metric", [False, True])
@pytest.mark.parametrize(
    ("M", "K", "D"), [(1, 256, 5), (2, 16, 3), (3, 7, 4), (4, 5, 6), (4, 33, 17)]
)
def test_one_iteration_is_one_sweep_in_some_order(
    M: int, K: int, D: int, with_metric: bool
) -> None:
    # Whole numbers, so that costs are exact in float32 and no choice hangs on rounding.
    rng = np.random.default_rng(M * K)
    p = oracle.integer_problem(M * K, 60, D, M, K)
    codebooks = rng.integers(-15, 16, size=(M, K, D)).astype(np.float32)
    X = 4 * p.X
    metric = p.metric if with_metric else None
    encoded = icm_encode(X, codebooks, codes=p.codes, metric=metric, iterations=1)
    backwards = codebooks[:, ::-1]
    matches = []
    for order in itertools.permutations(range(M)):
        swept = oracle.icm_sweep(X, codebooks, p.codes, metric, order)
        # With the codewords listed backwards, equal costs take the highest index.
        mirrored = oracle.icm_sweep(X, backwards, (K - 1 - p.codes), metric, order)
        without_ties = np.all(swept == K - 1 - mirrored, axis=1)
        assert np.mean(without_ties) > 0.8
        matches.append(np.array_equal(encoded[without_ties], swept[without_ties]))
    assert any(matches)


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize("K", [1, 2, 15, 16, 17, 64, 255, 256])
@pytest.mark.parametrize("D", [1, 3, 8, 21])
def test_one_codebook_gives_the_nearest_codeword(relaxation: str | None, K: int, D: int) -> None:
    p = oracle.integer_problem(K + D, 67, D, 1, K)
    for metric in (None, p.metric):
        best_codes, best = oracle.exhaustive_best(p.X, p.codebooks, metric)
        codes = icm_encode(p.X, p.codebooks, metric=metric, iterations=3, relaxation=relaxation)
        np.testing.assert_array_equal(oracle.objective(p.X, p.codebooks, codes, metric), best)
        if relaxation is None:
            # Of equal codewords the lowest index; relaxation keeps the first that it met.
            np.testing.assert_array_equal(codes, best_codes)


@pytest.mark.parametrize("relaxation", ["codebooks", "data"])
def test_relaxation_comes_closer_to_the_best_code(relaxation: str) -> None:
    p = oracle.float_problem(3, 300, 8, 3, 6)
    codebooks = p.codebooks * np.array([1.0, 2.0, 3.0], np.float32).reshape(3, 1, 1)
    _, best = oracle.exhaustive_best(p.X, codebooks)
    plain = icm_encode(p.X, codebooks, codes=p.codes, iterations=20)
    relaxed = icm_encode(p.X, codebooks, codes=p.codes, iterations=20, relaxation=relaxation)
    gap_plain = np.mean(oracle.objective(p.X, codebooks, plain) - best)
    gap_relaxed = np.mean(oracle.objective(p.X, codebooks, relaxed) - best)
    assert np.all(oracle.objective(p.X, codebooks, relaxed) >= best - 1e-4)
    assert gap_relaxed < 0.7 * gap_plain


@pytest.mark.parametrize("relaxation", ["codebooks", "data"])
def test_relaxation_is_drawn_from_the_seed(relaxation: str) -> None:
    p = oracle.float_problem(5, 400, 10, 5, 16)
    one = icm_encode(p.X, p.codebooks, relaxation=relaxation, iterations=4, seed=1)
    same = icm_encode(p.X, p.codebooks, relaxation=relaxation, iterations=4, seed=1)
    other = icm_encode(p.X, p.codebooks, relaxation=relaxation, iterations=4, seed=2)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", range(4))
def test_metric_equals_the_identity_on_transformed_vectors(seed: int) -> None:
    # metric = L L^T gives (x - y)^T metric (x - y) = |x L - y L|^2, exactly on whole numbers.
    rng = np.random.default_rng(seed)
    X = rng.integers(-20, 21, size=(300, 6)).astype(np.float32)
    codebooks = rng.integers(-15, 16, size=(3, 20, 6)).astype(np.float32)
    codes = rng.integers(0, 20, size=(300, 3), dtype=np.uint8)
    L = rng.integers(-1, 2, size=(6, 6)).astype(np.float32)
    with_metric = icm_encode(X, codebooks, codes=codes, metric=L @ L.T, iterations=4)
    transformed = icm_encode(X @ L, codebooks @ L, codes=codes, iterations=4)
    # Equal costs are rare on numbers of this size; all other choices must be the same.
    assert np.mean(np.any(with_metric != transformed, axis=1)) <= 0.02


def test_equal_codewords_take_the_lowest_index() -> None:
    p = oracle.float_problem(6, 200, 7, 3, 9)
    doubled = np.concatenate([p.codebooks, p.codebooks], axis=1)
    for metric in (None, p.metric):
        codes = icm_encode(p.X, doubled, metric=metric, iterations=5)
        assert np.all(codes < 9)


@given(seed=SEEDS, D=st.integers(1, 12), M=st.integers(1, 4), K=st.sampled_from([3, 16, 50]))
def test_metric_and_transformed_vectors_cost_the_same(seed: int, D: int, M: int, K: int) -> None:
    p = oracle.float_problem(seed, 60, D, M, K)
    L = np.random.default_rng(seed).standard_normal((D, D + 1)).astype(np.float32)
    metric = L @ L.T
    metric = (metric + metric.T) / 2
    with_metric = icm_encode(p.X, p.codebooks, codes=p.codes, metric=metric, iterations=5)
    transformed = icm_encode(p.X @ L, p.codebooks @ L, codes=p.codes, iterations=5)
    cost = oracle.objective(p.X, p.codebooks, with_metric, metric)
    other = oracle.objective(p.X, p.codebooks, transformed, metric)
    # Rounding may send a vector at a near-tie down another road, so a few may differ.
    differ = np.abs(cost - other) > 20 * oracle.rounding(p.X, p.codebooks, with_metric, metric)
    assert np.mean(differ) <= 0.05
    assert np.mean(np.any(with_metric != transformed, axis=1)) <= 0.05


def test_metric_of_low_rank() -> None:
    # Sums of s s^T over fewer tags than dimensions: eigenvalues that round to below zero.
    p = oracle.float_problem(8, 50, 20, 3, 9)
    tags = np.random.default_rng(8).standard_normal((3, 20)).astype(np.float32)
    metric = tags.T @ tags
    codes = icm_encode(p.X, p.codebooks, codes=p.codes, metric=metric, iterations=50)
    excess = oracle.conditional_excess(p.X, p.codebooks, codes, metric)
    assert np.all(excess <= oracle.rounding(p.X, p.codebooks, codes, metric))
    q = AdditiveQuantizer.from_codebooks(p.codebooks, metric=metric)
    assert q.distortion(p.X, codes) == pytest.approx(
        oracle.distortion(p.X, p.codebooks, codes, metric), rel=1e-4
    )


def test_metric_in_double_precision_is_the_same_metric() -> None:
    p = oracle.float_problem(9, 80, 7, 3, 12)
    single = icm_encode(p.X, p.codebooks, metric=p.metric)
    double = icm_encode(p.X, p.codebooks, metric=p.metric.astype(np.float64))
    np.testing.assert_array_equal(single, double)


def test_no_vectors_give_no_codes() -> None:
    p = oracle.float_problem(1, 0, 5, 3, 4)
    q = AdditiveQuantizer.from_codebooks(p.codebooks)
    for codes in (
        q.encode(p.X),
        q.encode(p.X, codes=p.codes),
        icm_encode(p.X, p.codebooks, relaxation="data"),
    ):
        assert codes.shape == (0, 3)
        assert codes.dtype == np.uint8
    assert q.decode(p.codes).shape == (0, 5)


def test_from_codebooks_keeps_a_copy() -> None:
    p = oracle.float_problem(1, 5, 5, 3, 4)
    mine = p.codebooks.copy()
    q = AdditiveQuantizer.from_codebooks(mine)
    before = q.encode(p.X)
    mine[:] = 0
    np.testing.assert_array_equal(q.codebooks, p.codebooks)
    assert q.codebooks.dtype == np.float32
    np.testing.assert_array_equal(q.encode(p.X), before)
