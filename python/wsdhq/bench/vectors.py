"""What the benchmarks run on: vectors with structure, and codes in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHUNK = 16384
_NUM_CLUSTERS = 200
# Deviation in direction d is (d + 1) ** -_DECAY; clusters hold this share of the deviation.
_DECAY = 0.5
_BETWEEN = 0.6


def structured_vectors(num_vectors: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors with clusters and a decaying spectrum, as learnt features have them.

    Parameters
    ----------
    num_vectors : int
    dim : int
    seed : int
        Of clusters, directions and vectors. The first vectors do not depend on `num_vectors`.

    Returns
    -------
    ndarray (num_vectors, dim) float32
        Rows of norm 1. The principal directions are turned at random, so that no method is
        helped or harmed by the order of the dimensions.
    """
    world = np.random.default_rng([seed, dim])
    deviations = np.arange(1, dim + 1) ** -_DECAY
    centres = world.standard_normal((_NUM_CLUSTERS, dim)) * deviations * _BETWEEN
    turn = np.linalg.qr(world.standard_normal((dim, dim)))[0]
    centres = (centres @ turn).astype(np.float32)
    spread = (deviations[:, None] * turn * np.sqrt(1 - _BETWEEN**2)).astype(np.float32)
    vectors = np.empty((num_vectors, dim), np.float32)
    for chunk, first in enumerate(range(0, num_vectors, _CHUNK)):
        rng = np.random.default_rng([seed, dim, chunk])
        part = vectors[first : first + _CHUNK]
        clusters = rng.integers(_NUM_CLUSTERS, size=_CHUNK)[: len(part)]
        # Of a whole chunk always: BLAS may round a row differently in a product of fewer rows.
        noise = rng.standard_normal((_CHUNK, dim), dtype=np.float32) @ spread
        np.add(centres[clusters], noise[: len(part)], out=part)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


@dataclass(frozen=True)
class Split:
    """Vectors to train on, to encode and search, and to search with; no row is in two."""

    train: NDArray[np.float32]
    base: NDArray[np.float32]
    queries: NDArray[np.float32]


def split_vectors(
    num_train: int,
    num_base: int,
    num_queries: int,
    dim: int,
    seed: int,
    features: NDArray[np.floating] | None = None,
) -> Split:
    """Take vectors of the user's, or make some.

    Parameters
    ----------
    num_train, num_base, num_queries : int
        Wanted. Fewer features than that are shared out in proportion.
    dim : int
        Of vectors to make; features have their own.
    seed : int
        Of the vectors, or of the order of the features.
    features : array (N, dim) of float, optional
    """
    wanted = num_train + num_base + num_queries
    if features is None:
        vectors = structured_vectors(wanted, dim, seed)
    else:
        rows = np.random.default_rng(seed).permutation(len(features))[:wanted]
        vectors = np.ascontiguousarray(features[np.sort(rows)], np.float32)
        vectors = vectors[np.random.default_rng([seed, 1]).permutation(len(vectors))]
        share = len(vectors) / wanted
        num_train, num_base = int(num_train * share), int(num_base * share)
    return Split(
        vectors[:num_train],
        vectors[num_train : num_train + num_base],
        vectors[num_train + num_base :],
    )


def draw_codes(codes: NDArray[np.uint8], num_vectors: int, seed: int) -> NDArray[np.uint8]:
    """Many codes like some: each byte is drawn as often as it stands in its column.

    Parameters
    ----------
    codes : array (n, num_bytes) of uint8
        Codes of real vectors.
    num_vectors : int
        How many to make.
    seed : int

    Returns
    -------
    ndarray (num_vectors, num_bytes) uint8
    """
    rng = np.random.default_rng([seed, 2])
    drawn = np.empty((num_vectors, codes.shape[1]), np.uint8)
    for column in range(codes.shape[1]):
        source = np.ascontiguousarray(codes[:, column])
        for first in range(0, num_vectors, 1 << 20):
            part = drawn[first : first + (1 << 20), column]
            part[:] = source[rng.integers(len(source), size=len(part), dtype=np.int32)]
    return drawn
