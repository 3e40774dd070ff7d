"""`wsdhq embed`, `encode`, `index` and `search`: a trained run at work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from wsdhq._files import atomic_path, save_npy
from wsdhq.cli.console import (
    Features,
    Images,
    Run,
    Threads,
    check_folder_of,
    one_input,
    print_table,
    say,
    say_skipped,
)
from wsdhq.data import open_images, read_features, read_tags
from wsdhq.embed import TrainedModel
from wsdhq.quant import AQDIndex

__all__ = ["embed", "encode", "index", "search"]

Out = Annotated[Path, typer.Option(help="File to write.")]


def embed(
    run: Run,
    out: Out,
    features: Features = None,
    images: Images = None,
    threads: Threads = None,
) -> None:
    """Embed images on the semantic hypersphere: (N, D) float32 rows of unit norm."""
    one_input(features, images)
    check_folder_of(out, "--out")
    model = TrainedModel.load(run)
    if features is not None:
        array = read_features(features)
        blocks = model.embed_blocks(array, threads=threads)
        with atomic_path(out) as temporary:
            written = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.float32, shape=(len(array), model.dim)
            )
            for start, block in blocks:
                written[start : start + len(block)] = block
            written.flush()
        say(f"wrote {out}: {len(array)} embeddings of {model.dim} dimensions")
        return
    embedded = _embed_images(model, images, threads)
    save_npy(out, embedded.embeddings)
    _write_rows(out, embedded.kept, bool(embedded.skipped))
    say(f"wrote {out}: {len(embedded.embeddings)} embeddings of {model.dim} dimensions")


def encode(
    run: Run,
    out: Out,
    features: Features = None,
    images: Images = None,
    threads: Threads = None,
) -> None:
    """Encode images: (N, M) uint8, one byte per codebook."""
    one_input(features, images)
    check_folder_of(out, "--out")
    model = TrainedModel.load(run)
    if features is not None:
        codes = model.encode(read_features(features), threads=threads)
        save_npy(out, codes)
    else:
        embedded = _embed_images(model, images, threads)
        codes = model.quantizer.encode(embedded.embeddings, threads=threads)
        save_npy(out, codes)
        _write_rows(out, embedded.kept, bool(embedded.skipped))
    say(f"wrote {out}: {len(codes)} codes of {codes.shape[1]} bytes")


def index(
    run: Run,
    codes: Annotated[Path, typer.Option(help="Codes, (N, M) uint8 .npy.")],
    out: Out,
    ids: Annotated[
        Path | None,
        typer.Option(help="Ids, (N,) integers .npy; by default the row of the image in its input."),
    ] = None,
    similarity: Annotated[
        str, typer.Option(help="ip, l2 or cosine of query and reconstruction.")
    ] = "ip",
) -> None:
    """Put codes into an index file that `wsdhq search` opens."""
    check_folder_of(out, "--out")
    model = TrainedModel.load(run)
    loaded = _read_npy(codes, "codes")
    if ids is None and _rows_beside(codes).is_file():
        ids = _rows_beside(codes)
    aqd = AQDIndex(model.quantizer, similarity)  # type: ignore[arg-type]
    try:
        aqd.add(loaded, None if ids is None else _read_npy(ids, "ids"))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{codes}: {error}") from None
    aqd.save(out)
    say(f"wrote {out}: {aqd!r}")


def search(
    run: Run,
    index: Annotated[Path, typer.Option(help="Index file that `wsdhq index` wrote.")],
    query: Annotated[
        list[Path] | None,
        typer.Option(
            help="What to search with: an image, a folder, .zip or list of images, or a .npy of "
            "features. May be repeated."
        ),
    ] = None,
    words: Annotated[
        str | None, typer.Option(help='Search with tags instead: --words "red shoes".')
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Results per query.")] = 10,
    tags: Annotated[
        Path | None, typer.Option(help="Tags of the database, shown beside the results.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per query.")] = False,
    threads: Threads = None,
) -> None:
    """Find the images of an index that mean what the query means."""
    if (not query) == (words is None):
        raise ValueError("expected exactly one of --query and --words")
    model = TrainedModel.load(run)
    aqd = AQDIndex.load(index)
    if aqd.quantizer.dim != model.dim:
        raise ValueError(
            f"{index}: holds codes of {aqd.quantizer.dim}-dimensional embeddings, but {run} "
            f"embeds in {model.dim} dimensions: expected the index of this run"
        )
    if words is not None:
        names, queries = [words], model.embed_tags(words.split())[None]
    else:
        names, queries = _embed_queries(model, query or [], threads)
    shown_tags = None if tags is None else read_tags(tags)
    scores, ids = aqd.search(queries, k, threads=threads)
    for name, row_scores, row_ids in zip(names, scores, ids):
        found = [(float(s), int(i)) for s, i in zip(row_scores, row_ids) if i >= 0]
        if as_json:
            results = [{"id": i, "score": s} for s, i in found]
            typer.echo(json.dumps({"query": name, "results": results}, ensure_ascii=False))
            continue
        columns = ["rank", "id", "score"] + ([] if shown_tags is None else ["tags"])
        rows = [
            [str(rank), str(i), f"{s:.4f}", *_tags_of(shown_tags, i)]
            for rank, (s, i) in enumerate(found, start=1)
        ]
        print_table(name, columns, rows)


def _tags_of(tags: list[list[str]] | None, row: int) -> list[str]:
    if tags is None:
        return []
    return [" ".join(tags[row]) if row < len(tags) else "(no such line)"]


def _embed_images(model: TrainedModel, images: Path | None, threads: int | None):  # type: ignore[no-untyped-def]
    with open_images(str(images)) as collection:
        embedded = model.embed_images(collection, threads=threads)
        say_skipped(embedded.skipped, len(collection))
    return embedded


def _rows_beside(out: Path) -> Path:
    """Where the input rows of codes or embeddings are kept, when images had to be skipped."""
    if out.name == "codes.npy" and (out.parent / "rows.npy").is_file():
        return out.parent / "rows.npy"
    return out.with_name(f"{out.stem}.rows.npy")


def _write_rows(out: Path, kept: NDArray[np.int64], some_skipped: bool) -> None:
    rows = out.with_name(f"{out.stem}.rows.npy")
    if some_skipped:
        save_npy(rows, kept)
        say(f"wrote {rows}: the input row of each, because images were left out")
    else:
        rows.unlink(missing_ok=True)


def _embed_queries(
    model: TrainedModel, queries: list[Path], threads: int | None
) -> tuple[list[str], NDArray[np.float32]]:
    names: list[str] = []
    parts: list[NDArray[np.float32]] = []
    for query in queries:
        if query.suffix == ".npy":
            array = read_features(query)
            parts.append(model.embed(array, threads=threads))
            names += [f"{query}, row {row}" for row in range(len(array))]
            continue
        if not query.exists():
            raise FileNotFoundError(f"--query: {query} does not exist")
        is_collection = query.is_dir() or query.suffix.lower() in (".zip", ".txt")
        with open_images(str(query) if is_collection else [str(query)]) as collection:
            embedded = model.embed_images(collection, threads=threads)
            say_skipped(embedded.skipped, len(collection))
            names += [collection.names[row] for row in embedded.kept]
        parts.append(embedded.embeddings)
    return names, np.concatenate(parts)


def _read_npy(path: Path, name: str) -> NDArray[np.generic]:
    if not path.is_file():
        raise FileNotFoundError(f"--{name}: {path} does not exist")
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: expected an array in .npy format ({error})") from None
    if not isinstance(loaded, np.ndarray):
        raise ValueError(f"{path}: expected one array in .npy format, got an archive")
    return loaded
