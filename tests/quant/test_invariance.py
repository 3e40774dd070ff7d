"""A code is a function of the vector, the quantizer and the settings, and of nothing else."""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics, icm_encode

RELAXATIONS = [None, "codebooks", "data"]
PROBLEM = oracle.float_problem(21, 701, 13, 4, 37)


def encode(X: NDArray[np.floating], relaxation: str | None = "codebooks", **more) -> NDArray:
    return icm_encode(X, PROBLEM.codebooks, relaxation=relaxation, iterations=4, seed=5, **more)


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize("threads", [2, 5, None])
def test_codes_do_not_depend_on_threads(relaxation: str | None, threads: int | None) -> None:
    one = encode(PROBLEM.X, relaxation, metric=PROBLEM.metric, threads=1)
    np.testing.assert_array_equal(
        encode(PROBLEM.X, relaxation, metric=PROBLEM.metric, threads=threads), one
    )


@pytest.mark.parametrize("relaxation", RELAXATIONS)
@pytest.mark.parametrize("warm", [False, True])
def test_codes_do_not_depend_on_the_batch(relaxation: str | None, warm: bool) -> None:
    def start(rows: slice | NDArray[np.int64]) -> NDArray[np.uint8] | None:
        return PROBLEM.codes[rows] if warm else None

    whole = encode(PROBLEM.X, relaxation, codes=start(slice(None)))
    for begin, end in [(0, 1), (5, 6), (700, 701), (0, 7), (3, 300), (511, 701)]:
        rows = slice(begin, end)
        part = encode(PROBLEM.X[rows], relaxation, codes=start(rows))
        np.testing.assert_array_equal(part, whole[rows])
    shuffled = np.random.default_rng(0).permutation(len(PROBLEM.X))
    np.testing.assert_array_equal(
        encode(PROBLEM.X[shuffled], relaxation, codes=start(shuffled)), whole[shuffled]
    )


@given(
    shape=st.tuples(
        st.integers(2, 70),
        st.integers(1, 40),
        st.integers(1, 4),
        st.sampled_from([1, 3, 16, 100, 256]),
    ),
    seed=st.integers(0, 2**32 - 1),
    relaxation=st.sampled_from(RELAXATIONS),
    cut=st.floats(0, 1),
)
def test_codes_do_not_depend_on_the_batch_at_any_size(
    shape: tuple[int, int, int, int], seed: int, relaxation: str | None, cut: float
) -> None:
    p = oracle.float_problem(seed, *shape)
    middle = int(cut * len(p.X))
    settings = {"relaxation": relaxation, "iterations": 2, "metric": p.metric}
    whole = icm_encode(p.X, p.codebooks, threads=2, **settings)
    first = icm_encode(p.X[:middle], p.codebooks, threads=1, **settings)
    second = icm_encode(p.X[middle:], p.codebooks, threads=1, **settings)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def unaligned(X: NDArray[np.float32]) -> NDArray[np.float32]:
    raw = bytearray(b"\0" + X.tobytes())
    return np.frombuffer(raw, dtype=np.float32, offset=1).reshape(X.shape)


def gapped(X: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), 1e6, dtype=X.dtype)
    wide[::2, ::3] = X
    return wide[::2, ::3]


