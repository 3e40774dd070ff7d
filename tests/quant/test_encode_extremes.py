"""The encoder where numbers are hard: huge ranges, far vectors, tiny values, degenerate metrics."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, icm_encode

RNG = np.random.default_rng(90)
NUM_VECTORS, DIM, NUM_CODEBOOKS, CODEBOOK_SIZE = 40, 16, 4, 37
X = RNG.standard_normal((NUM_VECTORS, DIM))
CODEBOOKS = RNG.standard_normal((NUM_CODEBOOKS, CODEBOOK_SIZE, DIM))
BASIS = np.linalg.qr(RNG.standard_normal((DIM, DIM)))[0]


def with_codeword_times(factor: float) -> NDArray[np.float64]:
    codebooks = CODEBOOKS.copy()
    codebooks[1, 5] *= factor
    return codebooks


def with_zero_codebook() -> NDArray[np.float64]:
    codebooks = CODEBOOKS.copy()
    codebooks[2] = 0
    return codebooks


RANGES = np.array([1e8, 1.0, 1e-8, 1e4]).reshape(4, 1, 1)
CASES = {
    "codebooks of different sizes": (1e8 * X, RANGES * CODEBOOKS, None),
    "vectors far smaller than codewords": (X, RANGES * CODEBOOKS, None),
    "a codeword far longer than others": (X, with_codeword_times(1e8), None),
    "a codeword longer than others": (X, with_codeword_times(1e4), None),
    "a zero codebook": (X, with_zero_codebook(), None),
    "only zero codewords": (X, 0 * CODEBOOKS, None),
    "near the largest value": (1e14 * X, 1e14 * CODEBOOKS, None),
    "products beyond float": (1e14 * X, 1e14 * CODEBOOKS, 1e15 * np.eye(DIM)),
    "products below float": (1e-30 * X, 1e-30 * CODEBOOKS, None),
    "shifts at their bound": (1e-33 * X, 1e-33 * CODEBOOKS, None),
    "near the least normal float": (1e-36 * X, 1e-36 * CODEBOOKS, None),
    "vectors out of reach": (1e3 * X, CODEBOOKS, None),
    "vectors far out of reach": (1e6 * X, CODEBOOKS, None),
    "an offset": (X + 1e4, CODEBOOKS + 1e4 / NUM_CODEBOOKS, None),
    "a metric of rank one": (X, CODEBOOKS, np.outer(BASIS[0], BASIS[0])),
    "a metric of condition 1e8": (X, CODEBOOKS, (BASIS * np.logspace(-8, 0, DIM)) @ BASIS.T),
    "a zero metric": (X, CODEBOOKS, np.zeros((DIM, DIM))),
    "one dimension": (X[:, :1], CODEBOOKS[:, :, :1], None),
}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def scale(
    vectors: NDArray[np.float32], codebooks: NDArray[np.float32], metric: NDArray | None
) -> NDArray[np.float64]:
    """Of the terms of the objective, per vector, without what all codes have in common."""
    means = codebooks.mean(axis=1, dtype=np.float64)
    total = oracle.quadratic(vectors - means.sum(axis=0), metric)
    for codebook, mean in zip(codebooks, means, strict=True):
        total = total + oracle.quadratic(codebook - mean, metric).max()
    return total


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("beam_width", [1, 8])
def test_codes_are_conditional_modes_and_never_worse_than_their_start(
    case: str, beam_width: int
) -> None:
    vectors, codebooks = (np.asarray(a, np.float32) for a in CASES[case][:2])
    metric = CASES[case][2]
    metric = None if metric is None else np.asarray(metric, np.float32)
    size = scale(vectors, codebooks, metric)
    codes = icm_encode(vectors, codebooks, metric=metric, iterations=1000, beam_width=beam_width)
    excess = oracle.conditional_excess(vectors, codebooks, codes, metric)
    assert np.all(excess <= 1e-5 * size)
    start = np.random.default_rng(1).integers(0, CODEBOOK_SIZE, codes.shape, dtype=np.uint8)
    before = oracle.objective(vectors, codebooks, start, metric)
    for relaxation in (None, "codebooks", "data"):
        warm = icm_encode(
            vectors, codebooks, codes=start, metric=metric, iterations=3, relaxation=relaxation
        )
        assert np.all(oracle.objective(vectors, codebooks, warm, metric) <= before + 1e-5 * size)


@pytest.mark.parametrize("factor", [1e4, 1e8])
@pytest.mark.parametrize("relaxation", [None, "data"])
def test_a_long_codeword_does_not_spoil_the_start_of_others(
    factor: float, relaxation: str | None
) -> None:
    # Whole numbers that hold its cost are too coarse to tell any other two codewords apart.
    codebooks = with_codeword_times(factor)
    settings = {"beam_width": 8, "iterations": 2 if relaxation else 1000, "relaxation": relaxation}
    plain = oracle.distortion(X, CODEBOOKS, icm_encode(X, CODEBOOKS, **settings))
    codes = icm_encode(X, codebooks, **settings)
    assert oracle.distortion(X, codebooks, codes) < 1.15 * plain


def test_small_scales_lose_no_quality() -> None:
    found = []
    for size in (1.0, 1e-30):
        vectors, codebooks = (size * X).astype(np.float32), (size * CODEBOOKS).astype(np.float32)
        codes = icm_encode(vectors, codebooks, beam_width=8, iterations=1000)
        found.append(oracle.distortion(vectors / size, codebooks / size, codes))
    assert found[1] < 1.15 * found[0]


@pytest.mark.parametrize("exponent", range(-149, -90, 7))
def test_equal_codewords_take_the_lowest_index_at_any_scale(exponent: int) -> None:
    doubled = np.concatenate([CODEBOOKS, CODEBOOKS], axis=1) * 2.0**exponent
    codes = icm_encode((X * 2.0**exponent).astype(np.float32), doubled.astype(np.float32))
    assert np.all(codes < CODEBOOK_SIZE)


def test_overflow_in_both_directions_is_noticed() -> None:
    # Inner products of +inf and -inf meet; others, after them, are finite.
    codebooks = np.zeros((2, 20, 4), np.float32)
    codebooks[0] = RNG.standard_normal((20, 4))
    codebooks[1] = RNG.standard_normal((20, 4))
    codebooks[:, 0] = [[1e15, 1e15, 0, 0], [1e15, -1e15, 0, 0]]
    metric = np.diag([1e15, 1e15, 1, 1]).astype(np.float32)
    vectors = RNG.standard_normal((30, 4)).astype(np.float32)
    codes = icm_encode(vectors, codebooks, metric=metric, iterations=1000)
    excess = oracle.conditional_excess(vectors, codebooks, codes, metric)
    assert np.all(excess <= 1e-5 * scale(vectors, codebooks, metric))


@pytest.mark.parametrize("beam_width", [2, 7, 256, 1024])
@pytest.mark.parametrize(("num_codebooks", "codebook_size"), [(1, 3), (2, 3), (3, 5), (9, 2)])
def test_a_beam_as_wide_as_all_codes_finds_the_best(
    num_codebooks: int, codebook_size: int, beam_width: int
) -> None:
    codebooks = CODEBOOKS.reshape(-1, DIM)[: num_codebooks * codebook_size]
    codebooks = codebooks.reshape(num_codebooks, codebook_size, DIM)
    codes = icm_encode(X, codebooks, beam_width=beam_width, iterations=1000)
    _, best = oracle.exhaustive_best(X, codebooks)
    found = oracle.objective(X, codebooks, codes)
    assert np.all(found >= best - 1e-4)
    if beam_width >= codebook_size**num_codebooks:
        # One in eight of the whole codes is swept, the best first.
        np.testing.assert_allclose(found, best, rtol=1e-5)


def test_fit_of_heavy_tails_is_found_again_by_encode() -> None:
    rng = np.random.default_rng(3)
    heavy = rng.standard_cauchy((1500, 12)).astype(np.float32)
    q = AdditiveQuantizer(3, 32, iterations=8).fit(heavy)
    assert q.distortion(heavy, q.encode(heavy)) < 1.5 * q.history[-1]["distortion"]
