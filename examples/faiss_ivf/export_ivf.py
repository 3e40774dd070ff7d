"""Codes made here, served by faiss: an inverted file (IVF) of the same codes answers the same.

Makes clustered vectors, encodes them, hands the index to faiss with coarse centroids, and
compares: first with every list probed, where the answers must be equal, then with fewer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from wsdhq.interop.faiss import to_faiss
from wsdhq.quant import AdditiveQuantizer, AQDIndex

# What two ways of adding floats may differ by, of scores around 1.
TOLERANCE = 1e-5

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
# Scores and ids, (num_queries, k) each, the best first.
Answer = tuple[Floats, Ids]


def main() -> None:
    """Export, compare and print."""
    arguments = read_arguments()
    try:
        export_and_compare(arguments)
    # faiss tells everything by a RuntimeError.
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        sys.exit(f"export_ivf: {error}")


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-vectors", type=int, default=100_000)
    parser.add_argument("--num-queries", type=int, default=200)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--num-codebooks", type=int, default=8, help="bytes of each vector")
    parser.add_argument("--similarity", choices=["l2", "ip"], default="l2")
    parser.add_argument("--nlist", type=int, default=256, help="lists of the inverted file")
    parser.add_argument("-k", type=int, default=10, help="results for each query")
    parser.add_argument("--out", type=Path, default=Path("vectors.faiss"), help="file to write")
    return parser.parse_args()


def export_and_compare(arguments: argparse.Namespace) -> None:
    """Make both indexes and print what they answer."""
    everything = clustered_vectors(arguments.num_vectors + arguments.num_queries, arguments.dim)
    vectors, queries = np.split(everything, [arguments.num_vectors])

    quantizer = AdditiveQuantizer(arguments.num_codebooks).fit(vectors[:20_000])
    index = AQDIndex(quantizer, arguments.similarity)
    index.add_vectors(vectors)
    print(index)

    # Any centroids do: each vector goes into the list whose centroid is nearest to it.
    kmeans = faiss.Kmeans(arguments.dim, arguments.nlist, niter=10, seed=0)
    kmeans.train(vectors)
    faiss.write_index(to_faiss(index, centroids=kmeans.centroids), str(arguments.out))
    inverted_file: Any = faiss.read_index(str(arguments.out))
    print(f"{arguments.out}: {type(inverted_file).__name__}, {arguments.nlist} lists")

    # One core for each, so that the times can be compared.
    faiss.omp_set_num_threads(1)
    k, nlist = arguments.k, arguments.nlist
    ours, seconds = timed(lambda: index.search(queries, k, threads=1))
    # Of unit norm as all are, the nearest are the same by inner product and by distance.
    nearest = np.argpartition(-queries @ vectors.T, k - 1, axis=1)[:, :k]
    rows = [("AQDIndex", "all", ours[1], seconds)]
    for nprobe in (*powers_of_two(nlist), nlist):
        inverted_file.nprobe = nprobe
        theirs, seconds = timed(lambda: search_faiss(inverted_file, queries, k))
        rows.append(("faiss IVF", str(nprobe), theirs[1], seconds))
    difference = check_same(index, queries, ours, theirs)
    print(f"every list probed: the same answers, scores differ by up to {difference:.1e}\n")

    print(f"recall@{k:<3} {'nprobe':>7} {'of AQDIndex':>12} {'of nearest':>11} {'us/query':>9}")
    for name, nprobe, ids, seconds in rows:
        figures = f"{recall(ids, ours[1]):12.3f} {recall(ids, nearest):11.3f}"
        print(f"{name:10} {nprobe:>7} {figures} {1e6 * seconds / len(queries):9.0f}")


def clustered_vectors(num_vectors: int, dim: int, seed: int = 0) -> Floats:
    """Vectors of unit norm around 1,000 centres, big clusters and small ones, in any order."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((1000, dim))
    sizes = rng.dirichlet(np.ones(len(centres)))
    vectors = centres[rng.choice(len(centres), num_vectors, p=sizes)]
    vectors += 0.6 * rng.standard_normal(vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def search_faiss(index: Any, queries: Floats, k: int) -> Answer:
    """Search with scores as an `AQDIndex` gives them: the larger the better."""
    scores, ids = index.search(queries, k)
    return (-scores if index.metric_type == faiss.METRIC_L2 else scores), ids


def check_same(index: AQDIndex, queries: Floats, ours: Answer, theirs: Answer) -> float:
    """Compare two answers; gives the largest difference of scores, ValueError if it is no rounding.

    Where ids differ, two vectors whose scores a float can hardly tell apart changed places: then
    each, rebuilt from its code, has the score that stands in its place.
    """
    (scores, ids), (their_scores, their_ids) = ours, theirs
    difference = float(np.abs(scores - their_scores).max())
    for row in np.flatnonzero((ids != their_ids).any(axis=1)):
        rebuilt = index.reconstruct(their_ids[row])
        if index.similarity == "ip":
            rebuilt_scores = rebuilt @ queries[row]
        else:
            rebuilt_scores = -np.square(rebuilt - queries[row]).sum(axis=1)
        difference = max(difference, float(np.abs(rebuilt_scores - scores[row]).max()))
    if not difference <= TOLERANCE:
        raise ValueError(f"scores differ by {difference:.1e}: expected at most {TOLERANCE:.0e}")
    return difference


def recall(found: Ids, wanted: Ids) -> float:
    """Recall@k: the share of the wanted ids that were found."""
    hits = sum(int(np.isin(row, some).sum()) for row, some in zip(wanted, found))
    return hits / wanted.size


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """Give an answer, and the seconds of the second run."""
    work()
    begun = time.perf_counter()
    answer = work()
    return answer, time.perf_counter() - begun


def powers_of_two(end: int) -> list[int]:
    """1, 2, 4, ... below `end`."""
    return [2**n for n in range(end.bit_length()) if 2**n < end]


if __name__ == "__main__":
    main()
