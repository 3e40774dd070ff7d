"""How well the tags of images that training never saw are told from embeddings and codes.

A yard-stick without labels: a part of the database is kept out of the training, and for each of its
images all tags of the semantic sphere are ranked by their inner product with the embedding (and
with its reconstruction from the code). Printed is the mean average precision of the image's own
tags. Queries take no part, so that settings can be chosen by it.

    python benchmarks/held_out_tags.py --features F.npy --tags T.txt --queries 2000 \
        --variant WSDHQ --variant WSDHQ_L --set gamma=1 --set gamma=2
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.data import read_features, read_tags
from wsdhq.data.splits import split_collection
from wsdhq.embed import TrainConfig, TrainedModel, train
from wsdhq.embed.variants import variant_settings

_HELD_OUT = 0.1


def main() -> None:
    """Train each variant with each setting, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--features", required=True)
    parser.add_argument("--tags", required=True)
    parser.add_argument("--queries", type=int, default=0, help="queries, which are left alone")
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--variant", action="append", help="default: WSDHQ")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="one run for each")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--word-vectors")
    arguments = parser.parse_args()
    tags = read_tags(arguments.tags)
    num_train = round((1 - _HELD_OUT) * (len(tags) - arguments.queries))
    for variant in arguments.variant or ["WSDHQ"]:
        for setting in arguments.set or [""]:
            with tempfile.TemporaryDirectory() as folder:
                config = TrainConfig(
                    out=folder,
                    features=arguments.features,
                    tags=arguments.tags,
                    bits=arguments.bits,
                    num_queries=arguments.queries,
                    num_train=num_train,
                    threads=arguments.threads,
                    word_vectors=arguments.word_vectors,
                    **{**variant_settings(variant), **_parsed(setting)},
                )
                model = train(config, progress=False)
            embedding, codes = _measure(model, config, tags)
            print(f"{variant} {setting}: embedding {embedding:.4f}, codes {codes:.4f}", flush=True)


def _parsed(setting: str) -> dict[str, Any]:
    return tomllib.loads(setting) if setting else {}


def _measure(
    model: TrainedModel, config: TrainConfig, tags: list[list[str]]
) -> tuple[float, float]:
    _, database, trained = split_collection(
        len(tags), config.num_queries, config.num_train, config.split_seed
    )
    rows = np.setdiff1d(database, trained)
    carried = model.tags.positives_of([tags[row] for row in rows]).toarray()
    embeddings = model.embed(np.asarray(read_features(config.features)[rows]))
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
