"""Assertions before the clock runs: a fast wrong answer takes part in no comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class WrongResultError(AssertionError):
    """A contestant's answer is not what it must be: nothing was timed."""


def table_scores(
    query: NDArray[np.float32], codebooks: NDArray[np.float32], codes: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Look-up-table scores of every code for one query, in NumPy: (num_vectors,) float32."""
    scores = np.zeros(len(codes), np.float32)
    for m, codebook in enumerate(codebooks):
        scores += (codebook @ query)[codes[:, m]]
    return scores


def check_search(
    name: str,
    scores: NDArray[np.float32],
    ids: NDArray[np.int64],
    truth: NDArray[np.float32],
    tolerance: float = 1e-5,
) -> None:
    """Check the results of one query against the scores of all vectors.

    Ranks may differ where scores differ by less than the tolerance (times the largest score):
    sums of floats in another order.

    Parameters
    ----------
    name : str
        Whose results they are.
    scores : array (k,) float32
    ids : array (k,) int64
        Positions in the database.
    truth : array (num_vectors,) float32
        The score of every vector.

    Raises
    ------
    WrongResultError
        An id comes twice or is none, a score is not that of its id, or the score at some rank is
        not the one that a full sort has there.
    """
    k = min(len(ids), len(truth))
    ids, scores = ids[:k], scores[:k]
    allowed = tolerance * max(1.0, float(np.abs(truth).max(initial=0.0)))
    if len(np.unique(ids)) != k or (k and (ids.min() < 0 or ids.max() >= len(truth))):
        raise WrongResultError(f"{name}: expected {k} different positions, got {ids.tolist()}")
    wrong = np.flatnonzero(np.abs(scores - truth[ids]) > allowed)
    if len(wrong):
        at = wrong[0]
        raise WrongResultError(
            f"{name}: the score at rank {at} is {scores[at]}, but vector {ids[at]} has "
            f"{truth[ids[at]]}"
        )
    best = np.sort(np.partition(truth, len(truth) - k)[len(truth) - k :])[::-1]
    wrong = np.flatnonzero(np.abs(truth[ids] - best) > allowed)
    if len(wrong):
        at = wrong[0]
        raise WrongResultError(
            f"{name}: rank {at} has vector {ids[at]} of score {truth[ids[at]]}, but a full sort "
            f"has {best[at]} there"
        )


def check_same_scores(
    name: str, scores: NDArray[np.float32], expected: NDArray[np.float32], tolerance: float = 1e-5
) -> None:
    """Check that two searches found the same scores at every rank of every query."""
    allowed = tolerance * max(1.0, float(np.abs(expected).max(initial=0.0)))
    if scores.shape != expected.shape:
        raise WrongResultError(
            f"{name}: expected results of shape {expected.shape}, got {scores.shape}"
        )
    difference = np.abs(scores - expected)
    if not (difference <= allowed).all():
        query, rank = np.argwhere(~(difference <= allowed))[0]
        raise WrongResultError(
            f"{name}: query {query}, rank {rank}: expected the score {expected[query, rank]}, got "
            f"{scores[query, rank]}"
        )


def check_not_above(name: str, value: float, limit: float, tolerance: float = 1e-4) -> None:
    """Check that a figure of which less is better is at most a limit, up to the tolerance."""
    if not value <= limit * (1 + tolerance):
        raise WrongResultError(f"{name}: expected at most {limit:.6g}, got {value:.6g}")
