"""What the metrics share: checked inputs, labels packed into words, rows in blocks (NumPy only)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Elements of the largest temporary array; at 8 bytes each this is 32 MB.
_BLOCK_ELEMENTS = 1 << 22


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Mean of the entries that are not nan; nan if there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def row_blocks(num_rows: int, row_elements: int) -> Iterator[slice]:
    """Slices over the rows whose temporaries stay below `_BLOCK_ELEMENTS` elements."""
    step = max(1, _BLOCK_ELEMENTS // max(1, row_elements))
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def integer_matrix(array: ArrayLike, name: str) -> NDArray[np.int64]:
    """`array` as an int64 matrix, one row per query."""
    matrix = np.asarray(array)
    if matrix.ndim != 2:
        raise ValueError(
            f"{name}: expected two dimensions, one row per query, got shape {matrix.shape}"
        )
    if matrix.size == 0:
        return matrix.astype(np.int64)
    if matrix.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {matrix.dtype}")
    return matrix.astype(np.int64, copy=False)


def check_positions(positions: NDArray[np.int64], num_database: int, first_row: int = 0) -> None:
    """Raise ValueError unless every position is in -1 .. num_database - 1.

    The message names the row, counted from `first_row`.
    """
    if positions.size and (positions.min() < -1 or positions.max() >= num_database):
        wrong = (positions < -1) | (positions >= num_database)
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"results: expected positions in -1 .. {num_database - 1}: row {first_row + row} "
            f"holds {positions[row, column]}"
        )


def _binary_matrix(array: ArrayLike, name: str, rows: str) -> NDArray[np.bool_]:
    matrix = np.asarray(array)
    if matrix.ndim != 2:
        raise ValueError(
            f"{name}: expected two dimensions, one row per {rows}, got shape {matrix.shape}"
        )
    if matrix.dtype == np.bool_ or matrix.size == 0:
        return matrix.astype(np.bool_, copy=False)
    if matrix.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected bool or 0/1 integers, got {matrix.dtype}")
    wrong = (matrix != 0) & (matrix != 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(f"{name}: expected 0 and 1 only: row {row} holds {matrix[row, column]}")
    return matrix.astype(np.bool_)


def relevance_matrix(relevance: ArrayLike) -> NDArray[np.bool_]:
    """`relevance` as a bool matrix, one row per query."""
    return _binary_matrix(relevance, "relevance", "query")


def label_matrix(labels: ArrayLike, name: str) -> NDArray[np.bool_]:
    """`labels` as a bool matrix, one row per image, one column per label."""
    return _binary_matrix(labels, name, "image")


def label_words(
    query_labels: ArrayLike, database_labels: ArrayLike
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Both label matrices packed 64 labels to a word, so that "shares a label" is an AND."""
    queries = label_matrix(query_labels, "query_labels")
    database = label_matrix(database_labels, "database_labels")
    if queries.shape[1] != database.shape[1]:
        raise ValueError(
            "query_labels and database_labels: expected the same labels, got "
            f"{queries.shape[1]} and {database.shape[1]} columns"
        )
    return _pack(queries), _pack(database)


def _pack(labels: NDArray[np.bool_]) -> NDArray[np.uint64]:
    num_words = -(-labels.shape[1] // 64)
    packed = np.zeros((len(labels), num_words * 8), dtype=np.uint8)
    packed[:, : -(-labels.shape[1] // 8)] = np.packbits(labels, axis=1)
    # Column-major: a whole word of the database is gathered at a time.
    return np.asfortranarray(packed.view(np.uint64).reshape(len(labels), num_words))


def relevant_counts(num_relevant: ArrayLike, found: NDArray[np.int64]) -> NDArray[np.int64]:
    """`num_relevant` as int64, at least `found`, the relevant results each ranking shows."""
    counts = np.asarray(num_relevant)
    if counts.shape != found.shape:
        raise ValueError(
            f"num_relevant: expected one count per query, shape {found.shape}, got {counts.shape}"
        )
    if counts.size and counts.dtype.kind not in "iu":
        raise TypeError(f"num_relevant: expected integers, got {counts.dtype}")
    if (counts < found).any():
        row = int(np.flatnonzero(counts < found)[0])
        raise ValueError(
            f"num_relevant: expected at least what the ranking shows: row {row} has "
            f"{counts[row]}, the ranking shows {found[row]}"
        )
    return counts.astype(np.int64)
