"""ITQ: a rotation, found by orthogonal Procrustes problems that never make codes worse."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from tagged_clusters import Collection
from wsdhq.baselines.itq import ITQ, learn_rotation


def test_quantization_error_never_rises_and_rotations_stay_orthogonal() -> None:
    rng = np.random.default_rng(0)
    projected = rng.standard_normal((200, 12)) * np.linspace(3, 0.5, 12)
    rotation, errors = learn_rotation(projected, np.random.default_rng(1))
    assert len(errors) == 51
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] < 0.98 * errors[0]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(12), atol=1e-10)
    rotated = projected @ rotation
    expected = np.square(np.where(rotated >= 0, 1, -1) - rotated).sum() / 200
    np.testing.assert_allclose(errors[-1], expected)


def test_each_step_is_the_procrustes_rotation() -> None:
    rng = np.random.default_rng(2)
    projected = rng.standard_normal((50, 6))
    previous, _ = learn_rotation(projected, np.random.default_rng(3), 4)
    rotation, _ = learn_rotation(projected, np.random.default_rng(3), 5)
    signs = np.where(projected @ previous >= 0, 1.0, -1.0)
    expected, _ = linalg.orthogonal_procrustes(projected, signs)
    np.testing.assert_allclose(rotation, expected, atol=1e-10)


def test_bits_that_were_rotated_away_are_found_again() -> None:
    # Corners of a cube, rotated: ITQ must turn them back to its axes.
    rng = np.random.default_rng(4)
    corners = rng.choice([-1.0, 1.0], (400, 4))
    hidden, _ = linalg.qr(rng.standard_normal((4, 4)))
    errors = [
        learn_rotation(corners @ hidden, np.random.default_rng(seed))[1][-1] for seed in range(5)
    ]
    assert min(errors) < 1e-8


def test_hash_functions_are_orthonormal_and_span_the_principal_subspace(
    collection: Collection,
) -> None:
    baseline = ITQ(8, seed=0, threads=1).fit(collection.data)
    assert (np.diff(baseline.quantization_errors) <= 1e-9).all()
    projection = baseline._projection.astype(np.float64)
    np.testing.assert_allclose(projection.T @ projection, np.eye(8), atol=1e-5)
    centred = collection.features - collection.features.mean(axis=0)
    _, _, components = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(
        projection @ projection.T, components[:8].T @ components[:8], atol=1e-4
    )
