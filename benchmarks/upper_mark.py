r"""What bounds the figures: the head of `wsdhq train`, trained on the labels in place of the tags.

With the settings of the default, but each image's tags are its labels of one grouping, no
correlation graph joins them, none is propagated, and dropout is .2 as for images with many tags.
A label that is never beside another on an image begins at a random place on the sphere (word
vectors have nothing to learn from), which is then learnt as tags' places are. What these runs
lack, head and features lack; what tags reach less is for want of better tags or of a better use
of them.

    python benchmarks/upper_mark.py --features F.npy --labels L.csv --by sub article \
        --queries 2000 --bits 8 32 --seeds 3 --condition "as they are" "80 % dropped"

Labels may be made worse as `careless_tags.py` makes tags: what is lost then, careless tags cannot
be expected to keep.

The tables have a line for each condition and grouping trained on, and MAP@5000 by each grouping: of
the float embeddings and of codes at each width, the mean over seeds with its sample standard
deviation. Where both are the same grouping, that is the upper mark.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from carelessness import AS_THEY_ARE, CONDITIONS
from measuring import (
    DEPTH,
    chosen_labels,
    labelled_parser,
    map_by_grouping,
    markdown_table,
    mean_and_deviation,
    rank_by_codes,
    train_at_widths,
    write_tags,
)
from wsdhq.data import Grouping, read_features, split_rows
from wsdhq.evaluation import rank_by_inner_product

# Labels are no careless tags: none is dropped for being rare, enhanced, merged or missing, and one
# to an image is all there is.
_SETTINGS = {
    "min_count": 1,
    "num_neighbours": 0,
    "radius": 0.0,
    "propagation": 0.0,
    "dropout": 0.2,
}
_FLOAT, _CODES = "embedding, float", "codes"


def labels_as_tags(grouping: Grouping) -> list[list[str]]:
    """The labels of each image as tags, by number: names may differ in their capitals alone."""
    tag_sets: list[list[str]] = [[] for _ in grouping.matrix]
    for row, label in np.argwhere(grouping.matrix):
        tag_sets[row].append(f"label{label}")
    return tag_sets


def main() -> None:
    """Train on each grouping at each width with each seed, and print the tables."""
    parser = labelled_parser(__doc__, "--features", "--labels")
    parser.add_argument(
        "--condition", choices=CONDITIONS, nargs="+", default=[AS_THEY_ARE], help="of the labels"
    )
    arguments = parser.parse_args()
    features = read_features(arguments.features)
    labels = chosen_labels(arguments.labels, arguments.by, len(features))
    query, database = split_rows(len(features), arguments.queries)
    found: dict[tuple[int, str, str], list[dict[str, float]]] = {}
    widths = arguments.bits or [32]

    def measure(taught: str, path: str, seed: int) -> None:
        """Train on the labels in a file, and add the figures to those found."""
        settings = _SETTINGS | {
            "features": arguments.features, "tags": path, "num_queries": arguments.queries,
            "seed": seed, "threads": arguments.threads,
        }  # fmt: skip
        for bits, model, codes in train_at_widths(widths, **settings):
            embeddings = model.embed(features, threads=arguments.threads)
            queries, kept = embeddings[query], codes[database]
            rankings = {
                _FLOAT: rank_by_inner_product(queries, embeddings[database], DEPTH),
                _CODES: rank_by_codes(model.quantizer, kept, queries, arguments.threads),
            }
            for method, rank in rankings.items():
                figures = map_by_grouping(rank, labels, query, database)
                found.setdefault((bits, taught, method), []).append(figures)
                print(taught, method, bits, seed, figures, file=sys.stderr, flush=True)

    trained_on = []
    for name, grouping in labels.groupings.items():
        for condition in arguments.condition:
            taught = name if condition == AS_THEY_ARE else f"{name} ({condition})"
            trained_on.append(taught)
            change, number = CONDITIONS[condition], list(CONDITIONS).index(condition)
            for seed in range(arguments.seeds):
                generator = np.random.default_rng([seed, number])
                worse = change(labels_as_tags(grouping), generator)
                with tempfile.TemporaryDirectory() as folder:
                    measure(taught, write_tags(Path(folder) / "tags.jsonl", worse), seed)
    for bits in widths:
        print(f"MAP@5000, {bits} bits, {arguments.seeds} seed(s)\n")
        rows = [
            [
                f"{taught}, {method}",
                *(
                    mean_and_deviation([figures[name] for figures in found[bits, taught, method]])
                    for name in labels.groupings
                ),
            ]
            for taught in trained_on
            for method in (_FLOAT, _CODES)
        ]
        columns = ["trained on, ranking", *(f"by {name}" for name in labels.groupings)]
        print(markdown_table(columns, rows), end="\n\n")


if __name__ == "__main__":
    main()
