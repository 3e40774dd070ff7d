"""`neighbour-service create` and `neighbour-service serve`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np

from neighbour_service.server import serve
from neighbour_service.service import NeighbourService
from wsdhq.quant import AdditiveQuantizer, AQDIndex

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line asks for; mistakes end it with a line that says which."""
    parser = argparse.ArgumentParser(prog="neighbour-service", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("create", help="learn codebooks and write an index")
    command.add_argument("index", type=Path, help="file to write")
    command.add_argument("vectors", type=Path, help="(n, dim) .npy of floats")
    command.add_argument("--num-codebooks", type=int, default=8, help="bytes of each vector")
    command.add_argument("--similarity", choices=["l2", "ip", "cosine"], default="l2")
    command.add_argument("--most", type=int, default=50_000, help="vectors to learn from")
    command.set_defaults(run=_create)

    command = commands.add_parser("serve", help="answer requests until interrupted, then save")
    command.add_argument("index", type=Path, help="file that `create` or a snapshot wrote")
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    command.add_argument("--threads", type=int, default=1, help="threads of one request")
    command.set_defaults(run=_serve)

    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    try:
        given.run(given)
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"neighbour-service: {error}")


def _create(given: argparse.Namespace) -> None:
    vectors = np.load(given.vectors, mmap_mode="r", allow_pickle=False)
    rng = np.random.default_rng(0)
    sample = np.sort(rng.permutation(len(vectors))[: given.most])
    quantizer = AdditiveQuantizer(given.num_codebooks).fit(vectors[sample])
    index = AQDIndex(quantizer, given.similarity)
    index.add_vectors(vectors)
    index.save(given.index)
    print(f"{given.index}: {index}")


def _serve(given: argparse.Namespace) -> None:
    serve(NeighbourService.load(given.index, given.threads), given.host, given.port)
