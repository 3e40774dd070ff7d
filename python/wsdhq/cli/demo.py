"""`wsdhq demo`: the whole job on images that it draws itself."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from wsdhq._shared.arguments import about
from wsdhq.cli.console import bar_for, print_table, say, shows_bars
from wsdhq.cli.evaluate import print_evaluation
from wsdhq.cli.options import Threads, check_folder_of
from wsdhq.data import open_images, read_tags
from wsdhq.quant import AQDIndex

if TYPE_CHECKING:
    from wsdhq.embed import TrainedModel
    from wsdhq.synthetic import SyntheticWorld

_WORDS = ["boat", "sea"]
_RESULTS_SHOWN = 5


def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, run and report.")] = Path(
        "wsdhq-demo"
    ),
    num_images: Annotated[int, typer.Option("--images", min=200, help="Images to draw.")] = 4000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 24,
    bits: Annotated[int, typer.Option(help="Length of a code: 8, 16, 24, 32, ...")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images and the training.")] = 0,
    threads: Threads = None,
) -> None:
    """Draw tagged images, learn from the tags, encode, index, search, evaluate and report."""
    from wsdhq import runs
    from wsdhq.embed import TrainConfig, TrainedModel
    from wsdhq.embed import train as train_run
    from wsdhq.synthetic import render_world

    begun = time.perf_counter()
    folder, run, index_file = out / "world", out / "run", out / "db.wsdhq"
    config = TrainConfig(
        out=str(run),
        images=str(folder / "images"),
        tags=str(folder / "tags.txt"),
        bits=bits,
        num_queries=num_images // 10,
        epochs=epochs,
        seed=seed,
        threads=threads,
    )
    check_folder_of(out)
    say(f"1/5 drawing {num_images} images, tagged as careless users would, in {folder}")
    with about("--out"), bar_for("drawing") as bar:
        world = render_world(folder, num_images, seed, config.image_size, progress=bar.advance_to)
    say("2/5 training a small network from their pixels and tags")
    config = replace(config, images=str(world.images), tags=str(world.tags))
    bars = None if shows_bars() else False
    train_run(config, overwrite=True, progress=bars)
    say(f"3/5 indexing the codes in {index_file}")
    model = TrainedModel.load(run)
    index = _index(model, run, index_file)
    words = [word for word in _WORDS if word in model.tags.group_of_tag]
    words = words or [next(iter(model.tags.group_of_tag))]
    say(f"4/5 searching for images without looking at their tags, with: {' '.join(words)}")
    _search(model, index, words, world)
    say("5/5 evaluating with labels that the training never saw")
    evaluation = runs.evaluate(run, world.labels, R=num_images, threads=threads, progress=bars)
    runs.report(evaluation, title="The demo: from careless tags to searchable codes")
    print_evaluation(evaluation)
    report = (run / "report.html").resolve()
    command = f'wsdhq search {run} --index {index_file} --words "{" ".join(words)}"'
    say(f"{time.perf_counter() - begun:.0f} s in all; look at the report: {report.as_uri()}")
    say(f"search further: {command}")


def _index(model: TrainedModel, run: Path, path: Path) -> AQDIndex:
    index = AQDIndex(model.quantizer)
    index.add(np.load(run / "codes.npy", allow_pickle=False))
    index.save(path)
    return AQDIndex.load(path)


def _search(model: TrainedModel, index: AQDIndex, words: list[str], world: SyntheticWorld) -> None:
    scores, ids = index.search(model.embed_tags(words)[None], _RESULTS_SHOWN)
    tags = read_tags(world.tags)
    with open_images(world.images) as collection:
        names = collection.names
    rows = [
        [names[i], f"{score:.4f}", ", ".join(tags[i])]
        for score, i in zip(scores[0].tolist(), ids[0].tolist())
    ]
    print_table(" ".join(words), ["image", "score", "its tags"], rows, texts=["image", "its tags"])
