"""What stands for an array: shared with NumPy where it can be, else read slice by slice."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import oracle
from wsdhq import _core
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics, icm_encode
from wsdhq.quant.arrays import foreign as arrays
from wsdhq.quant.arrays.codes import as_codes
from wsdhq.quant.arrays.foreign import LazyRows, as_rows
from wsdhq.quant.arrays.vectors import as_vectors

P = oracle.float_problem(61, 40, 6, 3, 10)
Q = AdditiveQuantizer.from_codebooks(P.codebooks, threads=1)
CODES = Q.encode(P.X)
MB = 1 << 20


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of three rows, so that few vectors already need several."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 3 * 4 * 6)


class Sliceable:
    """A data set that gives slices, and refuses to be read as a whole."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.shape, self.dtype, self.largest = array, array.shape, array.dtype, 0

    def __getitem__(self, key: slice) -> NDArray[Any]:
        part = self.array[key]
        self.largest = max(self.largest, part.nbytes)
        return part

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        raise AssertionError("read as a whole")


class OnHost:
    """Knows DLPack and nothing else."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __dlpack__(self, **arguments: Any) -> object:
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


class OnDevice:
    """An array on a device, of which slices are copied to the host through DLPack."""

    def __init__(self, array: NDArray[Any], copied: list[int]) -> None:
        self.array, self.shape, self.copied = array, array.shape, copied

    def __getitem__(self, key: slice) -> OnDevice:
        return OnDevice(self.array[key], self.copied)

    def __dlpack__(
        self, *, dl_device: tuple[int, int] | None = None, copy: Any = None, **others: Any
    ) -> object:
        assert dl_device == (1, 0)
        self.copied.append(self.array.nbytes)
        return self.array.__dlpack__(**others)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0


class Stubborn(OnDevice):
    """An array on a device that leaves it in no way."""

    def __getitem__(self, key: slice) -> Stubborn:
        return self

    def __dlpack__(self, **arguments: Any) -> object:
        raise BufferError("cannot copy to another device")


def on_device(array: NDArray[Any]) -> OnDevice:
    return OnDevice(array, [])


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    array = array.copy()
    array.flags.writeable = False
    return array


# Each gives the same values as the array that it is made of.
FORMS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "every other row": lambda array: np.repeat(array, 2, axis=0)[::2],
    "columns first": np.asfortranarray,
    "backwards": lambda array: array[::-1].copy()[::-1],
    "another byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "read-only": read_only,
    "no masked value": np.ma.masked_array,
    "DLPack": OnHost,
    "read-only DLPack": lambda array: OnHost(read_only(array)),
    "DLPack of a device": on_device,
    "slices": Sliceable,
    "memoryview": memoryview,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("small_chunks")
def test_every_method_takes_every_form(form: str) -> None:
    make = FORMS[form]
    X = make(P.X)
    codes = CODES if form == "another byte order" else make(CODES)
    np.testing.assert_array_equal(Q.encode(X), CODES)
    np.testing.assert_array_equal(Q.encode(X, codes=codes), Q.encode(P.X, codes=CODES))
    np.testing.assert_array_equal(
        icm_encode(X, make(P.codebooks), codes=codes), icm_encode(P.X, P.codebooks, codes=CODES)
    )
    np.testing.assert_array_equal(Q.decode(codes), Q.decode(CODES))
    assert Q.distortion(X, codes) == Q.distortion(P.X, CODES)
    statistics = CodeStatistics(3, 10, 6, threads=1).update(X, codes)
    expected = CodeStatistics(3, 10, 6, threads=1).update(P.X, CODES)
    np.testing.assert_array_equal(statistics.histogram, expected.histogram)
    np.testing.assert_array_equal(statistics.sums, expected.sums)
    index = AQDIndex(Q)
    index.add(codes)
    index.add_vectors(X)
    np.testing.assert_array_equal(index.codes, np.tile(CODES, (2, 1)))
    for found, wanted in zip(index.search(X, 5), index.search(P.X, 5)):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("form", ["DLPack of a device", "slices", "every other row"])
@pytest.mark.parametrize("init", ["residual", "slices"])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.usefixtures("small_chunks")
def test_fit_takes_what_is_read_in_slices(form: str, init: Any, warm: bool) -> None:
    # More codewords than vectors use, so that some are re-seeded.
    codes = np.zeros((40, 2), np.uint8) if warm else None
    settings: dict[str, Any] = {"iterations": 3, "init": init, "threads": 1}
    expected = AdditiveQuantizer(2, 8, **settings).fit(P.X, codes=codes)
    given = None if codes is None else FORMS[form](codes)
    found = AdditiveQuantizer(2, 8, **settings).fit(FORMS[form](P.X), codes=given)
    np.testing.assert_array_equal(found.codebooks, expected.codebooks)


@pytest.mark.parametrize("form", ["DLPack", "read-only", "memoryview", "every other row"])
def test_memory_is_shared(form: str) -> None:
    array = P.X.copy()
    given = FORMS[form](array)
    if form == "every other row":
        array = given
    base = given if isinstance(given, np.ndarray) else array
    assert np.shares_memory(as_vectors(given, "X"), base)


def test_codes_are_copied() -> None:
    for given in (CODES, OnHost(CODES), np.asfortranarray(CODES)):
        checked = as_codes(given, "codes", 3, 10)
        np.testing.assert_array_equal(checked, CODES)
        assert not np.shares_memory(checked, CODES)


def test_slices_and_not_the_whole_are_read() -> None:
    X = np.zeros((3000, 4096), np.float32)  # 47 MB
    q = AdditiveQuantizer.from_codebooks(np.ones((1, 1, 4096), np.float32), threads=1)
    data, device = Sliceable(X), on_device(X)
    for given in (data, device):
        assert q.encode(given).shape == (3000, 1)
        statistics = CodeStatistics(1, 1, 4096, threads=1)
        statistics.update(given, np.zeros((3000, 1), np.uint8))
        assert statistics.count == 3000
    assert 0 < data.largest <= 16 * MB
    assert 0 < max(device.copied) <= 16 * MB


BIG = (800_000, 64)  # 100 MB of float16, 200 MB of float32


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: np.zeros(BIG, np.float16),
        lambda: np.zeros(BIG[::-1], np.float32).T,
        lambda: np.zeros(BIG, np.dtype(np.float32).newbyteorder()),
        lambda: OnHost(np.zeros(BIG, np.float32)),
        lambda: on_device(np.zeros(BIG, np.float32)),
        lambda: Sliceable(np.zeros(BIG, np.float32)),
    ],
    ids=["half", "columns first", "byte order", "DLPack", "device", "slices"],
)
def test_copies_stay_within_a_few_chunks(make: Callable[[], Any]) -> None:
    q = AdditiveQuantizer.from_codebooks(np.ones((2, 1, 64), np.float32), threads=1)
    X, codes = make(), np.zeros((2, BIG[0]), np.uint8).T
    tracemalloc.start()
    try:
        assert q.distortion(X, codes) == 64 * 4
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80 * MB


@pytest.mark.slow
def test_codes_in_any_order_are_copied_by_chunks() -> None:
    codes = np.zeros((16, 4 * MB), np.uint8).T  # 64 MB
    statistics = CodeStatistics(16, 1, 4, threads=1)
    X = np.broadcast_to(np.float32(0), (len(codes), 4))
    tracemalloc.start()
    try:
        statistics.update(X, codes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 56 * MB
    assert (statistics.histogram == len(codes)).all()


@pytest.mark.usefixtures("small_chunks")
def test_rows_in_slices_are_told_by_their_number() -> None:
    X, codes = P.X.copy(), np.asfortranarray(CODES)
    X[31, 2], codes[29, 1] = np.nan, 10
    for given in (Sliceable(X), X):
        with pytest.raises(ValueError, match="X: row 31, column 2 is nan: expected finite values"):
            Q.encode(given)
    message = "codes: row 29 holds code 10 for codebook 1: expected codes below 10"
    for given in (codes, Sliceable(codes), np.ascontiguousarray(codes)):
        with pytest.raises(ValueError, match=message):
            Q.decode(given)
    index = AQDIndex(Q)
    with pytest.raises(ValueError, match=r"Q: row 31\b"):
        index.search(Sliceable(X))


def test_lazy_rows_are_indexed_as_an_array_is() -> None:
    rows = as_rows(Sliceable(P.X), "X")
    assert isinstance(rows, LazyRows)
    assert (rows.ndim, rows.shape, rows.dtype, len(rows)) == (2, (40, 6), np.float32, 40)
    for key in (slice(3, 9), slice(None), slice(9, 3), slice(-4, None), slice(1, 30, 7), 5, -1):
        np.testing.assert_array_equal(rows[key], P.X[key])
    for numbers in ([7, 0, 39, 7], [], [5]):
        np.testing.assert_array_equal(rows[np.array(numbers, int)], P.X[np.array(numbers, int)])
    with pytest.raises(IndexError):
        rows[40]
    np.testing.assert_array_equal(np.asarray(rows), P.X)
    np.testing.assert_array_equal(np.asarray(rows, np.float64), P.X.astype(np.float64))
    with pytest.raises(ValueError, match="X: cannot become a NumPy array without a copy"):
        np.asarray(rows, copy=False)


class Sparse:
    nnz = 3

    def toarray(self) -> NDArray[Any]:
        return P.X


class Shrinking(Sliceable):
    def __getitem__(self, key: slice) -> NDArray[Any]:
        return self.array[key][:2]


class Unreadable(Sliceable):
    def __getitem__(self, key: slice) -> NDArray[Any]:
        raise RuntimeError("the file is closed")


class Table:
    columns = ("a", "b")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return np.array([[1.0, "x"]], object)


MASKED = np.ma.masked_array(P.X, np.arange(240).reshape(40, 6) == 75)
ROWS = np.empty(2, object)
ROWS[:] = [P.X[0], P.X[1]]
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "none": (None, TypeError, "X: expected float16, float32 or float64, got NoneType$"),
    "file": ("a/v.npy", TypeError, r"got 'a/v.npy' \(a str\): numpy.load reads a file"),
    "path": (Path("v.npy"), TypeError, r"got 'v.npy' \(a (Posix|Windows)Path\): numpy.load"),
    "word": ("red", TypeError, r"got 'red' \(a str\)$"),
    "rows in a column": (ROWS, TypeError, r"got object: numpy.stack\(X\) makes one array"),
    "integers": ([[1, 2]], TypeError, r"int64 \(from list\): numpy.asarray\(X, numpy.float32\)"),
    "codes": (CODES, TypeError, "got uint8: .*; were they codes, add or decode would take them"),
    "masked": (MASKED, ValueError, "X: row 12 is masked: expected an array with all its values"),
    "sparse": (Sparse(), TypeError, "X: expected a dense array, got a sparse Sparse"),
    "ragged": ([[1.0] * 6, [1.0]], ValueError, "X: expected an array, got list: .*inhomogeneous"),
    "table": (Table(), TypeError, "X: expected an array, got Table: a column of numbers"),
    "other slices": (Shrinking(P.X), ValueError, r"X: expected slices of shape \(40, 6\)"),
    "closed": (Unreadable(P.X), TypeError, "X: expected an array, got Unreadable: the file is"),
    "stuck": (Stubborn(P.X, []), TypeError, "X: .*got Stubborn on device 2 of DLPack: cannot"),
    "one vector": (P.X[0], ValueError, r"got \(6,\). Reshape your data: X\[None\] is one vector"),
    "generator": ((row for row in P.X), TypeError, "X: .*got generator$"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_array_is_refused(what: str) -> None:
    value, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        Q.encode(value)


def test_a_named_bfloat16_of_numpy_is_read_as_float32() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    narrow = P.X.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(Q.encode(narrow), Q.encode(narrow.astype(np.float32)))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (CODES.tolist(), r"int64 \(from list\): numpy.asarray\(codes, numpy.uint8\) converts"),
        (P.X, "codes: expected uint8, got float.*: encode makes codes of vectors"),
    ],
)
def test_what_are_no_codes_is_told_what_to_do(codes: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Q.decode(codes)


class ArrowByAnother:
    """Has Arrow's methods, but not the package that it needs for them, as pandas may."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return self.array

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise ImportError("`Import pyarrow` failed.")


