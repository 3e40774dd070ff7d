"""`wsdhq search`: what an index holds that means what the query means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from wsdhq._shared.arguments import about
from wsdhq.cli.console import print_table, say_skipped
from wsdhq.cli.options import Run, Threads
from wsdhq.data import ImageCollection, UnreadableImage, open_images, read_tags
from wsdhq.quant import AQDIndex

if TYPE_CHECKING:
    from wsdhq.embed import TrainedModel


def search(
    run: Run,
    index: Annotated[Path, typer.Option(help="Index file that `wsdhq index` wrote.")],
    query: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="What to search with: an image, a folder, .zip or list of images, or a .npy of "
            "features. May be repeated.",
        ),
    ] = None,
    words: Annotated[
        str | None, typer.Option(help='Search with tags instead: --words "red shoes".')
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Results per query.")] = 10,
    tags: Annotated[
        Path | None,
        typer.Option(help="Tags of the images, a line per input row: shown beside the results."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per query.")] = False,
    threads: Threads = None,
) -> None:
    """Find the images of an index that mean what the query means."""
    from wsdhq.embed import TrainedModel
    from wsdhq.embed.tags.text_query import known_tags

    if not query and words is None:
        raise ValueError("expected one of --query and --words, got neither")
    if query and words is not None:
        raise ValueError("expected one of --query and --words, got both")
    model = TrainedModel.load(run)
    aqd = _load_index(index, model, run)
    shown_tags = None if tags is None else _tags_of_index(tags, aqd, index)
    if words is not None:
        names = [words]
        with about("--words"):
            queries = model.embed_tags(known_tags(words, model.tags.group_of_tag))[None]
    else:
        names, queries = _embed_queries(model, run, query or [], threads)
    scores, ids = aqd.search(queries, min(k, len(aqd)), threads=threads)
    for name, row_scores, row_ids in zip(names, scores.tolist(), ids.tolist()):
        if as_json:
            _print_json(name, row_scores, row_ids, shown_tags)
        else:
            _print_results(name, row_scores, row_ids, shown_tags)


def _load_index(path: Path, model: TrainedModel, run: Path) -> AQDIndex:
    aqd = AQDIndex.load(path)
    if not np.array_equal(aqd.quantizer.codebooks, model.quantizer.codebooks):
        raise ValueError(
            f"{path}: the index holds codes of another run (its codebooks differ): expected an "
            f"index of {run}"
        )
    return aqd


def _tags_of_index(path: Path, aqd: AQDIndex, index: Path) -> list[list[str]]:
    tags = read_tags(path)
    largest = int(aqd.ids.max()) if len(aqd) else -1
    if largest >= len(tags):
        raise ValueError(
            f"{path} has tags for {len(tags)} images, but {index} holds the image with id "
            f"{largest}: expected one line of tags per image, ids counting them from 0"
        )
    return tags


def _embed_queries(
    model: TrainedModel, run: Path, queries: list[Path], threads: int | None
) -> tuple[list[str], NDArray[np.float32]]:
    from wsdhq.runs.inputs import read_features_for

    names: list[str] = []
    parts: list[NDArray[np.float32]] = []
    for query in queries:
        if not query.exists():
            raise FileNotFoundError(f"--query: there is no file or folder {query}")
        is_array = query.suffix.lower() == ".npy"
        with about("--query"):
            _check_query_kind(model, run, query, is_array)
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
                say_skipped(embedded.skipped, len(collection))
                names += [collection.names[row] for row in embedded.kept]
            parts.append(embedded.embeddings)
    return names, np.concatenate(parts)


def _check_query_kind(model: TrainedModel, run: Path, query: Path, is_array: bool) -> None:
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


def _print_json(
    name: str, scores: list[float], ids: list[int], tags: list[list[str]] | None
) -> None:
    results: list[dict[str, object]] = [{"id": i, "score": s} for i, s in zip(ids, scores)]
    if tags is not None:
        for result, i in zip(results, ids):
            result["tags"] = tags[i]
    typer.echo(json.dumps({"query": name, "results": results}, ensure_ascii=False))


def _print_results(
    name: str, scores: list[float], ids: list[int], tags: list[list[str]] | None
) -> None:
    columns = ["rank", "id", "score"]
    rows = [[str(rank), str(i), f"{s:.4f}"] for rank, (i, s) in enumerate(zip(ids, scores), 1)]
    if tags is not None:
        columns.append("tags")
        for row, i in zip(rows, ids):
            row.append(", ".join(tags[i]))
    print_table(name, columns, rows, texts=["tags"])
