"""Arrow fixed-size lists in the place of arrays."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.arrays.foreign import LazyRows, as_rows

pa = pytest.importorskip("pyarrow")

P = oracle.float_problem(63, 40, 6, 3, 10)
Q = AdditiveQuantizer.from_codebooks(P.codebooks, threads=1)
CODES = Q.encode(P.X)


def lists(array: np.ndarray) -> Any:
    """Fixed-size lists that share the array's memory."""
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


def with_nulls(*places: tuple[int, int | None]) -> Any:
    rows: list[Any] = P.X.tolist()
    for row, column in places:
        if column is None:
            rows[row] = None
        else:
            rows[row][column] = None
    return pa.array(rows, pa.list_(pa.float32(), 6))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_array_shares_its_memory(dtype: type) -> None:
    array = np.ascontiguousarray(P.X, dtype)
    for first, last in ((0, 40), (7, 20), (39, 40), (5, 5)):
        given = lists(array)[first:last]
        rows = as_rows(given, "X")
        np.testing.assert_array_equal(rows, array[first:last])
        assert isinstance(rows, np.ndarray)
        assert rows.size == 0 or (np.shares_memory(rows, array) and not rows.flags.writeable)
        np.testing.assert_array_equal(Q.encode(given), Q.encode(array[first:last]))


def test_lists_of_sliced_values() -> None:
    values = pa.array(np.concatenate([[9, 9], P.X.ravel()]).astype(np.float32))
    given = pa.FixedSizeListArray.from_arrays(values[2:], 6)[4:]
    np.testing.assert_array_equal(as_rows(given, "X"), P.X[4:])


def test_a_column_in_chunks_is_read_in_slices() -> None:
    whole = lists(P.X)
    chunks = [whole[:9], whole[9:9], whole[9:31], whole[31:]]
    column = pa.table({"vector": pa.chunked_array(chunks)})["vector"]
    rows = as_rows(column, "X")
    assert isinstance(rows, LazyRows)
    for key in (slice(0, 9), slice(9, 31), slice(3, 33), slice(30, 32), slice(40, 40), 9, 39):
        np.testing.assert_array_equal(rows[key], P.X[key])
    assert np.shares_memory(rows[10:30], P.X)
    np.testing.assert_array_equal(Q.encode(column), CODES)
    fitted = AdditiveQuantizer(2, 8, iterations=2, threads=1).fit(column)
    expected = AdditiveQuantizer(2, 8, iterations=2, threads=1).fit(P.X)
    np.testing.assert_array_equal(fitted.codebooks, expected.codebooks)
    index = AQDIndex(Q)
    index.add(pa.chunked_array([lists(CODES)[:5], lists(CODES)[5:]]))
    np.testing.assert_array_equal(index.codes, CODES)
    for found, wanted in zip(index.search(column, 4), index.search(P.X, 4)):
        np.testing.assert_array_equal(found, wanted)


def test_a_column_of_one_chunk_shares_its_memory() -> None:
    rows = as_rows(pa.chunked_array([lists(P.X)]), "X")
    assert np.shares_memory(rows, P.X)


def test_a_column_of_nothing() -> None:
    nothing = pa.chunked_array([], type=pa.list_(pa.float32(), 6))
    assert Q.encode(nothing).shape == (0, 3)
    with pytest.raises(ValueError, match=r"X: expected at least one vector to fit, got .*\(0, 6\)"):
        AdditiveQuantizer(2, 8).fit(nothing)


def test_memory_outlives_what_it_came_from() -> None:
    def made() -> list[np.ndarray]:
        values = pa.array(list(P.X.astype(np.float64)), pa.list_(pa.float64(), 6))
        chunked = pa.chunked_array([values[:20], values[20:]])
        return [as_rows(values, "X"), as_rows(chunked[:20], "X"), as_rows(chunked, "X")[:]]

    one, first, both = made()
    gc.collect()
    pa.array(np.full(100_000, 3.0))  # would be written where theirs was
    np.testing.assert_array_equal(one, P.X.astype(np.float64))
    np.testing.assert_array_equal(first, one[:20])
    np.testing.assert_array_equal(both, one)


