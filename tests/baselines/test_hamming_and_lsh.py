"""Packed bits, the Hamming ranking, and random hyperplanes."""

from __future__ import annotations

import numpy as np

from tagged_clusters import Collection
from wsdhq.baselines.common.features import covariance, mean_of, principal_directions
from wsdhq.baselines.common.hamming import pack_bits, rank_by_hamming, unpack_signs
from wsdhq.baselines.interface import TrainingData
from wsdhq.baselines.lsh import LSH


def test_bits_are_packed_from_the_most_significant_on_and_zero_counts_as_positive() -> None:
    values = np.array([[1, -1, 0, -2, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0.5]])
    codes = pack_bits(values)
    np.testing.assert_array_equal(codes, [[0b10101000, 1]])
    np.testing.assert_array_equal(unpack_signs(codes), np.where(values >= 0, 1, -1))


def test_ranking_is_by_distance_then_position() -> None:
    rng = np.random.default_rng(0)
    queries = rng.integers(0, 256, (9, 3)).astype(np.uint8)
    database = rng.integers(0, 256, (50, 3)).astype(np.uint8)
    scores, positions = rank_by_hamming(queries, database)(2, 9)
    for row, query in enumerate(queries[2:]):
        distances = [sum(int(a ^ b).bit_count() for a, b in zip(query, code)) for code in database]
        expected = sorted(range(50), key=lambda place: (distances[place], place))
        np.testing.assert_array_equal(np.asarray(positions)[row], expected)
        np.testing.assert_array_equal(
            np.asarray(scores)[row], [24 - 2 * distances[place] for place in expected]
        )


def test_mean_and_covariance_equal_numpy() -> None:
    # Rows of many chunks, far from zero: sums must not lose what distinguishes them.
    rng = np.random.default_rng(1)
    features = (rng.standard_normal((1300, 7000)) + 100).astype(np.float32)
    mean = mean_of(features)
    np.testing.assert_allclose(mean, features.mean(axis=0, dtype=np.float64), rtol=1e-12)
    part = np.asfortranarray(features[:, :40])
    np.testing.assert_allclose(
        covariance(part, mean[:40]),
        np.cov(part.astype(np.float64).T, bias=True),
        atol=1e-4,
    )


def test_principal_directions_descend() -> None:
    rng = np.random.default_rng(2)
    factor = rng.standard_normal((9, 9))
    values, directions = principal_directions(factor @ factor.T, 4)
    assert (np.diff(values) < 0).all()
    np.testing.assert_allclose(directions.T @ directions, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(factor @ factor.T @ directions, directions * values, atol=1e-10)


def test_lsh_bits_are_sides_of_hyperplanes_through_the_mean(collection: Collection) -> None:
    baseline = LSH(16, seed=5, threads=1).fit(collection.data)
    features = collection.features.astype(np.float64)
    normals = np.random.default_rng(5).standard_normal((24, 16))
    values = (features - features.mean(axis=0)) @ normals
    clear = np.abs(values) > 1e-3
    signs = unpack_signs(baseline.encode(collection.features))
    np.testing.assert_array_equal(signs[clear], np.sign(values)[clear])


def test_lsh_bits_differ_as_angles_do() -> None:
    # Charikar: a hyperplane separates two vectors with probability angle / pi.
    rng = np.random.default_rng(3)
    half = rng.standard_normal((20, 10)).astype(np.float32)
    features = np.concatenate([half, -half])  # the mean is zero
    baseline = LSH(8192, seed=0, threads=1).fit(TrainingData(features))
    signs = unpack_signs(baseline.encode(features)).astype(np.float64)
    differing = (1 - signs @ signs.T / 8192) / 2
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1))
    np.testing.assert_allclose(differing, angles / np.pi, atol=0.03)
