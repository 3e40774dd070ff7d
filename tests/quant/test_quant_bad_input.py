"""Every public argument refuses what it cannot use, and says which argument and what came."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics, icm_encode

P = oracle.float_problem(41, 20, 6, 3, 10)
Q = AdditiveQuantizer.from_codebooks(P.codebooks)
STATISTICS = CodeStatistics(3, 10, 6)
INDEX = AQDIndex(Q)
INDEX.add(P.codes)


def spoiled(array: np.ndarray, value: float, place: tuple[int, ...]) -> np.ndarray:
    result = np.array(array, dtype=np.float32)
    result[place] = value
    return result


def assert_tells(value: object, error: BaseException) -> None:
    """The message says what came: of a wrong type its name, of a wrong value the value."""
    expected = type(value).__name__ if isinstance(error, TypeError) else str(value)
    assert re.search(rf"(?<![\w.]){re.escape(expected)}(?![\w.])", str(error)), str(error)


LATE = P.codes.copy()
LATE[17, 2] = 10
LOPSIDED = np.eye(6, dtype=np.float32)
LOPSIDED[1, 4] = 0.5
INDEFINITE = np.diag([1, 1, 1, 1, 1, -2]).astype(np.float32)


VECTOR_TAKERS: dict[str, tuple[str, Callable[[object], object]]] = {
    "fit": ("X", lambda X: AdditiveQuantizer(3, 10, iterations=1).fit(X)),
    "encode": ("X", Q.encode),
    "distortion": ("X", lambda X: Q.distortion(X, P.codes)),
    "icm_encode": ("X", lambda X: icm_encode(X, P.codebooks)),
    "update": ("X", lambda X: STATISTICS.update(X, P.codes)),
    "add_vectors": ("X", INDEX.add_vectors),
    "search": ("Q", lambda X: INDEX.search(X, k=2)),
    "range_search": ("Q", lambda X: INDEX.range_search(X, 0.0)),
}
BAD_VECTORS: dict[str, tuple[object, type[Exception], str]] = {
    "nan": (spoiled(P.X, np.nan, (13, 2)), ValueError, r"\b13\b"),
    "infinity": (spoiled(P.X, np.inf, (0, 0)), ValueError, r"\b0\b"),
    "minus infinity": (spoiled(P.X, -np.inf, (19, 5)), ValueError, r"\b19\b"),
    "nan in float16": (spoiled(P.X, np.nan, (13, 2)).astype(np.float16), ValueError, r"\b13\b"),
    "too large for float32": (P.X.astype(np.float64) * 1e300, ValueError, "."),
    "int64": (P.X.astype(np.int64), TypeError, "int64"),
    "uint8": (P.X.astype(np.uint8), TypeError, "uint8"),
    "bool": (P.X > 0, TypeError, "bool"),
    "complex": (P.X.astype(np.complex64), TypeError, "complex64"),
    "long double": (P.X.astype(np.longdouble), TypeError, "float128|longdouble"),
    "object": (P.X.astype(object), TypeError, "object"),
    "text": (np.full((20, 6), "a"), TypeError, "str|U1"),
    "none": (None, TypeError, "None|object"),
    "one dimension": (P.X[0], ValueError, r"\(6,\)|\b1\b"),
    "three dimensions": (P.X[None], ValueError, r"\(1, 20, 6\)|\b3\b"),
    "no dimension": (np.float32(3.0), ValueError, r"\(\)|\b0\b"),
}


@pytest.mark.parametrize("bad", BAD_VECTORS)
@pytest.mark.parametrize("taker", VECTOR_TAKERS)
def test_vectors(taker: str, bad: str) -> None:
    name, call = VECTOR_TAKERS[taker]
    value, error, came = BAD_VECTORS[bad]
    before = len(INDEX), int(STATISTICS.count)
    with pytest.raises(error, match=rf"\b{name}\b") as caught:
        call(value)
    assert re.search(came, str(caught.value)), str(caught.value)
    assert (len(INDEX), int(STATISTICS.count)) == before


@pytest.mark.parametrize("taker", [name for name in VECTOR_TAKERS if name != "fit"])
@pytest.mark.parametrize("dim", [0, 5, 7])
def test_vectors_of_another_dimension(taker: str, dim: int) -> None:
    name, call = VECTOR_TAKERS[taker]
    with pytest.raises(ValueError, match=rf"\b{name}\b") as caught:
        call(np.zeros((20, dim), np.float32))
    assert str(dim) in str(caught.value)
    assert "6" in str(caught.value)


CODE_TAKERS: dict[str, Callable[[object], object]] = {
    "decode": Q.decode,
    "encode": lambda codes: Q.encode(P.X, codes=codes),
    "fit": lambda codes: AdditiveQuantizer(3, 10, iterations=1).fit(P.X, codes=codes),
    "distortion": lambda codes: Q.distortion(P.X, codes),
    "icm_encode": lambda codes: icm_encode(P.X, P.codebooks, codes=codes),
    "update": lambda codes: STATISTICS.update(P.X, codes),
    "add": INDEX.add,
}
BAD_CODES: dict[str, tuple[object, type[Exception], str]] = {
    "too large": (LATE, ValueError, r"\b10\b"),
    "largest byte": (np.full((20, 3), 255, np.uint8), ValueError, r"\b255\b"),
    "int64": (P.codes.astype(np.int64), TypeError, "int64"),
    "int8": (P.codes.astype(np.int8), TypeError, "int8"),
    "float32": (P.codes.astype(np.float32), TypeError, "float32"),
    "bool": (P.codes > 3, TypeError, "bool"),
    "text": ("codes", TypeError, "str|<U5"),
    "too few codebooks": (P.codes[:, :2], ValueError, r"\b2\b"),
    "too many codebooks": (np.zeros((20, 4), np.uint8), ValueError, r"\b4\b"),
    "one dimension": (P.codes[:, 0], ValueError, r"\(20,\)|\b1\b"),
    "three dimensions": (P.codes[None], ValueError, r"\(1, 20, 3\)|\b3\b"),
}


@pytest.mark.parametrize("bad", BAD_CODES)
@pytest.mark.parametrize("taker", CODE_TAKERS)
def test_codes(taker: str, bad: str) -> None:
    value, error, came = BAD_CODES[bad]
    before = len(INDEX), int(STATISTICS.count)
    with pytest.raises(error, match=r"\bcodes\b") as caught:
        CODE_TAKERS[taker](value)
    assert re.search(came, str(caught.value)), str(caught.value)
    assert (len(INDEX), int(STATISTICS.count)) == before


@pytest.mark.parametrize("taker", ["encode", "fit", "distortion", "icm_encode", "update"])
@pytest.mark.parametrize("rows", [0, 19])
def test_codes_of_another_number_of_vectors(taker: str, rows: int) -> None:
    with pytest.raises(ValueError, match=r"\bcodes\b") as caught:
        CODE_TAKERS[taker](P.codes[:rows])
    assert re.search(rf"\b{rows}\b", str(caught.value)), str(caught.value)
    assert "20" in str(caught.value)


THREAD_TAKERS: dict[str, Callable[[object], object]] = {
    "constructor": lambda threads: AdditiveQuantizer(2, 4, threads=threads),
    "from_codebooks": lambda threads: AdditiveQuantizer.from_codebooks(
        P.codebooks, threads=threads
    ),
    "encode": lambda threads: Q.encode(P.X, threads=threads),
    "icm_encode": lambda threads: icm_encode(P.X, P.codebooks, threads=threads),
    "statistics": lambda threads: CodeStatistics(2, 4, 3, threads=threads),
    "search": lambda threads: INDEX.search(P.X, k=1, threads=threads),
}


@pytest.mark.parametrize("taker", THREAD_TAKERS)
@pytest.mark.parametrize(
    ("threads", "error"),
    [(0, ValueError), (-1, ValueError), (-(2**70), ValueError), (1.5, TypeError), ("2", TypeError)],
)
def test_threads(taker: str, threads: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="threads") as caught:
        THREAD_TAKERS[taker](threads)
    assert_tells(threads, caught.value)


METRIC_TAKERS: dict[str, Callable[[object], object]] = {
    "fit": lambda metric: AdditiveQuantizer(2, 4, metric=metric, iterations=1).fit(P.X),
    "from_codebooks": lambda metric: AdditiveQuantizer.from_codebooks(P.codebooks, metric=metric),
    "icm_encode": lambda metric: icm_encode(P.X, P.codebooks, metric=metric),
}
BAD_METRICS: dict[str, tuple[object, type[Exception], str]] = {
    "not symmetric": (LOPSIDED, ValueError, "symmetric"),
    "not semi-definite": (INDEFINITE, ValueError, "definite|eigenvalue"),
    "negative": (-np.eye(6, dtype=np.float32), ValueError, "definite|eigenvalue"),
    "slightly indefinite": (np.diag([1, 1, 1, 1, 1, -0.01]), ValueError, "definite|eigenvalue"),
    "wrong size": (np.eye(5, dtype=np.float32), ValueError, r"\(5, 5\)"),
    "not square": (np.ones((6, 5), np.float32), ValueError, r"\(6, 5\)"),
    "one dimension": (np.ones(6, np.float32), ValueError, r"\(6,\)"),
    "nan": (spoiled(np.eye(6), np.nan, (2, 2)), ValueError, "(?i)nan|finite"),
    "infinity": (spoiled(np.eye(6), np.inf, (2, 2)), ValueError, "(?i)inf"),
    "complex": (np.eye(6, dtype=np.complex64), TypeError, "complex64"),
    "text": ("identity", TypeError, "str|identity|<U8"),
}


@pytest.mark.parametrize("bad", BAD_METRICS)
@pytest.mark.parametrize("taker", METRIC_TAKERS)
def test_metric(taker: str, bad: str) -> None:
    value, error, came = BAD_METRICS[bad]
    with pytest.raises(error, match="metric") as caught:
        METRIC_TAKERS[taker](value)
    assert re.search(came, str(caught.value)), str(caught.value)


BAD_CODEBOOKS: dict[str, tuple[object, type[Exception], str]] = {
    "two dimensions": (P.codebooks[0], ValueError, r"\(10, 6\)|\b2\b"),
    "four dimensions": (P.codebooks[None], ValueError, r"\(1, 3, 10, 6\)|\b4\b"),
    "too many codewords": (np.zeros((2, 257, 3), np.float32), ValueError, r"\b257\b"),
    "no codewords": (np.zeros((2, 0, 3), np.float32), ValueError, r"\b0\b"),
    "no codebooks": (np.zeros((0, 4, 3), np.float32), ValueError, r"\b0\b"),
    "nan": (spoiled(P.codebooks, np.nan, (1, 2, 3)), ValueError, "(?i)nan|finite"),
    "infinity": (spoiled(P.codebooks, np.inf, (1, 2, 3)), ValueError, "(?i)inf"),
    "int32": (np.zeros((2, 4, 3), np.int32), TypeError, "int32"),
    "none": (None, TypeError, "None|object"),
}


@pytest.mark.parametrize("bad", BAD_CODEBOOKS)
def test_codebooks(bad: str) -> None:
    value, error, came = BAD_CODEBOOKS[bad]
    for call in (AdditiveQuantizer.from_codebooks, lambda books: icm_encode(P.X, books)):
        with pytest.raises(error, match="codebooks") as caught:
            call(value)
        assert re.search(came, str(caught.value)), str(caught.value)


SETTINGS: list[tuple[str, object, type[Exception]]] = [
    ("num_codebooks", 0, ValueError),
    ("num_codebooks", -1, ValueError),
    ("num_codebooks", 2.5, TypeError),
    ("num_codebooks", "4", TypeError),
    ("codebook_size", 0, ValueError),
    ("codebook_size", 257, ValueError),
    ("codebook_size", 16.0, TypeError),
    ("iterations", -1, ValueError),
    ("iterations", 1.5, TypeError),
    ("relaxation", "both", ValueError),
    ("relaxation", 3, (TypeError, ValueError)),
    ("init", "magic", ValueError),
    ("ridge", -1.0, ValueError),
    ("ridge", float("nan"), ValueError),
    ("ridge", float("inf"), ValueError),
    ("ridge", "small", TypeError),
    ("seed", -1, ValueError),
    ("seed", 0.5, TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), SETTINGS)
def test_settings_of_the_quantizer(name: str, value: object, error: type[Exception]) -> None:
    settings = {"num_codebooks": 2, "codebook_size": 4, name: value}
    with pytest.raises(error, match=name) as caught:
        AdditiveQuantizer(**settings)
    assert_tells(value, caught.value)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [entry for entry in SETTINGS if entry[0] in ("iterations", "relaxation", "seed")],
)
def test_settings_of_icm_encode(name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=name) as caught:
        icm_encode(P.X, P.codebooks, **{name: value})
    assert_tells(value, caught.value)


def test_known_names_are_listed() -> None:
    with pytest.raises(ValueError, match=r"codebooks.*data"):
        AdditiveQuantizer(2, 4, relaxation="both")
    with pytest.raises(ValueError, match="residual"):
        AdditiveQuantizer(2, 4, init="magic")
    with pytest.raises(ValueError, match=r"ip.*l2.*cosine"):
        AQDIndex(Q, similarity="dot")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("num_codebooks", 0, ValueError),
        ("codebook_size", 257, ValueError),
        ("dim", 0, ValueError),
        ("dim", -3, ValueError),
        ("dim", 2.0, TypeError),
    ],
)
def test_sizes_of_the_statistics(name: str, value: object, error: type[Exception]) -> None:
    sizes = {"num_codebooks": 2, "codebook_size": 4, "dim": 3, name: value}
    with pytest.raises(error, match=name) as caught:
        CodeStatistics(**sizes)
    assert_tells(value, caught.value)


@pytest.mark.parametrize(
    ("ridge", "error"),
    [(-1.0, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("a", TypeError)],
)
def test_ridge_of_solve(ridge: object, error: type[Exception]) -> None:
    s = CodeStatistics(3, 10, 6)
    s.update(P.X, P.codes)
    with pytest.raises(error, match="ridge") as caught:
        s.solve(ridge=ridge)
    assert_tells(ridge, caught.value)


@pytest.mark.parametrize(
    ("k", "error"), [(-1, ValueError), (2.5, TypeError), ("3", TypeError), (None, TypeError)]
)
def test_k(k: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\bk\b") as caught:
        INDEX.search(P.X, k=k)
    assert_tells(k, caught.value)


@pytest.mark.parametrize(
    ("threshold", "error"), [(float("nan"), ValueError), ("high", TypeError), (None, TypeError)]
)
def test_threshold(threshold: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="threshold") as caught:
        INDEX.range_search(P.X, threshold)
    assert_tells(threshold, caught.value)


@pytest.mark.parametrize(
    ("allowed", "error", "came"),
    [
        (np.ones(19, dtype=bool), ValueError, r"\b19\b"),
        (np.ones(21, dtype=bool), ValueError, r"\b21\b"),
        (np.ones((20, 1), dtype=bool), ValueError, r"\(20, 1\)|\b2\b"),
        (np.zeros((2, 2), dtype=np.int64), ValueError, r"\(2, 2\)|\b2\b"),
        (np.ones(20), TypeError, "float64"),
        ("all", TypeError, "str|all|<U3"),
    ],
)
def test_allowed(allowed: object, error: type[Exception], came: str) -> None:
    with pytest.raises(error, match="allowed") as caught:
        INDEX.search(P.X, k=2, allowed=allowed)
    assert re.search(came, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("ids", "error", "came"),
    [
        (np.arange(2) + 100, ValueError, r"\b2\b"),
        (np.arange(3).reshape(3, 1) + 100, ValueError, r"\(3, 1\)|\b2\b"),
        (np.array([100.0, 101.0, 102.0]), TypeError, "float64"),
        (np.array([True, False, True]), TypeError, "bool"),
        (["a", "b", "c"], TypeError, "str|<U1"),
        (np.array([2**63, 5, 6], dtype=np.uint64), ValueError, str(2**63)),
    ],
)
def test_ids(ids: object, error: type[Exception], came: str) -> None:
    before = len(INDEX)
    with pytest.raises(error, match=r"\bids?\b") as caught:
        INDEX.add(P.codes[:3], ids=ids)
    assert re.search(came, str(caught.value)), str(caught.value)
    with pytest.raises(error, match=r"\bids?\b"):
        INDEX.add_vectors(P.X[:3], ids=ids)
    assert len(INDEX) == before


@pytest.mark.parametrize("method", ["remove", "reconstruct"])
@pytest.mark.parametrize("ids", [np.array([1.0]), np.array([True]), ["a"]])
def test_ids_to_look_up(method: str, ids: object) -> None:
    before = len(INDEX)
    with pytest.raises(TypeError, match=r"\bids?\b"):
        getattr(INDEX, method)(ids)
    assert len(INDEX) == before


def test_index_of_something_else() -> None:
    with pytest.raises(TypeError, match="quantizer"):
        AQDIndex(P.codebooks)
    with pytest.raises((RuntimeError, ValueError), match="fit"):
        AQDIndex(AdditiveQuantizer(2, 4)).add(np.zeros((1, 2), np.uint8))


def test_similarity() -> None:
    with pytest.raises(ValueError, match=r"similarity.*dot"):
        AQDIndex(Q, similarity="dot")


def test_fit_needs_vectors() -> None:
    for X in (np.zeros((0, 5), np.float32), np.zeros((5, 0), np.float32)):
        with pytest.raises(ValueError, match=r"\bX\b") as caught:
            AdditiveQuantizer(2, 4).fit(X)
        assert "0" in str(caught.value)


def test_metric_of_another_dimension_than_the_vectors() -> None:
    q = AdditiveQuantizer(2, 4, metric=np.eye(5, dtype=np.float32))
    with pytest.raises(ValueError, match="metric") as caught:
        q.fit(P.X)
    assert "5" in str(caught.value)
    assert "6" in str(caught.value)
