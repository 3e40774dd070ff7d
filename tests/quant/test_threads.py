"""`threads` of every callable that does parallel work: the same results, and the same errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wsdhq.quant
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics, icm_encode

RNG = np.random.default_rng(0)
# Enough that several threads are worth it.
X = RNG.standard_normal((4000, 24)).astype(np.float32)
METRIC = np.cov(X.T).astype(np.float32)
SETTINGS: dict[str, Any] = {"num_codebooks": 4, "codebook_size": 64, "iterations": 2}
FITTED = AdditiveQuantizer(**SETTINGS, metric=METRIC, threads=1).fit(X)
CODES = FITTED.encode(X)
SUMS = CodeStatistics(4, 64, 24, threads=1).update(X, CODES)
IDS = RNG.permutation(4000)
# What the core has no signature for.
OF_THE_CORE = {"active_simd_level", "simd_levels"}


def index(threads: int | None = 1, similarity: Any = "l2") -> AQDIndex:
    made = AQDIndex(FITTED, similarity)
    made.add(CODES, IDS, threads=threads)
    return made


def changed(change: Callable[[AQDIndex], object]) -> tuple[Any, ...]:
    made = index()
    change(made)
    return made.ids, made.codes, *made.search(X[:20], k=9, threads=1)


def merged(made: AQDIndex, threads: int | None) -> None:
    other = AQDIndex(FITTED, "l2")
    other.add(CODES[:50], np.arange(50) + 10_000)
    made.merge(other, threads=threads)


# Name of a callable to a call of it. Settings that are constructors' reach the methods below.
CALLS: dict[str, Callable[[int | None], Any]] = {
    "icm_encode": lambda t: icm_encode(
        X, FITTED.codebooks, iterations=3, relaxation="data", threads=t
    ),
    "AdditiveQuantizer": lambda t: AdditiveQuantizer(**SETTINGS, threads=t).fit(X).codebooks,
    "AdditiveQuantizer.from_codebooks": lambda t: AdditiveQuantizer.from_codebooks(
        FITTED.codebooks, threads=t
    ).encode(X),
    "AdditiveQuantizer.fit": lambda t: AdditiveQuantizer(**SETTINGS).fit(X, threads=t).codebooks,
    "AdditiveQuantizer.encode": lambda t: FITTED.encode(X, threads=t),
    "AdditiveQuantizer.decode": lambda t: FITTED.decode(CODES, threads=t),
    "AdditiveQuantizer.distortion": lambda t: FITTED.distortion(X, CODES, threads=t),
    "CodeStatistics": lambda t: CodeStatistics(4, 64, 24, threads=t).update(X, CODES).sums,
    "CodeStatistics.update": lambda t: (
        CodeStatistics(4, 64, 24).update(X, CODES, threads=t).histogram
    ),
    "CodeStatistics.solve": lambda t: SUMS.solve(threads=t),
    "AQDIndex.add": lambda t: index(t).search(X[:20], threads=1),
    "AQDIndex.add_vectors": lambda t: changed(
        lambda made: made.add_vectors(X[:300], np.arange(300) + 5000, threads=t)
    ),
    "AQDIndex.update": lambda t: changed(
        lambda made: made.update(CODES[::-1], made.ids, threads=t)
    ),
    "AQDIndex.update_vectors": lambda t: changed(
        lambda made: made.update_vectors(X[:300] * 2, IDS[:300], threads=t)
    ),
    "AQDIndex.remove": lambda t: changed(lambda made: made.remove(IDS[::3], threads=t)),
    "AQDIndex.merge": lambda t: changed(lambda made: merged(made, t)),
    "AQDIndex.subset": lambda t: index().subset(IDS[:700], threads=t).search(X[:20], threads=1),
    "AQDIndex.search": lambda t: index(similarity="cosine").search(X[:100], k=7, threads=t),
    "AQDIndex.range_search": lambda t: index().range_search(X[:100], -9.0, threads=t),
    "AQDIndex.reconstruct": lambda t: index().reconstruct(IDS[:900], threads=t),
}

# Public callables without parallel work: files, shapes, sums of what is there.
WITHOUT = {
    *OF_THE_CORE,
    "AdditiveQuantizer.save",
    "AdditiveQuantizer.load",
    "CodeStatistics.merge",
    "CodeStatistics.unused",
    "AQDIndex",
    "AQDIndex.batches",
    "AQDIndex.copy",
    "AQDIndex.save",
    "AQDIndex.load",
}


def public_callables() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for name in wsdhq.quant.__all__:
        value = getattr(wsdhq.quant, name)
        found[name] = value
        if inspect.isclass(value):
            for method, function in inspect.getmembers(value, callable):
                if not method.startswith("_"):
                    found[f"{name}.{method}"] = function
    return found


def test_every_callable_that_takes_threads_is_in_the_table() -> None:
    takes = {
        name
        for name, function in public_callables().items()
        if name not in OF_THE_CORE and "threads" in inspect.signature(function).parameters
    }
    assert takes == set(CALLS)


def test_every_public_callable_takes_threads_or_has_no_use_for_them() -> None:
    # Those that scikit-learn expects stand on encode, decode and fit.
    for_pipelines = {
        "get_params",
        "set_params",
        "fit_transform",
        "transform",
        "inverse_transform",
        "score",
        "get_feature_names_out",
    }
    others = {
        name
        for name in set(public_callables()) - set(CALLS)
        if name.rpartition(".")[2] not in for_pipelines
    }
    assert others == WITHOUT


@pytest.mark.parametrize("name", CALLS)
def test_threads_change_no_result(name: str) -> None:
    call = CALLS[name]
    expected = call(1)
    for threads in (2, 3, None):
        found = call(threads)
        if isinstance(expected, tuple):
            for one, many in zip(expected, found, strict=True):
                np.testing.assert_array_equal(many, one)
        else:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("threads", "error", "message"),
    [
        (0, ValueError, "threads: expected at least 1, got 0"),
        (-1, ValueError, "threads: expected at least 1, got -1"),
        (1.5, TypeError, "threads: expected an integer, got float"),
        (True, TypeError, "threads: expected an integer, got bool"),
        ("2", TypeError, "threads: expected an integer, got str"),
    ],
)
@pytest.mark.parametrize("name", CALLS)
def test_a_number_of_threads_that_is_none_is_refused(
    name: str, threads: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        CALLS[name](threads)
    assert str(caught.value) == message


def test_threads_are_documented_wherever_they_are_taken() -> None:
    for name, function in public_callables().items():
        if name in CALLS:
            text = inspect.getdoc(function) or ""
            owner = public_callables()[name.partition(".")[0]]
            assert "threads" in text or "`threads` of any method" in (inspect.getdoc(owner) or "")
