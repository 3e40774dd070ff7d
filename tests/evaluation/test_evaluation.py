"""Batch-by-batch evaluation against the metrics of the whole relevance array."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from wsdhq import metrics
from wsdhq.evaluation import (
    DEFAULT_POINTS,
    evaluate_groupings,
    evaluate_ranking,
    rank_by_index,
    rank_by_inner_product,
    spread_queries,
)
from wsdhq.quant import AdditiveQuantizer, AQDIndex


def world(seed=0, num_queries=11, num_database=90, num_labels=6):
    generator = np.random.default_rng(seed)
    query_labels = generator.random((num_queries, num_labels)) < 0.2
    database_labels = generator.random((num_database, num_labels)) < 0.2
    query_labels[0] = False
    # Few distinct scores, so that there are ties to average over.
    scores = generator.integers(0, 12, size=(num_queries, num_database)).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")
    return query_labels, database_labels, np.take_along_axis(scores, order, axis=1), order


def ranker(scores, positions):
    return lambda start, stop: (
        None if scores is None else scores[start:stop],
        positions[start:stop],
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("R", [1, 20, 5000])
def test_agrees_with_the_metrics(seed, R):
    queries, database, scores, order = world(seed)
    relevance = metrics.ranked_relevance(order, queries, database)
    counts = metrics.count_relevant(queries, database)
    result = evaluate_ranking(ranker(scores, order), queries, database, R, points=(10, 1, 90, 91))
    per_query = metrics.average_precision(relevance, R)
    np.testing.assert_array_equal(result.average_precision, per_query)
    # With R = 1 it happens that every query is skipped: nan on both sides.
    np.testing.assert_array_equal(result.map, metrics.mean_average_precision(relevance, R))
    np.testing.assert_array_equal(
        result.map_all,
        metrics.mean_average_precision(relevance, R, denominator="all", num_relevant=counts),
    )
    ties = metrics.tie_averaged_average_precision(scores, relevance, R)
    assert result.map_tie_averaged == pytest.approx(np.nanmean(ties))
    assert result.map_random == metrics.random_ranking_map(queries, database, R, 0)
    assert result.num_skipped == np.isnan(per_query).sum() >= 1
    assert result.num_without_relevant == np.count_nonzero(counts == 0) >= 1
    assert result.chance == pytest.approx(counts.mean() / 90)
    assert (result.num_queries, result.num_database, result.R) == (11, 90, R)
    # A depth beyond the database is left out.
    assert list(result.precision_at) == [1, 10, 90]
    for depth, value in result.precision_at.items():
        assert value == pytest.approx(metrics.precision_at(relevance, depth))
    recall, precision = metrics.precision_recall(relevance, counts)
    np.testing.assert_array_equal(result.depths[[0, -1]], [1, 90])
    np.testing.assert_allclose(result.recall, recall[result.depths - 1], rtol=1e-12)
    np.testing.assert_allclose(result.precision, precision[result.depths - 1], rtol=1e-12)


def test_batch_size_changes_no_bit():
    queries, database, scores, order = world(1)
    expected = evaluate_ranking(ranker(scores, order), queries, database).to_dict(per_query=True)
    for batch_size in (1, 4, 11, 1000):
        seen: list[tuple[int, int]] = []
        result = evaluate_ranking(
            ranker(scores, order),
            queries,
            database,
            batch_size=batch_size,
            progress=lambda done, total, seen=seen: seen.append((done, total)),
        )
        assert result.to_dict(per_query=True) == expected
        assert seen[-1] == (11, 11)
        assert len(seen) == math.ceil(11 / batch_size)


def test_a_ranking_cut_at_depth_k():
    queries, database, scores, order = world(2)
    whole = evaluate_ranking(ranker(scores, order), queries, database, 20)
    cut = evaluate_ranking(ranker(scores[:, :30], order[:, :30]), queries, database, 20)
    assert cut.map == whole.map
    assert cut.map_all == whole.map_all
    assert cut.map_tie_averaged is None
    assert list(cut.precision_at) == [1, 5, 10, 20]
    assert cut.depths[-1] == 30
    at_cut = whole.recall[np.searchsorted(whole.depths, 30, side="right") - 1]
    assert cut.recall[-1] >= at_cut
    with pytest.raises(ValueError, match=r"expected depth min\(R, N\) = 31, got 30"):
        evaluate_ranking(ranker(None, order[:, :30]), queries, database, 31)
    with pytest.raises(ValueError, match=r"= 90, got 30"):
        evaluate_ranking(ranker(None, order[:, :30]), queries, database, 5000)


def test_missing_results_and_no_scores():
    queries, database, scores, order = world(3)
    padded = np.pad(order, ((0, 0), (0, 5)), constant_values=-1)
    padded_scores = np.pad(scores, ((0, 0), (0, 5)), constant_values=-np.inf)
    expected = evaluate_ranking(ranker(scores, order), queries, database)
    result = evaluate_ranking(ranker(padded_scores, padded), queries, database)
    assert result.depths[-1] == 90
    # Only the order in which numbers are added may differ.
    assert result.map == pytest.approx(expected.map, rel=1e-12)
    assert result.map_tie_averaged == pytest.approx(expected.map_tie_averaged, rel=1e-12)
    assert result.precision_at == expected.precision_at
    assert result.recall.tolist() == expected.recall.tolist()
    assert result.precision.tolist() == expected.precision.tolist()
    without = evaluate_ranking(ranker(None, order), queries, database, random_seed=None)
    assert without.map == expected.map
    assert without.map_tie_averaged is None
    assert without.map_random is None


def test_several_groupings_are_ranked_once():
    queries, database, scores, order = world(4)
    calls = []

    def rank(start, stop):
        calls.append((start, stop))
        return scores[start:stop], order[start:stop]

    pairs = {"coarse": (queries[:, :2], database[:, :2]), "fine": (queries, database)}
    results = evaluate_groupings(rank, pairs, batch_size=6)
    assert calls == [(0, 6), (6, 11)]
    assert list(results) == ["coarse", "fine"]
    for name, labels in pairs.items():
        alone = evaluate_ranking(ranker(scores, order), *labels)
        assert results[name].to_dict() == alone.to_dict()


def test_to_dict_is_json_without_nan():
    queries, database, scores, order = world(5)
    result = evaluate_ranking(ranker(scores, order), queries, database)
    text = json.dumps(result.to_dict(per_query=True), allow_nan=False)
    back = json.loads(text)
    assert back["map"] == result.map
    assert back["precision_at"] == {str(key): value for key, value in result.precision_at.items()}
    assert back["average_precision"][0] is None
    assert "average_precision" not in result.to_dict()
    nothing = evaluate_ranking(ranker(scores, order), np.zeros_like(queries), database)
    assert nothing.num_skipped == 11
    assert math.isnan(nothing.map)
    assert nothing.to_dict()["map"] is None
    json.dumps(nothing.to_dict(), allow_nan=False)


def test_default_points_reach_the_depth_of_the_paper():
    assert DEFAULT_POINTS[0] == 1
    assert DEFAULT_POINTS[-1] == 5000


def test_bad_rankings_are_refused():
    queries, database, scores, order = world(6)

    def evaluate(new_scores, new_order, **options):
        return evaluate_ranking(ranker(new_scores, new_order), queries, database, **options)

    twice = order.copy()
    twice[7, 5] = twice[7, 4]
    with pytest.raises(ValueError, match="name a result twice for query 7"):
        evaluate(None, twice, batch_size=4)
    outside = order.copy()
    outside[6, 2] = 90
    with pytest.raises(ValueError, match="row 6 holds 90"):
        evaluate(None, outside, batch_size=4)
    with pytest.raises(ValueError, match=r"queries 0 \.\. 10, got 4 rows"):
        evaluate(None, order[:4])
    rising = scores.copy()
    rising[9] = rising[9, ::-1]
    with pytest.raises(ValueError, match="query 9 breaks this"):
        evaluate(rising, order, batch_size=4)
    unknown = scores.copy()
    unknown[3, 0] = np.nan
    with pytest.raises(ValueError, match="query 3 breaks this"):
        evaluate(unknown, order)
    with pytest.raises(ValueError, match="scores: expected the shape of positions"):
        evaluate(scores[:, 1:], order)
    with pytest.raises(TypeError, match="positions: expected integers"):
        evaluate(None, order.astype(float))
    with pytest.raises(ValueError, match=r"same depth in each batch: queries 6 \.\. 10 have 89"):
        evaluate_ranking(
            lambda start, stop: (None, order[start:stop, : 90 if start == 0 else 89]),
            queries,
            database,
            20,
            batch_size=6,
        )


def test_bad_settings_are_refused():
    queries, database, scores, order = world(7)
    rank = ranker(scores, order)
    with pytest.raises(ValueError, match="R: expected at least 1"):
        evaluate_ranking(rank, queries, database, 0)
    with pytest.raises(ValueError, match="points: expected at least 1, got 0"):
        evaluate_ranking(rank, queries, database, points=(0, 1))
    with pytest.raises(ValueError, match="batch_size: expected at least 1"):
        evaluate_ranking(rank, queries, database, batch_size=0)
    with pytest.raises(ValueError, match="got 0 and 90 rows"):
        evaluate_ranking(rank, queries[:0], database)
    with pytest.raises(ValueError, match="at least one pair"):
        evaluate_groupings(rank, {})
    with pytest.raises(ValueError, match=r"same images, got sizes \[\(10, 90\), \(11, 90\)\]"):
        evaluate_groupings(rank, {"a": (queries, database), "b": (queries[1:], database)})


# exact ranking of float vectors


@pytest.mark.parametrize("k", [None, 1, 7, 60, 500])
def test_inner_product_ranking_equals_a_full_sort(k):
    generator = np.random.default_rng(0)
    # Small integers: many exact ties, and no rounding.
    queries = generator.integers(-2, 3, size=(9, 4)).astype(np.float16)
    database = generator.integers(-2, 3, size=(60, 4)).astype(np.float64)
    scores, positions = rank_by_inner_product(queries, database, k)(2, 7)
    similarity = queries[2:7].astype(np.float64) @ database.T
    shown = 60 if k is None else min(k, 60)
    for row in range(5):
        expected = sorted(range(60), key=lambda n: (-similarity[row, n], n))[:shown]
        assert positions[row].tolist() == expected
        assert scores[row].tolist() == similarity[row, expected].tolist()
    assert (scores.dtype, positions.dtype) == (np.float32, np.int64)


def test_zeros_of_either_sign_are_equal():
    # Products too small for float32 become zeros that keep their sign.
    database = np.array([[-1e-30], [1e-30], [-1e30], [-1e-30], [1e30]], dtype=np.float32)
    for query, expected in ((1e-30, [4, 0, 1, 3, 2]), (-1e-30, [2, 0, 1, 3, 4])):
        queries = np.array([[query]], dtype=np.float32)
        assert rank_by_inner_product(queries, database)(0, 1)[1].tolist() == [expected]


def test_bad_vectors_are_refused():
    good = np.ones((2, 3), dtype=np.float32)
    with pytest.raises(TypeError, match="queries: expected floating-point numbers, got int64"):
        rank_by_inner_product(good.astype(np.int64), good)
    with pytest.raises(ValueError, match="same dimension, got 3 and 2"):
        rank_by_inner_product(good, good[:, :2])
    bad = good.copy()
    bad[1, 0] = np.inf
    with pytest.raises(ValueError, match="database: expected finite values, but row 1 is not"):
        rank_by_inner_product(good, bad)
    with pytest.raises(ValueError, match="two dimensions"):
        rank_by_inner_product(good[0], good)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        rank_by_inner_product(good, good, 0)


# queries to show


def test_spread_queries_takes_good_and_bad_ones():
    values = np.array([0.1, np.nan, 0.9, 0.5, 0.7, 0.3, np.nan])
    assert spread_queries(values, 5).tolist() == [2, 4, 3, 5, 0]
    assert spread_queries(values, 1).tolist() == [3]
    assert spread_queries(values, 2).tolist() == [4, 5]
    assert spread_queries(values, 50).tolist() == [2, 4, 3, 5, 0]
    assert spread_queries(np.full(3, np.nan), 2).tolist() == []
    assert spread_queries(np.ones(4), 2).tolist() == [1, 3]
    with pytest.raises(ValueError, match="count: expected at least 1"):
        spread_queries(values, 0)
    with pytest.raises(ValueError, match="one dimension"):
        spread_queries(values[None], 1)


def test_an_index_is_ranked_batch_by_batch():
    generator = np.random.default_rng(4)
    database = generator.standard_normal((40, 3)).astype(np.float32)
    queries = generator.standard_normal((5, 3)).astype(np.float32)
    quantizer = AdditiveQuantizer(2, 8, iterations=2, threads=1).fit(database)
    index = AQDIndex(quantizer)
    index.add(quantizer.encode(database))
    scores, positions = index.search(queries, 40)
    for k, shown in ((None, 40), (7, 7), (99, 40)):
        rank = rank_by_index(index, queries, k, threads=1)
        for start, stop in ((0, 5), (2, 3), (1, 4)):
            found_scores, found = rank(start, stop)
            np.testing.assert_array_equal(found, positions[start:stop, :shown])
            np.testing.assert_array_equal(found_scores, scores[start:stop, :shown])
    with pytest.raises(ValueError, match="k: expected at least 1"):
        rank_by_index(index, queries, 0)


@pytest.mark.parametrize("num_labels", [10, 12])
def test_labels_are_those_of_the_queries(num_labels):
    query_labels = np.eye(12, 3, dtype=bool)[:num_labels]
    vectors = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    index = AQDIndex(AdditiveQuantizer(1, 4, iterations=1).fit(vectors))
    index.add_vectors(vectors)
    for rank in (rank_by_index(index, vectors[:11]), rank_by_inner_product(vectors[:11], vectors)):
        with pytest.raises(
            ValueError, match=f"query_labels.* each of the 11 queries .*, got {num_labels}"
        ):
            evaluate_ranking(rank, query_labels, np.ones((20, 3), bool), R=5)
