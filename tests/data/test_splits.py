import numpy as np
import pytest

from wsdhq.data.splits import check_rows, split_collection, split_rows


def test_split_follows_the_published_protocol():
    permutation = np.random.default_rng(7).permutation(101)
    query, database = split_rows(101, 20, 7)
    np.testing.assert_array_equal(query, permutation[:20])
    np.testing.assert_array_equal(database, sorted(permutation[20:]))
    assert query.dtype == database.dtype == np.int64


def test_split_protocol_is_frozen():
    # Written down once: another generator or order would make all published figures differ.
    query, database = split_rows(10, 4, seed=0)
    assert query.tolist() == [4, 6, 2, 7]
    assert database.tolist() == [0, 1, 3, 5, 8, 9]


def test_split_without_queries_keeps_all_rows_in_the_database():
    query, database = split_rows(5, 0)
    assert query.shape == (0,)
    assert query.dtype == np.int64
    assert database.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((10, 10, 0), r"num_queries.* less than the number of rows \(10\).* got 10"),
        ((10, -1, 0), "num_queries: expected at least 0 .* got -1"),
        ((0, 0, 0), "num_rows: expected at least 1, got 0"),
        ((10, 2, -3), "seed: expected at least 0, got -3"),
    ],
)
def test_split_names_the_argument_out_of_range(arguments, words):
    with pytest.raises(ValueError, match=words):
        split_rows(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((10.0, 2, 0), "num_rows: expected an integer, got float"),
        ((10, "2", 0), "num_queries: expected an integer, got str"),
        ((10, True, 0), "num_queries: expected an integer, got bool"),
        ((10, 2, None), "seed: expected an integer, got None"),
    ],
)
def test_split_names_the_argument_of_wrong_type(arguments, words):
    with pytest.raises(TypeError, match=words):
        split_rows(*arguments)


def test_rows_are_returned_as_int64_in_their_order():
    rows = check_rows(np.array([3, 0, 3], dtype=np.uint8), 4)
    assert rows.dtype == np.int64
    assert rows.tolist() == [3, 0, 3]
    assert check_rows([], 0).dtype == np.int64


@pytest.mark.parametrize(
    ("rows", "num_rows", "error", "words"),
    [
        ([0, 4], 4, ValueError, r"rows\[1\] is 4: expected a row number from 0 to 3"),
        ([-1], 4, ValueError, r"rows\[0\] is -1: expected a row number from 0 to 3"),
        ([0], 0, ValueError, r"rows\[0\] is 0, but there are no rows"),
        ([[0]], 4, ValueError, r"one dimension, got shape \(1, 1\)"),
        ([0.0], 4, TypeError, "integer row numbers, got dtype float64"),
        ([True], 4, TypeError, "integer row numbers, got dtype bool"),
    ],
)
def test_bad_rows_are_named(rows, num_rows, error, words):
    with pytest.raises(error, match=words):
        check_rows(rows, num_rows)


def test_huge_unsigned_rows_do_not_wrap_around():
    with pytest.raises(ValueError, match="18446744073709551615"):
        check_rows(np.array([2**64 - 1], dtype=np.uint64), 4)


def test_training_rows_follow_the_queries_in_the_permutation():
    permutation = np.random.default_rng(7).permutation(101)
    query, database, train = split_collection(101, 20, 30, 7)
    for found, expected in zip((query, database), split_rows(101, 20, 7)):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(train, sorted(permutation[20:50]))
    assert query.dtype == database.dtype == train.dtype == np.int64
    assert set(split_collection(101, 20, 10, 7)[2]) < set(train)


def test_collection_split_is_frozen():
    query, database, train = split_collection(10, 4, 4, seed=0)
    assert query.tolist() == [4, 6, 2, 7]
    assert database.tolist() == [0, 1, 3, 5, 8, 9]
    assert train.tolist() == [0, 3, 5, 9]


def test_training_set_is_the_database_by_default():
    _, database, train = split_collection(10, 4)
    np.testing.assert_array_equal(train, database)
    np.testing.assert_array_equal(split_collection(10, 4, 6)[2], database)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((10, 2, 9), ValueError, r"num_train: expected 1 to .*\(8: 10 rows less 2 q.* got 9"),
        ((10, 2, 0), ValueError, "num_train: expected 1 .* got 0"),
        ((10, 2, 1.5), TypeError, "num_train: expected an integer, got float"),
        ((10, 10, 1), ValueError, "num_queries: expected .* got 10"),
        ((0, 0, 1), ValueError, "num_rows: expected at least 1, got 0"),
        ((10, 2, 1, -1), ValueError, "seed: expected at least 0, got -1"),
        ((10, True, 1), TypeError, "num_queries: expected an integer, got bool"),
    ],
)
def test_collection_split_names_the_wrong_argument(arguments, error, words):
    with pytest.raises(error, match=words):
        split_collection(*arguments)
