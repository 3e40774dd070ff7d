"""How many of the exact neighbours of an embedding are found by codes, beside faiss.

Truth: for each query of a run, the k images of the database whose float embeddings have the
largest cosine with the query's. A ranking by codes (asymmetric: float query, coded database) is
judged by the share of these k among its first n, averaged over the queries:

    recall@10    the 10 nearest among the first 10
    recall@100   the 100 nearest among the first 100
    10 in 100    the 10 nearest among the first 100
    1 in 10      the nearest one among the first 10
    1 in 100     the nearest one among the first 100

    python benchmarks/exact_neighbours.py RUN --threads 1

RUN is a run directory on features, trained with `--queries`. Contestants have as many codebooks of
256 codewords as the run, and were trained on the same embeddings: those of the run's training rows.
`wsdhq, the run` is the quantizer of the run, with its metric; `wsdhq, identity` one fitted to the
embeddings afterwards; then faiss's local search (LSQ), residual (RQ) and product quantization (PQ)
with their defaults. All of faiss's additive codes are searched by its look-up tables. "error" is
the mean squared distance of database embeddings from their reconstructions; "bytes" what is stored
for each image: in faiss, l2 on additive codes takes a float norm of 4 bytes beside the code
(ST_norm_float), in an AQDIndex l2 and cosine take 1. faiss has no cosine for them: the rows of LSQ
and RQ that say AQDIndex are their codebooks and codes, searched by us.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.preprocessing import normalize

from contestants import (
    MOST,
    Codes,
    Contestant,
    Parts,
    Positions,
    Vectors,
    additive_peer,
    fit_ours,
    product_peer,
    searches_of_ours,
)
from measuring import markdown_table, positive
from wsdhq.bench import find_peer
from wsdhq.bench.peers import thread_limit
from wsdhq.data import read_features, read_tags, split_collection
from wsdhq.embed import TrainedModel
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.evaluation import rank_by_inner_product
from wsdhq.metrics import recall_at

#: Name of each share: how many true neighbours, among how many found.
SHARES = {
    "recall@10": (10, 10),
    "recall@100": (100, 100),
    "10 in 100": (10, 100),
    "1 in 10": (1, 10),
    "1 in 100": (1, 100),
}
_BATCH = 64


def main() -> None:
    """Embed, train the peers, search, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="run directory")
    parser.add_argument("--features", help="default: those of the run")
    parser.add_argument("--tags", help="default: those of the run")
    parser.add_argument("--threads", type=positive, default=1, help="of everything; default: 1")
    arguments = parser.parse_args()
    faiss, threads = find_peer("faiss"), arguments.threads
    if faiss is None:
        raise SystemExit("faiss is not installed: pip install 'wsdhq[faiss]'")
    with thread_limit(threads):
        model = TrainedModel.load(arguments.run)
        parts, codes = read_parts(model, arguments)
        shape = (parts.train.shape[1], model.config.num_codebooks, 8)
        contestants = [
            Contestant(
                "wsdhq, the run",
                model.quantizer.decode(codes, threads=threads),
                searches_of_ours(model.quantizer, codes, parts.queries, threads),
            ),
            fit_ours(parts, shape[1], model.config.seed, threads),
            additive_peer(faiss, "faiss LSQ", faiss.LocalSearchQuantizer(*shape), parts, threads),
            additive_peer(faiss, "faiss RQ", faiss.ResidualQuantizer(*shape), parts, threads),
            product_peer(faiss, parts, shape[1]),
        ]
        neighbours = exact_neighbours(parts)
    print(
        f"{model.config.bits} bits, D={model.dim}, {len(parts.queries)} queries, "
        f"{len(parts.database)} in the database, {len(parts.train)} trained on, "
        f"{threads} thread(s)\n"
    )
    columns = ["codes, ranking", "bytes", "error", "train s", "encode s", *SHARES]
    rows = [row for each in contestants for row in rows_of(each, parts.database, neighbours)]
    print(markdown_table(columns, rows))


def read_parts(model: TrainedModel, arguments: argparse.Namespace) -> tuple[Parts, Codes]:
    """The embeddings of a run, and the codes of its database."""
    config = model.config
    if model.embeds_images or config.num_queries == 0:
        raise SystemExit(f"{arguments.run}: expected a run on features, trained with --queries")
    features = read_features(arguments.features or config.features)
    tags = read_tags(arguments.tags or config.tags)
    codes = np.load(RunDirectory(arguments.run).file("codes.npy"))
    if not len(features) == len(tags) == len(codes):
        raise SystemExit(
            f"{arguments.run} has codes of {len(codes)} images, but there are {len(features)} rows "
            f"of features and {len(tags)} of tags"
        )
    query, database, train = split_collection(
        len(features), config.num_queries, config.num_train, config.split_seed
    )
    # Rows without tags were not trained on.
    train = train[np.diff(model.tags.positives_of([tags[row] for row in train]).indptr) > 0]
    embeddings = model.embed(features, threads=arguments.threads)
    return Parts(embeddings[train], embeddings[database], embeddings[query]), codes[database]


def exact_neighbours(parts: Parts) -> Positions:
    """The nearest of the database by cosine, best first, ties by position."""
    rank = rank_by_inner_product(normalize(parts.queries), normalize(parts.database), MOST)
    starts = range(0, len(parts.queries), _BATCH)
    ends = [min(start + _BATCH, len(parts.queries)) for start in starts]
    return np.concatenate([rank(start, end)[1] for start, end in zip(starts, ends)])


def rows_of(each: Contestant, database: Vectors, neighbours: Positions) -> list[list[str]]:
    """The lines of the table for a contestant."""
    error = ((database - each.rebuilt).astype(np.float64) ** 2).sum(axis=1).mean()
    times = [
        "-" if seconds is None else f"{seconds:.2f}"
        for seconds in (each.train_seconds, each.encode_seconds)
    ]
    return [
        [f"{each.name}: {way}", str(stored), f"{error:.4f}", *times]
        + [f"{recall_at(found, neighbours[:, :true], n):.3f}" for true, n in SHARES.values()]
        for way, (stored, found) in each.searches.items()
    ]


if __name__ == "__main__":
    main()
