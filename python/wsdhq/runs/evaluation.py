"""A run measured: its codes, its embedding and what there was before, on the same queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq.cli.console import bar_for
from wsdhq.cli.options import about, check_kind
from wsdhq.data import ImageCollection, Labels, SkippedImage, open_images, split_rows
from wsdhq.embed import TrainedModel
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.evaluation import (
    EvaluationResult,
    RankBatches,
    evaluate_groupings,
    rank_by_index,
    rank_by_inner_product,
)
from wsdhq.quant import AQDIndex
from wsdhq.quant.index import Similarity
from wsdhq.runs.inputs import (
    Inputs,
    Source,
    check_shown,
    codes_of,
    embed_source,
    read_label_file,
    tags_to_show,
)

__all__ = ["Evaluation", "MethodResult", "evaluate_run", "gallery_images"]

_GIVEN_FEATURES = "given features, cosine"
_UNTRAINED = "untrained network"
_EMBEDDING = "embedding, float"

# Queries of a run that held out none.
_MOST_QUERIES = 1000


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
    source = Source(run, model, images if model.embeds_images else features)
    checked = read_label_file(labels, groupings)
    shown = source.path if model.embeds_images else images
    if shown is not None:
        check_shown(shown, labels, checked)
    inputs = embed_source(source, labels, len(checked), baselines, threads)
    if len(inputs.kept) < inputs.num_images:
        checked = checked.select(inputs.kept)
    wanted = config.num_queries if num_queries is None else num_queries
    seed = config.split_seed if split_seed is None else split_seed
    held_out: bool | None = None
    if source.is_own:
        same_rows = source.num_trained() == inputs.num_images
        same_split = wanted == config.num_queries and seed == config.split_seed and wanted > 0
        held_out = same_rows and same_split
    if wanted == 0:
        wanted = max(1, min(_MOST_QUERIES, inputs.num_images // 10))
    with about("--queries"):
        query, database = _readable_split(inputs, wanted, seed)
    shown_tags = tags_to_show(tags, source, inputs.num_images)
    found_codes = codes_of(source, codes, inputs, threads)
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


def _readable_split(
    inputs: Inputs, num_queries: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Queries and database, as places among the readable rows.

    Input rows are split, readable or not: an image that cannot be read moves no other.
    """
    query, database = split_rows(inputs.num_images, num_queries, seed)
    query, database = (rows[np.isin(rows, inputs.kept)] for rows in (query, database))
    if len(query) == 0 or len(database) == 0:
        raise ValueError(
            f"of {inputs.num_images} images only {len(inputs.kept)} can be read: none is left "
            f"of the {num_queries} queries, or of the database"
        )
    return np.searchsorted(inputs.kept, query), np.searchsorted(inputs.kept, database)


def _measure(
    evaluation: Evaluation, inputs: Inputs, R: int, baselines: bool, threads: int | None
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

    by_codes = rank_by_index(evaluation.index, evaluation.query_embeddings, threads=threads)
    num_bytes = evaluation.codes.shape[1]
    name = f"codes, {8 * num_bytes} bits"
    evaluation.methods[name] = MethodResult(
        measure(name, by_codes), "what is stored and searched", float(num_bytes), is_main=True
    )


def gallery_images(evaluation: Evaluation) -> ImageCollection | None:
    """The images to show, if there are any; to be closed."""
    return None if evaluation.images is None else open_images(evaluation.images)
