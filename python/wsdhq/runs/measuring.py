"""A run measured: its codes, its embedding and what there was before, on the same queries."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.arguments import as_choice
from wsdhq._shared.files import as_path
from wsdhq._shared.progress import Progress
from wsdhq.data import Labels, split_rows
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
from wsdhq.runs.evaluation import Evaluation, MethodResult
from wsdhq.runs.inputs import (
    Inputs,
    Source,
    as_labels,
    check_shown,
    codes_of,
    embed_source,
    tags_to_show,
)

_GIVEN_FEATURES = "given features, cosine"
_UNTRAINED = "untrained network"
_EMBEDDING = "embedding, float"

# Queries of a run that held out none.
_MAX_QUERIES = 1000

PathLike = str | os.PathLike[str]


def evaluate(
    run: PathLike,
    labels: PathLike | Labels | ArrayLike | Mapping[str, ArrayLike],
    *,
    features: PathLike | None = None,
    images: PathLike | None = None,
    codes: PathLike | None = None,
    tags: PathLike | None = None,
    by: Sequence[str] | None = None,
    num_queries: int | None = None,
    split_seed: int | None = None,
    R: int = 5000,
    similarity: Similarity = "ip",
    codes_only: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Rank the database of a run for each query by codes, embedding and untrained vectors.

    What `wsdhq evaluate` does; `report` writes the result to files.

    Parameters
    ----------
    run : path
        The run directory that `wsdhq.embed.train` wrote.
    labels : path, Labels, array or mapping of str to array
        A row per image: what `wsdhq.data.read_labels` reads or gives, an (N, L) array of 0 and 1,
        or such arrays by grouping.
    features, images : path, optional
        What is ranked; by default what the run was trained on. For a run on features, `images`
        are only shown.
    codes : path, optional
        Codes of the same input, `.npy`; by default those of the run, else the embeddings are
        encoded.
    tags : path, optional
        Shown in the report; by default those of the run.
    by : sequence of str, optional
        Groupings of labels to measure by; all by default.
    num_queries, split_seed : int, optional
        The rows to query with, drawn by `wsdhq.data.split_rows`. By default those that were held
        out of the training; without any, a tenth of the images, 1000 at most.
    R : int
        Depth of MAP, at least 1; the whole database if that is smaller.
    similarity : {"ip", "l2", "cosine"}
        Of query and reconstruction.
    codes_only : bool
        Leave out the rankings by float vectors.
    threads : int, optional
        All cores by default.
    progress : bool or None
        None shows a bar where standard error is a terminal, False nothing.

    Returns
    -------
    Evaluation

    Raises
    ------
    FileNotFoundError
        A file is missing; the message names it.
    TypeError, ValueError
        Naming the argument or file that does not fit the others.

    Examples
    --------
    >>> evaluation = evaluate("run/", "labels.csv")  # doctest: +SKIP
    >>> evaluation.results["kind"].map  # doctest: +SKIP
    0.7134
    """
    as_choice(similarity, "similarity", get_args(Similarity))
    model = TrainedModel.load(run)
    config, directory = model.config, RunDirectory(run)
    if model.embeds_images and features is not None:
        raise ValueError(f"features: the run {run} was trained on images, expected images")
    source = Source(directory, model, images if model.embeds_images else features)
    checked, label_source = as_labels(labels, by)
    shown = source.path if model.embeds_images else None if images is None else as_path(images)
    if shown is not None:
        check_shown(shown, label_source, checked)
    with Progress(progress) as bar:
        inputs = embed_source(source, label_source, len(checked), not codes_only, threads, bar)
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
            wanted = max(1, min(_MAX_QUERIES, inputs.num_images // 10))
        query, database = _readable_split(inputs, wanted, seed)
        shown_tags = tags_to_show(tags, source, inputs.num_images)
        found_codes = codes_of(source, codes, inputs, threads)
        index = AQDIndex(model.quantizer, similarity)
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
            tags=shown_tags,
            images=shown,
            held_out=held_out,
        )
        _measure(evaluation, inputs, R, codes_only, threads, bar)
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
            f"num_queries: of {inputs.num_images} images only {len(inputs.kept)} can be read: none "
            f"is left of the {num_queries} queries, or of the database"
        )
    return np.searchsorted(inputs.kept, query), np.searchsorted(inputs.kept, database)


def _measure(
    evaluation: Evaluation,
    inputs: Inputs,
    R: int,
    codes_only: bool,
    threads: int | None,
    bar: Progress,
) -> None:
    query, database = evaluation.query, evaluation.database
    pairs = {
        name: (grouping.matrix[query], grouping.matrix[database])
        for name, grouping in evaluation.labels.groupings.items()
    }
    depth = min(R, len(database))

    def measure(name: str, rank: RankBatches) -> dict[str, EvaluationResult]:
        bar.stage(f"ranking by {name}")
        return evaluate_groupings(rank, pairs, depth, progress=bar.advance_to)

    def vectors(name: str, values: NDArray[np.float32], note: str) -> None:
        rank = rank_by_inner_product(values[query], values[database])
        size = 4.0 * values.shape[1]
        evaluation.methods[name] = MethodResult(measure(name, rank), note, size)

    if inputs.before is not None:
        if evaluation.model.embeds_images:
            vectors(_UNTRAINED, inputs.before, "the same network before any training")
        else:
            vectors(_GIVEN_FEATURES, inputs.before, "the features as given, nothing learnt")
    if not codes_only:
        vectors(_EMBEDDING, inputs.embeddings, "learnt from the tags, before quantization")

    by_codes = rank_by_index(evaluation.index, evaluation.query_embeddings, threads=threads)
    num_bytes = evaluation.codes.shape[1]
    name = f"codes, {8 * num_bytes} bits"
    evaluation.methods[name] = MethodResult(
        measure(name, by_codes), "what is stored and searched", float(num_bytes), is_main=True
    )
