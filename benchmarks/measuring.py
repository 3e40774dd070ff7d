"""What the scripts beside it share: training in a folder that is thrown away, MAP, tables."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.data import Labels, read_features, read_labels, read_tags
from wsdhq.data.splits import split_collection
from wsdhq.embed import TrainConfig, TrainedModel, train
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.embed.training.quantization import fit_quantizer, make_quantizer, quantizer_metric
from wsdhq.evaluation import RankBatches, evaluate_groupings, rank_by_index
from wsdhq.quant import AdditiveQuantizer, AQDIndex

__all__ = [
    "DEPTH",
    "add_bits",
    "add_seeds_and_threads",
    "chosen_labels",
    "labelled_parser",
    "map_by_grouping",
    "markdown_table",
    "mean_and_deviation",
    "positive",
    "rank_by_codes",
    "train_and_encode",
    "train_at_widths",
    "write_tags",
]

#: R of MAP@R.
DEPTH = 5000


def positive(text: str) -> int:
    """A type of argparse: an integer that is at least 1."""
    value = int(text) if text.strip().lstrip("+-").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected an integer, at least 1, got {text!r}")
    return value


def _width(text: str) -> int:
    value = positive(text)
    if value % 8 or value > 512:
        raise argparse.ArgumentTypeError(
            f"expected a positive multiple of 8 up to 512, got {text!r}"
        )
    return value


def add_bits(parser: argparse.ArgumentParser) -> None:
    """Add `--bits`, which takes several values and may be repeated; None if it is not given."""
    parser.add_argument(
        "--bits", type=_width, nargs="+", action="extend", help="widths of codes (default: 32)"
    )


def add_seeds_and_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--seeds` and `--threads`."""
    parser.add_argument("--seeds", type=positive, default=1, help="seeds 0 .. SEEDS - 1")
    parser.add_argument("--threads", type=positive, help="default: all cores")


def labelled_parser(description: str | None, *files: str) -> argparse.ArgumentParser:
    """A parser of what scripts that measure by labels take: `files`, `--by`, `--queries`, widths.

    Parameters
    ----------
    description : str or None
        Shown as it is written.
    files : str
        Options that name the files, such as "--features"; each is required.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in files:
        parser.add_argument(name, required=True)
    parser.add_argument("--by", nargs="+", action="extend", help="label columns; default: all")
    parser.add_argument("--queries", type=int, required=True)
    add_bits(parser)
    add_seeds_and_threads(parser)
    return parser


def train_and_encode(**settings: Any) -> tuple[TrainedModel, NDArray[np.uint8]]:
    """Train with settings of `TrainConfig`; gives the model and the codes of all rows.

    `settings` name features, and no `out`: the run directory is removed.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = train(TrainConfig(out=folder, **settings), progress=False)
        return model, np.load(RunDirectory(folder).file("codes.npy"))


def train_at_widths(
    widths: Sequence[int], **settings: Any
) -> Iterator[tuple[int, TrainedModel, NDArray[np.uint8]]]:
    """Train and encode at several widths; once, where the embedding does not know the width.

    Without a weight on the quantization loss the codes are learnt when the embedding is done, so
    that only they need be learnt again for another width: the bytes are those of `train`.

    Parameters
    ----------
    widths : sequence of int
        Bits.
    settings
        As for `train_and_encode`, without `bits`.

    Yields
    ------
    bits : int
    model : TrainedModel
    codes : (N, M) uint8
        Of all rows.
    """
    model: TrainedModel | None = None
    for bits in widths:
        if model is None or model.config.quantization_weight > 0:
            model, codes = train_and_encode(bits=bits, **settings)
        else:
            model, codes = _at_width(model, bits)
        yield bits, model, codes


def _at_width(model: TrainedModel, bits: int) -> tuple[TrainedModel, NDArray[np.uint8]]:
    config = replace(model.config, bits=bits)
    features, tags = read_features(config.features), read_tags(config.tags)
    _, _, rows = split_collection(
        len(tags), config.num_queries, config.num_train, config.split_seed
    )
    carried = model.tags.positives_of([tags[row] for row in rows])
    trained = rows[np.diff(carried.indptr) > 0]
    quantizer = make_quantizer(config, quantizer_metric(config, model.sphere))
    embeddings = model.embed(np.asarray(features[trained]), threads=config.threads)
    fit_quantizer(quantizer, embeddings, None, last=True)
    other = TrainedModel(config, model.network, quantizer, model.tags)
    return other, other.encode(features, threads=config.threads)


def write_tags(path: Path, tag_sets: Sequence[Sequence[str]]) -> str:
    """Write tags as `.jsonl`, in which tags may hold spaces; gives the path for `TrainConfig`."""
    lines = (json.dumps(list(tags), ensure_ascii=False) + "\n" for tags in tag_sets)
    path.write_text("".join(lines), encoding="utf-8")
    return str(path)


def chosen_labels(path: str, by: Sequence[str] | None, num_rows: int) -> Labels:
    """The groupings named by `by` (None: all) of a label file with `num_rows` rows."""
    labels = read_labels(path)
    if len(labels) != num_rows:
        raise ValueError(f"{path} has {len(labels)} rows, but there are {num_rows} images")
    names = list(labels.groupings) if by is None else list(dict.fromkeys(by))
    return Labels({name: labels.grouping(name) for name in names})


def rank_by_codes(
    quantizer: AdditiveQuantizer,
    codes: NDArray[np.uint8],
    queries: NDArray[np.float32],
    threads: int | None = None,
) -> RankBatches:
    """The first `DEPTH` of a database of codes for float queries, as `wsdhq evaluate` ranks.

    Parameters
    ----------
    quantizer : AdditiveQuantizer
    codes : (N, M) uint8
        Of the database.
    queries : (num_queries, D) float32
        Embeddings; scored by inner product with the reconstructions, ties in database order.
    threads : int or None
        None uses all cores.
    """
    index = AQDIndex(quantizer)
    index.add(codes)
    return rank_by_index(index, queries, DEPTH, threads)


def map_by_grouping(
    rank: RankBatches, labels: Labels, query: NDArray[np.int64], database: NDArray[np.int64]
) -> dict[str, float]:
    """MAP@5000 of a ranking under each grouping, as `wsdhq evaluate` computes it.

    Parameters
    ----------
    rank : callable
        Ranks the rows `database` for the rows `query`, at least `DEPTH` deep.
    labels : Labels
        Of all images.
    query, database : arrays of int64
        Rows.
    """
    pairs = {
        name: (grouping.matrix[query], grouping.matrix[database])
        for name, grouping in labels.groupings.items()
    }
    results = evaluate_groupings(rank, pairs, min(DEPTH, len(database)), random_seed=None)
    return {name: result.map for name, result in results.items()}


def mean_and_deviation(values: Sequence[float]) -> str:
    """ "0.8123", or of several values their mean and sample standard deviation."""
    mean = f"{fmean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {stdev(values):.4f}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of texts, the first column left-aligned and the others to the right."""
    rules = [":--", *["--:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows))
