"""The blocked factorisation against NumPy's, whatever the size and the number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from wsdhq.quant.cholesky import is_positive_definite, solve_ridge


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
    np.testing.assert_allclose(solve_ridge(gram, right, 0.5), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads: int) -> None:
    gram, right = symmetric(1300), np.random.default_rng(0).standard_normal((1300, 1100))
    np.testing.assert_array_equal(
        solve_ridge(gram, right, 0.5, threads), solve_ridge(gram, right, 0.5)
    )


def test_a_nearly_singular_matrix_leaves_a_small_residual() -> None:
    # One-hot columns of two codebooks: singular but for the ridge, by eleven digits.
    codes = np.random.default_rng(0).integers(0, 150, (20_000, 2)) + np.array([0, 150])
    hot = np.zeros((20_000, 300))
    np.put_along_axis(hot, codes, 1.0, axis=1)
    gram, right = hot.T @ hot, hot.T @ np.random.default_rng(1).standard_normal((20_000, 7))
    found = solve_ridge(gram, right, 1e-7)
    residual = gram @ found + 1e-7 * found - right
    assert np.abs(residual).max() < 1e-11 * np.abs(right).max()


@pytest.mark.parametrize("size", [3, 64, 150])
def test_what_is_positive_definite_is_told(size: int) -> None:
    matrix = symmetric(size).astype(float)
    least = np.linalg.eigvalsh(matrix)[0]
    assert is_positive_definite(matrix, 1e-3)
    assert is_positive_definite(matrix - least * np.eye(size), 1e-3)
    assert not is_positive_definite(matrix - (least + 0.01) * np.eye(size), 1e-3)
    with pytest.raises(np.linalg.LinAlgError):
        solve_ridge(matrix - (least + 0.01) * np.eye(size), np.ones((size, 1)), 1e-3)
