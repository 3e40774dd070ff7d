"""Pickles and copies: of quantizers, statistics and indexes, also in another process."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle
from running import output_of
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics

P = oracle.float_problem(65, 300, 6, 3, 10)
METRIC = np.diag([1, 2, 3, 4, 5, 6]).astype(np.float32)
SETTINGS: dict[str, Any] = {"iterations": 2, "beam_width": 3, "seed": 4, "threads": 1}

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
}


def fitted() -> AdditiveQuantizer:
    return AdditiveQuantizer(3, 10, metric=METRIC, **SETTINGS).fit(P.X)


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("used", [False, True])
def test_a_fitted_quantizer(way: str, used: bool) -> None:
    q = fitted()
    codes = q.encode(P.X)
    if not used:
        q = fitted()
    other = COPIES[way](q)
    np.testing.assert_array_equal(other.encode(P.X), codes)
    np.testing.assert_array_equal(other.decode(codes), q.decode(codes))
    np.testing.assert_array_equal(other.metric, METRIC)
    assert other.history == q.history
    assert other.get_params().keys() == q.get_params().keys()
    assert repr(other) == repr(q)
    with pytest.raises(ValueError, match="read-only"):
        other.codebooks[0, 0, 0] = 1.0


@pytest.mark.parametrize("way", COPIES)
def test_a_quantizer_that_is_not_fitted(way: str) -> None:
    q = AdditiveQuantizer(3, 10, metric=METRIC, **SETTINGS)
    other = COPIES[way](q)
    with pytest.raises(ValueError, match="call fit"):
        other.encode(P.X)
    np.testing.assert_array_equal(other.fit(P.X).codebooks, fitted().codebooks)


@pytest.mark.parametrize("way", COPIES)
def test_copies_change_on_their_own(way: str) -> None:
    q = fitted()
    codes, codebooks = q.encode(P.X), q.codebooks.copy()
    other = COPIES[way](q)
    other.set_params(seed=5, metric=None, num_codebooks=1).fit(P.X[:100])
    other.history.append({})
    assert (q.seed, q.num_codebooks, len(q.history)) == (4, 3, 2)
    np.testing.assert_array_equal(q.codebooks, codebooks)
    np.testing.assert_array_equal(q.encode(P.X), codes)
    np.testing.assert_array_equal(q.metric, METRIC)


def test_a_pickle_holds_no_tables_of_the_encoder() -> None:
    q = AdditiveQuantizer.from_codebooks(np.ones((4, 256, 2), np.float32))
    size = len(pickle.dumps(q))
    q.encode(np.ones((1, 2), np.float32))
    assert len(pickle.dumps(q)) == size < 20_000


@pytest.mark.parametrize("way", COPIES)
def test_statistics(way: str) -> None:
    s = CodeStatistics(3, 10, 6, threads=1).update(P.X[:200], P.codes[:200])
    other = COPIES[way](s)
    assert (other.count, repr(other)) == (200, repr(s))
    np.testing.assert_array_equal(other.solve(), s.solve())


@pytest.mark.parametrize("way", ["pickle", "deep copy"])
def test_deep_copies_of_statistics_change_on_their_own(way: str) -> None:
    s = CodeStatistics(3, 10, 6, threads=1).update(P.X[:200], P.codes[:200])
    other = COPIES[way](s).update(P.X[200:], P.codes[200:])
    assert (s.count, other.count) == (200, 300)
    whole = CodeStatistics(3, 10, 6, threads=1).update(P.X, P.codes)
    np.testing.assert_array_equal(other.histogram, whole.histogram)
    np.testing.assert_array_equal(other.sums, whole.sums)
    assert s.histogram.sum() < whole.histogram.sum()


def make_index(similarity: Any) -> AQDIndex:
    index = AQDIndex(AdditiveQuantizer.from_codebooks(P.codebooks, threads=1), similarity)
    index.add(np.tile(P.codes, (4, 1)), np.random.default_rng(0).permutation(5000)[:1200])
    return index


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("similarity", ["ip", "l2", "cosine"])
@pytest.mark.parametrize("mapped", [False, True])
def test_an_index(way: str, similarity: str, mapped: bool, tmp_path: Path) -> None:
    index = make_index(similarity)
    expected = index.search(P.X[:9], 12)
    if mapped:
        index.save(tmp_path / "index")
        index = AQDIndex.load(tmp_path / "index")
    other = COPIES[way](index)
    for found, wanted in zip(other.search(P.X[:9], 12), expected):
        np.testing.assert_array_equal(found, wanted)
    other.add(P.codes[:2], [9000, 9001])
    other.remove(index.ids[:700])
    assert (len(index), len(other)) == (1200, 502)
    index.add(P.codes[:1], [9000])
    for found, wanted in zip(index.search(P.X[:9], 12, allowed=index.ids[:1200]), expected):
        np.testing.assert_array_equal(found, wanted)


ANSWERS = """
import pickle
from pathlib import Path

folder = Path(__file__).parent
q, statistics, index, X = pickle.loads((folder / "given").read_bytes())
answers = q.encode(X), statistics.solve(), index.search(X[:5], 7), q
(folder / "answers").write_bytes(pickle.dumps(answers))
"""


def test_another_process(tmp_path: Path) -> None:
    q, index = fitted(), make_index("l2")
    s = CodeStatistics(3, 10, 6, threads=1).update(P.X, P.codes)
    (tmp_path / "given").write_bytes(pickle.dumps((q, s, index, P.X)))
    output_of(ANSWERS, tmp_path)
    codes, solved, found, back = pickle.loads((tmp_path / "answers").read_bytes())
    np.testing.assert_array_equal(codes, q.encode(P.X))
    np.testing.assert_array_equal(solved, s.solve())
    for mine, other in zip(found, index.search(P.X[:5], 7)):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(back.encode(P.X), codes)


@pytest.mark.parametrize("mmap_mode", [None, "r", "c"])
def test_joblib(mmap_mode: Any, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    q, index = fitted(), make_index("l2")
    codes = q.encode(P.X)
    s = CodeStatistics(3, 10, 6, threads=1).update(P.X, P.codes)
    joblib.dump((q, index, s), tmp_path / "model")
    other, other_index, other_s = joblib.load(tmp_path / "model", mmap_mode=mmap_mode)
    np.testing.assert_array_equal(other.encode(P.X), codes)
    np.testing.assert_array_equal(other.decode(codes), q.decode(codes))
    for found, wanted in zip(other_index.search(P.X[:9], 12), index.search(P.X[:9], 12)):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(other_s.solve(), s.solve())
    other_index.add(P.codes[:3])
    assert len(other_index) == 1203
    # Nothing depends on whether the tables of the encoder were made already.
    assert joblib.hash(fitted()) == joblib.hash(q)
    np.testing.assert_array_equal(other.fit(P.X).codebooks, q.codebooks)


def test_a_pickle_without_its_arrays() -> None:
    # As joblib and Ray send it: buffers out of band, read-only where they arrive.
    q, index = fitted(), make_index("ip")
    codes = q.encode(P.X)
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps((q, index), protocol=5, buffer_callback=buffers.append)
    held = [io.BytesIO(buffer.raw()).getvalue() for buffer in buffers]
    other, other_index = pickle.loads(text, buffers=held)
    np.testing.assert_array_equal(other.encode(P.X), codes)
    for found, wanted in zip(other_index.search(P.X[:9], 12), index.search(P.X[:9], 12)):
        np.testing.assert_array_equal(found, wanted)
    other_index.add(P.codes[:3])
