"""The oracle against loops over scalars, at sizes where every case can be listed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import oracle

TINY = [(1, 1, 1, 1), (3, 1, 2, 2), (4, 3, 1, 3), (5, 2, 3, 2), (2, 4, 2, 3)]


def scalar_objective(x, codebooks, code, metric) -> float:
    """The double sum over dimensions, one number at a time."""
    dim = len(x)
    residual = []
    for d in range(dim):
        value = float(x[d])
        for m, k in enumerate(code):
            value -= float(codebooks[m][k][d])
        residual.append(value)
    total = 0.0
    for d, e in itertools.product(range(dim), repeat=2):
        weight = (1.0 if d == e else 0.0) if metric is None else float(metric[d][e])
        total += residual[d] * weight * residual[e]
    return total


@pytest.mark.parametrize("shape", TINY)
@pytest.mark.parametrize("with_metric", [False, True])
def test_objective_is_the_double_sum(shape: tuple[int, ...], with_metric: bool) -> None:
    p = oracle.float_problem(1, *shape)
    metric = p.metric if with_metric else None
    expected = [
        scalar_objective(x, p.codebooks, code, metric) for x, code in zip(p.X, p.codes, strict=True)
    ]
    np.testing.assert_allclose(
        oracle.objective(p.X, p.codebooks, p.codes, metric), expected, rtol=1e-9, atol=1e-12
    )
    assert oracle.distortion(p.X, p.codebooks, p.codes, metric) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("shape", TINY)
def test_decode_adds_one_codeword_per_codebook(shape: tuple[int, ...]) -> None:
    p = oracle.integer_problem(2, *shape)
    for n, code in enumerate(p.codes):
        expected = sum(p.codebooks[m, k] for m, k in enumerate(code))
        np.testing.assert_array_equal(oracle.decode(p.codebooks, p.codes)[n], expected)


@pytest.mark.parametrize("shape", TINY)
def test_conditional_costs_list_every_single_change(shape: tuple[int, ...]) -> None:
    p = oracle.float_problem(3, *shape)
    for m in range(shape[2]):
        costs = oracle.conditional_costs(p.X, p.codebooks, p.codes, m, p.metric)
        assert costs.shape == (shape[0], shape[3])
        for n, k in itertools.product(range(shape[0]), range(shape[3])):
            code = list(p.codes[n])
            code[m] = k
            expected = scalar_objective(p.X[n], p.codebooks, code, p.metric)
            assert costs[n, k] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_sweep_of_one_codebook_is_the_nearest_codeword_with_the_lowest_index() -> None:
    codebooks = np.array([[[5.0], [1.0], [1.0], [-1.0]]])
    X = np.array([[1.0], [0.0], [4.0]])
    swept = oracle.icm_sweep(X, codebooks, np.zeros((3, 1), dtype=np.uint8))
    assert swept.tolist() == [[1], [1], [0]]


def test_sweep_uses_the_codewords_already_changed() -> None:
    # From (0, 0), order 0-1 reaches 3 + 0 and order 1-0 reaches 1 + 2 by different roads.
    codebooks = np.array([[[0.0], [3.0], [1.0]], [[0.0], [2.0], [2.5]]])
    X, start = np.array([[3.0]]), np.zeros((1, 2), dtype=np.uint8)
    assert oracle.icm_sweep(X, codebooks, start, order=[0, 1]).tolist() == [[1, 0]]
    assert oracle.icm_sweep(X, codebooks, start, order=[1, 0]).tolist() == [[0, 2]]


@pytest.mark.parametrize("shape", TINY)
def test_repeated_sweeps_end_in_a_mode_no_better_than_the_best_code(
    shape: tuple[int, ...],
) -> None:
    p = oracle.float_problem(4, *shape)
    codes, before = p.codes, oracle.objective(p.X, p.codebooks, p.codes, p.metric)
    for _ in range(20):
        codes = oracle.icm_sweep(p.X, p.codebooks, codes, p.metric)
        after = oracle.objective(p.X, p.codebooks, codes, p.metric)
        assert np.all(after <= before + 1e-12)
        before = after
    assert np.all(oracle.conditional_excess(p.X, p.codebooks, codes, p.metric) <= 1e-12)
    best_codes, best = oracle.exhaustive_best(p.X, p.codebooks, p.metric)
    np.testing.assert_allclose(
        oracle.objective(p.X, p.codebooks, best_codes, p.metric), best, rtol=1e-12
    )
    assert np.all(best <= before + 1e-12)


def test_conditional_excess_is_the_gain_of_the_best_single_change() -> None:
    codebooks = np.array([[[0.0], [2.0]], [[0.0], [1.0]]])
    codes = np.zeros((1, 2), dtype=np.uint8)
    # At 3 the code (0, 0) costs 9; (1, 0) costs 1 and (0, 1) costs 4; (1, 1) is two changes away.
    assert oracle.conditional_excess(np.array([[3.0]]), codebooks, codes).tolist() == [8.0]


@pytest.mark.parametrize("shape", TINY)
def test_one_hot_statistics(shape: tuple[int, ...]) -> None:
    p = oracle.integer_problem(5, *shape)
    N, D, M, K = shape
    B = oracle.one_hot(p.codes, K)
    assert B.shape == (N, M * K)
    np.testing.assert_array_equal(
        B @ p.codebooks.reshape(M * K, D), oracle.decode(p.codebooks, p.codes)
    )
    counts = oracle.gram(p.codes, K)
    for m, j in itertools.product(range(M), repeat=2):
        for k, i in itertools.product(range(K), repeat=2):
            meetings = sum(1 for code in p.codes if code[m] == k and code[j] == i)
            assert counts[m * K + k, j * K + i] == meetings
    sums = oracle.code_sums(p.X, p.codes, K)
    for m, k in itertools.product(range(M), range(K)):
        np.testing.assert_array_equal(sums[m * K + k], p.X[p.codes[:, m] == k].sum(axis=0))


def test_solutions_are_stationary() -> None:
    p = oracle.float_problem(6, 30, 3, 2, 4)
    B, X = oracle.one_hot(p.codes, 4), p.X.astype(np.float64)
    least = oracle.solve_pseudo_inverse(X, p.codes, 4).reshape(8, 3)
    np.testing.assert_allclose(B.T @ (B @ least - X), 0, atol=1e-10)
    ridged = oracle.solve_ridge(X, p.codes, 4, ridge=0.5).reshape(8, 3)
    np.testing.assert_allclose(B.T @ (B @ ridged - X) + 0.5 * ridged, 0, atol=1e-10)
    nearly = oracle.solve_ridge(X, p.codes, 4, ridge=1e-6)
    np.testing.assert_allclose(nearly.reshape(8, 3), least, atol=1e-5)


def test_scores_by_hand() -> None:
    codebooks = np.array([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [-1.0, 0.0]]])
    codes = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.uint8)
    Q = np.array([[3.0, 4.0], [0.0, 0.0]])
    # The reconstructions are (1, 0), (0, 2), (-1, 2) and (0, 0).
    assert oracle.scores(Q, codebooks, codes, "ip").tolist() == [[3, 8, 5, 0], [0, 0, 0, 0]]
    assert oracle.scores(Q, codebooks, codes, "l2").tolist() == [
        [-20, -13, -20, -25],
        [-1, -4, -5, 0],
    ]
    cosine = oracle.scores(Q, codebooks, codes, "cosine")
    np.testing.assert_allclose(cosine, [[0.6, 0.8, 1 / np.sqrt(5), 0], [0, 0, 0, 0]])
    with pytest.raises(ValueError, match="similarity"):
        oracle.scores(Q, codebooks, codes, "dot")


@pytest.mark.parametrize("similarity", ["ip", "l2", "cosine"])
def test_score_rounding_covers_single_precision_and_little_more(similarity: str) -> None:
    p = oracle.float_problem(9, 500, 6, 3, 16)
    Q = p.X[:20]
    exact = oracle.scores(Q, p.codebooks, p.codes, similarity)
    rows = oracle.decode(p.codebooks, p.codes).astype(np.float32)
    if similarity == "l2":
        single = -np.sum((Q[:, None] - rows[None]) ** 2, axis=2, dtype=np.float32)
    else:
        single = Q @ rows.T
    if similarity == "cosine":
        single = single / np.linalg.norm(Q, axis=1)[:, None] / np.linalg.norm(rows, axis=1)
    slack = oracle.score_rounding(Q, p.codebooks, p.codes, similarity)
    assert np.all(np.abs(single - exact) <= slack)
    assert np.median(slack) <= 1e-3


def test_ranking_breaks_ties_by_position_and_fills_missing_places() -> None:
    table = np.array([[1.0, 3.0, 1.0, 3.0]])
    assert oracle.rank(table[0]).tolist() == [1, 3, 0, 2]
    found_scores, found_ids = oracle.top_k(table, 6, ids=[10, 11, 12, 13])
    assert found_ids.tolist() == [[11, 13, 10, 12, -1, -1]]
    assert found_scores.tolist() == [[3, 3, 1, 1, -np.inf, -np.inf]]
    _, found_ids = oracle.top_k(table, 2, allowed=np.array([True, False, True, True]))
    assert found_ids.tolist() == [[3, 0]]


def test_range_search_keeps_the_threshold_itself() -> None:
    table = np.array([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0], [2.0, 2.0, 5.0]])
    limits, found_scores, found_ids = oracle.range_search(table, 2.0)
    assert limits.tolist() == [0, 2, 2, 5]
    assert found_ids.tolist() == [1, 2, 2, 0, 1]
    assert found_scores.tolist() == [3, 2, 5, 2, 2]


def test_no_vectors() -> None:
    p = oracle.float_problem(7, 0, 3, 2, 4)
    assert oracle.objective(p.X, p.codebooks, p.codes, p.metric).shape == (0,)
    assert oracle.icm_sweep(p.X, p.codebooks, p.codes).shape == (0, 2)
    assert oracle.gram(p.codes, 4).sum() == 0
    assert oracle.top_k(np.zeros((0, 3)), 2)[1].shape == (0, 2)
