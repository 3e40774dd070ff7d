r"""What sparser and noisier tags cost: MAP@5000 by codes, for the same images with worse tags.

Conditions: the tags as they are; each occurrence of a tag dropped with probability .5 or .8; each
replaced with probability .3 by a tag drawn from all occurrences. Images that lose all their tags
are not trained on, but stay in the database. Methods: what `wsdhq train` does by itself, the
paper's whole method (the variant WSDHQ), and a ridge regression from the features to the leading
singular vectors of the tags, quantized in the same way. A seed is that of the training and of what
is dropped or replaced, which is the same for all methods; queries are those of `wsdhq evaluate`.

    python benchmarks/careless_tags.py --features F.npy --tags T.txt --labels L.csv \
        --by sub article --queries 2000 --bits 8 32 --seeds 3

A line for each figure as it comes goes to standard error, Markdown tables to standard output: mean
and sample standard deviation over the seeds, and what is lost against the tags as they are, in
points (hundredths).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from carelessness import AS_THEY_ARE, CONDITIONS, TagSets
from measuring import (
    chosen_labels,
    labelled_parser,
    map_by_grouping,
    markdown_table,
    mean_and_deviation,
    rank_by_codes,
    train_at_widths,
    write_tags,
)
from ridge import ridge_embeddings
from wsdhq.data import read_features, read_tags, split_rows
from wsdhq.embed import TrainConfig
from wsdhq.embed.config.variants import DEFAULT, variant_settings
from wsdhq.embed.training.quantization import fit_quantizer
from wsdhq.quant import AdditiveQuantizer

Figures = dict[str, float]
# Bits, and at this width: quantizer, embedded queries, codes of all rows.
Encoded = tuple[int, AdditiveQuantizer, NDArray[np.float32], NDArray[np.uint8]]

_RIDGE = "ridge"
_METHODS = (DEFAULT, "WSDHQ", _RIDGE)


def main() -> None:
    """Train and measure everything, and print the tables."""
    parser = labelled_parser(__doc__, "--features", "--tags", "--labels")
    parser.add_argument("--method", choices=_METHODS, nargs="+", help="default: all")
    arguments = parser.parse_args()
    tags, widths = read_tags(arguments.tags), arguments.bits or [32]
    methods = arguments.method or _METHODS
    labels = chosen_labels(arguments.labels, arguments.by, len(tags))
    query, database = split_rows(len(tags), arguments.queries)

    features = read_features(arguments.features)

    def measure(method: str, worse: TagSets, path: str, seed: int) -> Iterator[tuple[int, Figures]]:
        """Figures at each width."""
        for bits, quantizer, queries, codes in encoded(method, worse, path, seed):
            rank = rank_by_codes(quantizer, codes[database], queries, arguments.threads)
            yield bits, map_by_grouping(rank, labels, query, database)

    def encoded(method: str, worse: TagSets, path: str, seed: int) -> Iterator[Encoded]:
        if method == _RIDGE:
            embeddings, trained = ridge_embeddings(features, worse, database, seed=seed)
            for bits in widths:
                quantizer = AdditiveQuantizer(
                    bits // 8,
                    relaxation=TrainConfig.relaxation,
                    seed=seed,
                    threads=arguments.threads,
                )
                fit_quantizer(quantizer, embeddings[trained], None, last=True)
                yield bits, quantizer, embeddings[query], quantizer.encode(embeddings)
            return
        settings = variant_settings(method) | {
            "features": arguments.features, "tags": path, "num_queries": len(query),
            "seed": seed, "threads": arguments.threads,
        }  # fmt: skip
        for bits, model, codes in train_at_widths(widths, **settings):
            queries = model.embed(features[query], threads=arguments.threads)
            yield bits, model.quantizer, queries, codes

    found: dict[tuple[int, str, str], list[Figures]] = {}
    for number, (condition, change) in enumerate(CONDITIONS.items()):
        for seed in range(arguments.seeds):
            worse = change(tags, np.random.default_rng([seed, number]))
            with tempfile.TemporaryDirectory() as folder:
                path = write_tags(Path(folder) / "tags.jsonl", worse)
                for method in methods:
                    for bits, figures in measure(method, worse, path, seed):
                        found.setdefault((bits, condition, method), []).append(figures)
                        print(condition, method, bits, seed, figures, file=sys.stderr, flush=True)
    for bits in widths:
        print(f"MAP@5000 by codes of {bits} bits, {arguments.seeds} seed(s)\n")
        print(_table(bits, methods, found, list(labels.groupings)), end="\n\n")


def _table(
    bits: int,
    methods: Sequence[str],
    found: dict[tuple[int, str, str], list[Figures]],
    by: list[str],
) -> str:
    rows = []
    for condition in CONDITIONS:
        for method in methods:
            cells = [f"{condition}, {method}"]
            for name in by:
                values = [figures[name] for figures in found[bits, condition, method]]
                whole = [figures[name] for figures in found[bits, AS_THEY_ARE, method]]
                lost = f"{100 * (fmean(whole) - fmean(values)):.2f}"
                cells += [mean_and_deviation(values), "" if condition == AS_THEY_ARE else lost]
            rows.append(cells)
    columns = [each for name in by for each in (f"by {name}", "points lost")]
    return markdown_table(["tags, method", *columns], rows)


if __name__ == "__main__":
    main()
