"""Options that several commands take, and the checks of what they name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from numpy.typing import NDArray

from wsdhq._shared.arguments import about, as_choice
from wsdhq._shared.files import writable_path
from wsdhq.data.features import map_npy
from wsdhq.embed.run_directory import RUN_FILES
from wsdhq.quant.index import Similarity

if TYPE_CHECKING:
    from wsdhq.embed import TrainedModel

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

_SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)


@contextmanager
def as_options(*names: str, **spellings: str) -> Iterator[None]:
    """Errors of the block that begin with an argument of the library begin with its option.

    Parameters
    ----------
    names : str
        Arguments whose options have the same name.
    spellings : str
        Options of other names by argument.
    """
    options = {name: f"--{name.replace('_', '-')}" for name in names}
    options |= {name: f"--{option}" for name, option in spellings.items()}
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        name, colon, rest = str(error).partition(":")
        if not colon or name not in options:
            raise
        raise type(error)(f"{options[name]}:{rest}") from error


def known_similarity(name: str) -> Similarity:
    """The similarity called `name`; ValueError, listing all, if there is none."""
    return cast(Similarity, as_choice(name, "--similarity", _SIMILARITIES))


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
