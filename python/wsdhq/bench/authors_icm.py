"""The encoder as the method's authors released it: the residual against every codeword.

For every codebook the residual that each codeword would leave is formed and projected on every
tag; the sum of squares of the projections decides. It is here as a baseline, written with one
matrix product per codebook and no loop over codewords.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def authors_icm(
    vectors: NDArray[np.float32],
    codebooks: NDArray[np.float32],
    tags: NDArray[np.float32],
    sweeps: int = 3,
) -> NDArray[np.uint8]:
    """Codes by iterated conditional modes, from codes that are all zero.

    Parameters
    ----------
    vectors : array (num_vectors, dim) float32
    codebooks : array (num_codebooks, codebook_size, dim) float32
    tags : array (num_tags, dim) float32
        The objective is the sum over tags s of (s . (x - x^))^2.
    sweeps : int
        Passes over the codebooks, in ascending order.

    Returns
    -------
    ndarray (num_vectors, num_codebooks) uint8
    """
    num_codebooks = len(codebooks)
    codes = np.zeros((len(vectors), num_codebooks), np.uint8)
    directions = np.ascontiguousarray(tags.T)
    for vector, code in zip(vectors, codes):
        residual = vector - codebooks[np.arange(num_codebooks), code].sum(axis=0)
        for _ in range(sweeps):
            for m in range(num_codebooks):
                without = residual + codebooks[m, code[m]]
                projections = (without - codebooks[m]) @ directions
                code[m] = np.argmin(np.einsum("ks,ks->k", projections, projections))
                residual = without - codebooks[m, code[m]]
    return codes


def folded_icm(
    vectors: NDArray[np.float32],
    codebooks: NDArray[np.float32],
    tags: NDArray[np.float32],
    sweeps: int = 3,
) -> NDArray[np.uint8]:
    """The codes of `authors_icm` for many vectors: the tags folded into one matrix, in double.

    It says what objective the authors' encoder reaches where that itself would take hours.
    """
    num_codebooks, codebook_size, dim = codebooks.shape
    words = codebooks.reshape(-1, dim).astype(np.float64)
    folded = words @ (tags.T.astype(np.float64) @ tags)
    pairwise = 2 * (folded @ words.T)
    unary = (folded * words).sum(axis=1) - 2 * (vectors @ folded.T)
    first = np.arange(num_codebooks) * codebook_size
    codes = np.zeros((len(vectors), num_codebooks), np.int64)
    for _ in range(sweeps):
        for m in range(num_codebooks):
            here = slice(first[m], first[m] + codebook_size)
            costs = unary[:, here].copy()
            for other in range(num_codebooks):
                if other != m:
                    costs += pairwise[first[other] + codes[:, other], here]
            codes[:, m] = costs.argmin(axis=1)
    return codes.astype(np.uint8)


def tag_objective(
    vectors: NDArray[np.float32], reconstructions: NDArray[np.float32], tags: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Sum over tags s of (s . (x - x^))^2, in double: one value per vector."""
    residuals = vectors.astype(np.float64) - reconstructions
    objective: NDArray[np.float64] = ((residuals @ tags.T.astype(np.float64)) ** 2).sum(axis=1)
    return objective
