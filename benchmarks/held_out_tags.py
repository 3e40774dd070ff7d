r"""How well retrieval finds what images are tagged with, where training never saw those images.

A yard-stick without labels, to choose settings by. A tenth of the database is kept out of the
training; queries take no part at all. Three figures, each for float embeddings and for codes:

- "among unseen": some of the images kept out are the queries, the others the database (their
  embeddings, or their codes, asymmetrically), and each tag is a class. For each query and each
  tag it carries, the average precision of the first 5,000 results, of which those that carry the
  tag are relevant, divided by the relevant ones among them; 0 where there is none, so that every
  setting is averaged over the same pairs. The first figure of a pair weighs pairs equally, the
  second by `log(N / n_t)`, with n_t of the N training rows that carry the tag; tags on fewer than
  20 of them are left out. Tags are words as they are written, whatever a setting merges or drops.
- "among trained": the same with the training rows as the database. It rewards a network that
  remembers the tags of images it was trained on, which says nothing of images to come.
- "own tags": all merged tags are ranked by their inner product with an image kept out; the mean
  average precision of its own. Settings that merge or drop other tags cannot be compared by it.

    python benchmarks/held_out_tags.py --features F.npy --tags T.txt --queries 2000 \
        --bits 8 --bits 32 --variant default --variant WSDHQ \
        --set "" --set "temperature=0.1" --set "temperature=0.1 epochs=20"

Each --variant is trained with each --set at each width. Several settings of one run stand in one
--set, with spaces between them.
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from measuring import DEPTH, add_bits, positive, rank_by_codes, train_at_widths
from wsdhq.baselines.common.tag_matrix import tag_matrix
from wsdhq.data import read_features, read_tags
from wsdhq.data.splits import split_collection
from wsdhq.embed import TrainedModel
from wsdhq.embed.config import check_settings
from wsdhq.embed.config.pairs import read_settings
from wsdhq.embed.config.variants import DEFAULT, variant_settings
from wsdhq.evaluation import RankBatches, rank_by_inner_product
from wsdhq.metrics import average_precision

_HELD_OUT = 0.1
_MIN_CARRIERS = 20
_BATCH = 64


@dataclass(frozen=True)
class TagClasses:
    """Who carries which of the tags that are frequent enough to be judged by.

    Attributes
    ----------
    queries : (num_queries,) int64
        Rows kept out, each with at least one of the tags.
    unseen : (u,) int64
        The other rows kept out.
    carried : (rows, T) csc_array of bool
        By all rows.
    weights : (T,) float64
        `log(n / n_t)`.
    """

    queries: NDArray[np.int64]
    unseen: NDArray[np.int64]
    carried: sparse.csc_array
    weights: NDArray[np.float64]


def main() -> None:
    """Train each variant with each setting at each width, and print a line for it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", required=True)
    parser.add_argument("--tags", required=True)
    parser.add_argument("--queries", type=int, default=0, help="queries, which are left alone")
    parser.add_argument("--max-queries", type=positive, default=1000, help="images to query with")
    add_bits(parser)
    parser.add_argument("--variant", action="append", help=f"may be repeated; default: {DEFAULT}")
    parser.add_argument(
        "--set", action="append", metavar="'NAME=VALUE ...'", help="one run for each"
    )
    parser.add_argument("--threads", type=positive)
    parser.add_argument("--word-vectors")
    arguments = parser.parse_args()
    tags = read_tags(arguments.tags)
    common = {
        "features": arguments.features,
        "tags": arguments.tags,
        "num_queries": arguments.queries,
        "num_train": round((1 - _HELD_OUT) * (len(tags) - arguments.queries)),
        "threads": arguments.threads,
        "word_vectors": arguments.word_vectors,
    }
    runs: dict[str, dict[str, Any]] = {}
    for variant in arguments.variant or [DEFAULT]:
        for setting in arguments.set or [""]:
            given = read_settings(shlex.split(setting), {*common, "out", "bits", "images"})
            settings = {**common, **variant_settings(variant), **given}
            # A mistake in the last run is found out before the first is trained.
            check_settings(settings)
            runs[f"{variant} {setting}".strip()] = settings
    for name, settings in runs.items():
        for bits, model, codes in train_at_widths(arguments.bits or [32], **settings):
            line = _measure(model, codes, tags, arguments.max_queries)
            print(f"{name}, {bits} bits: {line}", flush=True)


