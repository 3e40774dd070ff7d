"""A run measured: its codes, its embedding and what there was before, on the same queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wsdhq.data import (
    ImageCollection,
    Labels,
    SkippedImage,
    decode_images,
    open_images,
    read_features,
    read_labels,
    read_tags,
    split_rows,
)
from wsdhq.embed import TrainedModel
from wsdhq.embed.loop import INITIAL_WEIGHTS, seeded
from wsdhq.embed.model_files import build_network
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.evaluation import EvaluationResult, evaluate_groupings, rank_by_inner_product
from wsdhq.quant import AQDIndex

__all__ = ["Evaluation", "MethodResult", "evaluate_run"]

_GIVEN_FEATURES = "given features, cosine"
_UNTRAINED = "untrained network"
_EMBEDDING = "embedding, float"

RankBatches = Callable[[int, int], tuple[NDArray[np.float32], NDArray[np.int64]]]


@dataclass(frozen=True)
class MethodResult:
    """One way of ranking: results by grouping, what it is, bytes per image."""

    results: dict[str, EvaluationResult]
    note: str
    bytes_per_image: float
    is_main: bool = False


@dataclass
class Evaluation:
    """What `evaluate_run` measured, and what a report shows of it.

    Rows count the images that could be read; `kept` maps them to the rows of the input.
    """

    model: TrainedModel
    run: RunDirectory
    labels: Labels
    query: NDArray[np.int64]
    database: NDArray[np.int64]
    codes: NDArray[np.uint8]
    index: AQDIndex
    query_embeddings: NDArray[np.float32]
    num_images: int
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]
    tags: list[list[str]] | None
    images: Path | None
    held_out: bool
    methods: dict[str, MethodResult] = field(default_factory=dict)

    @property
    def main_method(self) -> str:
        """Name of the ranking by codes."""
        return next(name for name, method in self.methods.items() if method.is_main)


@dataclass(frozen=True)
class _Inputs:
    """The readable rows of what is ranked, embedded."""

    embeddings: NDArray[np.float32]
    before: NDArray[np.float32] | None  # vectors to compare with, unit rows
    num_images: int
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]
    names: list[str] | None


def evaluate_run(
    run: Path,
    labels: Path,
    *,
    features: Path | None = None,
    images: Path | None = None,
    codes: Path | None = None,
    tags: Path | None = None,
    groupings: list[str] | None = None,
    num_queries: int | None = None,
    split_seed: int | None = None,
    R: int = 5000,
    similarity: str = "ip",
    baselines: bool = True,
    threads: int | None = None,
) -> Evaluation:
    """Rank the database for each query by codes, embedding and untrained vectors.

    Inputs that are not given are those of the run. Raises ValueError, TypeError or
    FileNotFoundError naming the file or argument that does not fit.
    """
    directory = RunDirectory(run)
    model = TrainedModel.load(run)
    config = model.config
    own_inputs = features is None and (images is None or not model.embeds_images)
    if model.embeds_images:
        if features is not None:
            raise ValueError(f"--features: the run {run} embeds images, expected --images")
        images = Path(config.images or "") if images is None else images
        inputs = _read_images(model, images, baselines, threads)
    else:
        features = Path(config.features or "") if features is None else features
        inputs = _read_features(model, features, baselines, threads)
    checked = _read_labels(labels, inputs, groupings)
    wanted = config.num_queries if num_queries is None else num_queries
    seed = config.split_seed if split_seed is None else split_seed
    held_out = wanted == config.num_queries and seed == config.split_seed and wanted > 0
    if wanted == 0:
        wanted = max(1, min(1000, len(inputs.embeddings) // 10))
    query, database = split_rows(len(inputs.embeddings), wanted, seed)
    found_codes = _read_codes(model, directory, codes, inputs.embeddings, own_inputs, threads)
    index = AQDIndex(model.quantizer, similarity)  # type: ignore[arg-type]
    index.add(found_codes[database])
    evaluation = Evaluation(
        model=model,
        run=directory,
        labels=checked,
        query=query,
        database=database,
        codes=found_codes,
        index=index,
        query_embeddings=inputs.embeddings[query],
        num_images=inputs.num_images,
        kept=inputs.kept,
        skipped=inputs.skipped,
        tags=_read_tags(tags, config.tags, inputs.num_images),
        images=images,
        held_out=held_out,
    )
    _measure(evaluation, inputs, R, baselines, threads)
    return evaluation


def _measure(
    evaluation: Evaluation, inputs: _Inputs, R: int, baselines: bool, threads: int | None
) -> None:
    query, database = evaluation.query, evaluation.database
    pairs = {
        name: (grouping.matrix[query], grouping.matrix[database])
        for name, grouping in evaluation.labels.groupings.items()
    }
    depth = min(R, len(database))

    def measure(rank: RankBatches) -> dict[str, EvaluationResult]:
        return evaluate_groupings(rank, pairs, depth)

    def vectors(name: str, values: NDArray[np.float32], note: str) -> None:
        rank = rank_by_inner_product(values[query], values[database])
        size = 4.0 * values.shape[1]
        evaluation.methods[name] = MethodResult(measure(rank), note, size)

    if baselines and inputs.before is not None:
        if evaluation.model.embeds_images:
            vectors(_UNTRAINED, inputs.before, "the same network before any training")
        else:
            vectors(_GIVEN_FEATURES, inputs.before, "the features as given, nothing learnt")
    if baselines:
        vectors(_EMBEDDING, inputs.embeddings, "learnt from the tags, before quantisation")

    def rank_codes(start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        # Ids of the index are places in the database: it was filled in that order.
        return evaluation.index.search(
            evaluation.query_embeddings[start:stop], len(database), threads=threads
        )

    num_bytes = evaluation.codes.shape[1]
    evaluation.methods[f"codes, {8 * num_bytes} bits"] = MethodResult(
        measure(rank_codes), "what is stored and searched", float(num_bytes), is_main=True
    )


def _read_features(
    model: TrainedModel, path: Path, baselines: bool, threads: int | None
) -> _Inputs:
    array = read_features(path)
    embeddings = model.embed(array, threads=threads)
    before = _unit_rows(np.asarray(array, np.float32)) if baselines else None
    return _Inputs(embeddings, before, len(array), np.arange(len(array)), [], None)


def _read_images(model: TrainedModel, path: Path, baselines: bool, threads: int | None) -> _Inputs:
    with open_images(str(path)) as collection:
        decoded = decode_images(collection, model.config.image_size, threads=threads)
        names = list(collection.names)
    embeddings = model.embed(decoded.pixels, threads=threads)
    before = None
    if baselines:
        before = _untrained(model).embed(decoded.pixels, threads=threads)
    return _Inputs(embeddings, before, len(names), decoded.kept, decoded.skipped, names)


def _untrained(model: TrainedModel) -> TrainedModel:
    """The model as it was before its first step."""
    device = torch.device("cpu")
    with seeded(model.config.seed, INITIAL_WEIGHTS, device=device):
        network = build_network(model.config, None, model.dim)
    return TrainedModel(model.config, network, model.quantizer, model.tags)


def _unit_rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norms > 0, norms, 1.0)


def _read_labels(path: Path, inputs: _Inputs, wanted: list[str] | None) -> Labels:
    labels = read_labels(path)
    if len(labels) != inputs.num_images:
        raise ValueError(
            f"{path} has labels for {len(labels)} images, but there are {inputs.num_images}: "
            "expected one row of labels per image"
        )
    if inputs.names is not None:
        labels.check_order(inputs.names)
    if wanted:
        groupings = {name: labels.grouping(name) for name in wanted}
        labels = Labels(groupings, labels.identifiers)
    return labels.select(inputs.kept) if len(inputs.kept) < inputs.num_images else labels


def _read_tags(given: Path | None, own: str, num_images: int) -> list[list[str]] | None:
    path = Path(own) if given is None else given
    if given is None and not path.is_file():
        return None  # the report can do without; the file may have stayed on another machine
    tags = read_tags(path)
    if len(tags) != num_images:
        if given is None:
            return None
        raise ValueError(f"{path} has tags for {len(tags)} images, but there are {num_images}")
    return tags


def _read_codes(
    model: TrainedModel,
    directory: RunDirectory,
    given: Path | None,
    embeddings: NDArray[np.float32],
    own_inputs: bool,
    threads: int | None,
) -> NDArray[np.uint8]:
    expected = (len(embeddings), model.quantizer.num_codebooks)
    path = given
    if path is None and own_inputs and directory.file("codes.npy").is_file():
        path = directory.file("codes.npy")
    if path is None:
        return model.quantizer.encode(embeddings, threads=threads)
    codes: Any = np.load(path, allow_pickle=False)
    if codes.shape != expected or codes.dtype != np.uint8:
        raise ValueError(
            f"{path}: expected codes of shape {expected}, uint8; got {codes.shape}, {codes.dtype}"
        )
    return np.asarray(codes)


def gallery_images(evaluation: Evaluation) -> ImageCollection | None:
    """The images to show, when they are there and match the rows."""
    if evaluation.images is None:
        return None
    collection = open_images(str(evaluation.images))
    if len(collection) != evaluation.num_images:
        count = len(collection)
        collection.close()
        raise ValueError(
            f"{evaluation.images} has {count} images, but there are {evaluation.num_images} rows"
        )
    return collection
