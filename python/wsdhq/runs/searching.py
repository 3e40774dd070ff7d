"""Searching with a run: its index, what queries become, and the tags of what is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.arguments import about
from wsdhq.data import ImageCollection, SkippedImage, UnreadableImage, open_images, read_tags
from wsdhq.embed import TrainedModel
from wsdhq.quant import AQDIndex
from wsdhq.runs.inputs import read_features_for


def open_index(path: Path, model: TrainedModel, run: Path) -> AQDIndex:
    """Map an index of the run's codes; ValueError if they are another run's."""
    index = AQDIndex.load(path)
    if not np.array_equal(index.quantizer.codebooks, model.quantizer.codebooks):
        raise ValueError(
            f"{path}: the index holds codes of another run (its codebooks differ): expected an "
            f"index of {run}"
        )
    return index


def tags_of_index(path: Path, index: AQDIndex, source: Path) -> list[list[str]]:
    """Tags by id, a line for each image that the index in `source` may hold."""
    tags = read_tags(path)
    largest = int(index.ids.max()) if len(index) else -1
    if largest >= len(tags):
        raise ValueError(
            f"{path} has tags for {len(tags)} images, but {source} holds the image with id "
            f"{largest}: expected one line of tags per image, ids counting them from 0"
        )
    return tags


def embed_queries(
    model: TrainedModel,
    run: Path,
    queries: Sequence[Path],
    threads: int | None,
    on_skipped: Callable[[list[SkippedImage], int], None],
) -> tuple[list[str], NDArray[np.float32]]:
    """Embed images, collections of images or features: names, and a row for each.

    Parameters
    ----------
    model, run
        The model, and the run directory that it is of.
    queries : sequence of Path
        Images, folders, `.zip` or `.txt` lists of images; or `.npy` of features.
    threads : int or None
    on_skipped : callable
        Told which images of a collection could not be read, and how many it has.

    Raises
    ------
    FileNotFoundError, ValueError
        A query is missing, of the kind that the run does not embed, or an image that was named
        itself cannot be read.
    """
    names: list[str] = []
    parts: list[NDArray[np.float32]] = []
    for query in queries:
        if not query.exists():
            raise FileNotFoundError(f"query: there is no file or folder {query}")
        is_array = query.suffix.lower() == ".npy"
        with about("query"):
            _check_kind(model, run, query, is_array)
            if is_array:
                array = read_features_for(model, run, query)
                parts.append(model.embed(array, threads=threads))
                names += [f"{query}, row {row}" for row in range(len(array))]
                continue
            is_collection = query.is_dir() or query.suffix.lower() in (".zip", ".txt")
            with open_images(query if is_collection else [query]) as collection:
                if not is_collection:
                    _check_readable(collection)
                embedded = model.embed_images(collection, threads=threads)
                on_skipped(embedded.skipped, len(collection))
                names += [collection.names[row] for row in embedded.kept]
            parts.append(embedded.embeddings)
    return names, np.concatenate(parts)


def _check_kind(model: TrainedModel, run: Path, query: Path, is_array: bool) -> None:
    if model.embeds_images and is_array:
        raise ValueError(f"the run {run} was trained on images, expected images, got {query}")
    if not model.embeds_images and not is_array:
        raise ValueError(
            f"the run {run} was trained on features, expected a .npy of features, got {query}"
        )


def _check_readable(collection: ImageCollection) -> None:
    """Raise for an image that was named itself; of a whole collection it would be left out."""
    try:
        collection.open(0)
    except UnreadableImage as error:
        raise ValueError(f"{error.name} cannot be read: {error.reason}") from error