def _measure(
    model: TrainedModel, codes: NDArray[np.uint8], tags: list[list[str]], max_queries: int
) -> str:
    config, threads = model.config, model.config.threads
    _, database, trained = split_collection(
        len(tags), config.num_queries, config.num_train, config.split_seed
    )
    held_out = np.setdiff1d(database, trained)
    features = read_features(config.features)
    classes = tag_classes(tags, trained, held_out, max_queries)
    queries = model.embed(features[classes.queries], threads=threads)

    def judged(rows: NDArray[np.int64]) -> str:
        rankings = (
            rank_by_inner_product(queries, model.embed(features[rows], threads=threads), DEPTH),
            rank_by_codes(model.quantizer, codes[rows], queries, threads),
        )
        found = [precision_by_tag(rank, classes, rows) for rank in rankings]
        embedding, by_codes = (f"{equal:.4f}/{weighted:.4f}" for equal, weighted in found)
        return f"embedding {embedding}, codes {by_codes}"

    own = _own_tags(model, features[held_out], [tags[row] for row in held_out])
    return (
        f"among unseen: {judged(classes.unseen)}; among trained: {judged(trained)}; "
        f"own tags: embedding {own[0]:.4f}, codes {own[1]:.4f} "
        f"({len(queries)} queries, {len(classes.unseen)} unseen, {len(trained)} trained, "
        f"{len(classes.weights)} tags)"
    )


def tag_classes(
    tags: list[list[str]],
    trained: NDArray[np.int64],
    held_out: NDArray[np.int64],
    max_queries: int,
) -> TagClasses:
    """Find the tags on at least 20 training rows, and draw rows that carry them to query with."""
    carried = sparse.csc_array(tag_matrix(tags) > 0)
    carriers = np.asarray(carried[trained].sum(axis=0)).ravel()
    judged = np.flatnonzero(carriers >= _MIN_CARRIERS)
    carried = carried[:, judged]
    counts = np.asarray(carried[held_out].sum(axis=1)).ravel()
    weights = np.log(len(trained) / carriers[judged])
    tagged = np.random.default_rng(0).permutation(held_out[counts > 0])
    queries = np.sort(tagged[:max_queries])
    if not (sparse.csr_array(carried[queries]) @ weights).sum() > 0:
        raise ValueError(
            f"tags: none is on {_MIN_CARRIERS} or more of the {len(trained)} training rows, but "
            f"not on all, and on one of the {len(held_out)} rows kept out: there is nothing to "
            "judge by"
        )
    return TagClasses(queries, np.setdiff1d(held_out, queries), sparse.csc_array(carried), weights)


def precision_by_tag(
    rank: RankBatches, classes: TagClasses, rows: NDArray[np.int64]
) -> tuple[float, float]:
    """Average precision over pairs of a query and a tag it carries, with `rows` as the database.

    Pairs weigh the same in the first figure, and as their tags do in the second.
    """
    by_queries = sparse.csr_array(classes.carried[classes.queries])
    by_rows = classes.carried[rows]
    indices, limits = by_queries.indices, by_queries.indptr
    total, mass = np.zeros(2), np.zeros(2)
    for start in range(0, len(classes.queries), _BATCH):
        stop = min(start + _BATCH, len(classes.queries))
        _, positions = rank(start, stop)
        for query, found in zip(range(start, stop), positions):
            own = indices[limits[query] : limits[query + 1]]
            relevance = by_rows[:, own].toarray()[found]
            precision = np.nan_to_num(average_precision(relevance.T, DEPTH))
            weights = np.stack([np.ones(len(own)), classes.weights[own]])
            total += weights @ precision
            mass += weights.sum(axis=1)
    equal, weighted = total / mass
    return float(equal), float(weighted)


def _own_tags(
    model: TrainedModel, features: NDArray[Any], tags: list[list[str]]
) -> tuple[float, float]:
    carried = model.tags.positives_of(tags).toarray()
    embeddings = model.embed(features, threads=model.config.threads)
    rebuilt = model.quantizer.decode(model.quantizer.encode(embeddings))
    return _average_precision(embeddings @ model.sphere.T, carried), _average_precision(
        rebuilt @ model.sphere.T, carried
    )


def _average_precision(scores: NDArray[np.float32], carried: NDArray[np.bool_]) -> float:
    found = np.take_along_axis(carried, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    tagged = found.any(axis=1)
    return float(((precision * found).sum(axis=1)[tagged] / found.sum(axis=1)[tagged]).mean())


if __name__ == "__main__":
    main()
