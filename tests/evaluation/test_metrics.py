"""Every metric against a version written with plain loops, and on bad input."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from wsdhq import metrics
from wsdhq.evaluation import relevance as relevance_module

SEEDS = range(6)


def plain_relevance(results, query_labels, database_labels):
    """Section 6, word for word: a result is relevant if it shares a label with the query."""
    rows = []
    for query, listed in enumerate(results):
        row = []
        for position in listed:
            shared = False
            if position != -1:
                for label in range(len(query_labels[query])):
                    if query_labels[query][label] and database_labels[position][label]:
                        shared = True
            row.append(shared)
        rows.append(row)
    return rows


def plain_average_precision(relevant, R, denominator="retrieved", num_relevant=None):
    hits, total = 0, 0.0
    for rank, is_relevant in enumerate(relevant[:R], start=1):
        if is_relevant:
            hits += 1
            total += hits / rank
    if hits == 0:
        return math.nan
    return total / (hits if denominator == "retrieved" else min(R, num_relevant))


def plain_mean(values):
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def random_case(seed, num_labels=5, density=0.25):
    """Rankings with missing results, queries and images without labels, and ragged sizes."""
    generator = np.random.default_rng(seed)
    num_queries = int(generator.integers(1, 9))
    num_database = int(generator.integers(3, 40))
    query_labels = (generator.random((num_queries, num_labels)) < density).astype(np.uint8)
    database_labels = (generator.random((num_database, num_labels)) < density).astype(np.uint8)
    query_labels[generator.integers(num_queries)] = 0
    results = np.stack([generator.permutation(num_database) for _ in range(num_queries)])
    results = np.pad(results, ((0, 0), (0, 3)), constant_values=-1)
    results[generator.random(results.shape) < 0.1] = -1
    return results, query_labels, database_labels


# ranked_relevance and count_relevant


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("num_labels", [1, 5, 64, 65, 130])
def test_relevance_agrees_with_loops(seed, num_labels):
    results, queries, database = random_case(seed, num_labels, density=1.2 / num_labels)
    relevance = metrics.ranked_relevance(results, queries, database)
    assert relevance.dtype == np.bool_
    assert relevance.tolist() == plain_relevance(results, queries, database)
    counts = metrics.count_relevant(queries, database)
    everything = np.tile(np.arange(len(database)), (len(queries), 1))
    expected = [sum(row) for row in plain_relevance(everything, queries, database)]
    assert counts.tolist() == expected


def test_each_label_counts_on_its_own():
    labels = np.eye(130, dtype=np.uint8)
    results = np.tile(np.arange(130), (130, 1))
    relevance = metrics.ranked_relevance(results, labels, labels)
    np.testing.assert_array_equal(relevance, np.eye(130, dtype=bool))
    np.testing.assert_array_equal(metrics.count_relevant(labels, labels), 1)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_label_and_position_types_do_not_matter(dtype):
    results, queries, database = random_case(1)
    expected = plain_relevance(results, queries, database)
    got = metrics.ranked_relevance(
        results.astype(np.int16), queries.astype(dtype), np.asfortranarray(database.astype(dtype))
    )
    assert got.tolist() == expected


def test_blocks_do_not_change_anything(monkeypatch):
    results, queries, database = random_case(4)
    relevance = metrics.ranked_relevance(results, queries, database)
    counts = metrics.count_relevant(queries, database)
    values = metrics.average_precision(relevance)
    curve = metrics.precision_recall(relevance, counts)
    monkeypatch.setattr(relevance_module, "_BLOCK_ELEMENTS", 1)
    np.testing.assert_array_equal(metrics.ranked_relevance(results, queries, database), relevance)
    np.testing.assert_array_equal(metrics.count_relevant(queries, database), counts)
    np.testing.assert_array_equal(metrics.average_precision(relevance), values)
    np.testing.assert_allclose(metrics.precision_recall(relevance, counts), curve, rtol=1e-15)


def test_an_empty_database_or_no_label_makes_nothing_relevant():
    none = metrics.ranked_relevance([[-1, -1]], np.ones((1, 3), int), np.zeros((0, 3), int))
    assert none.tolist() == [[False, False]]
    unlabelled = np.zeros((2, 0), dtype=bool)
    assert metrics.ranked_relevance([[0], [1]], unlabelled, unlabelled).tolist() == [
        [False],
        [False],
    ]
    assert metrics.count_relevant(unlabelled, unlabelled).tolist() == [0, 0]


@pytest.mark.parametrize("position", [-2, 3])
def test_positions_outside_the_database_are_named(position):
    labels = np.ones((3, 2), dtype=np.uint8)
    with pytest.raises(ValueError, match=rf"-1 \.\. 2.*row 1 holds {position}"):
        metrics.ranked_relevance([[0], [position], [1]], labels, labels)


def test_bad_relevance_input_is_refused():
    labels = np.ones((2, 3), dtype=np.uint8)
    with pytest.raises(TypeError, match="results: expected integers, got float64"):
        metrics.ranked_relevance(np.zeros((2, 1)), labels, labels)
    with pytest.raises(ValueError, match="results: expected two dimensions"):
        metrics.ranked_relevance([0, 1], labels, labels)
    with pytest.raises(ValueError, match="query_labels has 2 rows, results has 1"):
        metrics.ranked_relevance([[0]], labels, labels)
    with pytest.raises(TypeError, match="query_labels: expected bool or 0/1 integers, got float32"):
        metrics.ranked_relevance([[0], [0]], labels.astype(np.float32), labels)
    with pytest.raises(ValueError, match="database_labels: expected 0 and 1 only: row 1 holds 2"):
        metrics.ranked_relevance([[0], [0]], labels, [[1, 0, 0], [0, 2, 0]])
    with pytest.raises(ValueError, match="got 3 and 2 columns"):
        metrics.ranked_relevance([[0], [0]], labels, labels[:, :2])


# average precision and its mean


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("R", [1, 4, 11, 5000])
@pytest.mark.parametrize("denominator", ["retrieved", "all"])
def test_average_precision_agrees_with_loops(seed, R, denominator):
    results, queries, database = random_case(seed)
    relevance = metrics.ranked_relevance(results, queries, database)
    counts = metrics.count_relevant(queries, database)
    got = metrics.average_precision(relevance, R, denominator=denominator, num_relevant=counts)
    expected = [
        plain_average_precision(row, R, denominator, count)
        for row, count in zip(relevance.tolist(), counts.tolist())
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    mean = metrics.mean_average_precision(
        relevance, R, denominator=denominator, num_relevant=counts
    )
    assert mean == pytest.approx(plain_mean(expected), rel=1e-12, nan_ok=True)


def test_average_precision_by_hand():
    relevance = [[1, 0, 1, 0]]
    assert metrics.average_precision(relevance)[0] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision(relevance, R=2)[0] == 1.0
    charged = metrics.average_precision(relevance, denominator="all", num_relevant=[4])
    assert charged[0] == pytest.approx((1 + 2 / 3) / 4)
    # min(R, all): four are relevant, but only two fit.
    cut = metrics.average_precision(relevance, R=2, denominator="all", num_relevant=[4])
    assert cut[0] == 0.5


def test_default_depth_is_5000():
    relevance = np.zeros((1, 5001), dtype=bool)
    relevance[0, 5000] = True
    assert math.isnan(metrics.mean_average_precision(relevance))
    relevance[0, 4999] = True
    assert metrics.mean_average_precision(relevance) == pytest.approx(1 / 5000)


@pytest.mark.parametrize("denominator", ["retrieved", "all"])
def test_a_query_without_relevant_results_is_skipped(denominator):
    relevance = [[0, 0, 0], [0, 1, 0]]
    values = metrics.average_precision(relevance, denominator=denominator, num_relevant=[2, 1])
    assert np.isnan(values).tolist() == [True, False]
    mean = metrics.mean_average_precision(relevance, denominator=denominator, num_relevant=[2, 1])
    assert mean == 0.5


def test_no_query_at_all_gives_nan():
    assert math.isnan(metrics.mean_average_precision(np.zeros((0, 5), dtype=bool)))
    assert math.isnan(metrics.mean_average_precision(np.zeros((3, 0), dtype=bool)))


def test_each_query_is_computed_alone_to_the_bit():
    relevance = np.random.default_rng(0).random((7, 501)) < 0.3
    together = metrics.average_precision(np.asfortranarray(relevance), 450)
    alone = [metrics.average_precision(relevance[row : row + 1], 450)[0] for row in range(7)]
    assert together.tolist() == alone


def test_bad_average_precision_input_is_refused():
    with pytest.raises(ValueError, match="R: expected at least 1, got 0"):
        metrics.average_precision([[1]], 0)
    with pytest.raises(TypeError, match="R: expected an integer, got float"):
        metrics.average_precision([[1]], 2.0)
    with pytest.raises(TypeError, match="relevance: expected bool or 0/1 integers, got float64"):
        metrics.average_precision([[0.5]])
    with pytest.raises(ValueError, match="relevance: expected 0 and 1 only"):
        metrics.average_precision([[3]])
    with pytest.raises(ValueError, match=r"two dimensions, one row per query, got shape \(2,\)"):
        metrics.average_precision([True, False])
    with pytest.raises(ValueError, match="got 'found'"):
        metrics.average_precision([[1]], denominator="found")
    with pytest.raises(ValueError, match="needs num_relevant"):
        metrics.average_precision([[1]], denominator="all")
    with pytest.raises(ValueError, match="row 1 has 0, the ranking shows 1"):
        metrics.average_precision([[1], [1]], denominator="all", num_relevant=[1, 0])
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(1,\)"):
        metrics.average_precision([[1], [1]], denominator="all", num_relevant=[1])
    with pytest.raises(TypeError, match="num_relevant: expected integers"):
        metrics.average_precision([[1]], denominator="all", num_relevant=[1.0])


# ties


def orders_within_ties(scores, relevant):
    """Every order that differs only inside groups of equal scores, each equally often."""
    groups = [
        [relevant[i] for i in range(len(scores)) if scores[i] == value]
        for value in sorted(set(scores), reverse=True)
    ]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [item for part in parts for item in part]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("R", [1, 2, 3, 5, 7, 50])
def test_tie_averaged_precision_is_the_mean_over_all_orders(seed, R):
    generator = np.random.default_rng(seed)
    scores = np.sort(generator.integers(0, 3, size=7))[::-1].astype(np.float32)
    relevant = (generator.random(7) < generator.choice([0.2, 0.5, 0.9])).tolist()
    expected = plain_mean(
        [
            plain_average_precision(order, R)
            for order in orders_within_ties(scores.tolist(), relevant)
        ]
    )
    got = metrics.tie_averaged_average_precision(scores[None], [relevant], R)
    assert got[0] == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_without_ties_nothing_is_averaged():
    relevance = np.random.default_rng(3).random((5, 300)) < 0.2
    scores = np.tile(-np.arange(300.0), (5, 1))
    np.testing.assert_allclose(
        metrics.tie_averaged_average_precision(scores, relevance, 100),
        metrics.average_precision(relevance, 100),
        rtol=1e-12,
    )


def test_missing_results_do_not_move_the_tie_average():
    scores = np.array([[2.0, 2.0, 1.0]])
    relevance = np.array([[True, False, True]])
    expected = metrics.tie_averaged_average_precision(scores, relevance)
    padded = metrics.tie_averaged_average_precision(
        np.pad(scores, ((0, 0), (0, 4)), constant_values=-np.inf),
        np.pad(relevance, ((0, 0), (0, 4))),
    )
    np.testing.assert_allclose(padded, expected, rtol=1e-12)


def test_a_large_group_of_ties_across_the_cut_stays_accurate():
    # All tied: by symmetry the precision expected at rank 1 is the share of relevant results.
    relevance = np.zeros((1, 20_000), dtype=bool)
    relevance[0, :5_000] = True
    scores = np.zeros(relevance.shape)
    # With R = 1, AP is 1 in each order that has one at all.
    assert metrics.tie_averaged_average_precision(scores, relevance, 1)[0] == pytest.approx(1.0)
    got = metrics.tie_averaged_average_precision(scores, relevance, 5000)[0]
    generator = np.random.default_rng(0)
    sampled = [
        metrics.average_precision(relevance[:, generator.permutation(20_000)], 5000)[0]
        for _ in range(200)
    ]
    assert got == pytest.approx(np.mean(sampled), abs=4 * np.std(sampled) / math.sqrt(200))


def test_bad_scores_are_refused():
    with pytest.raises(
        ValueError, match="scores: expected no increase along a row, but row 1 has one"
    ):
        metrics.tie_averaged_average_precision([[2, 1], [1, 2]], [[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="scores: expected no nan, got one in row 0"):
        metrics.tie_averaged_average_precision([[1.0, np.nan]], [[1, 0]])
    with pytest.raises(ValueError, match=r"shape of relevance, \(1, 2\), got \(1, 3\)"):
        metrics.tie_averaged_average_precision([[3, 2, 1]], [[1, 0]])
    with pytest.raises(TypeError, match="scores: expected real numbers"):
        metrics.tie_averaged_average_precision([["b", "a"]], [[1, 0]])


# precision at n, precision-recall, recall of neighbours


@pytest.mark.parametrize("seed", SEEDS)
def test_precision_at_agrees_with_loops(seed):
    results, queries, database = random_case(seed)
    relevance = metrics.ranked_relevance(results, queries, database)
    depths = [1, 2, 7, 1000]
    expected = [
        plain_mean([sum(row[:depth]) / depth for row in relevance.tolist()]) for depth in depths
    ]
    np.testing.assert_allclose(metrics.precision_at(relevance, depths), expected, rtol=1e-12)
    single = metrics.precision_at(relevance, 7)
    assert isinstance(single, float)
    assert single == pytest.approx(expected[2])


def test_bad_depths_are_refused():
    with pytest.raises(ValueError, match="n: expected at least 1, got 0"):
        metrics.precision_at([[1]], [1, 0])
    with pytest.raises(TypeError, match="n: expected an integer, got float"):
        metrics.precision_at([[1]], 1.5)
    with pytest.raises(TypeError, match="n: expected an integer, got bool"):
        metrics.precision_at([[1]], True)
    assert math.isnan(metrics.precision_at(np.zeros((0, 2), dtype=bool), 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_precision_recall_agrees_with_loops(seed):
    results, queries, database = random_case(seed)
    relevance = metrics.ranked_relevance(results, queries, database)
    counts = metrics.count_relevant(queries, database)
    kept = [query for query, count in enumerate(counts) if count]
    precisions, recalls = [], []
    for depth in range(1, relevance.shape[1] + 1):
        precisions.append(plain_mean([sum(relevance[q][:depth]) / depth for q in kept]))
        recalls.append(plain_mean([sum(relevance[q][:depth]) / counts[q] for q in kept]))
    recall, precision = metrics.precision_recall(relevance, counts)
    np.testing.assert_allclose(precision, precisions, rtol=1e-12)
    np.testing.assert_allclose(recall, recalls, rtol=1e-12)
    some = metrics.precision_recall(relevance, counts, depths=[3, 1])
    np.testing.assert_array_equal(some[0], recall[[2, 0]])
    np.testing.assert_array_equal(some[1], precision[[2, 0]])


def test_precision_recall_of_a_perfect_ranking():
    recall, precision = metrics.precision_recall([[1, 1, 0, 0]], [2])
    assert recall.tolist() == [0.5, 1.0, 1.0, 1.0]
    assert precision.tolist() == [1.0, 1.0, 2 / 3, 0.5]


def test_precision_recall_without_relevant_images_is_nan():
    recall, precision = metrics.precision_recall([[0, 0]], [0])
    assert np.isnan(recall).all()
    assert np.isnan(precision).all()


def test_bad_precision_recall_input_is_refused():
    with pytest.raises(
        ValueError, match="depths: expected at most 2, the results of relevance, got 3"
    ):
        metrics.precision_recall([[1, 0]], [1], depths=[1, 3])
    with pytest.raises(ValueError, match="row 0 has 1, the ranking shows 2"):
        metrics.precision_recall([[1, 1]], [1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("num_true", "k"), [(1, 1), (1, 10), (10, 10), (4, 100)])
def test_recall_at_agrees_with_loops(seed, num_true, k):
    generator = np.random.default_rng(seed)
    found = np.stack([generator.permutation(30)[:20] for _ in range(6)])
    true = np.stack([generator.permutation(30)[:num_true] for _ in range(6)])
    found[0, 5:] = -1
    true[1] = -1
    expected = []
    for found_row, true_row in zip(found.tolist(), true.tolist()):
        wanted = [item for item in true_row if item != -1]
        if wanted:
            expected.append(sum(item in found_row[:k] for item in wanted) / len(wanted))
    assert metrics.recall_at(found, true, k) == pytest.approx(plain_mean(expected))


def test_recall_at_never_matches_a_missing_result_with_a_missing_neighbour():
    assert metrics.recall_at([[-1, 5]], [[-1, 7]], 2) == 0.0
    assert math.isnan(metrics.recall_at([[5]], [[-1]], 1))


def test_bad_recall_input_is_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        metrics.recall_at([[1]], [[1], [2]], 1)
    with pytest.raises(TypeError, match="found_ids: expected integers"):
        metrics.recall_at([[1.0]], [[1]], 1)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        metrics.recall_at([[1]], [[1]], 0)


# the random baseline


def test_random_ranking_is_repeatable_and_near_the_share_of_relevant_images():
    generator = np.random.default_rng(0)
    queries = np.eye(4, dtype=np.uint8)[generator.integers(0, 4, 300)]
    database = np.eye(4, dtype=np.uint8)[generator.integers(0, 4, 2000)]
    value = metrics.random_ranking_map(queries, database, R=500, seed=1)
    assert value == metrics.random_ranking_map(queries, database, R=500, seed=1)
    assert value != metrics.random_ranking_map(queries, database, R=500, seed=2)
    # AP of a random order is slightly above the share of relevant images.
    assert 0.25 < value < 0.28
    everything = metrics.random_ranking_map(queries, database, R=10**9, seed=1)
    assert 0.25 < everything < 0.28


def test_random_ranking_counts_what_is_missing_with_the_other_denominator():
    labels = np.ones((1, 1), dtype=np.uint8)
    database = np.ones((10, 1), dtype=np.uint8)
    assert metrics.random_ranking_map(labels, database, R=4, denominator="all") == 1.0
    database[5:] = 0
    retrieved = metrics.random_ranking_map(labels, database, R=4, seed=3)
    charged = metrics.random_ranking_map(labels, database, R=4, seed=3, denominator="all")
    assert 0 < charged < retrieved


def test_a_random_ranking_names_each_image_once():
    queries = np.ones((4000, 1), dtype=np.uint8)
    database = np.eye(10, 1, dtype=np.uint8)
    # One relevant image, at each of ten ranks equally often: the mean of 1 / rank.
    expected = sum(1 / rank for rank in range(1, 11)) / 10
    value = metrics.random_ranking_map(queries, database, R=10, denominator="all")
    assert value == pytest.approx(expected, abs=0.02)


def test_random_ranking_of_nothing_is_nan():
    assert math.isnan(metrics.random_ranking_map(np.zeros((2, 3), int), np.ones((4, 3), int), 5))
    assert math.isnan(metrics.random_ranking_map(np.ones((2, 3), int), np.ones((0, 3), int), 5))


# what the module promises as a whole


def test_memory_stays_bounded():
    relevance = np.zeros((400, 20_000), dtype=bool)
    relevance[:, ::7] = True
    counts = np.count_nonzero(relevance, axis=1)
    tracemalloc.start()
    try:
        metrics.average_precision(relevance, 20_000)
        metrics.precision_recall(relevance, counts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # One float64 per element of the whole array would be 64 MB for each temporary.
    assert peak < 150e6


def test_only_numpy_is_imported():
    code = (
        "import sys, numpy; before = set(sys.modules); import wsdhq.metrics, wsdhq.evaluation;"
        "roots = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(roots & {'torch', 'scipy', 'matplotlib', 'PIL', 'sklearn', 'gensim'}))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