def test_what_was_lent_is_given_back() -> None:
    gc.collect()
    before = pa.total_allocated_bytes()
    column = pa.chunked_array([pa.array([[1.0] * 50_000], pa.list_(pa.float64(), 50_000))] * 2)
    rows = as_rows(column, "X")
    assert pa.total_allocated_bytes() >= before + 400_000
    del column
    assert pa.total_allocated_bytes() >= before + 400_000
    del rows
    gc.collect()
    assert pa.total_allocated_bytes() < before + 400_000


def test_200_mb_are_not_copied() -> None:
    values = np.zeros(50_000_000, np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(values), 50)
    codes = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(2_000_000, np.uint8)), 2)
    q = AdditiveQuantizer.from_codebooks(np.ones((2, 1, 50), np.float32), threads=1)
    tracemalloc.start()
    try:
        assert q.distortion(column, codes) == 200
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80 << 20


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "null": (lambda: with_nulls((13, None)), ValueError, "X: row 13 is null: expected values in"),
    "null value": (lambda: with_nulls((39, 5)), ValueError, "X: row 39, column 5 is null"),
    "first of nulls": (lambda: with_nulls((31, 0), (8, 2)), ValueError, "X: row 8, column 2 is"),
    "null in a slice": (lambda: with_nulls((13, None))[9:], ValueError, "X: row 4 is null"),
    "null in a later chunk": (
        lambda: pa.chunked_array([lists(P.X), with_nulls((13, 2))[5:]]),
        ValueError,
        "X: row 48, column 2 is null",
    ),
    "list": (
        lambda: pa.array(P.X.tolist(), pa.list_(pa.float32())),
        TypeError,
        r"X: expected an Arrow fixed-size list, got a list: with pyarrow, cast\(pyarrow.list_",
    ),
    "integers": (
        lambda: lists(P.X.astype(np.int32)),
        TypeError,
        "X: expected float16, float32 or float64, got int32 .from FixedSizeListArray",
    ),
    "text": (
        lambda: pa.array([["a"] * 6], pa.list_(pa.string(), 6)),
        TypeError,
        "X: expected an Arrow fixed-size list of numbers, got one of Arrow format 'u'",
    ),
    "numbers": (lambda: pa.array(P.X.ravel()), ValueError, r"X: expected shape .* got \(240,\)"),
    "table": (lambda: pa.table({"v": lists(P.X)}), TypeError, "X: .*got Table: a column of"),
    "reader": (
        lambda: pa.table({"v": lists(P.X)}).to_reader(),
        TypeError,
        "X: expected an Arrow fixed-size list, got a table: pass a column",
    ),
    "another length": (lambda: lists(P.X[:, :5].copy()), ValueError, r"X: .*got \(40, 5\)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_other_arrow_data_is_refused(what: str) -> None:
    make, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        Q.encode(make())


class Failing:
    """Offers Arrow data and does not keep the promise."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        raise NotImplementedError("not on this device")


class Impostor:
    """Gives capsules of another kind."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return P.X.__dlpack__(), P.X.__dlpack__()


def test_what_only_pretends_to_be_arrow_is_refused() -> None:
    with pytest.raises(TypeError, match="X: expected Arrow data that can be shared: not on this"):
        Q.encode(Failing())
    with pytest.raises(ValueError, match="incorrect name"):
        Q.encode(Impostor())


def test_nulls_beside_a_slice_do_no_harm() -> None:
    np.testing.assert_array_equal(Q.encode(with_nulls((13, 2), (20, None))[14:20]), CODES[14:20])


def test_many_valid_rows_before_a_null() -> None:
    # More than are looked at at a time, from an offset that is no multiple of eight.
    valid = np.ones(2_000_003, bool)
    valid[-2] = False
    values = pa.array(np.zeros(2_000_003, np.float32), mask=~valid)
    given = pa.FixedSizeListArray.from_arrays(values, 1)[5:]
    with pytest.raises(ValueError, match="X: row 1999996, column 0 is null"):
        as_rows(given, "X")


def test_quant_does_not_import_pyarrow() -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy as np, wsdhq.quant as quant\n"
        "q = quant.AdditiveQuantizer.from_codebooks(np.ones((1, 2, 3), np.float32))\n"
        "q.encode([[1.0, 2.0, 3.0]])\n"
        "assert not {'pyarrow', 'torch', 'sklearn'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
