"""Search a folder of photos by example or by words; what was found becomes one HTML page.

The first call learns from the photos and their tags and indexes the folder. Later ones load both.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from results_page import Photo, Query, thumbnail, write_page
from wsdhq.data import ImageCollection, UnreadableImage, open_images, read_tags
from wsdhq.embed import TrainConfig, TrainedModel, train
from wsdhq.quant import AQDIndex
from wsdhq.synthetic import render_world


def main() -> None:
    """Do what the command line asks for."""
    arguments = read_arguments()
    try:
        if arguments.make_pictures is not None:
            make_pictures(arguments.make_pictures, arguments.num_pictures)
        else:
            search(arguments)
    except (OSError, TypeError, ValueError, ImportError, UnreadableImage) as error:
        sys.exit(f"photo_search: {error}")


def read_arguments() -> argparse.Namespace:
    """Read the command line; it ends the program where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", type=Path, help="folder, .zip or .txt list of photos")
    parser.add_argument("--tags", type=Path, help="a line of tags per photo, .txt or .jsonl")
    parser.add_argument("--query", nargs="+", type=Path, default=[], help="photos to search with")
    parser.add_argument("--words", nargs="+", help="tags to search with, taken together")
    parser.add_argument("-k", type=int, default=18, help="results for each query")
    parser.add_argument("--out", type=Path, default=Path("results.html"), help="page to write")
    parser.add_argument("--work", type=Path, default=Path("photo-search"), help="model and index")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the photos to learn")
    parser.add_argument("--make-pictures", type=Path, metavar="DIR", help="draw pictures and stop")
    parser.add_argument("--num-pictures", type=int, default=2000, help="how many to draw")
    arguments = parser.parse_args()
    if arguments.make_pictures is None:
        if arguments.photos is None or arguments.tags is None:
            parser.error("expected photos and --tags, or --make-pictures")
        if not arguments.query and not arguments.words:
            parser.error("expected something to search with: --query or --words")
        if arguments.k < 1:
            parser.error(f"-k: expected at least 1, got {arguments.k}")
    return arguments


def make_pictures(folder: Path, num_pictures: int) -> None:
    """Draw pictures, tagged as careless users would tag them."""
    world = render_world(folder, num_pictures, size=160)
    print(f"{num_pictures} pictures in {world.images}, their tags in {world.tags}")


def search(arguments: argparse.Namespace) -> None:
    """Find what looks like the query photos, and what the words mean; write the page."""
    tags = read_tags(arguments.tags)
    with open_images(arguments.photos) as photos:
        if len(tags) != len(photos):
            raise ValueError(
                f"{arguments.tags}: expected a line of tags for each of {len(photos)} photos, "
                f"got {len(tags)} lines"
            )
        queries = [query_of(path, arguments.photos, photos, tags) for path in arguments.query]
        model = load_or_train(arguments)
        places = [model.embed(arguments.query)] if queries else []
        if arguments.words:
            queries.append(Query(" + ".join(arguments.words), arguments.words))
            places.append(model.embed_tags(arguments.words)[None])
        index = load_or_index(arguments.work, model, photos)
        begun = time.perf_counter()
        # One more than is shown: a photo of the folder finds itself.
        scores, rows = index.search(np.concatenate(places), k=min(arguments.k + 1, len(index)))
        milliseconds = 1000 * (time.perf_counter() - begun)
        for query, query_scores, query_rows in zip(queries, scores.tolist(), rows.tolist()):
            others = [(s, row) for s, row in zip(query_scores, query_rows) if row != query.row]
            query.results = [
                Photo(photos.names[row], tags[row], picture_of(photos, row), score)
                for score, row in others[: arguments.k]
            ]
    asked = "the query" if len(queries) == 1 else f"{len(queries)} queries"
    done = (
        f"{len(index):,} photos, each kept as {model.quantizer.num_codebooks} bytes, were compared "
        f"with {asked} in {milliseconds:.1f} ms. The number of a result is its cosine similarity; "
        "its tags played no part in finding it."
    )
    if len(index) < len(photos):
        done += f" {len(photos) - len(index)} photos could not be read and were left out."
    write_page(arguments.out, queries, done)
    print(f"{done}\nLook at {arguments.out.resolve().as_uri()}")


def load_or_train(arguments: argparse.Namespace) -> TrainedModel:
    """Load the model in the work folder, or learn one from photos and tags."""
    run = arguments.work / "run"
    # Written last: where it is, the training has come to its end.
    if (run / "model.safetensors").exists():
        return TrainedModel.load(run)
    print(f"learning from {arguments.photos} and {arguments.tags}, once; kept in {run}")
    config = TrainConfig(
        out=str(run),
        images=str(arguments.photos.resolve()),
        tags=str(arguments.tags.resolve()),
        epochs=arguments.epochs,
    )
    return train(config, resume=True)


def load_or_index(work: Path, model: TrainedModel, photos: ImageCollection) -> AQDIndex:
    """Load the index of these very photos, or make it; an id is the row of a photo."""
    index_file, names_file = work / "photos.wsdhq", work / "photos.json"
    if index_file.exists() and names_file.exists():
        index = AQDIndex.load(index_file)
        same_photos = json.loads(names_file.read_text("utf-8")) == photos.names
        if same_photos and np.array_equal(index.quantizer.codebooks, model.quantizer.codebooks):
            return index
    print(f"indexing {len(photos)} photos, once; kept in {index_file}")
    images = model.embed_images(photos)
    for photo in images.skipped:
        print(f"left out, as it cannot be read: {photo.name}: {photo.reason}")
    index = AQDIndex(model.quantizer, similarity="cosine")
    index.add_vectors(images.embeddings, ids=images.kept)
    index.save(index_file)
    names_file.write_text(json.dumps(photos.names), "utf-8")
    return index


def query_of(path: Path, source: Path, photos: ImageCollection, tags: list[list[str]]) -> Query:
    """Ask what looks like a photo, which may be one of the folder."""
    with open_images([path]) as alone:
        picture = thumbnail(alone, 0)
    try:
        row = photos.names.index(path.resolve().relative_to(source.resolve()).as_posix())
    except ValueError:
        return Query(path.name, [], picture)
    return Query(path.name, tags[row], picture, row)


def picture_of(photos: ImageCollection, row: int) -> str | None:
    """Make the thumbnail of a result; None if it went since it was indexed."""
    try:
        return thumbnail(photos, row)
    except UnreadableImage:
        return None


if __name__ == "__main__":
    main()
