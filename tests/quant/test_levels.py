"""Every instruction set and number of threads gives the same bytes, on shapes that fill nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex, icm_encode, simd_levels

LEVELS = simd_levels()
THREADS = [1, 2, 5]


def same_everywhere(monkeypatch: pytest.MonkeyPatch, work: Callable[[int], Any]) -> None:
    """Call work(threads) at every level; its arrays must never differ."""
    monkeypatch.setenv("WSDHQ_SIMD", "scalar")
    expected = work(1)
    for level in LEVELS:
        monkeypatch.setenv("WSDHQ_SIMD", level)
        for threads in THREADS:
            for found, wanted in zip(work(threads), expected, strict=True):
                np.testing.assert_array_equal(found, wanted, err_msg=f"{level}, {threads} threads")


@pytest.mark.parametrize("relaxation", [None, "codebooks", "data"])
@pytest.mark.parametrize("beam_width", [1, 7, 32])
@pytest.mark.parametrize(
    ("N", "D", "M", "K"),
    [(33, 1, 2, 17), (67, 13, 3, 255), (65, 31, 8, 33), (40, 5, 17, 3), (31, 129, 9, 16)],
)
def test_encode(
    monkeypatch: pytest.MonkeyPatch,
    N: int,
    D: int,
    M: int,
    K: int,
    beam_width: int,
    relaxation: str | None,
) -> None:
    p = oracle.float_problem(N * M, N, D, M, K)
    settings = {"iterations": 3, "beam_width": beam_width, "relaxation": relaxation}

    def work(threads: int) -> list[np.ndarray]:
        return [
            icm_encode(p.X, p.codebooks, threads=threads, **settings),
            icm_encode(p.X, p.codebooks, metric=p.metric, threads=threads, **settings),
            icm_encode(p.X, p.codebooks, codes=p.codes, threads=threads, **settings),
        ]

    same_everywhere(monkeypatch, work)


@pytest.mark.parametrize("exponent", [-112, -108, -60, 40])
def test_encode_at_any_scale(monkeypatch: pytest.MonkeyPatch, exponent: int) -> None:
    p = oracle.float_problem(8, 50, 16, 4, 37)
    vectors, codebooks = np.ldexp(p.X, exponent), np.ldexp(p.codebooks, exponent)

    def work(threads: int) -> list[np.ndarray]:
        return [
            icm_encode(vectors, codebooks, iterations=i, beam_width=5, threads=threads)
            for i in (0, 100)
        ]

    same_everywhere(monkeypatch, work)


def test_encode_of_more_than_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    p = oracle.float_problem(4, 65_537, 2, 2, 5)
    same_everywhere(
        monkeypatch, lambda threads: [icm_encode(p.X, p.codebooks, iterations=2, threads=threads)]
    )


@pytest.mark.parametrize("similarity", ["ip", "l2", "cosine"])
def test_search(monkeypatch: pytest.MonkeyPatch, similarity: str) -> None:
    p = oracle.float_problem(5, 20_011, 7, 3, 200)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(p.codebooks), similarity)
    index.add(p.codes)
    queries = p.X[:67]
    allowed = np.random.default_rng(0).random(len(index)) < 0.3
    threshold = float(index.search(queries, 30)[0][0, -1])

    def work(threads: int) -> list[np.ndarray]:
        return [
            *index.search(queries, 11, threads=threads),
            *index.search(queries[:1], 300, threads=threads),
            *index.search(queries[:3], 5, allowed=allowed, threads=threads),
            *index.range_search(queries[:2], threshold, threads=threads),
        ]

    same_everywhere(monkeypatch, work)


@pytest.mark.parametrize("relaxation", ["codebooks", "data"])
def test_fit(monkeypatch: pytest.MonkeyPatch, relaxation: str) -> None:
    p = oracle.float_problem(6, 500, 11, 1, 1)
    settings = {"iterations": 6, "relaxation": relaxation, "seed": 3}

    def work(threads: int) -> list[np.ndarray]:
        return [AdditiveQuantizer(3, 19, threads=threads, **settings).fit(p.X).codebooks]

    same_everywhere(monkeypatch, work)
