"""Codes and embeddings as files, with the input row of each where images were skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.arguments import about
from wsdhq._shared.files import atomic_path, save_npy
from wsdhq.data.features import map_npy
from wsdhq.embed import TrainedModel
from wsdhq.embed.run_directory import RunDirectory


def read_codes(path: Path, num_codebooks: int) -> NDArray[np.uint8]:
    """Map codes of so many bytes per image; TypeError or ValueError names the file."""
    if not path.is_file():
        raise FileNotFoundError(f"codes: there is no file {path}")
    with about("codes"):
        codes = map_npy(path)
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != num_codebooks:
        raise ValueError(
            f"codes: {path}: expected codes of this run, uint8 of shape (N, {num_codebooks}), got "
            f"{codes.dtype} of shape {codes.shape}"
        )
    return codes


def rows_beside(path: Path) -> Path:
    """Where the input row of each code or embedding in `path` is kept, if images were skipped."""
    return path.with_name(f"{path.stem}.rows.npy")


def rows_file_of(codes: Path, run: RunDirectory) -> Path:
    """The same for codes to be read, which may be the run's own."""
    is_own = codes.resolve() == run.file("codes.npy").resolve()
    return run.file("rows.npy") if is_own else rows_beside(codes)


def input_rows(path: Path, run: RunDirectory, num_codes: int) -> NDArray[np.int64]:
    """The input row of each of the codes in `path`: all rows, unless images were skipped.

    Raises
    ------
    ValueError
        The file beside the codes that names the rows holds something else, or does not fit.
    """
    rows = rows_file_of(path, run)
    if not rows.is_file():
        return np.arange(num_codes)
    array = map_npy(rows)
    if array.dtype.kind not in "iu" or array.shape != (num_codes,):
        raise ValueError(
            f"{rows}: expected the input row of each of the {num_codes} codes in {path}, got "
            f"{array.dtype} of shape {array.shape}"
        )
    if num_codes and (array[0] < 0 or np.any(array[1:] <= array[:-1])):
        raise ValueError(f"{rows}: expected the numbers of input rows, ascending")
    return array.astype(np.int64)


def write_rows(
    out: Path, array: NDArray[Any], kept: NDArray[np.int64], num_inputs: int
) -> Path | None:
    """Write an array and, when images were left out, the input row of each of its rows.

    In such an order that, should the second step fail, the two files differ in length, which
    readers refuse, and no rows are missing where there must be some.

    Returns
    -------
    Path or None
        The file of the rows, if one was needed.
    """
    rows = rows_beside(out)
    if len(kept) < num_inputs:
        save_npy(rows, kept)
    save_npy(out, array)
    if len(kept) == num_inputs:
        rows.unlink(missing_ok=True)
        return None
    return rows


def write_embeddings(
    out: Path,
    model: TrainedModel,
    features: NDArray[Any],
    threads: int | None,
    progress: Callable[[int, int], None],
) -> None:
    """Embed features block by block into a `.npy` file, which may be larger than memory."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(features), model.dim)}
    with atomic_path(out) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start, block in model.embed_blocks(features, threads=threads):
            file.write(block.astype("<f4", copy=False).tobytes())
            progress(start + len(block), len(features))
    rows_beside(out).unlink(missing_ok=True)
