"""Quantizers trained on the same embeddings, and rankings by their codes: ours and faiss's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from wsdhq.bench.peers import be_silent_about_few, faiss_lsq_index, pad_columns
from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.index import Similarity

__all__ = [
    "MOST",
    "Codes",
    "Contestant",
    "Parts",
    "Positions",
    "Vectors",
    "additive_peer",
    "fit_ours",
    "product_peer",
    "searches_of_ours",
]

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint8]
Positions = NDArray[np.int64]

#: How deep rankings are.
MOST = 100


@dataclass(frozen=True)
class Parts:
    """Embeddings of a run: those its quantizer was fitted to, its database and its queries."""

    train: Vectors
    database: Vectors
    queries: Vectors


@dataclass(frozen=True)
class Contestant:
    """Codes of the database with the ways to search them.

    `searches` holds, by name, the bytes stored for each image and the first 100 positions found;
    seconds are None where nothing was trained or encoded here.
    """

    name: str
    rebuilt: Vectors
    searches: dict[str, tuple[int, Positions]]
    train_seconds: float | None = None
    encode_seconds: float | None = None


def searches_of_ours(
    quantizer: AdditiveQuantizer, codes: Codes, queries: Vectors, threads: int
) -> dict[str, tuple[int, Positions]]:
    """Rankings by an AQDIndex with each similarity that it offers."""
    found = {}
    for similarity in get_args(Similarity):
        index = AQDIndex(quantizer, similarity)
        index.add(codes)
        stored = codes.shape[1] + (similarity != "ip")
        found[similarity] = stored, index.search(queries, MOST, threads=threads)[1]
    return found


def fit_ours(parts: Parts, num_codebooks: int, seed: int, threads: int) -> Contestant:
    """A quantizer of ours, fitted with its defaults to the training embeddings."""
    quantizer = AdditiveQuantizer(num_codebooks, seed=seed, threads=threads)
    _, train_seconds = timed(lambda: quantizer.fit(parts.train))
    codes, encode_seconds = timed(lambda: quantizer.encode(parts.database))
    searches = searches_of_ours(quantizer, codes, parts.queries, threads)
    rebuilt = quantizer.decode(codes)
    return Contestant("wsdhq, identity", rebuilt, searches, train_seconds, encode_seconds)


def additive_peer(faiss: Any, name: str, quantizer: Any, parts: Parts, threads: int) -> Contestant:
    """An additive quantizer of faiss, searched by faiss's look-up tables and by ours."""
    if hasattr(quantizer, "cp"):
        be_silent_about_few(quantizer)
    _, train_seconds = timed(lambda: quantizer.train(parts.train))
    codes, encode_seconds = timed(lambda: quantizer.compute_codes(parts.database))
    flat: Vectors = faiss.vector_to_array(quantizer.codebooks)
    codebooks = flat.reshape(quantizer.M, 256, quantizer.d)
    rebuilt = quantizer.decode(codes)
    by_product = faiss_lsq_index(faiss, codebooks, codes)
    num_codebooks, _, dim = codebooks.shape
    by_distance = faiss.IndexLocalSearchQuantizer(
        dim, num_codebooks, 8, faiss.METRIC_L2, faiss.AdditiveQuantizer.ST_norm_float
    )
    faiss.copy_array_to_vector(codebooks.ravel(), by_distance.lsq.codebooks)
    by_distance.lsq.is_trained = by_distance.is_trained = True
    # What is stored is the code, and behind it the squared norm of the reconstruction.
    norms = (rebuilt**2).sum(axis=1, dtype=np.float32)
    by_distance.add_sa_codes(np.hstack([codes, norms[:, None].view(np.uint8)]))
    ours = AdditiveQuantizer.from_codebooks(codebooks)
    searches = {
        each: (index.sa_code_size(), index.search(parts.queries, MOST)[1])
        for each, index in (("ip", by_product), ("l2", by_distance))
    }
    by_us = searches_of_ours(ours, codes, parts.queries, threads)
    searches["cosine by AQDIndex"] = by_us["cosine"]
    return Contestant(name, rebuilt, searches, train_seconds, encode_seconds)


def product_peer(faiss: Any, parts: Parts, num_codebooks: int) -> Contestant:
    """Product quantization; where D is no multiple of the codebooks, zeros are added."""
    dim = -(-parts.train.shape[1] // num_codebooks) * num_codebooks
    train, database, queries = (
        pad_columns(each, dim) for each in (parts.train, parts.database, parts.queries)
    )
    quantizer = faiss.ProductQuantizer(dim, num_codebooks, 8)
    be_silent_about_few(quantizer)
    _, train_seconds = timed(lambda: quantizer.train(train))
    codes, encode_seconds = timed(lambda: quantizer.compute_codes(database))
    searches = {}
    for name, metric in (("ip", faiss.METRIC_INNER_PRODUCT), ("l2", faiss.METRIC_L2)):
        index = faiss.IndexPQ(dim, num_codebooks, 8, metric)
        index.pq = quantizer
        index.is_trained = True
        index.add_sa_codes(codes)
        searches[name] = index.sa_code_size(), index.search(queries, MOST)[1]
    rebuilt = quantizer.decode(codes)[:, : parts.train.shape[1]]
    return Contestant("faiss PQ", rebuilt, searches, train_seconds, encode_seconds)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    begun = time.perf_counter()
    return call(), time.perf_counter() - begun
