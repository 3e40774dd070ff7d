"""Options that several commands take, and the checks of what they name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from wsdhq._files import writable_path
from wsdhq.data import read_features
from wsdhq.data.features import map_npy
from wsdhq.embed.run_directory import RUN_FILES, RunDirectory
from wsdhq.quant.index import Similarity

if TYPE_CHECKING:
    from wsdhq.embed import TrainedModel

__all__ = [
    "Features",
    "Images",
    "Run",
    "SimilarityName",
    "Threads",
    "about",
    "check_folder_of",
    "check_kind",
    "check_output",
    "input_rows",
    "known_similarity",
    "one_input",
    "read_array",
    "read_codes",
    "read_features_for",
    "rows_beside",
    "rows_file_of",
]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run directory that `wsdhq train` wrote.")]
Features = Annotated[
    Path | None, typer.Option(help="Features of the images, (N, F) .npy, one row per image.")
]
Images = Annotated[
    Path | None,
    typer.Option(help="Images: a folder, a .zip, or a .txt list with a path per line."),
]
SimilarityName = Annotated[
    str, typer.Option("--similarity", help="ip, l2 or cosine of query and reconstruction.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]

_SIMILARITIES: tuple[Similarity, ...] = ("ip", "l2", "cosine")


@contextmanager
def about(what: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of content that the block raises begin with the file or option they are about."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{what}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def known_similarity(name: str) -> Similarity:
    """The similarity called `name`; ValueError, listing all, if there is none."""
    for known in _SIMILARITIES:
        if known == name:
            return known
    raise ValueError(f"--similarity: expected one of {', '.join(_SIMILARITIES)}, got {name!r}")


def one_input(features: Path | None, images: Path | None) -> None:
    """Check that exactly one of --features and --images was given."""
    if (features is None) == (images is None):
        given = "neither" if features is None else "both"
        raise ValueError(f"expected exactly one of --features and --images, got {given}")


def check_kind(model: TrainedModel, run: Path, features: Path | None, images: Path | None) -> None:
    """Check that the run embeds the kind of input that was given."""
    if model.embeds_images and features is not None:
        raise ValueError(f"--features: the run {run} was trained on images, expected --images")
    if not model.embeds_images and images is not None:
        raise ValueError(f"--images: the run {run} was trained on features, expected --features")


def read_features_for(model: TrainedModel, run: Path, path: Path) -> NDArray[np.floating[Any]]:
    """Map the features in `path`, as wide as those that the run was trained on."""
    array = read_features(path)
    expected = model.network.head.in_dim
    if array.shape[1] != expected:
        raise ValueError(
            f"{path}: expected {expected} features per image, as {run} was trained on, "
            f"got {array.shape[1]}"
        )
    return array


def check_folder_of(path: Path, option: str = "--out") -> None:
    """Find out that an output has no place to go before hours of work, not after."""
    if path.exists() and not path.is_dir():
        with about(option):
            path = writable_path(path)  # what a link leads to
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{option}: there is no folder {folder} to write {path.name} to")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{option}: the folder {folder} cannot be written to")


def check_output(path: Path, run: Path) -> None:
    """Check that the file --out can be written, and is none of the run's own."""
    if path.is_dir():
        raise IsADirectoryError(f"--out: {path} is a folder, expected the name of a file to write")
    check_folder_of(path)
    if path.name in RUN_FILES and path.parent.resolve() == run.resolve():
        raise ValueError(
            f"--out: {path} is a file of the run itself ({RUN_FILES[path.name]}): expected the "
            "name of another"
        )


def read_array(path: Path, option: str) -> NDArray[Any]:
    """Map the array of a .npy file that `option` names; whatever is wrong names both."""
    if not path.is_file():
        raise FileNotFoundError(f"{option}: there is no file {path}")
    with about(option):
        return map_npy(path)


def read_codes(path: Path, num_codebooks: int) -> NDArray[np.uint8]:
    """Map the codes in the file that --codes names, of so many bytes per image."""
    codes = read_array(path, "--codes")
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != num_codebooks:
        raise ValueError(
            f"{path}: expected codes of this run, uint8 of shape (N, {num_codebooks}); got "
            f"{codes.dtype} of shape {codes.shape}"
        )
    return codes


def rows_beside(path: Path) -> Path:
    """Where the input row of each code or embedding in `path` is kept, if images were skipped."""
    return path.with_name(f"{path.stem}.rows.npy")


def rows_file_of(codes: Path, run: Path) -> Path:
    """The same for codes to be read, which may be the run's own."""
    own = RunDirectory(run)
    is_own = codes.resolve() == own.file("codes.npy").resolve()
    return own.file("rows.npy") if is_own else rows_beside(codes)


def input_rows(path: Path, run: Path, num_codes: int) -> NDArray[np.int64]:
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
