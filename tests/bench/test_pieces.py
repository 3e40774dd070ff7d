"""Vectors, checks, the authors' encoder, tables, and the memory that is counted."""

from __future__ import annotations

import numpy as np
import pytest

from wsdhq.bench import memory
from wsdhq.bench.authors_icm import authors_icm, folded_icm, tag_objective
from wsdhq.bench.checks import (
    WrongResultError,
    check_not_above,
    check_same_scores,
    check_search,
    table_scores,
)
from wsdhq.bench.report.results import Comparison, Entry, Report
from wsdhq.bench.report.tables import markdown, number
from wsdhq.bench.vectors import draw_codes, split_vectors, structured_vectors


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_vectors_have_unit_norm_a_spectrum_and_do_not_depend_on_how_many():
    many = structured_vectors(20_000, 24, seed=3)
    assert many.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(many[:17_000], structured_vectors(17_000, 24, seed=3))
    assert not np.array_equal(many[:10], structured_vectors(10, 24, seed=4))
    spectrum = np.linalg.eigvalsh(np.cov(many.T))
    assert spectrum[-1] > 5 * spectrum[0]
    # Turned at random: no dimension holds much more than its share.
    assert many.var(axis=0).max() < 4 * many.var(axis=0).mean()


def test_drawn_codes_keep_the_frequencies_of_each_byte(rng):
    codes = np.stack([rng.choice([3, 9], 500, p=[0.9, 0.1]), np.full(500, 77)], axis=1)
    drawn = draw_codes(codes.astype(np.uint8), 20_000, seed=0)
    assert drawn.shape == (20_000, 2)
    assert set(np.unique(drawn[:, 0])) == {3, 9}
    assert (drawn[:, 0] == 3).mean() == pytest.approx((codes[:, 0] == 3).mean(), abs=0.02)
    assert (drawn[:, 1] == 77).all()


def test_features_are_shared_out_and_no_row_comes_twice():
    features = np.arange(1000, dtype=np.float64)[:, None] * np.ones(3)
    split = split_vectors(4000, 3000, 1000, 99, 0, features)
    rows = [part[:, 0] for part in (split.train, split.base, split.queries)]
    assert [len(part) for part in rows] == [500, 375, 125]
    assert sorted(np.concatenate(rows)) == list(range(1000))
    assert split.base.dtype == np.float32


@pytest.fixture
def found(rng):
    codebooks = rng.standard_normal((3, 8, 5)).astype(np.float32)
    codes = rng.integers(8, size=(200, 3), dtype=np.uint8)
    query = rng.standard_normal(5).astype(np.float32)
    truth = table_scores(query, codebooks, codes)
    decoded = codebooks[np.arange(3), codes].sum(axis=1)
    np.testing.assert_allclose(truth, decoded @ query, atol=1e-5)
    ids = np.argsort(-truth, kind="stable")[:10]
    return truth, ids, truth[ids]


def test_right_results_pass_and_ties_may_be_in_any_order(found):
    truth, ids, scores = found
    check_search("x", scores, ids, truth)
    tied = np.zeros(6, np.float32)
    check_search("x", tied[:2], np.array([4, 1]), tied)
    check_search("x", np.append(tied, -np.inf), np.append(np.arange(6), -1), tied)


def test_wrong_results_are_caught(found):
    truth, ids, scores = found
    missed = np.append(ids[:4], np.argsort(-truth, kind="stable")[5:11])
    with pytest.raises(WrongResultError, match="rank 4 has vector"):
        check_search("x", truth[missed], missed, truth)
    with pytest.raises(WrongResultError, match="different positions"):
        check_search("x", scores[[0, 0, 1]], ids[[0, 0, 1]], truth)
    with pytest.raises(WrongResultError, match="different positions"):
        check_search("x", scores[:2], np.array([ids[0], -1]), truth)
    off = scores.copy()
    off[7] += 0.01
    with pytest.raises(WrongResultError, match="the score at rank 7"):
        check_search("x", off, ids, truth)
    swapped = ids[[9, *range(1, 9), 0]]
    with pytest.raises(WrongResultError, match="rank 0"):
        check_search("x", truth[swapped], swapped, truth)


