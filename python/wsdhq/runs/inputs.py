"""What an evaluation reads: input rows embedded, with labels, tags and codes of the same rows.

An image that cannot be read is left out of everything, so each reader says which input rows
it holds, and nothing is matched by place alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import about
from wsdhq._shared.files import as_path
from wsdhq._shared.progress import Progress
from wsdhq.data import (
    Grouping,
    ImageCollection,
    Labels,
    SkippedImage,
    open_images,
    read_features,
    read_labels,
    read_tags,
)
from wsdhq.data.features import map_npy
from wsdhq.embed import EmbeddedImages, TrainedModel
from wsdhq.embed.model_files import build_network
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.embed.training.loop import INITIAL_WEIGHTS, seeded
from wsdhq.evaluation.relevance import label_matrix
from wsdhq.runs.code_files import input_rows, read_codes, rows_file_of


@dataclass(frozen=True)
class Inputs:
    """The readable rows of what is ranked, embedded."""

    embeddings: NDArray[np.float32]
    before: NDArray[np.float32] | None  # vectors to compare with, unit rows
    num_images: int
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]


class Source:
    """The features or images to rank: those given, else those that the run was trained on.

    Parameters
    ----------
    run : RunDirectory
    model : TrainedModel
        The model in it.
    given : path or None
        What the user named.

    Attributes
    ----------
    path : Path
        The features or images.
    is_own : bool
        Whether they are what the run was trained on.

    Raises
    ------
    FileNotFoundError
        None are named, and those trained on are gone.
    """

    def __init__(
        self, run: RunDirectory, model: TrainedModel, given: str | os.PathLike[str] | None
    ) -> None:
        name = model.config.images if model.embeds_images else model.config.features
        assert name is not None  # TrainConfig: exactly one of the two
        own = Path(name)
        if given is None and not own.exists():
            kind = "images" if model.embeds_images else "features"
            raise FileNotFoundError(
                f"{kind}: expected where {own} is now, which {run.path} was trained on, got no "
                "file there"
            )
        self.run = run
        self.model = model
        self.path = own if given is None else as_path(given)
        self.is_own = given is None or (
            own.exists() and self.path.exists() and self.path.samefile(own)
        )

    def num_trained(self) -> int | None:
        """The number of input rows when the run was trained; None where its codes are gone.

        The split into queries and database depends on nothing else.
        """
        codes, skipped = self.run.file("codes.npy"), self.run.file("skipped.json")
        if not codes.is_file():
            return None
        return len(map_npy(codes)) + (_num_skipped(skipped) if skipped.is_file() else 0)


def _num_skipped(path: Path) -> int:
    try:
        left_out = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected the images that were left out, JSON: {error}") from None
    if not isinstance(left_out, list):
        raise ValueError(f"{path}: expected a list of the images that were left out")
    return len(left_out)


def read_features_for(
    model: TrainedModel, run: str | os.PathLike[str], path: Path
) -> NDArray[np.floating[Any]]:
    """Map the features in `path`, as wide as those that the run was trained on."""
    array = read_features(path)
    expected = model.network.head.in_dim
    if array.shape[1] != expected:
        raise ValueError(
            f"{path}: expected {expected} features per image, as {run} was trained on, "
            f"got {array.shape[1]}"
        )
    return array


def embed_source(
    source: Source,
    labels: str,
    num_labels: int,
    with_untrained: bool,
    threads: int | None,
    bar: Progress,
) -> Inputs:
    """Embed all readable rows of the source, once the labels are seen to be as many."""
    model, path = source.model, source.path

    def embed(network: TrainedModel, stage: str, collection: ImageCollection) -> EmbeddedImages:
        bar.stage(stage)
        with about(path):
            return network.embed_images(collection, threads=threads, progress=bar.advance_to)

    if model.embeds_images:
        with open_images(path) as collection:
            num_images = len(collection)
            _check_length(labels, "labels", num_labels, path, num_images)
            embedded = embed(model, "embedding", collection)
            before = None
            if with_untrained:
                before = embed(untrained(model), "embedding untrained", collection).embeddings
        return Inputs(embedded.embeddings, before, num_images, embedded.kept, embedded.skipped)
    array = read_features_for(model, source.run.path, path)
    _check_length(labels, "labels", num_labels, path, len(array))
    embeddings = np.empty((len(array), model.dim), dtype=np.float32)
    bar.stage("embedding")
    with about(path):
        for start, block in model.embed_blocks(array, threads=threads):
            embeddings[start : start + len(block)] = block
            bar.advance_to(start + len(block), len(array))
    before = _unit_rows(np.asarray(array, np.float32)) if with_untrained else None
    return Inputs(embeddings, before, len(array), np.arange(len(array)), [])


def untrained(model: TrainedModel) -> TrainedModel:
    """The model with the weights that its training began with; nothing is fitted to images.

    Where a file of weights that it began with is gone, with random ones.
    """
    weights = model.config.backbone_weights
    there = weights is not None and Path(weights).is_file()
    with seeded(model.config.seed, INITIAL_WEIGHTS, device=torch.device("cpu")):
        stored = None if there or weights is None else model.network.state_dict()
        network = build_network(model.config, None, model.dim, stored=stored)
    return TrainedModel(model.config, network, model.quantizer, model.tags)


def _unit_rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1), np.float32)


def as_labels(given: Any, wanted: Sequence[str] | None) -> tuple[Labels, str]:
    """Labels as `evaluate` takes them, and what messages call them; groupings that are wanted."""
    source = "labels"
    if isinstance(given, str | os.PathLike):
        source = str(as_path(given))
        labels = read_labels(given)
    elif isinstance(given, Labels):
        labels = given
    elif isinstance(given, Mapping):
        labels = Labels({str(name): _grouping(array) for name, array in given.items()})
    else:
        labels = Labels({"labels": _grouping(given)})
    if not wanted:
        return labels, source
    with about(f"by: {source}"):
        groupings = {name: labels.grouping(name) for name in wanted}
    return Labels(groupings, labels.identifiers), source


def _grouping(array: ArrayLike) -> Grouping:
    matrix = label_matrix(array, "labels").astype(np.uint8)
    return Grouping(tuple(map(str, range(matrix.shape[1]))), matrix)


def check_shown(images: Path, source: str, labels: Labels) -> None:
    """Check that the images a report shows are those that are labelled, before any ranking."""
    with open_images(images) as collection:
        _check_length(source, "labels", len(labels), images, len(collection))
        with about(source):
            labels.check_order(collection.names)


def tags_to_show(
    given: str | os.PathLike[str] | None, source: Source, num_images: int
) -> list[list[str]] | None:
    """Tags by input row: those in the file given, else those of the run, else none."""
    if given is not None:
        tags = read_tags(given)
        _check_length(given, "tags", len(tags), source.path, num_images)
        return tags
    own = Path(source.model.config.tags)
    # A report can do without: the file may have stayed on another machine. But it must not
    # show the tags of other images.
    if not source.is_own or not own.is_file():
        return None
    tags = read_tags(own)
    return tags if len(tags) == num_images else None


def codes_of(
    source: Source, given: str | os.PathLike[str] | None, inputs: Inputs, threads: int | None
) -> NDArray[np.uint8]:
    """Codes of the readable rows: from the file given, else of the run, else made anew.

    Raises
    ------
    FileNotFoundError, ValueError
        The file given does not exist, holds something else than codes of the run, or not one
        for each readable row.
    """
    quantizer, path = source.model.quantizer, None if given is None else as_path(given)
    own = source.run.file("codes.npy")
    if path is None and source.is_own and own.is_file():
        path = own
    if path is None:
        return quantizer.encode(inputs.embeddings, threads=threads)
    codes = read_codes(path, quantizer.num_codebooks)
    rows = input_rows(path, source.run, len(codes))
    # As many rows must be accounted for as there are inputs: by a code, or by being skipped.
    listed = rows_file_of(path, source.run).is_file()
    fits = len(rows) == inputs.num_images or (listed and rows.max(initial=-1) < inputs.num_images)
    there = np.isin(inputs.kept, rows)
    if fits and there.all():
        return codes[np.searchsorted(rows, inputs.kept)]
    if given is None:
        # Other images can be read than when the run was trained.
        return quantizer.encode(inputs.embeddings, threads=threads)
    if not fits:
        raise ValueError(
            f"{path} has codes of {len(codes)} images, but {source.path} has "
            f"{inputs.num_images}: expected one code per image that can be read"
        )
    raise ValueError(
        f"{path} has no code of row {inputs.kept[~there][0]} of {source.path}, which can be read"
    )


def _check_length(
    path: str | os.PathLike[str], what: str, received: int, other: Path, expected: int
) -> None:
    if received != expected:
        raise ValueError(
            f"{path} has {what} for {received} images, but {other} has {expected}: expected one "
            f"row of {what} per image"
        )
