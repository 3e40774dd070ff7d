"""Fitting codebooks: alternate between codes and codebooks while noise and shrinkage anneal."""

from __future__ import annotations

import logging
import math
import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq._progress import Progress, ProgressCallback
from wsdhq.quant.arrays.codes import CodeMatrix
from wsdhq.quant.arrays.vectors import FloatMatrix, float32_chunks
from wsdhq.quant.encoding import encode_chunks
from wsdhq.quant.initialize import residual_codebooks, slice_codebooks
from wsdhq.quant.report import report
from wsdhq.quant.statistics import CodeStatistics

__all__ = ["fit_codebooks", "mean_distortion"]

logger = logging.getLogger("wsdhq.quant")

# Of the encoder, in each iteration: more find better codes, these find them soonest.
FIT_BEAM_WIDTH = 8
FIT_SWEEPS = 4
# Iterations at the end without noise and shrinkage.
SETTLING = 3
# At first a codeword that as many vectors use as any other shrinks by this part of its length.
# Noise on the vectors spreads the work by itself, and wants less.
SHRINKAGE = {"none": 0.1, "codebooks": 0.1, "data": 0.05}


def fit_codebooks(
    vectors: FloatMatrix,
    codes: NDArray[np.uint8] | None,
    *,
    num_codebooks: int,
    codebook_size: int,
    metric: NDArray[np.float32] | None,
    init: str,
    iterations: int,
    relaxation: str,
    ridge: float | None,
    seed: int,
    threads: int,
    verbose: bool | None,
) -> tuple[NDArray[np.float32], list[dict[str, Any]]]:
    """Learn codebooks from checked arguments; see `AdditiveQuantizer.fit`.

    Returns
    -------
    codebooks : ndarray (num_codebooks, codebook_size, dim) float32
        The best for the codes of the least distortion that an iteration ended with.
    history : list of dict
        See `AdditiveQuantizer.history`.
    """
    begun = time.perf_counter()
    report(
        verbose,
        "fit: %d vectors of %d dimensions, %d codebooks of %d codewords, %d iterations; "
        "threads %d, SIMD level %s",
        *vectors.shape, num_codebooks, codebook_size, iterations, threads,
        _core.active_simd_level(),
    )  # fmt: skip
    with Progress(verbose) as bar:
        codebooks, history = _alternate(
            vectors, codes, num_codebooks=num_codebooks, codebook_size=codebook_size,
            metric=metric, init=init, iterations=iterations, relaxation=relaxation, ridge=ridge,
            seed=seed, threads=threads, bar=bar,
        )  # fmt: skip
    seconds = time.perf_counter() - begun
    if history:
        least = history[-1]["distortion"]
        report(
            verbose, "fit: distortion %.6g after %d iterations, %.1f s", least, iterations, seconds
        )
    else:
        report(verbose, "fit: codebooks to start from, without iterations, %.1f s", seconds)
    return codebooks, history


