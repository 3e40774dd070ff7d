"""`wsdhq demo`: the whole job on images that it draws itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from wsdhq.cli.console import Threads, say
from wsdhq.cli.evaluate import print_evaluation
from wsdhq.cli.run_evaluation import evaluate_run
from wsdhq.cli.run_report import write_evaluation
from wsdhq.data.synthetic import render_world
from wsdhq.embed import TrainConfig, TrainedModel
from wsdhq.embed import train as train_run
from wsdhq.quant import AQDIndex

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder for images, run and report.")] = Path(
        "wsdhq-demo"
    ),
    num_images: Annotated[int, typer.Option("--images", min=200, help="Images to draw.")] = 4000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 24,
    bits: Annotated[int, typer.Option(help="Length of a code.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the images and the training.")] = 0,
    threads: Threads = None,
) -> None:
    """Draw tagged images, learn from the tags, encode, index, search, evaluate and report."""
    begun = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    say(f"1/5 drawing {num_images} images, tagged as careless users would, in {out / 'world'}")
    world = render_world(out / "world", num_images, seed)
    say("2/5 training a small network from their pixels and tags")
    run = out / "run"
    config = TrainConfig(
        out=str(run),
        images=str(world.images),
        tags=str(world.tags),
        bits=bits,
        num_queries=num_images // 10,
        epochs=epochs,
        image_size=world.size,
        seed=seed,
        threads=threads,
        **DEMO_SETTINGS,
    )
    train_run(config, overwrite=True)
    say("3/5 indexing the codes")
    model = TrainedModel.load(run)
    index = _index(model, run, out / "db.wsdhq")
    say(f"    {index!r}")
    say('4/5 searching with words: "' + " ".join(_WORDS) + '"')
    _, ids = index.search(model.embed_tags(_WORDS)[None], 5)
    lines = world.tags.read_text(encoding="utf-8").splitlines()
    for row in ids[0]:
        say(f"    image {row}: {lines[row]}")
    say("5/5 evaluating with labels that the training never saw")
    evaluation = evaluate_run(run, world.labels, R=num_images, threads=threads)
    write_evaluation(run, evaluation, "The demo: from careless tags to searchable codes")
    print_evaluation(evaluation)
    report = (run / "report.html").resolve()
    say(f"{time.perf_counter() - begun:.0f} s in all; open the report: {report.as_uri()}")


DEMO_SETTINGS: dict[str, Any] = {
    "word_dim": 64,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "head_rate_factor": 3.0,
    "num_negatives": 60,
}
_WORDS = ["boat", "sea"]


def _index(model: TrainedModel, run: Path, path: Path) -> AQDIndex:

    index = AQDIndex(model.quantizer)
    index.add(np.load(run / "codes.npy", allow_pickle=False))
    index.save(path)
    return AQDIndex.load(path)
