"""Splits of a collection into query, database and training rows; checking of row numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_integer


def split_rows(
    num_rows: int, num_queries: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the query rows of a collection; the others are its database.

    The protocol is fixed, so that a figure can be repeated by anyone with NumPy:
    ``permutation = numpy.random.default_rng(seed).permutation(num_rows)``; its first
    `num_queries` entries are the queries, in that order; the rest, sorted, the database.

    Parameters
    ----------
    num_rows : int
        Number of images, at least 1.
    num_queries : int
        Number of queries, 0 <= num_queries < num_rows.
    seed : int
        Seed of the permutation, not negative.

    Returns
    -------
    query : (num_queries,) int64
        Rows of the queries, in the order they were drawn.
    database : (num_rows - num_queries,) int64
        All other rows, ascending.

    Raises
    ------
    TypeError
        An argument is not an integer.
    ValueError
        An argument is out of its range.

    Examples
    --------
    >>> query, database = split_rows(10, num_queries=3, seed=0)
    >>> query, len(database)
    (array([4, 6, 2]), 7)
    """
    permutation = _permutation(num_rows, num_queries, seed)
    return permutation[:num_queries].copy(), np.sort(permutation[num_queries:])


def split_collection(
    num_rows: int, num_queries: int, num_train: int | None = None, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw the query rows of a collection, and the rows of its database to learn from.

    Queries and database are those of `split_rows`. The training rows are the entries of the
    same permutation that follow the queries: a set for fewer training rows is part of one
    for more.

    Parameters
    ----------
    num_rows : int
        Number of images, at least 1.
    num_queries : int
        Number of queries, 0 <= num_queries < num_rows.
    num_train : int, optional
        Number of training rows, 1 <= num_train <= num_rows - num_queries. Default: the whole
        database.
    seed : int
        Seed of the permutation, not negative.

    Returns
    -------
    query : (num_queries,) int64
        Rows of the queries, in the order they were drawn.
    database : (num_rows - num_queries,) int64
        All other rows, ascending.
    train : (num_train,) int64
        Those rows of the database to learn from, ascending.

    Raises
    ------
    TypeError
        An argument is not an integer.
    ValueError
        An argument is out of its range.
    """
    permutation = _permutation(num_rows, num_queries, seed)
    query, database = permutation[:num_queries].copy(), np.sort(permutation[num_queries:])
    if num_train is None:
        return query, database, database.copy()
    num_train = as_integer(num_train, "num_train")
    if not 1 <= num_train <= len(database):
        raise ValueError(
            f"num_train: expected 1 to the number of rows in the database ({len(database)}: "
            f"{num_rows} rows less {num_queries} queries), got {num_train}"
        )
    return query, database, np.sort(permutation[num_queries : num_queries + num_train])


def _permutation(num_rows: int, num_queries: int, seed: int) -> NDArray[np.int64]:
    num_rows = as_integer(num_rows, "num_rows", 1)
    num_queries = as_integer(num_queries, "num_queries")
    seed = as_integer(seed, "seed", 0)
    if not 0 <= num_queries < num_rows:
        raise ValueError(
            f"num_queries: expected at least 0 and less than the number of rows ({num_rows}), "
            f"so that the database is not empty, got {num_queries}"
        )
    return np.random.default_rng(seed).permutation(num_rows).astype(np.int64, copy=False)


def default_queries(num_rows: int, wanted: int) -> int:
    """How many queries to draw where no number is asked for.

    Parameters
    ----------
    num_rows : int
        Number of images.
    wanted : int
        The number that the protocol of a data set has.

    Returns
    -------
    int
        `wanted`, or of a set of fewer than five times as many images a tenth.
    """
    return wanted if num_rows >= 5 * wanted else num_rows // 10


def check_rows(rows: ArrayLike, num_rows: int, argument: str = "rows") -> NDArray[np.int64]:
    """Return `rows` as an int64 array after checking that each is a row of the collection.

    Parameters
    ----------
    rows : (n,) array_like of integers
        Row numbers, 0 .. num_rows - 1, in any order, repeated or not. An empty sequence is
        accepted whatever its dtype.
    num_rows : int
        Size of the collection.
    argument : str
        What the messages call `rows`.

    Returns
    -------
    (n,) int64

    Raises
    ------
    TypeError
        `rows` does not hold integers.
    ValueError
        `rows` is not one-dimensional or holds a number outside the collection.
    """
    array = np.asarray(rows)
    if array.ndim != 1:
        raise ValueError(f"{argument}: expected one dimension, got shape {array.shape}")
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{argument}: expected integer row numbers, got dtype {array.dtype}")
    outside = (array < 0) | (array >= num_rows)
    if outside.any():
        place = int(np.argmax(outside))
        raise ValueError(
            f"{argument}[{place}] is {array[place]}: expected a row number from 0 to "
            f"{num_rows - 1}, as there are {num_rows} rows"
            if num_rows
            else f"{argument}[{place}] is {array[place]}, but there are no rows"
        )
    return array.astype(np.int64)