LAYOUTS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.floating]]] = {
    "fortran": np.asfortranarray,
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "gapped": gapped,
    "unaligned": unaligned,
    "big-endian": lambda X: X.astype(">f4"),
    "little-endian": lambda X: X.astype("<f4"),
    "float64": lambda X: X.astype(np.float64),
    "big-endian float64": lambda X: X.astype(">f8"),
    "fortran float64": lambda X: np.asfortranarray(X.astype(np.float64)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_codes_do_not_depend_on_the_layout(layout: str) -> None:
    other = LAYOUTS[layout](PROBLEM.X)
    np.testing.assert_array_equal(other, PROBLEM.X)
    np.testing.assert_array_equal(encode(other), encode(PROBLEM.X))


def test_read_only_input() -> None:
    X = PROBLEM.X.copy()
    X.setflags(write=False)
    codes = PROBLEM.codes.copy()
    codes.setflags(write=False)
    np.testing.assert_array_equal(encode(X, codes=codes), encode(PROBLEM.X, codes=PROBLEM.codes))


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_half_precision_values_give_the_same_codes_in_every_type(dtype: str) -> None:
    half = PROBLEM.X.astype(np.float16)
    np.testing.assert_array_equal(encode(half.astype(dtype)), encode(half.astype(np.float32)))


def test_every_half_precision_value_is_read_exactly() -> None:
    values = np.arange(2**16, dtype=np.uint16).view(np.float16)
    values = values[np.isfinite(values)].reshape(-1, 1)
    sums = []
    for X in (values, values.astype(np.float32)):
        s = CodeStatistics(1, 256, 1)
        codes = (np.arange(len(values)) % 256).astype(np.uint8).reshape(-1, 1)
        s.update(X, codes)
        sums.append(np.array(s.sums))
    np.testing.assert_array_equal(sums[0], sums[1])


@pytest.mark.parametrize("layout", ["fortran", "reversed", "gapped"])
def test_warm_start_codes_in_any_layout(layout: str) -> None:
    codes = PROBLEM.codes
    other = {
        "fortran": np.asfortranarray(codes),
        "reversed": np.ascontiguousarray(codes[::-1])[::-1],
        "gapped": np.repeat(codes, 2, axis=1)[:, ::2],
    }[layout]
    np.testing.assert_array_equal(encode(PROBLEM.X, codes=other), encode(PROBLEM.X, codes=codes))
    q = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
    np.testing.assert_array_equal(q.decode(other), q.decode(codes))
    index, plain = AQDIndex(q), AQDIndex(q)
    index.add(other)
    plain.add(codes)
    np.testing.assert_array_equal(
        index.search(PROBLEM.X[:3], k=5)[1], plain.search(PROBLEM.X[:3], k=5)[1]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_memory_mapped_vectors(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "vectors.npy"
    stored = PROBLEM.X.astype(dtype)
    np.save(path, stored)
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(encode(mapped), encode(stored))
    settings = {"num_codebooks": 2, "codebook_size": 8, "iterations": 2}
    np.testing.assert_array_equal(
        AdditiveQuantizer(**settings).fit(mapped).codebooks,
        AdditiveQuantizer(**settings).fit(stored).codebooks,
    )


def test_scores_do_not_depend_on_threads_or_batch_of_queries() -> None:
    q = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
    Q = np.random.default_rng(3).standard_normal((37, 13)).astype(np.float32)
    for similarity in ("ip", "l2", "cosine"):
        index = AQDIndex(q, similarity=similarity)
        index.add(PROBLEM.codes)
        scores, ids = index.search(Q, k=20, threads=1)
        for threads in (2, 5):
            other_scores, other_ids = index.search(Q, k=20, threads=threads)
            np.testing.assert_array_equal(other_scores, scores)
            np.testing.assert_array_equal(other_ids, ids)
        for layout in LAYOUTS.values():
            np.testing.assert_array_equal(index.search(layout(Q), k=20)[0], scores)
        alone_scores, alone_ids = index.search(Q[17:18], k=20)
        np.testing.assert_array_equal(alone_scores[0], scores[17])
        np.testing.assert_array_equal(alone_ids[0], ids[17])


def test_statistics_do_not_depend_on_threads_or_layout() -> None:
    reference = CodeStatistics(4, 37, 13, threads=1)
    reference.update(PROBLEM.X, PROBLEM.codes)
    for threads in (2, 5, None):
        s = CodeStatistics(4, 37, 13, threads=threads)
        s.update(PROBLEM.X, PROBLEM.codes)
        np.testing.assert_array_equal(s.sums, reference.sums)
        np.testing.assert_array_equal(s.histogram, reference.histogram)
        np.testing.assert_array_equal(s.solve(ridge=1e-3), reference.solve(ridge=1e-3))
    for layout in LAYOUTS.values():
        s = CodeStatistics(4, 37, 13, threads=2)
        s.update(layout(PROBLEM.X), PROBLEM.codes)
        np.testing.assert_array_equal(s.sums, reference.sums)


def test_a_seed_gives_the_same_codebooks_and_codes_at_any_number_of_threads() -> None:
    X = np.random.default_rng(4).standard_normal((3000, 12)).astype(np.float32)
    for relaxation in (None, "codebooks", "data"):
        settings = {"iterations": 3, "relaxation": relaxation, "seed": 11}
        results = []
        for threads in (1, 2, 5):
            q = AdditiveQuantizer(3, 32, **settings, threads=threads).fit(X)
            codes = q.encode(X, iterations=3)
            results.append((q.codebooks, codes, q.distortion(X, codes)))
        for other in results[1:]:
            for expected, found in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(found, expected)


def test_nothing_global_is_touched() -> None:
    environment, working = dict(os.environ), Path.cwd()
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    num_running = threading.active_count()
    for relaxation, init in ((None, "residual"), ("codebooks", "slices"), ("data", "residual")):
        q = AdditiveQuantizer(
            num_codebooks=2, codebook_size=8, iterations=3, relaxation=relaxation, init=init
        ).fit(PROBLEM.X)
        q.encode(PROBLEM.X, iterations=3)
    CodeStatistics(4, 37, 13).update(PROBLEM.X, PROBLEM.codes).solve(threads=2)
    index = AQDIndex(q)
    index.add_vectors(PROBLEM.X)
    index.search(PROBLEM.X[:2], k=3, threads=2)
    index.remove([3])
    assert (list(root.handlers), root.level) == (handlers, level)
    assert threading.active_count() == num_running
    assert dict(os.environ) == environment
    assert Path.cwd() == working
    assert random.getstate() == python_state
    for before, after in zip(numpy_state, np.random.get_state(), strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(before, after)
