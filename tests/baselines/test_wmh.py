"""WMH: its four terms against naive forms, and the eigenvalue problem that they make."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from tagged_clusters import Collection
from wsdhq.baselines import wmh
from wsdhq.baselines.common.features import mean_of
from wsdhq.baselines.common.tag_matrix import tag_matrix
from wsdhq.baselines.wmh import WMH, graph_laplacian, local_discriminant, tag_scatter


def test_tags_are_binary_rows_of_unit_norm() -> None:
    matrix = tag_matrix([["b", "a"], [], ["a"], ["a", "c", "a", "b", "d"]])
    np.testing.assert_allclose(
        matrix.toarray(),
        [[0.5**0.5, 0.5**0.5, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0.5, 0.5]],
    )


@pytest.mark.parametrize("values", [1 << 24, 100])
def test_tag_scatter_is_that_of_the_similarity_of_tag_sets(
    values: int, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wmh, "_TEMPORARY_VALUES", values)  # 100: blocks of 4 tags
    sets = [set(tags) for tags in collection.tags]
    similarity = np.array(
        [[len(a & b) / np.sqrt(len(a) * len(b)) if a and b else 0 for b in sets] for a in sets]
    )
    mean = mean_of(collection.features)
    centred = collection.features - mean
    expected = centred.T @ similarity @ centred
    result = tag_scatter(collection.features, mean, tag_matrix(collection.tags))
    np.testing.assert_allclose(result, expected, atol=1e-5 * np.abs(expected).max())


def neighbours_of(points: np.ndarray, k: int) -> np.ndarray:
    distances = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :k]


def test_graph_laplacian_sums_squared_differences_over_links() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((30, 3))
    neighbours = neighbours_of(points, 4)
    links = {tuple(sorted((i, int(j)))) for i in range(30) for j in neighbours[i]}
    values = rng.standard_normal(30)
    expected = sum((values[i] - values[j]) ** 2 for i, j in links)
    laplacian = graph_laplacian(neighbours).toarray()
    np.testing.assert_allclose(values @ laplacian @ values, expected)
    np.testing.assert_allclose(laplacian, laplacian.T)


@pytest.mark.parametrize("values", [1 << 24, 50])
def test_local_models_equal_a_loop_over_cliques(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wmh, "_TEMPORARY_VALUES", values)  # 50: few cliques at a time
    rng = np.random.default_rng(1)
    points = rng.standard_normal((25, 4)).astype(np.float32)
    neighbours = neighbours_of(points, 3)
    cliques = [[i, *neighbours[i]] for i in range(25)]
    middle = np.eye(4) - 1 / 4
    spread = np.mean([np.square(middle @ points[clique]).sum() / 4 for clique in cliques])
    expected = np.zeros((25, 25))
    for clique in cliques:
        gram = middle @ points[clique] @ points[clique].T @ middle
        model = middle @ np.linalg.inv(gram + spread * np.eye(4)) @ middle
        expected[np.ix_(clique, clique)] += model
    result = local_discriminant(points, neighbours).toarray()
    np.testing.assert_allclose(result, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(result @ np.ones(25), 0, atol=1e-10)
    assert np.linalg.eigvalsh((result + result.T) / 2)[0] > -1e-10


def test_local_models_of_equal_points_are_finite() -> None:
    result = local_discriminant(np.ones((6, 2), np.float32), neighbours_of(np.eye(6), 2))
    assert np.isfinite(result.toarray()).all()


def test_functions_are_the_leading_eigenvectors(collection: Collection) -> None:
    baseline = WMH(8, seed=0, threads=1, rotate=False).fit(collection.data)
    objective = baseline._objective
    np.testing.assert_allclose(objective, objective.T, atol=1e-12)
    W = baseline._projection.astype(np.float64)
    np.testing.assert_allclose(W.T @ W, np.eye(8), atol=1e-5)
    values = np.linalg.eigvalsh(objective)[::-1][:8]
    np.testing.assert_allclose(objective @ W, W * values, atol=1e-6)


def test_no_other_orthonormal_functions_reach_the_objective(collection: Collection) -> None:
    baseline = WMH(8, seed=0, threads=1).fit(collection.data)
    W = baseline._projection.astype(np.float64)
    np.testing.assert_allclose(W.T @ W, np.eye(8), atol=1e-5)
    reached = np.trace(W.T @ baseline._objective @ W)
    rng = np.random.default_rng(0)
    for _ in range(50):
        other, _ = linalg.qr(rng.standard_normal((24, 8)), mode="economic")
        assert np.trace(other.T @ baseline._objective @ other) < reached


def test_rotation_keeps_the_objective_and_evens_out_the_bits(collection: Collection) -> None:
    plain = WMH(8, seed=0, threads=1, rotate=False).fit(collection.data)
    rotated = WMH(8, seed=0, threads=1).fit(collection.data)
    spreads = []
    reached = []
    for baseline in (plain, rotated):
        W = baseline._projection.astype(np.float64)
        reached.append(np.trace(W.T @ plain._objective @ W))
        deviations = baseline._project(collection.features).std(axis=0)
        spreads.append(deviations.max() / deviations.min())
    assert reached[0] == pytest.approx(reached[1], rel=1e-5)
    assert spreads[1] < spreads[0]


def test_local_terms_come_from_a_sample_of_many_rows(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = WMH(8, seed=0, threads=1).fit(collection.data)
    monkeypatch.setattr(wmh, "_MAX_ROWS", 150)
    sampled = WMH(8, seed=0, threads=1).fit(collection.data)
    difference = np.abs(whole._objective - sampled._objective).max()
    assert 0 < difference < 0.05