class ArrayByAnother(ArrowByAnother):
    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        raise ImportError("`Import pyarrow` failed.")


@pytest.mark.parametrize("kind", [ArrowByAnother, ArrayByAnother])
def test_what_cannot_become_arrow_here_is_read_as_numpy_sees_it(kind: Callable[..., Any]) -> None:
    index = AQDIndex(Q)
    np.testing.assert_array_equal(Q.encode(kind(P.X)), CODES)
    index.add(kind(CODES), ids=kind(np.arange(40) + 7))
    assert index.ids.tolist() == list(range(7, 47))
    _, found = index.search(P.X[:2], k=40, allowed=kind(np.arange(40) < 3))
    assert set(found.ravel().tolist()) == {-1, 7, 8, 9}


def misaligned(array: NDArray[Any]) -> NDArray[Any]:
    """The same values one byte off the place where the processor wants them."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    off = memory[1:].view(array.dtype).reshape(array.shape)
    off[...] = array
    assert not off.flags.aligned
    return off


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_misaligned_arrays_give_what_aligned_ones_do(dtype: type) -> None:
    X = P.X.astype(dtype)
    off = misaligned(X)
    np.testing.assert_array_equal(Q.encode(off), Q.encode(X))
    assert Q.distortion(off, CODES) == Q.distortion(X, CODES)
    found, expected = (AdditiveQuantizer(2, 8, iterations=2).fit(given) for given in (off, X))
    np.testing.assert_array_equal(found.codebooks, expected.codebooks)
    found, expected = (CodeStatistics(3, 10, 6).update(given, CODES) for given in (off, X))
    np.testing.assert_array_equal(found.sums, expected.sums)
    codebooks = P.codebooks.astype(dtype)
    metric = np.diag(np.arange(1, 7)).astype(dtype)
    np.testing.assert_array_equal(
        icm_encode(X, misaligned(codebooks), metric=misaligned(metric)),
        icm_encode(X, codebooks, metric=metric),
    )
    index = AQDIndex(Q, "l2")
    index.add(CODES)
    np.testing.assert_array_equal(index.search(off, 5)[1], index.search(X, 5)[1])
    ids = np.arange(0, len(CODES), 2)
    np.testing.assert_array_equal(
        index.search(X, 5, allowed=misaligned(ids))[1], index.search(X, 5, allowed=ids)[1]
    )


def test_the_core_refuses_misaligned_arrays() -> None:
    X, codebooks = P.X.astype(np.float32), Q.codebooks
    sums, histogram = np.zeros((3, 10, 6)), np.zeros((3, 10, 3, 10), np.int64)
    message = "expected an array whose items lie at multiples of"
    with pytest.raises(ValueError, match=f"vectors: {message} 4 bytes"):
        _core.update_sums(misaligned(X), CODES, sums, 1)
    with pytest.raises(ValueError, match=f"sums: {message} 8 bytes"):
        _core.update_sums(X, CODES, misaligned(sums), 1)
    with pytest.raises(ValueError, match=f"histogram: {message} 8 bytes"):
        _core.update_histogram(CODES, misaligned(histogram), 1, False)
    with pytest.raises(ValueError, match=f"codebooks: {message}"):
        _core.Encoder(misaligned(codebooks), None, 1)
    with pytest.raises(ValueError, match=f"metric: {message}"):
        _core.Encoder(codebooks, misaligned(np.eye(6, dtype=np.float32)), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e15, -2e15])
@pytest.mark.parametrize("count", [1, 3, 4, 1000, (1 << 20) + 5])
def test_a_value_out_of_range_is_found_wherever_it_is(bad: float, count: int) -> None:
    values = np.full(count, 1e15, np.float32)
    values[::2] = -1e15
    assert _core.all_within(values, 1e15)
    for place in {0, count // 2, count - 1}:
        changed = values.copy()
        changed[place] = bad
        assert not _core.all_within(changed, 1e15)
