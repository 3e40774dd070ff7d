"""Histograms, sums and the closed-form codebooks against explicit one-hot matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from wsdhq import _core
from wsdhq.quant import CodeStatistics, simd_levels, statistics
from wsdhq.quant.arrays import codes as codes_module
from wsdhq.quant.arrays import vectors as vectors_module

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


def sums_in_order(p: oracle.Problem) -> np.ndarray:
    """Row sums in double, vector after vector: the order that `update` promises."""
    expected = np.zeros((p.codebooks.shape[0] * p.codebooks.shape[1], p.X.shape[1]))
    for n, code in enumerate(p.codes):
        for m, k in enumerate(code):
            expected[m * p.codebooks.shape[1] + k] += p.X[n]
    return expected


@pytest.mark.parametrize("level", simd_levels())
def test_sums_are_the_same_bits_at_any_level_cut_and_number_of_threads(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More vectors than are sorted at once, more dimensions than one task sums.
    p = oracle.float_problem(5, 4500, 331, 3, 37)
    p.X[...] *= np.float32(10) ** np.random.default_rng(0).integers(-6, 7, p.X.shape)
    expected = sums_in_order(p)
    monkeypatch.setenv("WSDHQ_SIMD", level)
    for threads in (1, 2, 5):
        for cuts in ([], [1], [2047, 2049], [700, 3000, 3001]):
            s = CodeStatistics(3, 37, 331, threads=threads)
            for first, last in zip([0, *cuts], [*cuts, len(p.X)]):
                s.update(p.X[first:last], p.codes[first:last])
            np.testing.assert_array_equal(s.sums.reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("num_vectors", "num_codebooks", "codebook_size"),
    [
        # On both sides of where counting in a small block begins to pay.
        (63, 3, 16),
        (64, 3, 16),
        (16_383, 2, 256),
        (16_384, 2, 256),
        # Several threads; and more vectors than are transposed at once.
        (70_000, 8, 5),
        (70_000, 64, 2),
    ],
)
def test_histogram_is_the_whole_symmetric_matrix_of_counts(
    num_vectors: int, num_codebooks: int, codebook_size: int
) -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, codebook_size, (num_vectors, num_codebooks), dtype=np.uint8)
    size = num_codebooks * codebook_size
    one_hot = np.zeros((num_vectors, size), np.float32)
    columns = np.arange(num_codebooks) * codebook_size + codes
    np.put_along_axis(one_hot, columns, 1, axis=1)
    expected = (one_hot.T @ one_hot).astype(np.int64)
    X = np.zeros((num_vectors, 1), np.float32)
    for threads in (1, 4):
        s = CodeStatistics(num_codebooks, codebook_size, 1, threads=threads)
        s.update(X, codes)
        np.testing.assert_array_equal(s.histogram.reshape(size, size), expected)
        s.update(X[:10], codes[:10])
        more = one_hot[:10].T @ one_hot[:10]
        np.testing.assert_array_equal(s.histogram.reshape(size, size), expected + more)


def test_a_bad_value_in_a_later_chunk_changes_nothing() -> None:
    # Four vectors of this dimension fill a chunk.
    X = np.random.default_rng(0).standard_normal((6, 1 << 20), dtype=np.float32)
    codes = np.array([[0], [1], [0], [1], [0], [1]], np.uint8)
    s = CodeStatistics(1, 2, 1 << 20).update(X, codes)
    sums, histogram = s.sums.copy(), s.histogram.copy()
    array = s.sums
    X[5, 7] = np.nan
    with pytest.raises(ValueError, match="X: row 5, column 7"):
        s.update(X, codes)
    assert s.count == 6
    assert s.sums is array
    np.testing.assert_array_equal(s.sums, sums)
    np.testing.assert_array_equal(s.histogram, histogram)


@pytest.mark.parametrize(
    ("num_codebooks", "codebook_size"), [(1, 255), (1, 256), (2, 128), (2, 129), (3, 171), (5, 160)]
)
def test_solve_over_several_blocks_of_columns(num_codebooks: int, codebook_size: int) -> None:
    p = oracle.float_problem(7, 900, 6, num_codebooks, codebook_size)
    expected = oracle.solve_ridge(p.X, p.codes, codebook_size, 0.1)
    np.testing.assert_allclose(collect(p).solve(ridge=0.1), expected, rtol=1e-4, atol=1e-5)


def hard_codes(name: str) -> np.ndarray:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 100, (3000, 4), dtype=np.uint8)
    if name == "unused":
        codes[codes % 3 == 1] = 0
    elif name == "identical":
        codes[:] = codes[:, :1]
    elif name == "few":
        codes = codes[:150]
    elif name == "one codeword":
        codes[:, 1:] = 3
    return codes


@pytest.mark.parametrize("name", ["unused", "identical", "few", "one codeword"])
@pytest.mark.parametrize("repeats", [1, 1_000_003])
def test_default_ridge_in_hard_cases(name: str, repeats: int) -> None:
    # 400 codewords: two blocks of columns. Repeated vectors stand for data that were merged.
    codes = hard_codes(name)
    X = np.random.default_rng(3).standard_normal((len(codes), 5)).astype(np.float32)
    s = CodeStatistics(4, 100, 5).update(X, codes)
    s.histogram *= repeats
    s.sums *= repeats
    s.count *= repeats
    solution = s.solve()
    best = oracle.solve_pseudo_inverse(X, codes, 100)
    energy = float(np.mean(oracle.quadratic(X, None)))
    cost = oracle.distortion(X, solution, codes)
    assert cost <= oracle.distortion(X, best, codes) + 1e-5 * energy
    np.testing.assert_array_equal(solution[s.unused()], 0)


@pytest.mark.parametrize("name", ["unused", "identical", "few", "one codeword"])
def test_too_small_a_ridge_is_refused(name: str) -> None:
    codes = hard_codes(name)
    s = CodeStatistics(4, 100, 2).update(np.ones((len(codes), 2), np.float32), codes)
    before = s.histogram.copy()
    with pytest.raises(ValueError, match=r"ridge: 1e-30 is too small"):
        s.solve(ridge=1e-30)
    np.testing.assert_array_equal(s.histogram, before)


def test_one_codebook_takes_any_ridge() -> None:
    # B^T B is diagonal: with no second codebook nothing cancels.
    p = oracle.float_problem(4, 500, 3, 1, 44)
    solution = collect(p).solve(ridge=1e-30)
    counts = np.bincount(p.codes[:, 0], minlength=p.codebooks.shape[1])[:, None]
    means = sums_in_order(p) / np.maximum(counts, 1)
    np.testing.assert_allclose(solution[0], means, rtol=1e-6, atol=1e-7)


def interrupted_at_once(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("seen_before", [0, 1])
@pytest.mark.parametrize("when", ["sums", "counting", "counted"])
def test_an_interrupted_update_adds_all_vectors_or_none(
    monkeypatch: pytest.MonkeyPatch, quick: bool, seen_before: int, when: str
) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((900, 5)).astype(np.float32)
    codes = rng.integers(0, 7, (900, 3), dtype=np.uint8)
    once = CodeStatistics(3, 7, 5).update(X, codes)
    monkeypatch.setattr(statistics, "_QUICK", 10**9 if quick else 0)
    for module in (codes_module, vectors_module):
        monkeypatch.setattr(module, "rows_per_chunk", lambda _: 400)
    real, calls = _core.update_histogram, []

    def interrupted(*arguments: Any, **more: Any) -> None:
        calls.append(1)
        if when == "counting" and len(calls) == (1 if quick else 2):
            raise KeyboardInterrupt
        real(*arguments, **more)
        if when == "counted" and len(calls) == (1 if quick else 3):
            raise KeyboardInterrupt

    sums = CodeStatistics(3, 7, 5)
    for _ in range(seen_before):
        sums.update(X, codes)
    with monkeypatch.context() as patch:
        if when == "sums":
            patch.setattr(_core, "update_sums", interrupted_at_once)
        patch.setattr(_core, "update_histogram", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sums.update(X, codes)
    # Python raises after the call that was interrupted: the last may have done all there is.
    times = seen_before + (quick and when == "counted")
    assert sums.count == 900 * times
    np.testing.assert_array_equal(sums.histogram, times * once.histogram)
    np.testing.assert_allclose(sums.sums, times * once.sums)
    sums.update(X, codes)
    np.testing.assert_array_equal(sums.histogram, (times + 1) * once.histogram)
