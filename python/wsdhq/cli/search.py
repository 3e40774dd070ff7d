"""`wsdhq search`: what an index holds that means what the query means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from wsdhq._shared.arguments import about
from wsdhq.cli.console import print_table, say_skipped
from wsdhq.cli.options import Run, Threads, as_options


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
    from wsdhq.runs.searching import embed_queries, open_index, tags_of_index

    if not query and words is None:
        raise ValueError("expected one of --query and --words, got neither")
    if query and words is not None:
        raise ValueError("expected one of --query and --words, got both")
    model = TrainedModel.load(run)
    aqd = open_index(index, model, run)
    shown_tags = None if tags is None else tags_of_index(tags, aqd, index)
    if words is not None:
        names = [words]
        with about("--words"):
            queries = model.embed_tags(known_tags(words, model.tags.group_of_tag))[None]
    else:
        with as_options("query"):
            names, queries = embed_queries(model, run, query or [], threads, say_skipped)
    scores, ids = aqd.search(queries, min(k, len(aqd)), threads=threads)
    for name, row_scores, row_ids in zip(names, scores.tolist(), ids.tolist()):
        if as_json:
            _print_json(name, row_scores, row_ids, shown_tags)
        else:
            _print_results(name, row_scores, row_ids, shown_tags)


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
