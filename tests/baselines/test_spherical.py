"""SpH: balanced and independent balls, the steps of the paper, and its distance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tagged_clusters import Collection
from wsdhq.baselines import TrainingData
from wsdhq.baselines.common.hamming import unpack_signs
from wsdhq.baselines.spherical import SphericalHashing, overlaps, rank_by_spherical_hamming


def test_balls_hold_half_and_share_a_quarter(collection: Collection) -> None:
    baseline = SphericalHashing(16, seed=1, threads=1).fit(collection.data)
    assert baseline.converged
    inside = unpack_signs(baseline.encode(collection.features)) > 0
    # A row may lie on a radius: the median is between two rows, which float32 may not tell apart.
    np.testing.assert_allclose(inside.sum(axis=0), 150, atol=2)
    shared = overlaps(inside)[np.triu_indices(16, 1)] / (300 / 4)
    assert np.abs(shared - 1).mean() <= 0.10 + 0.01
    assert shared.std() <= 0.15 + 0.01


def test_overlaps_are_counts_of_rows_in_both() -> None:
    inside = np.random.default_rng(0).random((40, 5)) < 0.5
    for i in range(5):
        for j in range(5):
            assert overlaps(inside)[i, j] == sum(row[i] and row[j] for row in inside)


def by_the_paper(rows: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Algorithm 1, step by step, from given centres."""
    m, count = len(rows), len(centres)
    for step in range(300):
        distances = np.linalg.norm(rows[:, None] - centres, axis=2)
        radii = np.median(distances, axis=0)
        inside = distances <= radii
        shared = np.array(
            [[(inside[:, i] & inside[:, j]).sum() for j in range(count)] for i in range(count)]
        )
        errors = shared[np.triu_indices(count, 1)] - m / 4
        if np.abs(errors).mean() <= 0.1 * m / 4 and errors.std() <= 0.15 * m / 4:
            return centres, radii, step
        forces = np.zeros_like(centres)
        for i in range(count):
            for j in range(count):
                if i != j:
                    strength = 0.5 * (shared[i, j] - m / 4) / (m / 4)
                    forces[i] += strength * (centres[i] - centres[j])
        centres = centres + forces / count
    raise AssertionError("the reference did not converge")


def test_centres_move_as_in_the_paper(collection: Collection) -> None:
    baseline = SphericalHashing(8, seed=2, threads=1).fit(collection.data)
    rows = collection.features.astype(np.float64)
    mean = rows.mean(axis=0)
    start = baseline._starting_centres(collection.features, mean, np.random.default_rng(2))
    centres, radii, steps = by_the_paper(rows - mean, start.astype(np.float64))
    assert steps > 2
    np.testing.assert_allclose(baseline._centres, centres, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.sqrt(baseline._squared_radii), radii, rtol=1e-4)


def test_a_start_is_a_mean_of_rows(collection: Collection) -> None:
    mean = np.zeros(24)
    start = SphericalHashing(8)._starting_centres(
        collection.features, mean, np.random.default_rng(0)
    )
    chosen = np.random.default_rng(0).choice(300, 5, replace=False)
    np.testing.assert_allclose(start[0], collection.features[chosen].mean(axis=0), rtol=1e-5)


def test_too_few_different_rows_are_refused() -> None:
    features = np.array([[0, 0], [1, 2], [3, 1]], np.float32)
    with pytest.raises(ValueError, match=r"8 different means of 5 rows, .* 3 rows gave only 1"):
        SphericalHashing(8).fit(TrainingData(features))


def test_distance_is_xor_over_and() -> None:
    rng = np.random.default_rng(4)
    # Sparse codes, so that some share no bit and some are empty.
    flags = rng.random((60, 16)) < rng.choice([0.0, 0.15, 0.6], (60, 1))
    codes = np.packbits(flags, axis=1)
    scores, positions = (
        np.asarray(part) for part in rank_by_spherical_hamming(codes, codes)(7, 60)
    )
    apart = 0
    for row, query in enumerate(flags[7:]):
        keys = []
        for place, code in enumerate(flags):
            different, both = int((query ^ code).sum()), int((query & code).sum())
            if both:
                keys.append((0, Fraction(different, both), place))
            elif different:
                apart += 1
                keys.append((1, Fraction(different), place))
            else:
                keys.append((0, Fraction(0), place))
        keys.sort()
        np.testing.assert_array_equal(positions[row], [place for *_, place in keys])
        for score, (beyond, distance, _) in zip(scores[row], keys):
            assert beyond or score == pytest.approx(-float(distance), rel=1e-6)
    assert apart > 20