def _alternate(
    vectors: FloatMatrix,
    codes: NDArray[np.uint8] | None,
    *,
    num_codebooks: int,
    codebook_size: int,
    metric: NDArray[np.float32] | None,
    init: str,
    iterations: int,
    relaxation: str,
    ridge: float | None,
    seed: int,
    threads: int,
    bar: Progress,
) -> tuple[NDArray[np.float32], list[dict[str, Any]]]:
    """Alternate between codes and codebooks.

    Iteration i solves for the codebooks, adds noise of temperature T(i) = sqrt(1 - i / I) to them
    ("codebooks") or to the vectors ("data"), and encodes anew (LSQ++; Martinez et al., ECCV 2018).
    The ridge of the solve falls from `SHRINKAGE` of the mean use of a codeword to `ridge`: as it
    prefers many codewords of like size to few large ones, the codebooks, of which residual
    quantization makes each smaller than the one before, come to share the work. In the last
    `SETTLING` iterations there is neither. Arguments and results as `fit_codebooks`.
    """

    def encode(
        codebooks: NDArray[np.float32],
        start: NDArray[np.uint8] | None,
        i: int,
        heat: float,
        share: ProgressCallback | None = None,
    ) -> NDArray[np.uint8]:
        if heat > 0 and relaxation == "codebooks":
            codebooks = _core.perturb_codebooks(codebooks, heat, seed, i)
        perturb = None
        if heat > 0 and relaxation == "data":

            def perturb(chunk: NDArray[np.float32]) -> NDArray[np.float32]:
                return _core.perturb_vectors(chunk, codebooks, heat, seed, i, threads)

        return encode_chunks(
            _core.Encoder(codebooks, metric, threads), vectors, start, num_codebooks,
            iterations=FIT_SWEEPS, relaxation="none", seed=_seed_of(seed, i),
            beam_width=FIT_BEAM_WIDTH, threads=threads, perturb=perturb, progress=share,
        )  # fmt: skip

    def solve(codes: NDArray[np.uint8], ridge: float | None) -> tuple[NDArray[np.float32], int]:
        statistics = CodeStatistics(
            num_codebooks, codebook_size, vectors.shape[1], threads, verbose=False
        )
        statistics.update(vectors, codes)
        # The ridge is to shrink what tells codewords apart, not the mean of the vectors.
        mean = statistics.sums[0].sum(axis=0) / len(vectors)
        uses = np.diagonal(statistics.histogram.reshape(2 * (num_codebooks * codebook_size,)))
        statistics.sums -= uses.reshape(num_codebooks, codebook_size, 1) * mean
        codebooks = statistics.solve(ridge) + (mean / num_codebooks).astype(np.float32)
        unused = np.argwhere(statistics.unused())
        if len(unused):
            _reseed(codebooks, unused, vectors, codes, threads)
        return codebooks, len(unused)

    if codes is None:
        start = residual_codebooks if init == "residual" else slice_codebooks
        bar.stage("fit: start", num_codebooks, " codebooks")
        best = start(
            vectors, num_codebooks, codebook_size, metric, seed, threads, progress=bar.move_to
        )
        bar.stage("fit: first codes", len(vectors), " vectors")
        current = encode(best, None, 0, 0.0, bar.move_to) if iterations else None
    else:
        best, _ = solve(codes, ridge)
        current = codes
    if current is None or iterations == 0:
        return best, []
    least = mean_distortion(vectors, current, best, metric, threads)
    best_codes = current
    annealed = max(iterations - SETTLING, 0)
    most_shrinkage = SHRINKAGE[relaxation] * len(vectors) / codebook_size
    history: list[dict[str, Any]] = []
    bar.stage("fit", iterations, "it")
    for i in range(iterations):
        left = 1 - i / annealed if i < annealed else 0.0
        shrinkage = most_shrinkage * left
        codebooks, reseeded = solve(current, shrinkage + (ridge or 0.0) if shrinkage else ridge)
        heat = math.sqrt(1 - (i + 1) / annealed) if i < annealed and relaxation != "none" else 0.0
        share = partial(_advance_share, bar.move_to, i, len(vectors))
        current = encode(codebooks, None if heat else current, i + 1, heat, share)
        distortion = mean_distortion(vectors, current, codebooks, metric, threads)
        if distortion <= least:
            best, best_codes, least = codebooks, current, distortion
        history.append({"iteration": i, "distortion": least, "reseeded": reseeded})
        bar.move_to(i + 1, distortion=least)
        logger.debug(
            "iteration %d of %d: distortion %.6g, the least so far %.6g, %d codewords re-seeded",
            i + 1, iterations, distortion, least, reseeded,
        )  # fmt: skip
    return solve(best_codes, ridge)[0], history


def _advance_share(
    progress: ProgressCallback, iteration: int, num_vectors: int, done: float
) -> None:
    progress(iteration + done / num_vectors)


def _seed_of(seed: int, iteration: int) -> int:
    return (seed + 0x9E3779B97F4A7C15 * iteration) % 2**64


def mean_distortion(
    vectors: FloatMatrix,
    codes: CodeMatrix,
    codebooks: NDArray[np.float32],
    metric: NDArray[np.float32] | None,
    threads: int,
    progress: ProgressCallback | None = None,
) -> float:
    """Mean of (x - x^)^T metric (x - x^), in double; nan for no vectors."""
    if len(vectors) == 0:
        return float("nan")
    total = 0.0
    for first, last, chunk in float32_chunks(vectors, "X"):
        error = chunk - _core.decode(codebooks, codes[first:last], threads)
        if metric is None:
            total += float(np.einsum("nd,nd->", error, error, dtype=np.float64))
        else:
            total += _core.weighted_sum_of_squares(error, metric, threads)
        if progress is not None:
            progress(last)
    return total / len(vectors)


def _reseed(
    codebooks: NDArray[np.float32],
    unused: NDArray[np.int64],
    vectors: FloatMatrix,
    codes: NDArray[np.uint8],
    threads: int,
) -> None:
    """Place each unused codeword (m, k) where it makes one badly coded vector exact.

    The vector's residual without codebook m becomes the codeword. Codes are not touched, so no
    vector is coded worse; the next encoding picks the new codewords up. The vectors are those of
    the largest squared errors, the earlier of equal ones first.
    """
    wanted = len(unused)
    worst_rows = np.empty(0, np.int64)
    worst_errors = np.empty(0)
    for first, last, chunk in float32_chunks(vectors, "X"):
        error = np.square(chunk - _core.decode(codebooks, codes[first:last], threads)).sum(axis=1)
        rows = np.concatenate([worst_rows, np.arange(first, last)])
        errors = np.concatenate([worst_errors, error])
        kept = np.argsort(-errors, kind="stable")[:wanted]
        worst_rows, worst_errors = rows[kept], errors[kept]
    # In the order of rows, so that a memory map is read forwards.
    for (m, k), row in zip(unused, np.sort(worst_rows)):
        reconstruction = _core.decode(codebooks, codes[row : row + 1], threads)[0]
        residual = vectors[row].astype(np.float32) - reconstruction
        codebooks[m, k] = residual + codebooks[m, codes[row, m]]
