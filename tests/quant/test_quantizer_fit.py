"""Fitting: what the alternating optimization promises about its result and its history."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, CodeStatistics


def clustered(seed: int, N: int, D: int) -> NDArray[np.float32]:
    """Sums of two of a few centres, and noise: data that codebooks can describe."""
    rng = np.random.default_rng(seed)
    coarse = 3 * rng.standard_normal((6, D))
    fine = rng.standard_normal((9, D))
    X = coarse[rng.integers(0, 6, N)] + fine[rng.integers(0, 9, N)]
    return (X + 0.1 * rng.standard_normal((N, D))).astype(np.float32)


X = clustered(0, 350, 9)
SETTINGS = {"num_codebooks": 3, "codebook_size": 12, "iterations": 6}


@pytest.mark.parametrize("relaxation", ["codebooks", "data", None])
@pytest.mark.parametrize("with_metric", [False, True])
def test_history_descends_to_the_distortion_of_the_result(
    relaxation: str | None, with_metric: bool
) -> None:
    metric = oracle.float_problem(1, 1, 9, 1, 1).metric if with_metric else None
    q = AdditiveQuantizer(**SETTINGS, metric=metric, relaxation=relaxation)
    assert q.fit(X) is q
    assert q.codebooks.shape == (3, 12, 9)
    assert q.codebooks.dtype == np.float32
    distortions = [entry["distortion"] for entry in q.history]
    assert [entry["iteration"] for entry in q.history] == list(range(len(distortions)))
    assert len(distortions) >= 6
    energy = float(np.mean(oracle.quadratic(X - X.mean(axis=0), metric)))
    assert all(np.diff(distortions) <= 1e-5 * energy)
    # Residual k-means leaves little of these clusters; the iterations must not lose it.
    assert distortions[-1] < 0.1 * energy
    codes = q.encode(X)
    assert q.distortion(X, codes) == pytest.approx(
        oracle.distortion(X, q.codebooks, codes, metric), rel=1e-4
    )
    assert q.distortion(X, codes) < 0.1 * energy


def test_codebooks_are_the_least_squares_solution_of_some_codes() -> None:
    # Solving again from the codes of the result cannot gain much: the fit has converged.
    q = AdditiveQuantizer(num_codebooks=2, codebook_size=6, iterations=30).fit(X)
    codes = q.encode(X)
    best = oracle.solve_pseudo_inverse(X, codes, 6)
    assert q.distortion(X, codes) <= 1.02 * oracle.distortion(X, best, codes)


@pytest.mark.parametrize("threads", [2, 5])
def test_fit_repeats_at_any_number_of_threads(threads: int) -> None:
    one = AdditiveQuantizer(**SETTINGS, seed=3, threads=1).fit(X)
    many = AdditiveQuantizer(**SETTINGS, seed=3, threads=threads).fit(X)
    np.testing.assert_array_equal(one.codebooks, many.codebooks)
    assert one.history == many.history


def test_fit_depends_on_the_seed_and_on_nothing_before_it() -> None:
    q = AdditiveQuantizer(**SETTINGS, seed=3).fit(X)
    first = q.codebooks.copy()
    q.fit(clustered(1, 60, 9))
    q.fit(X)
    np.testing.assert_array_equal(q.codebooks, first)
    other = AdditiveQuantizer(**SETTINGS, seed=4).fit(X)
    assert not np.array_equal(other.codebooks, first)


def test_fit_leaves_its_input_alone() -> None:
    mine = X.copy()
    AdditiveQuantizer(**SETTINGS).fit(mine)
    np.testing.assert_array_equal(mine, X)


def test_metric_shapes_what_is_kept() -> None:
    # With nearly all weight on one dimension, that dimension must be coded better for it.
    weights = np.full(9, 1e-3)
    weights[4] = 1.0
    metric = np.diag(weights).astype(np.float32)
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((600, 9)).astype(np.float32)
    settings = {"num_codebooks": 2, "codebook_size": 8, "iterations": 8}
    plain = AdditiveQuantizer(**settings).fit(noise)
    shaped = AdditiveQuantizer(**settings, metric=metric).fit(noise)
    cost_plain = oracle.distortion(noise, plain.codebooks, plain.encode(noise), metric)
    cost_shaped = oracle.distortion(noise, shaped.codebooks, shaped.encode(noise), metric)
    assert cost_shaped < 0.3 * cost_plain


def test_more_codewords_than_vectors_are_reported_as_reseeded() -> None:
    few = clustered(5, 7, 4)
    q = AdditiveQuantizer(num_codebooks=2, codebook_size=16, iterations=4).fit(few)
    assert np.all(np.isfinite(q.codebooks))
    # Seven vectors use at most seven of the sixteen codewords of a codebook.
    assert all(entry["reseeded"] >= 2 * 9 for entry in q.history[:-1])
    assert q.distortion(few, q.encode(few)) < 1e-3 * np.mean(oracle.quadratic(few, None))


def test_enough_codewords_find_every_distinct_vector() -> None:
    # Eight far-apart points, one very common: k-means loses some; re-seeding finds them again.
    points = 10 * np.eye(8, dtype=np.float32)
    crowd = np.concatenate([np.repeat(points[:1], 500, axis=0), np.repeat(points[1:], 3, axis=0)])
    q = AdditiveQuantizer(num_codebooks=1, codebook_size=8, iterations=25).fit(crowd)
    assert q.distortion(crowd, q.encode(crowd)) < 1e-3


def test_no_codeword_is_reseeded_where_all_are_used() -> None:
    q = AdditiveQuantizer(num_codebooks=1, codebook_size=2, iterations=3).fit(X)
    assert [entry["reseeded"] for entry in q.history] == [0] * len(q.history)


@pytest.mark.parametrize(
    ("num_codebooks", "codebook_size"), [(1, 1), (4, 1), (1, 2), (4, 2), (1, 256), (2, 256)]
)
def test_extreme_sizes(num_codebooks: int, codebook_size: int) -> None:
    for rows, dim in [(1, 1), (2, 3), (300, 1)]:
        some = clustered(1, rows, dim)
        q = AdditiveQuantizer(num_codebooks, codebook_size, iterations=2).fit(some)
        codes = q.encode(some)
        assert codes.shape == (rows, num_codebooks)
        assert q.codebooks.shape == (num_codebooks, codebook_size, dim)
        assert np.all(np.isfinite(q.codebooks))
        if codebook_size == 1:
            np.testing.assert_allclose(q.decode(codes)[0], some.mean(axis=0), rtol=1e-3, atol=1e-3)


def test_identical_vectors() -> None:
    same = np.full((50, 4), 2.5, dtype=np.float32)
    q = AdditiveQuantizer(num_codebooks=3, codebook_size=8, iterations=3).fit(same)
    np.testing.assert_allclose(q.decode(q.encode(same)), same, rtol=1e-3)


def test_zero_vectors() -> None:
    zeros = np.zeros((50, 4), dtype=np.float32)
    q = AdditiveQuantizer(num_codebooks=2, codebook_size=4, iterations=3).fit(zeros)
    np.testing.assert_allclose(q.decode(q.encode(zeros)), zeros, atol=1e-6)


def test_fit_goes_on_from_given_codes() -> None:
    first = AdditiveQuantizer(**SETTINGS).fit(X)
    codes = first.encode(X)
    start = first.distortion(X, codes)
    second = AdditiveQuantizer(num_codebooks=3, codebook_size=12, iterations=2)
    second.fit(X, codes=codes)
    energy = float(np.mean(oracle.quadratic(X, None)))
    assert second.distortion(X, second.encode(X, codes=codes)) <= start + 1e-5 * energy
    # Codes at random are a start like any other, and a worse one.
    worse = AdditiveQuantizer(num_codebooks=3, codebook_size=12, iterations=2, relaxation=None)
    worse.fit(X, codes=np.random.default_rng(0).integers(0, 12, (350, 3), dtype=np.uint8))
    assert worse.history[0]["distortion"] > second.history[0]["distortion"]


def test_warm_start_solves_for_the_given_codes() -> None:
    p = oracle.float_problem(4, 200, 5, 2, 6)
    planted = oracle.decode(p.codebooks, p.codes).astype(np.float32)
    q = AdditiveQuantizer(2, 6, iterations=1).fit(planted, codes=p.codes)
    assert q.distortion(planted, p.codes) < 1e-5 * np.mean(oracle.quadratic(planted, None))


def test_alternation_by_hand_never_rises() -> None:
    # The loop that joint training runs: encode warm, collect statistics in chunks, solve.
    q = AdditiveQuantizer(**SETTINGS).fit(X[:100])
    codes = q.encode(X)
    cost = q.distortion(X, codes)
    energy = float(np.mean(oracle.quadratic(X, None)))
    for _ in range(4):
        s = CodeStatistics(3, 12, 9)
        for start in range(0, len(X), 123):
            s.update(X[start : start + 123], codes[start : start + 123])
        q = AdditiveQuantizer.from_codebooks(s.solve())
        solved = q.distortion(X, codes)
        assert solved <= cost + 1e-5 * energy
        codes = q.encode(X, codes=codes)
        cost = q.distortion(X, codes)
        assert cost <= solved + 1e-5 * energy


@pytest.mark.parametrize("method", ["encode", "decode", "distortion", "save"])
def test_an_unfitted_quantizer_says_so(method: str, tmp_path) -> None:
    q = AdditiveQuantizer(2, 4)
    arguments = {
        "encode": (X,),
        "decode": (np.zeros((1, 2), np.uint8),),
        "distortion": (X, np.zeros((350, 2), np.uint8)),
        "save": (tmp_path / "q",),
    }[method]
    with pytest.raises((RuntimeError, ValueError), match="fit"):
        getattr(q, method)(*arguments)
