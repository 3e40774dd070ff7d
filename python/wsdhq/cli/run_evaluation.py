"""A run measured: its codes, its embedding and what there was before, on the same queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wsdhq.cli.console import bar_for
from wsdhq.cli.options import (
    about,
    check_kind,
    input_rows,
    read_codes,
    read_features_for,
)
from wsdhq.data import (
    ImageCollection,
    Labels,
    SkippedImage,
    decode_images,
    open_images,
    read_labels,
    read_tags,
    split_rows,
)
from wsdhq.data.features import map_npy
from wsdhq.embed import TrainConfig, TrainedModel
from wsdhq.embed.loop import INITIAL_WEIGHTS, seeded
from wsdhq.embed.model_files import build_network
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.evaluation import EvaluationResult, evaluate_groupings, rank_by_inner_product
from wsdhq.quant import AQDIndex
from wsdhq.quant.index import Similarity

__all__ = ["Evaluation", "MethodResult", "evaluate_run"]

_GIVEN_FEATURES = "given features, cosine"
_UNTRAINED = "untrained network"
_EMBEDDING = "embedding, float"

# Queries of a run that held out none.
_MOST_QUERIES = 1000

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
    held_out: bool | None  # None where other images are ranked than were trained on
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
    images: Path | None


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
    similarity: Similarity = "ip",
    baselines: bool = True,
    threads: int | None = None,
) -> Evaluation:
    """Rank the database for each query by codes, embedding and untrained vectors.

    Parameters
    ----------
    run : path
        The run directory.
    labels : path
        Ground truth, one row per input row.
    features, images : path, optional
        What to rank; by default what the run was trained on. For a run on features, `images`
        are only shown.
    codes : path, optional
        Codes of the same input; by default those of the run, else the embeddings are encoded.
    tags : path, optional
        Shown in the report; by default those of the run.
    groupings : list of str, optional
        Groupings of labels to measure by; by default all.
    num_queries, split_seed : int, optional
        By default those of the training; without any, a tenth of the images, 1000 at most.
    R : int
        Depth of MAP.
    similarity : str
        Of query and reconstruction.
    baselines : bool
        Whether to rank by float vectors too.
    threads : int, optional
        All cores by default.

    Raises
    ------
    TypeError, ValueError, OSError
        Naming the file or option that does not fit.
    """
    model = TrainedModel.load(run)
    config = model.config
    if model.embeds_images:
        check_kind(model, run, features, None)
    source = _Source(run, model, images if model.embeds_images else features)
    checked = _read_labels(labels, groupings)
    inputs = (_read_images if model.embeds_images else _read_features)(
        model, source, checked, labels, baselines, threads
    )
    shown = inputs.images if model.embeds_images else images
    if shown is not None:
        _check_shown(shown, inputs.num_images, checked, labels)
    if len(inputs.kept) < inputs.num_images:
        checked = checked.select(inputs.kept)
    wanted = config.num_queries if num_queries is None else num_queries
    seed = config.split_seed if split_seed is None else split_seed
    held_out: bool | None = None
    if source.is_own:
        same_rows = np.array_equal(inputs.kept, source.trained_rows(inputs.num_images))
        same_split = wanted == config.num_queries and seed == config.split_seed and wanted > 0
        held_out = same_rows and same_split
    if wanted == 0:
        wanted = max(1, min(_MOST_QUERIES, len(inputs.kept) // 10))
    with about("--queries"):
        query, database = split_rows(len(inputs.kept), wanted, seed)
    shown_tags = _read_tags(tags, source, inputs.num_images)
    found_codes = _read_codes(model, source, codes, inputs, threads)
    index = AQDIndex(model.quantizer, similarity)
    index.add(found_codes[database])
    evaluation = Evaluation(
        model=model,
        run=RunDirectory(run),
        labels=checked,
        query=query,
        database=database,
        codes=found_codes,
        index=index,
        query_embeddings=inputs.embeddings[query],
        num_images=inputs.num_images,
        kept=inputs.kept,
        skipped=inputs.skipped,
        tags=shown_tags,
        images=shown,
        held_out=held_out,
    )
    _measure(evaluation, inputs, R, baselines, threads)
    return evaluation


class _Source:
    """The features or images to rank: those given, else those that the run was trained on."""

    def __init__(self, run: Path, model: TrainedModel, given: Path | None) -> None:
        config = model.config
        name = config.images if model.embeds_images else config.features
        assert name is not None  # TrainConfig: exactly one of the two
        own = Path(name)
        option = "--images" if model.embeds_images else "--features"
        if given is None and not own.exists():
            raise FileNotFoundError(
                f"{own}, which {run} was trained on, is not there: name its place with {option}"
            )
        self.run = run
        self.path = own if given is None else given
        self.is_own = given is None or (own.exists() and given.exists() and given.samefile(own))

    def trained_rows(self, num_images: int) -> NDArray[np.int64]:
        """The input rows that could be read at the time of the training."""
        path = RunDirectory(self.run).file("rows.npy")
        return map_npy(path) if path.is_file() else np.arange(num_images)


def _measure(
    evaluation: Evaluation, inputs: _Inputs, R: int, baselines: bool, threads: int | None
) -> None:
    query, database = evaluation.query, evaluation.database
    pairs = {
        name: (grouping.matrix[query], grouping.matrix[database])
        for name, grouping in evaluation.labels.groupings.items()
    }
    depth = min(R, len(database))

    def measure(name: str, rank: RankBatches) -> dict[str, EvaluationResult]:
        with bar_for(f"ranking by {name}") as bar:
            return evaluate_groupings(rank, pairs, depth, progress=bar.advance_to)

    def vectors(name: str, values: NDArray[np.float32], note: str) -> None:
        rank = rank_by_inner_product(values[query], values[database])
        size = 4.0 * values.shape[1]
        evaluation.methods[name] = MethodResult(measure(name, rank), note, size)

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
    name = f"codes, {8 * num_bytes} bits"
    evaluation.methods[name] = MethodResult(
        measure(name, rank_codes), "what is stored and searched", float(num_bytes), is_main=True
    )


def _read_features(
    model: TrainedModel,
    source: _Source,
    labels: Labels,
    labels_path: Path,
    baselines: bool,
    threads: int | None,
) -> _Inputs:
    array = read_features_for(model, source.run, source.path)
    _check_length(labels_path, "labels", len(labels), source.path, len(array))
    embeddings = np.empty((len(array), model.dim), dtype=np.float32)
    with bar_for("embedding") as bar, about(source.path):
        for start, block in model.embed_blocks(array, threads=threads):
            embeddings[start : start + len(block)] = block
            bar.advance_to(start + len(block), len(array))
    before = _unit_rows(np.asarray(array, np.float32)) if baselines else None
    return _Inputs(embeddings, before, len(array), np.arange(len(array)), [], None)


def _read_images(
    model: TrainedModel,
    source: _Source,
    labels: Labels,
    labels_path: Path,
    baselines: bool,
    threads: int | None,
) -> _Inputs:
    with open_images(source.path) as collection, bar_for("reading images") as bar:
        num_images = len(collection)
        _check_length(labels_path, "labels", len(labels), source.path, num_images)
        with about(labels_path):
            labels.check_order(collection.names)
        with about(source.path):
            decoded = decode_images(
                collection, model.config.image_size, threads=threads, progress=bar.advance_to
            )
        bar.stage("embedding")
        embeddings = model.embed(decoded.pixels, threads=threads)
        before = _untrained(model).embed(decoded.pixels, threads=threads) if baselines else None
    return _Inputs(embeddings, before, num_images, decoded.kept, decoded.skipped, source.path)


def _untrained(model: TrainedModel) -> TrainedModel:
    """The model with the weights that its training began with; nothing is fitted to images."""
    device = torch.device("cpu")
    with seeded(model.config.seed, INITIAL_WEIGHTS, device=device):
        network = build_network(model.config, None, model.dim)
    return TrainedModel(model.config, network, model.quantizer, model.tags)


def _unit_rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norms > 0, norms, 1.0)


def _read_labels(path: Path, wanted: list[str] | None) -> Labels:
    labels = read_labels(path)
    if not wanted:
        return labels
    with about("--by"):
        groupings = {name: labels.grouping(name) for name in wanted}
    return Labels(groupings, labels.identifiers)


def _check_length(path: Path, what: str, received: int, other: Path, expected: int) -> None:
    if received != expected:
        raise ValueError(
            f"{path} has {what} for {received} images, but {other} has {expected}: expected one "
            f"row of {what} per image"
        )


def _check_shown(images: Path, num_images: int, labels: Labels, labels_path: Path) -> None:
    """Check that the images to show are those that are ranked, before any ranking."""
    with open_images(images) as collection:
        if len(collection) != num_images:
            raise ValueError(
                f"--images: {images} has {len(collection)} images, but there are {num_images} "
                "rows of features"
            )
        with about(labels_path):
            labels.check_order(collection.names)


def _read_tags(given: Path | None, source: _Source, num_images: int) -> list[list[str]] | None:
    if given is not None:
        tags = read_tags(given)
        _check_length(given, "tags", len(tags), source.path, num_images)
        return tags
    own = Path(TrainConfig.load(RunDirectory(source.run).file("config.toml")).tags)
    # A report can do without: the file may have stayed on another machine. Tags of other
    # images must not be shown.
    if not source.is_own or not own.is_file():
        return None
    tags = read_tags(own)
    return tags if len(tags) == num_images else None


def _read_codes(
    model: TrainedModel,
    source: _Source,
    given: Path | None,
    inputs: _Inputs,
    threads: int | None,
) -> NDArray[np.uint8]:
    path = given
    if path is None and source.is_own:
        path = RunDirectory(source.run).file("codes.npy")
    if path is None or (given is None and not path.is_file()):
        return model.quantizer.encode(inputs.embeddings, threads=threads)
    codes = read_codes(path, model.quantizer.num_codebooks)
    rows = input_rows(path, source.run, len(codes))
    places = np.searchsorted(rows, inputs.kept)
    there = places < len(rows)
    there[there] = rows[places[there]] == inputs.kept[there]
    if there.all() and rows[-1] < inputs.num_images:
        return codes[places]
    if given is None:
        # The images that can be read are others than at the time of the training.
        return model.quantizer.encode(inputs.embeddings, threads=threads)
    _check_length(path, "codes", len(codes), source.path, inputs.num_images)
    missing = int(inputs.kept[~there][0])
    raise ValueError(f"{path}: holds no code of input row {missing} of {source.path}")


def gallery_images(evaluation: Evaluation) -> ImageCollection | None:
    """The images to show, if there are any; to be closed."""
    return None if evaluation.images is None else open_images(evaluation.images)
