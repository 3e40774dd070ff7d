"""Histograms, sums and the closed-form codebooks against explicit one-hot matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from wsdhq.quant import CodeStatistics

SHAPES = st.tuples(
    st.integers(0, 40), st.integers(1, 21), st.integers(1, 4), st.sampled_from([1, 2, 5, 16, 31])
)
SEEDS = st.integers(0, 2**32 - 1)


def collect(p: oracle.Problem, *parts: slice) -> CodeStatistics:
    s = CodeStatistics(p.codebooks.shape[0], p.codebooks.shape[1], p.X.shape[1])
    for rows in parts or (slice(None),):
        s.update(p.X[rows], p.codes[rows])
    return s


def assert_same(s: CodeStatistics, other: CodeStatistics) -> None:
    assert int(s.count) == int(other.count)
    np.testing.assert_array_equal(s.histogram, other.histogram)
    np.testing.assert_allclose(s.sums, other.sums, rtol=1e-12, atol=1e-12)


@given(shape=SHAPES, seed=SEEDS)
def test_statistics_are_those_of_the_one_hot_matrix(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    N, D, M, K = shape
    p = oracle.float_problem(seed, *shape)
    s = collect(p)
    assert int(s.count) == N
    expected = oracle.code_sums(p.X, p.codes, K)
    assert s.sums.shape == (M, K, D)
    np.testing.assert_allclose(np.reshape(s.sums, (M * K, D)), expected, rtol=1e-12, atol=1e-12)
    # B^T B, or its half on and above the diagonal of blocks, which determines the rest.
    counts = np.reshape(s.histogram, (M * K, M * K))
    upper = np.kron(np.triu(np.ones((M, M))), np.ones((K, K))) > 0
    expected = oracle.gram(p.codes, K)
    np.testing.assert_array_equal(counts[upper], expected[upper])


@given(shape=SHAPES, seed=SEEDS, ridge=st.sampled_from([0.01, 1.0, 20.0]))
def test_solve_is_the_ridge_solution(
    shape: tuple[int, int, int, int], seed: int, ridge: float
) -> None:
    p = oracle.float_problem(seed, max(shape[0], 1), *shape[1:])
    solution = collect(p).solve(ridge=ridge)
    assert solution.shape == p.codebooks.shape
    assert solution.dtype == np.float32
    expected = oracle.solve_ridge(p.X, p.codes, shape[3], ridge)
    np.testing.assert_allclose(solution, expected, rtol=1e-4, atol=1e-4)


@given(
    shape=st.tuples(
        st.integers(1, 80), st.integers(1, 9), st.integers(1, 4), st.sampled_from([1, 3, 16])
    ),
    seed=SEEDS,
)
def test_default_ridge_costs_nothing_against_the_pseudo_inverse(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    p = oracle.float_problem(seed, *shape)
    solution = collect(p).solve()
    best = oracle.solve_pseudo_inverse(p.X, p.codes, shape[3])
    cost = oracle.distortion(p.X, solution, p.codes)
    energy = float(np.mean(oracle.quadratic(p.X, None)))
    assert cost <= oracle.distortion(p.X, best, p.codes) + 1e-5 * energy


def test_large_vectors_far_from_zero() -> None:
    # Sums of 20,000 vectors of mean 100: single-precision accumulation would lose digits.
    rng = np.random.default_rng(0)
    X = (100 + rng.standard_normal((20_000, 3))).astype(np.float32)
    codes = rng.integers(0, 4, size=(20_000, 2), dtype=np.uint8)
    s = CodeStatistics(2, 4, 3)
    s.update(X, codes)
    expected = np.stack(
        [X.astype(np.float64)[codes[:, m] == k].sum(axis=0) for m in range(2) for k in range(4)]
    )
    np.testing.assert_allclose(np.reshape(s.sums, (8, 3)), expected, rtol=1e-10)
    cost = oracle.distortion(X, s.solve(), codes)
    best = oracle.distortion(X, oracle.solve_pseudo_inverse(X, codes, 4), codes)
    assert cost <= best * (1 + 1e-3)


@given(shape=SHAPES, seed=SEEDS, cut=st.floats(0, 1))
def test_parts_add_up_to_the_whole(shape: tuple[int, int, int, int], seed: int, cut: float) -> None:
    p = oracle.float_problem(seed, *shape)
    middle = int(cut * shape[0])
    whole = collect(p)
    in_chunks = collect(p, slice(0, middle), slice(middle, None))
    assert_same(in_chunks, whole)
    first, second = collect(p, slice(0, middle)), collect(p, slice(middle, None))
    kept = np.array(second.sums)
    first.merge(second)
    assert_same(first, whole)
    np.testing.assert_array_equal(second.sums, kept)
    assert int(second.count) == shape[0] - middle
    if shape[0]:
        np.testing.assert_allclose(first.solve(ridge=0.1), whole.solve(ridge=0.1), atol=1e-5)


def test_statistics_of_many_machines_are_sums_of_arrays() -> None:
    p = oracle.float_problem(3, 90, 5, 3, 7)
    whole = collect(p)
    parts = [collect(p, slice(start, start + 30)) for start in (0, 30, 60)]
    assert sum(int(s.count) for s in parts) == int(whole.count) == 90
    np.testing.assert_array_equal(sum(np.array(s.histogram) for s in parts), whole.histogram)
    np.testing.assert_allclose(sum(np.array(s.sums) for s in parts), whole.sums, rtol=1e-12)


def test_arrays_can_be_reduced_in_place() -> None:
    p = oracle.float_problem(3, 90, 5, 3, 7)
    first, second = collect(p, slice(0, 40)), collect(p, slice(40, None))
    first.histogram[...] += second.histogram
    first.sums[...] += second.sums
    np.testing.assert_allclose(
        first.solve(ridge=0.1), collect(p).solve(ridge=0.1), rtol=1e-6, atol=1e-6
    )


def test_solve_without_vectors_says_so() -> None:
    with pytest.raises(ValueError, match="update"):
        CodeStatistics(2, 4, 3).solve()


def test_merge_refuses_other_shapes() -> None:
    s = CodeStatistics(2, 4, 3)
    for other in (CodeStatistics(3, 4, 3), CodeStatistics(2, 5, 3), CodeStatistics(2, 4, 6)):
        with pytest.raises(ValueError, match="other"):
            s.merge(other)
    with pytest.raises(TypeError, match="other"):
        s.merge(np.zeros(3))


def test_merging_with_itself_doubles() -> None:
    p = oracle.integer_problem(3, 30, 5, 2, 4)
    s = collect(p)
    expected = 2 * np.array(s.sums)
    s.merge(s)
    assert int(s.count) == 60
    np.testing.assert_array_equal(s.sums, expected)
