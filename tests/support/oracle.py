"""The slow NumPy truth of additive quantization, written from its definitions alone.

Nothing here uses tables, expansions or float32: each function states the formula of the
method in float64, at whatever cost, so that the compiled code can be compared with it.
Section numbers are those of the method: 3 is the objective, 4 the alternating optimization
(codes by iterated conditional modes, codebooks in closed form), 5 the search.

Shapes: N vectors of dimension D, M codebooks of K codewords; X is (N, D), codebooks
(M, K, D), codes (N, M), a metric (D, D) symmetric positive semi-definite or None for the
identity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


def decode(codebooks: ArrayLike, codes: Codes) -> Floats:
    """Reconstructions, (N, D): the sum over m of C[m, codes[n, m]] (section "Symbols")."""
    books = np.asarray(codebooks, dtype=np.float64)
    result = np.zeros((len(codes), books.shape[2]))
    for m, book in enumerate(books):
        result += book[codes[:, m]]
    return result


def quadratic(residuals: ArrayLike, metric: ArrayLike | None) -> Floats:
    """`v^T metric v` of each row v, (N,) (section 3)."""
    rows = np.asarray(residuals, dtype=np.float64)
    if metric is None:
        return np.einsum("nd,nd->n", rows, rows)
    return np.einsum("nd,de,ne->n", rows, np.asarray(metric, dtype=np.float64), rows)


def objective(
    X: ArrayLike, codebooks: ArrayLike, codes: Codes, metric: ArrayLike | None = None
) -> Floats:
    """`(x - x^)^T metric (x - x^)` of each vector, (N,) (section 3)."""
    return quadratic(np.asarray(X, dtype=np.float64) - decode(codebooks, codes), metric)


def distortion(
    X: ArrayLike, codebooks: ArrayLike, codes: Codes, metric: ArrayLike | None = None
) -> float:
    """Mean objective over the vectors (section 3)."""
    return float(np.mean(objective(X, codebooks, codes, metric)))


def conditional_costs(
    X: ArrayLike, codebooks: ArrayLike, codes: Codes, m: int, metric: ArrayLike | None = None
) -> Floats:
    """Objective with codeword k of codebook m and the other codewords kept, (N, K) (section 4).

    The residual is formed and its quadratic form taken for every k: no unary or pairwise term.
    """
    num_codewords = np.asarray(codebooks).shape[1]
    costs = np.empty((len(codes), num_codewords))
    for k in range(num_codewords):
        changed = np.array(codes, copy=True)
        changed[:, m] = k
        costs[:, k] = objective(X, codebooks, changed, metric)
    return costs


def icm_sweep(
    X: ArrayLike,
    codebooks: ArrayLike,
    codes: Codes,
    metric: ArrayLike | None = None,
    order: Iterable[int] | None = None,
) -> Codes:
    """One sweep of iterated conditional modes, codebooks in `order`, (N, M) (section 4).

    Each codebook takes the best codeword given the others; equal costs take the lowest index.
    """
    result = np.array(codes, copy=True)
    for m in range(result.shape[1]) if order is None else order:
        result[:, m] = np.argmin(conditional_costs(X, codebooks, result, m, metric), axis=1)
    return result


def conditional_excess(
    X: ArrayLike, codebooks: ArrayLike, codes: Codes, metric: ArrayLike | None = None
) -> Floats:
    """How far the best change of a single codeword would lower the objective, (N,) (section 4).

    Zero where the code is a conditional mode.
    """
    here = objective(X, codebooks, codes, metric)
    excess = np.zeros(len(codes))
    for m in range(codes.shape[1]):
        best = conditional_costs(X, codebooks, codes, m, metric).min(axis=1)
        excess = np.maximum(excess, here - best)
    return excess


def exhaustive_best(
    X: ArrayLike, codebooks: ArrayLike, metric: ArrayLike | None = None
) -> tuple[Codes, Floats]:
    """Best of all K^M codes of each vector, (N, M), and its objective, (N,) (section 3)."""
    num_codebooks, codebook_size, _ = np.shape(codebooks)
    rows = np.asarray(X, dtype=np.float64)
    best_codes = np.zeros((len(rows), num_codebooks), dtype=np.uint8)
    best = np.full(len(rows), np.inf)
    for code in itertools.product(range(codebook_size), repeat=num_codebooks):
        candidate = np.tile(np.array(code, dtype=np.uint8), (len(rows), 1))
        cost = objective(rows, codebooks, candidate, metric)
        better = cost < best
        best[better] = cost[better]
        best_codes[better] = candidate[better]
    return best_codes, best


def one_hot(codes: Codes, codebook_size: int) -> Floats:
    """The matrix B of section 4, (N, M K): row n has a one at m K + codes[n, m] for each m."""
    num_vectors, num_codebooks = codes.shape
    matrix = np.zeros((num_vectors, num_codebooks * codebook_size))
    for n in range(num_vectors):
        for m in range(num_codebooks):
            matrix[n, m * codebook_size + int(codes[n, m])] = 1.0
    return matrix


def gram(codes: Codes, codebook_size: int) -> Floats:
    """`B^T B`, (M K, M K): how often each pair of codewords meets in a code (section 4)."""
    B = one_hot(codes, codebook_size)
    return B.T @ B


def code_sums(X: ArrayLike, codes: Codes, codebook_size: int) -> Floats:
    """`B^T X`, (M K, D): the sum of the vectors that use each codeword (section 4)."""
    return one_hot(codes, codebook_size).T @ np.asarray(X, dtype=np.float64)


def solve_ridge(X: ArrayLike, codes: Codes, codebook_size: int, ridge: float) -> Floats:
    """`(B^T B + ridge I)^-1 B^T X` as (M, K, D) (section 4, "C (codebooks)")."""
    system = gram(codes, codebook_size)
    system += ridge * np.eye(len(system))
    solution = np.linalg.solve(system, code_sums(X, codes, codebook_size))
    return solution.reshape(codes.shape[1], codebook_size, -1)


def solve_pseudo_inverse(X: ArrayLike, codes: Codes, codebook_size: int) -> Floats:
    """`pinv(B) X` as (M, K, D): the codebooks of least objective and least norm (section 4)."""
    rows = np.asarray(X, dtype=np.float64)
    solution = np.linalg.pinv(one_hot(codes, codebook_size)) @ rows
    return solution.reshape(codes.shape[1], codebook_size, -1)


def scores(Q: ArrayLike, codebooks: ArrayLike, codes: Codes, similarity: str) -> Floats:
    """Similarity of each query and each reconstruction, (nq, N), larger is better (section 5).

    "ip": the sum over m of the look-ups q . C[m, b_m]. "l2": minus the squared distance.
    "cosine": 0 where the query or the reconstruction has zero norm.
    """
    queries = np.asarray(Q, dtype=np.float64)
    books = np.asarray(codebooks, dtype=np.float64)
    if similarity == "ip":
        table = np.einsum("qd,mkd->qmk", queries, books)
        result = np.zeros((len(queries), len(codes)))
        for m in range(books.shape[0]):
            result += table[:, m, :][:, codes[:, m]]
        return result
    rows = decode(books, codes)
    if similarity == "l2":
        difference = queries[:, None, :] - rows[None, :, :]
        return -np.einsum("qnd,qnd->qn", difference, difference)
    if similarity == "cosine":
        norms = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(rows, axis=1)[None, :]
        return np.where(norms > 0, queries @ rows.T / np.where(norms > 0, norms, 1.0), 0.0)
    raise ValueError(f"similarity {similarity!r}: expected ip, l2 or cosine")


def score_rounding(Q: ArrayLike, codebooks: ArrayLike, codes: Codes, similarity: str) -> Floats:
    """How far a score may be off that adds float32 look-ups, (nq, N) (section 5).

    What rounds is of the size of the codewords, so that a reconstruction in which they nearly
    cancel has a cosine of few true digits.
    """
    queries = np.linalg.norm(np.asarray(Q, dtype=np.float64), axis=1)[:, None]
    lengths = np.linalg.norm(np.asarray(codebooks, dtype=np.float64), axis=2)
    reach = float(lengths.max(axis=1).sum())
    norms = np.linalg.norm(decode(codebooks, codes), axis=1)[None, :]
    if similarity == "cosine":
        return 2e-6 * (1 + reach / np.where(norms > 0, norms, np.inf)) + 0 * queries
    size = queries * reach if similarity == "ip" else (queries + reach) ** 2
    return 2e-6 * size + 0 * norms


def rank(row_scores: ArrayLike) -> NDArray[np.int64]:
    """Positions by descending score, equal scores by position (sections 5 and 6)."""
    return np.argsort(-np.asarray(row_scores), kind="stable").astype(np.int64)


def top_k(
    all_scores: ArrayLike,
    k: int,
    ids: Sequence[int] | NDArray[np.int64] | None = None,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[Floats, NDArray[np.int64]]:
    """The k best of each row of (nq, N) scores, as scores and ids, (nq, k) (section 5).

    Places beyond the allowed positions hold score -inf and id -1.
    """
    table = np.asarray(all_scores, dtype=np.float64)
    names = np.arange(table.shape[1]) if ids is None else np.asarray(ids, dtype=np.int64)
    found_scores = np.full((len(table), k), -np.inf)
    found_ids = np.full((len(table), k), -1, dtype=np.int64)
    for q, row in enumerate(table):
        order = rank(row)
        if allowed is not None:
            order = order[allowed[order]]
        order = order[:k]
        found_scores[q, : len(order)] = row[order]
        found_ids[q, : len(order)] = names[order]
    return found_scores, found_ids


def range_search(
    all_scores: ArrayLike, threshold: float, ids: Sequence[int] | NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """All scores >= threshold, best first, as faiss returns them (section 5).

    Returns
    -------
    limits : (nq + 1,) int64
        Query q owns the places limits[q] .. limits[q + 1] of the other two.
    scores, ids : (limits[-1],)
    """
    table = np.asarray(all_scores, dtype=np.float64)
    names = np.arange(table.shape[1]) if ids is None else np.asarray(ids, dtype=np.int64)
    limits, found_scores, found_ids = [0], [], []
    for row in table:
        order = rank(row)
        order = order[row[order] >= threshold]
        found_scores.extend(row[order])
        found_ids.extend(names[order])
        limits.append(len(found_ids))
    return (
        np.array(limits, dtype=np.int64),
        np.array(found_scores, dtype=np.float64),
        np.array(found_ids, dtype=np.int64),
    )


@dataclass(frozen=True)
class Problem:
    """Seeded inputs of one test: X (N, D), codebooks (M, K, D), codes (N, M), metric (D, D)."""

    X: NDArray[np.float32]
    codebooks: NDArray[np.float32]
    codes: Codes
    metric: NDArray[np.float32]


def rounding(
    X: ArrayLike, codebooks: ArrayLike, codes: Codes, metric: ArrayLike | None = None
) -> Floats:
    """How much of each objective may be rounding, (N,): 1e-5 of its scale (section 3).

    The scale is `x^T metric x` plus the objective of `codes`, the code that was given: the
    expanded objective adds and cancels terms of that size in float32.
    """
    return 1e-5 * (quadratic(X, metric) + objective(X, codebooks, codes, metric)) + 1e-12


def table_rounding(codebooks: ArrayLike, metric: ArrayLike | None = None) -> float:
    """How far float32 look-ups may be off where large codewords cancel (section 4).

    1e-6 of the square of the largest reconstruction that the codebooks could make: two codes
    whose objectives differ by less may be told apart wrongly, however short the vector is.
    """
    books = np.asarray(codebooks, dtype=np.float64)
    reach = sum(float(np.sqrt(np.max(quadratic(book, metric), initial=0.0))) for book in books)
    return 1e-6 * reach**2


def float_problem(seed: int, N: int, D: int, M: int, K: int) -> Problem:
    """Normal vectors, codewords of falling size, a full-rank metric with a spread spectrum."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, D)).astype(np.float32)
    size = (0.9 / np.arange(1, M + 1)).reshape(M, 1, 1)
    codebooks = (size * rng.standard_normal((M, K, D))).astype(np.float32)
    codes = rng.integers(0, K, size=(N, M), dtype=np.uint8)
    factor = rng.standard_normal((D, D)) * np.geomspace(1.0, 0.05, D)
    metric = (factor @ factor.T).astype(np.float32)
    return Problem(X, codebooks, codes, ((metric + metric.T) / 2).astype(np.float32))


def integer_problem(seed: int, N: int, D: int, M: int, K: int) -> Problem:
    """Small whole numbers: float32 arithmetic on them is exact, so ties and orders are too."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-4, 5, size=(N, D)).astype(np.float32)
    codebooks = rng.integers(-2, 3, size=(M, K, D)).astype(np.float32)
    codes = rng.integers(0, K, size=(N, M), dtype=np.uint8)
    factor = rng.integers(-1, 2, size=(D, D)).astype(np.float32)
    return Problem(X, codebooks, codes, factor @ factor.T)
