"""What each piece of the default is worth: MAP@5000 by codes, with one piece changed at a time.

The rows are `wsdhq.embed.config.variants.PIECES`, then the paper's method (WSDHQ); queries and
rankings are those of `wsdhq evaluate`. Without joint training the embedding does not know the width
of the codes and is trained once for all of them.

    python benchmarks/pieces.py --features F.npy --tags T.txt --labels L.csv --by sub article \\
        --queries 2000 --bits 8 16 32

A line for each figure as it comes goes to standard error, a Markdown table per grouping to
standard output: mean and sample standard deviation over the seeds.
"""

from __future__ import annotations

import sys

from measuring import (
    chosen_labels,
    labelled_parser,
    map_by_grouping,
    markdown_table,
    mean_and_deviation,
    rank_by_codes,
    train_at_widths,
)
from wsdhq.data import read_features, read_tags, split_rows
from wsdhq.embed.config.variants import PIECES, variant_settings

_PAPER = "WSDHQ"


def main() -> None:
    """Train and measure every row, and print the tables."""
    parser = labelled_parser(__doc__, "--features", "--tags", "--labels")
    names = [*PIECES, _PAPER]
    parser.add_argument("--piece", choices=names, nargs="+", help="rows; default: all")
    arguments = parser.parse_args()
    widths, names = arguments.bits or [32], arguments.piece or names
    features = read_features(arguments.features)
    labels = chosen_labels(arguments.labels, arguments.by, len(read_tags(arguments.tags)))
    query, database = split_rows(len(features), arguments.queries)
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for seed in range(arguments.seeds):
        for name in names:
            settings = variant_settings(name) | {
                "features": arguments.features, "tags": arguments.tags,
                "num_queries": len(query), "seed": seed, "threads": arguments.threads,
            }  # fmt: skip
            for bits, model, codes in train_at_widths(widths, **settings):
                queries = model.embed(features[query], threads=arguments.threads)
                rank = rank_by_codes(model.quantizer, codes[database], queries, arguments.threads)
                figures = map_by_grouping(rank, labels, query, database)
                found.setdefault((name, bits), []).append(figures)
                print(name, bits, seed, figures, file=sys.stderr, flush=True)
    for grouping in labels.groupings:
        rows = [[name, *(_cell(found[name, bits], grouping) for bits in widths)] for name in names]
        print(f"MAP@5000 by {grouping}, {arguments.seeds} seed(s)\n")
        print(markdown_table(["", *(f"{bits} bits" for bits in widths)], rows), end="\n\n")


def _cell(figures: list[dict[str, float]], grouping: str) -> str:
    return mean_and_deviation([each[grouping] for each in figures])


if __name__ == "__main__":
    main()
