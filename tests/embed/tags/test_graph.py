"""The correlation graph, enhancement and merging, against brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import DBSCAN

from tag_oracle import brute_graph, brute_groups, clustered, exact_graph
from wsdhq.embed.tags import graph as graph_module
from wsdhq.embed.tags.graph import correlation_graph, enhance, group_means, merge_dense


class TestCorrelationGraph:
    @pytest.mark.parametrize("seed", range(12))
    def test_equals_brute_force(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n, dim = int(rng.integers(2, 90)), int(rng.integers(1, 40))
        vectors = clustered(rng, n, dim, 0.4)
        num_neighbours, threshold = int(rng.integers(0, 12)), float(rng.uniform(-0.5, 0.95))
        found = correlation_graph(vectors, num_neighbours, threshold)
        # In one dimension nearly every pair ties at +-1, up to the rounding of brute force.
        if dim > 1:
            assert np.array_equal(found.toarray(), brute_graph(vectors, num_neighbours, threshold))
        assert (np.diff(found.indptr) <= num_neighbours + 1).all()

    @pytest.mark.parametrize("seed", range(6))
    def test_ties_go_to_the_lowest_index(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        vectors = rng.integers(-1, 2, size=(60, 5)).astype(np.float32)
        vectors = vectors[vectors.any(axis=1)]
        for num_neighbours in (1, 3, 7):
            for threshold in (Fraction(1, 2), Fraction(1), Fraction(-1)):
                found = correlation_graph(vectors, num_neighbours, float(threshold)).toarray()
                expected = exact_graph(vectors, num_neighbours, threshold)
                assert np.array_equal(found, expected)

    def test_equal_vectors_tie_wherever_they_stand(self) -> None:
        rng = np.random.default_rng(3)
        distinct = rng.normal(size=(7, 301)).astype(np.float32)
        which = rng.integers(7, size=143)
        found = correlation_graph(distinct[which], num_neighbours=2, threshold=1.0)
        for row in range(len(which)):
            same = [j for j in np.flatnonzero(which == which[row]) if j != row][:2]
            assert found[[row]].indices.tolist() == sorted([row, *same])

    def test_blocks_do_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        vectors = clustered(np.random.default_rng(4), 83, 11, 0.3)
        whole = correlation_graph(vectors, 5, 0.6).toarray()
        for values in (1, 100, 1000):
            monkeypatch.setattr(graph_module, "_BLOCK_VALUES", values)
            assert np.array_equal(correlation_graph(vectors, 5, 0.6).toarray(), whole)

    def test_defaults_are_those_of_the_paper(self) -> None:
        vectors = clustered(np.random.default_rng(5), 120, 6, 0.2)
        assert np.array_equal(correlation_graph(vectors).toarray(), brute_graph(vectors, 20, 0.75))

    def test_scale_and_type_change_nothing(self) -> None:
        vectors = clustered(np.random.default_rng(6), 40, 9, 0.3).astype(np.float16)
        expected = correlation_graph(vectors.astype(np.float64), 4, 0.5).toarray()
        assert np.array_equal(correlation_graph(vectors, 4, 0.5).toarray(), expected)
        for scale in (1e-200, 1e200):
            scaled = vectors.astype(np.float64) * scale
            assert np.array_equal(correlation_graph(scaled, 4, 0.5).toarray(), expected)

    def test_few_tags(self) -> None:
        assert correlation_graph(np.zeros((0, 3), np.float32)).shape == (0, 0)
        assert correlation_graph(np.ones((1, 3), np.float32)).toarray().tolist() == [[1]]
        two = np.array([[1.0, 0.0], [2.0, 0.0]], np.float32)
        assert correlation_graph(two, 50).toarray().tolist() == [[1, 1], [1, 1]]

    def test_result_is_sorted_csr_of_ones(self) -> None:
        found = correlation_graph(clustered(np.random.default_rng(7), 50, 4, 0.2), 6, 0.3)
        assert isinstance(found, sparse.csr_array)
        assert found.dtype == np.uint8
        assert (found.data == 1).all()
        assert found.has_sorted_indices

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"vectors": np.ones((3, 2), np.int64)}, TypeError, "vectors: expected float16.*int64"),
            ({"vectors": np.ones(3, np.float32)}, ValueError, r"got shape \(3,\)"),
            ({"vectors": np.array([[1.0], [np.nan]])}, ValueError, r"vectors\[1\] holds NaN"),
            ({"vectors": np.array([[1.0], [0.0]])}, ValueError, r"vectors\[1\] is all zeros"),
            ({"num_neighbours": -1}, ValueError, "num_neighbours: expected at least 0, got -1"),
            ({"num_neighbours": 2.5}, TypeError, "num_neighbours: expected an integer"),
            ({"threshold": 1.5}, ValueError, r"threshold: expected -1 to 1, got 1\.5"),
            ({"threshold": float("nan")}, ValueError, "threshold: expected a finite"),
            ({"threshold": "0.5"}, TypeError, "threshold: expected a number"),
        ],
    )
    def test_bad_input(self, change: dict, error: type[Exception], message: str) -> None:
        arguments = {"vectors": np.eye(3), "num_neighbours": 2, "threshold": 0.5} | change
        with pytest.raises(error, match=message):
            correlation_graph(**arguments)


class TestEnhance:
    def test_is_the_mean_over_neighbours(self) -> None:
        vectors = clustered(np.random.default_rng(8), 60, 7, 0.3)
        adjacency = brute_graph(vectors, 5, 0.4)
        expected = np.stack([vectors[row > 0].astype(float).mean(axis=0) for row in adjacency])
        found = enhance(vectors, sparse.csr_array(adjacency))
        assert found.dtype == np.float64
        assert np.allclose(found, expected, rtol=1e-14, atol=1e-14)

    def test_equal_neighbourhoods_give_equal_bits(self) -> None:
        vectors = np.random.default_rng(9).normal(size=(5, 30))
        # The same neighbours, stored in another order.
        indices, limits = [0, 2, 4, 4, 0, 2, 2, 4, 0], [0, 3, 3, 6, 6, 9]
        weights = sparse.csr_array((np.ones(9), indices, limits), shape=(5, 5))
        weights = weights + sparse.diags_array([0.0, 1.0, 0.0, 1.0, 0.0])
        found = enhance(vectors, weights)
        assert np.array_equal(found[0], found[2])
        assert np.array_equal(found[0], found[4])
        assert np.array_equal(found[1], vectors[1])

    @pytest.mark.parametrize(
        ("graph", "error", "message"),
        [
            (np.eye(3), TypeError, "graph: expected a SciPy sparse matrix, got ndarray"),
            (sparse.eye_array(4), ValueError, r"graph: expected \(3, 3\).*got \(4, 4\)"),
            (sparse.diags_array([1.0, 0.0, 1.0]), ValueError, "graph: .* got an empty row 1"),
            (sparse.diags_array([1.0, -1.0, 1.0]), ValueError, "weights of at least 0"),
            (sparse.diags_array([1.0, np.nan, 1.0]), ValueError, "finite weights"),
        ],
    )
    def test_bad_input(self, graph: object, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            enhance(np.eye(3), graph)


class TestMergeDense:
    @pytest.mark.parametrize("seed", range(10))
    def test_equals_brute_force_and_dbscan(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        points = rng.uniform(size=(int(rng.integers(1, 120)), int(rng.integers(1, 6))))
        radius = float(rng.uniform(0.01, 0.25))
        found = merge_dense(points, radius)
        assert found.dtype == np.int64
        assert np.array_equal(found, brute_groups(points, radius))
        labels = DBSCAN(eps=radius, min_samples=2).fit(points).labels_
        for row, label in enumerate(labels):
            expected = labels == label if label >= 0 else np.arange(len(points)) == row
            assert np.array_equal(found == found[row], expected)

    def test_reachability_is_transitive_and_order_is_of_first_members(self) -> None:
        # A chain 9 .. 5 whose links come late and out of order, and two loners.
        points = np.array([[9.0], [0.0], [5.0], [7.0], [2.0], [6.0], [8.0]])
        assert merge_dense(points, 1.0).tolist() == [0, 1, 0, 0, 2, 0, 0]
        assert merge_dense(points, 0.99).tolist() == [0, 1, 2, 3, 4, 5, 6]

    def test_distance_equal_to_the_radius_joins(self) -> None:
        assert merge_dense(np.array([[0.0, 0.0], [3.0, 4.0]]), 5.0).tolist() == [0, 0]

    def test_radius_zero_joins_only_equal_vectors(self) -> None:
        points = np.array([[0.1, 0.2], [0.3, 0.1], [0.1, 0.2], [np.nextafter(0.3, 1.0), 0.1]])
        assert merge_dense(points, 0.0).tolist() == [0, 1, 0, 2]

    def test_many_edges_are_reduced_on_the_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        points = np.random.default_rng(11).uniform(size=(150, 2))
        expected = merge_dense(points, 0.08)
        assert 1 < expected.max() < 149
        monkeypatch.setattr(graph_module, "_BALL_ROWS", 7)
        monkeypatch.setattr(graph_module, "_BALL_EDGES", 20)
        assert np.array_equal(merge_dense(points, 0.08), expected)

    def test_no_tags(self) -> None:
        assert merge_dense(np.zeros((0, 4)), 0.1).shape == (0,)

    @pytest.mark.parametrize(
        ("points", "radius", "error", "message"),
        [
            (np.eye(2), -0.1, ValueError, "radius: expected at least 0"),
            (np.eye(2), float("inf"), ValueError, "radius: expected a finite"),
            (np.eye(2), None, TypeError, "radius: expected a number"),
            (np.array([[np.inf]]), 0.1, ValueError, r"vectors\[0\] holds NaN or infinity"),
            (np.eye(2, dtype=bool), 0.1, TypeError, "vectors: expected float16"),
        ],
    )
    def test_bad_input(
        self, points: np.ndarray, radius: float, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            merge_dense(points, radius)


class TestGroupMeans:
    def test_is_the_mean_of_each_group(self) -> None:
        rng = np.random.default_rng(12)
        vectors = rng.normal(size=(30, 5)).astype(np.float32)
        group_of = np.concatenate([np.arange(8), rng.integers(7, size=22)])
        found = group_means(vectors, group_of)
        for group in range(8):
            expected = vectors[group_of == group].astype(float).mean(axis=0)
            assert np.allclose(found[group], expected, rtol=1e-13, atol=1e-15)
        assert np.array_equal(found[7], vectors[7])

    @pytest.mark.parametrize(
        ("group_of", "error", "message"),
        [
            ([0, 2, 2], ValueError, "group 1 of group_of has no member"),
            ([0, -1, 1], ValueError, "at least 0, got -1"),
            ([0, 1], ValueError, r"group_of: expected \(3,\)"),
            ([0.0, 1.0, 2.0], TypeError, "integer type"),
        ],
    )
    def test_bad_input(self, group_of: list, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            group_means(np.eye(3), group_of)