def test_scores_that_differ_and_figures_that_are_above_are_caught():
    scores = np.ones((2, 3), np.float32)
    check_same_scores("x", scores, scores + 1e-7)
    wrong = scores.copy()
    wrong[1, 2] = np.nan
    with pytest.raises(WrongResultError, match="query 1, rank 2"):
        check_same_scores("x", wrong, scores)
    with pytest.raises(WrongResultError, match="shape"):
        check_same_scores("x", scores[:1], scores)
    check_not_above("x", 1.0, 1.0)
    for value in (1.01, np.nan):
        with pytest.raises(WrongResultError, match="at most 1"):
            check_not_above("x", value, 1.0)


def test_the_authors_encoder_is_coordinate_descent_on_the_sum_over_tags(rng):
    vectors = rng.standard_normal((12, 6)).astype(np.float32)
    codebooks = rng.standard_normal((3, 7, 6)).astype(np.float32) * np.float32(0.6)
    tags = rng.standard_normal((9, 6)).astype(np.float32)
    expected = np.zeros((12, 3), np.uint8)
    for code, vector in zip(expected, vectors):
        for _ in range(3):
            for m in range(3):
                costs = []
                for k in range(7):
                    code[m] = k
                    residual = vector - sum(codebooks[j, code[j]] for j in range(3))
                    costs.append(sum(float(tag @ residual) ** 2 for tag in tags))
                code[m] = int(np.argmin(costs))
    codes = authors_icm(vectors, codebooks, tags)
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(folded_icm(vectors, codebooks, tags), expected)
    residuals = vectors - codebooks[np.arange(3), codes].sum(axis=1)
    objective = [sum(float(tag @ each) ** 2 for tag in tags) for each in residuals]
    np.testing.assert_allclose(tag_objective(vectors, vectors - residuals, tags), objective, 1e-4)


def test_memory_that_a_call_touches_is_counted_and_its_result_is_not():
    def call(touched: int, result: int) -> int:
        scratch = np.ones(touched << 20, np.uint8)
        return int(scratch[0]) * result << 20

    assert memory._growth(lambda: call(100, 0)) == pytest.approx(100, abs=8)
    assert memory._growth(lambda: call(100, 40)) == pytest.approx(60, abs=8)
    assert memory._growth(lambda: call(1, 0)) < 8


def test_memory_of_a_process_that_fails_is_an_error():
    with pytest.raises(RuntimeError, match="memory of encode was not measured"):
        memory.measure_memory("encode", (-5, 10), 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0972, "0.0972"), (0.314, "0.314"), (8.31, "8.31"), (82.44, "82.4"),
     (124.2, "124"), (15234.0, "15,234")],
)  # fmt: skip
def test_numbers_have_three_digits_that_count(value, text):
    assert number(value) == text


def test_markdown_holds_every_row_and_says_what_was_wanted():
    machine = {"libraries": {"numpy": "2"}, "processor": "P", "cores": 2, "level": "scalar",
               "compiler": None, "wsdhq": "1", "blas": "B"}  # fmt: skip
    report = Report("wsdhq bench", "today", machine, {})
    entries = [Entry("wsdhq", True, [1e-9, 3e-9]), Entry("a|b", False, [4e-9, 6e-9])]
    report.comparisons.append(
        Comparison(
            "search", "few", "ns per vector and query", 1, {}, entries, wanted={"a|b": 3.0},
            notes=["a note"],
        )
    )  # fmt: skip
    text = markdown(report)
    assert "| **wsdhq** | 2.00 | 1.00 - 3.00 |" in text
    assert "| a\\|b | 5.00 | 4.00 - 6.00 | 3.00x (2.00 - 4.00) | 3x: met |" in text
    assert "**few**" in text
    assert "- a note" in text
    assert "stopped" in text
    report.finished = True
    assert "stopped" not in markdown(report)
