"""Rows of an index as the arrays of a file, and back; every version there was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq.quant.arrays.codes import as_codes
from wsdhq.quant.arrays.foreign import LazyRows
from wsdhq.quant.index.ids import MAX_ID, Ids, as_ids, check_ids, check_next_id
from wsdhq.quant.index.rows import BLOCK_SIZE, Blocks, Rows, chunks


def tensors_of_rows(
    rows: Rows, quantizer: dict[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any] | LazyRows], dict[str, Any]]:
    """Arrays, those of the quantizer among them, and settings of the present version."""
    blocks, ids = rows.blocks, rows.ids
    # In this order every array begins at a multiple of its items' size.
    tensors: dict[str, NDArray[Any] | LazyRows] = {"blocks": blocks.full}
    settings: dict[str, Any] = {"next_id": rows.next_id, "num_binned": rows.num_binned}
    if ids.first is None:
        # In slices: mapped from a file, they may be larger than memory.
        tensors["ids"] = LazyRows("ids", (len(rows),), np.dtype(np.int64), ids.between)
    else:
        settings["first_id"] = ids.first
    tensors |= quantizer
    tensors["norm_edges"] = blocks.edges
    tensors["last_block"] = blocks.last[:, : len(rows) % BLOCK_SIZE]
    return tensors, settings


def rows_of_tensors(
    tensors: dict[str, NDArray[Any]],
    settings: dict[str, Any],
    empty: Rows,
    codebook_size: int,
    *,
    is_read: bool,
) -> Rows | tuple[NDArray[np.uint8], NDArray[np.int64], int]:
    """Check arrays and settings of a file.

    Parameters
    ----------
    tensors, settings : dict
    empty : Rows
        Of the shape that the file's must have.
    codebook_size : int
    is_read : bool
        Whether ids are checked. Codes are wherever a byte may be none.

    Returns
    -------
    Rows; or of version 1, codes, ids and the next id, for the caller to add.

    Raises
    ------
    KeyError, TypeError, ValueError
    """
    next_id = as_integer(settings["next_id"], "next_id", 0, MAX_ID + 1)
    if "codes" in tensors and "blocks" not in tensors:
        listed = as_ids(tensors["ids"], "ids")
        codes = as_codes(
            tensors["codes"], "codes", empty.blocks.num_codebooks, codebook_size, len(listed)
        )
        check_next_id(next_id, Ids.from_array(listed))
        return codes, listed, next_id
    num_binned = as_integer(settings["num_binned"], "num_binned", 0)
    blocks = _blocks(tensors, empty.blocks)
    ids = _ids(tensors, settings, blocks.size, is_read)
    # Of a mapped file that is done by the first `add`, which reads them all anyway.
    if is_read or ids.first is not None or len(blocks.full) == 0:
        check_next_id(next_id, ids)
    if codebook_size <= 255:
        for first, end in chunks(blocks.size):
            codes = blocks.columns(first, end)[:, : blocks.num_codebooks]
            as_codes(codes, "codes", blocks.num_codebooks, codebook_size)
    return Rows(blocks, ids, next_id, num_binned)


def _blocks(tensors: dict[str, NDArray[Any]], empty: Blocks) -> Blocks:
    full, left_over = tensors["blocks"], tensors["last_block"]
    edges = np.array(tensors["norm_edges"])
    num_rows = empty.last.shape[0]
    for name, array, shape in (
        ("blocks", full, (len(full), num_rows, BLOCK_SIZE)),
        ("last_block", left_over, (num_rows, left_over.shape[-1] if left_over.ndim else 0)),
    ):
        if array.dtype != np.uint8 or array.shape != shape:
            raise ValueError(
                f"{name}: expected codes of shape {shape}, got {array.dtype} {array.shape}"
            )
    if left_over.shape[1] >= BLOCK_SIZE:
        raise ValueError(
            f"last_block: expected fewer than {BLOCK_SIZE} vectors, got {left_over.shape[1]}"
        )
    if edges.dtype != np.float32 or edges.shape != empty.edges.shape:
        raise ValueError(f"norm_edges: expected {len(empty.edges)} float32 values")
    if not (np.isfinite(edges).all() and np.all(np.diff(edges) >= 0)):
        raise ValueError("norm_edges: expected finite, ascending values")
    last = np.zeros_like(empty.last)
    last[:, : left_over.shape[1]] = left_over
    return Blocks(full, last, edges, len(full) * BLOCK_SIZE + left_over.shape[1])


def _ids(
    tensors: dict[str, NDArray[Any]], settings: dict[str, Any], size: int, is_read: bool
) -> Ids:
    if "first_id" in settings:
        if "ids" in tensors:
            raise ValueError("ids: expected none beside first_id")
        most = MAX_ID + 1 - size
        return Ids.from_first(as_integer(settings["first_id"], "first_id", 0, most), size)
    ids = tensors["ids"]
    if ids.dtype != np.int64 or ids.shape != (size,):
        raise ValueError(f"ids: expected int64 of shape ({size},), got {ids.dtype} {ids.shape}")
    return Ids.from_array(check_ids(ids, ids, "ids")) if is_read else Ids.from_file(ids)
