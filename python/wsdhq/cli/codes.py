"""`wsdhq embed`, `encode` and `index`: what a trained run makes of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from wsdhq._shared.arguments import about
from wsdhq.cli.console import bar_for, say, say_skipped
from wsdhq.cli.options import (
    Features,
    Images,
    Run,
    SimilarityName,
    Threads,
    as_options,
    check_kind,
    check_output,
    known_similarity,
    one_input,
    read_array,
)
from wsdhq.data import open_images
from wsdhq.quant import AQDIndex

if TYPE_CHECKING:
    from wsdhq.embed import EmbeddedImages, TrainedModel

Out = Annotated[Path, typer.Option(help="File to write.")]


def embed(
    run: Run,
    out: Out,
    features: Features = None,
    images: Images = None,
    threads: Threads = None,
) -> None:
    """Embed images on the semantic hypersphere: (N, D) float32 rows of unit norm."""
    from wsdhq.runs.code_files import write_embeddings
    from wsdhq.runs.inputs import read_features_for

    model = _load(run, out, features, images)
    if features is not None:
        array = read_features_for(model, run, features)
        with about(features), bar_for("embedding") as bar:
            write_embeddings(out, model, array, threads, bar.advance_to)
        num_images = len(array)
    else:
        embedded, num_inputs = _embed_images(model, images, threads)
        _write(out, embedded.embeddings, embedded.kept, num_inputs)
        num_images = len(embedded.embeddings)
    say(f"wrote {out}: {num_images} embeddings of {model.dim} dimensions")


def encode(
    run: Run,
    out: Out,
    features: Features = None,
    images: Images = None,
    threads: Threads = None,
) -> None:
    """Encode images: (N, M) uint8, one byte per codebook."""
    from wsdhq.runs.inputs import read_features_for

    model = _load(run, out, features, images)
    if features is not None:
        array = read_features_for(model, run, features)
        with bar_for("encoding"), about(features):
            codes = model.encode(array, threads=threads)
        _write(out, codes, np.arange(len(codes)), len(codes))
    else:
        embedded, num_inputs = _embed_images(model, images, threads)
        codes = model.quantizer.encode(embedded.embeddings, threads=threads)
        _write(out, codes, embedded.kept, num_inputs)
    say(f"wrote {out}: {len(codes)} codes of {codes.shape[1]} bytes")


def index(
    run: Run,
    codes: Annotated[
        Path, typer.Option(help="Codes, (N, M) uint8 .npy: RUN/codes.npy or of `wsdhq encode`.")
    ],
    out: Out,
    ids: Annotated[
        Path | None,
        typer.Option(help="Ids, (N,) integers .npy; by default the row of the image in its input."),
    ] = None,
    similarity: SimilarityName = "ip",
) -> None:
    """Put codes into an index file that `wsdhq search` opens."""
    from wsdhq.embed import TrainedModel
    from wsdhq.runs import RunDirectory
    from wsdhq.runs.code_files import input_rows, read_codes

    check_output(out, run)
    aqd = AQDIndex(TrainedModel.load(run).quantizer, known_similarity(similarity))
    with as_options("codes"):
        stored = read_codes(codes, aqd.quantizer.num_codebooks)
    if ids is None:
        aqd.add(stored, input_rows(codes, RunDirectory(run), len(stored)))
    else:
        with about(ids):
            aqd.add(stored, read_array(ids, "--ids"))
    aqd.save(out)
    num_codebooks = aqd.quantizer.num_codebooks
    say(f"wrote {out}: {len(aqd)} codes of {num_codebooks} bytes, similarity {similarity}")


def _load(run: Path, out: Path, features: Path | None, images: Path | None) -> TrainedModel:
    from wsdhq.embed import TrainedModel

    one_input(features, images)
    check_output(out, run)
    model = TrainedModel.load(run)
    check_kind(model, run, features, images)
    return model


def _embed_images(
    model: TrainedModel, images: Path | None, threads: int | None
) -> tuple[EmbeddedImages, int]:
    assert images is not None  # one_input and check_kind
    with open_images(images) as collection, bar_for("embedding") as bar:
        with about(images):
            embedded = model.embed_images(collection, threads=threads, progress=bar.advance_to)
        say_skipped(embedded.skipped, len(collection))
        return embedded, len(collection)


def _write(out: Path, array: NDArray[np.generic], kept: NDArray[np.int64], num_inputs: int) -> None:
    from wsdhq.runs.code_files import write_rows

    rows = write_rows(out, array, kept, num_inputs)
    if rows is not None:
        say(f"wrote {rows}: the input row of each, because images were left out")
