"""The blocked factorization against NumPy's, whatever the size and the number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from wsdhq._core import indefinite_quotient, solve_ridge, weighted_sum_of_squares


def symmetric(size: int) -> np.ndarray:
    root = np.random.default_rng(size).integers(-3, 4, (size, size)).astype(np.float64)
    return (root @ root.T).astype(np.int64)


@pytest.mark.parametrize(
    ("size", "dim"), [(1, 1), (5, 3), (63, 2), (64, 64), (65, 1), (200, 130), (130, 1200)]
)
def test_solves_what_numpy_solves(size: int, dim: int) -> None:
    gram = symmetric(size)
    right = np.random.default_rng(0).standard_normal((size, dim))
    expected = np.linalg.solve(gram + 0.5 * np.eye(size), right)
    np.testing.assert_allclose(solve_ridge(gram, right, 0.5, 1), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads: int) -> None:
    gram, right = symmetric(1300), np.random.default_rng(0).standard_normal((1300, 1100))
    np.testing.assert_array_equal(
        solve_ridge(gram, right, 0.5, threads), solve_ridge(gram, right, 0.5, 1)
    )


def test_a_nearly_singular_matrix_leaves_a_small_residual() -> None:
    # One-hot columns of two codebooks: singular but for the ridge, by eleven digits.
    codes = np.random.default_rng(0).integers(0, 150, (20_000, 2)) + np.array([0, 150])
    hot = np.zeros((20_000, 300))
    np.put_along_axis(hot, codes, 1.0, axis=1)
    gram, right = hot.T @ hot, hot.T @ np.random.default_rng(1).standard_normal((20_000, 7))
    found = solve_ridge(gram.astype(np.int64), right, 1e-7, 1)
    assert found is not None
    residual = gram @ found + 1e-7 * found - right
    assert np.abs(residual).max() < 1e-11 * np.abs(right).max()


def test_what_is_not_positive_definite_is_not_solved() -> None:
    gram = symmetric(150)
    gram[70, 70] = -1
    assert solve_ridge(gram, np.ones((150, 1)), 0.5, 1) is None
    # Twice the same row: nothing but rounding is left at the second.
    ones = np.ones((80, 80), np.int64)
    assert solve_ridge(ones, np.ones((80, 1)), 1e-20, 1) is None
    assert solve_ridge(ones, np.ones((80, 1)), 1e-6, 1) is not None


@pytest.mark.parametrize("size", [1, 3, 64, 65, 150, 400])
@pytest.mark.parametrize("place", [0.0, 0.3, 1.0])
def test_an_indefinite_matrix_is_told_with_a_proof(size: int, place: float) -> None:
    rng = np.random.default_rng(size)
    basis, _ = np.linalg.qr(rng.standard_normal((size, size)))
    values = np.linspace(1.0, 5.0, size)
    # Within what a plain matrix of doubles rounds to, and beyond it.
    for least in (-2.0, -0.02, -0.0011, -0.0009, 0.0, 0.5):
        values[int(place * (size - 1))] = least
        matrix = basis * values @ basis.T
        matrix = (matrix + matrix.T) / 2
        quotient = indefinite_quotient(np.ascontiguousarray(matrix), 1e-3, 1)
        if least > -1e-3:
            assert quotient is None
        else:
            assert quotient is not None
            # That of some vector: not below the least eigenvalue, and a proof that it is negative.
            assert least - 1e-9 <= quotient <= -1e-3 + 1e-9


@pytest.mark.parametrize("count", [0, 1, 7, 8, 501])
@pytest.mark.parametrize("dim", [1, 3, 16, 100])
def test_the_sum_of_squares_under_a_metric(count: int, dim: int) -> None:
    rng = np.random.default_rng(dim)
    errors = rng.standard_normal((count, dim)).astype(np.float32)
    root = rng.standard_normal((dim, dim))
    metric = (root @ root.T).astype(np.float32)
    expected = np.einsum("nd,de,ne->", *(a.astype(np.float64) for a in (errors, metric, errors)))
    found = weighted_sum_of_squares(errors, metric, 1)
    assert found == pytest.approx(expected, rel=1e-6)
    assert weighted_sum_of_squares(errors, metric, 3) == found
