"""Fitting codebooks: alternate between codes and codebooks while noise and shrinkage anneal."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq._shared.progress import Progress, ProgressCallback
from wsdhq.quant.arrays.codes import CodeMatrix
from wsdhq.quant.arrays.vectors import FloatMatrix, float32_chunks
from wsdhq.quant.encoding import encode_chunks
from wsdhq.quant.initialize import residual_codebooks, slice_codebooks
from wsdhq.quant.report import report
from wsdhq.quant.statistics import CodeStatistics

logger = logging.getLogger("wsdhq.quant")

# Of the encoder, in each iteration: more find better codes, these find them soonest.
FIT_BEAM_WIDTH = 8
FIT_SWEEPS = 4
# Iterations at the end without noise and shrinkage.
SETTLING = 3
# At first a codeword that as many vectors use as any other shrinks by this part of its length.
# Noise on the vectors spreads the work by itself, and wants less.
SHRINKAGE = {"none": 0.1, "codebooks": 0.1, "data": 0.05}


@dataclass(frozen=True)
class FitSettings:
    """Checked settings of a fit; see `AdditiveQuantizer`."""

    num_codebooks: int
    codebook_size: int
    metric: NDArray[np.float32] | None
    init: str
    iterations: int
    relaxation: str
    ridge: float | None
    seed: int
    threads: int
    verbose: bool | None


def fit_codebooks(
    vectors: FloatMatrix, codes: NDArray[np.uint8] | None, settings: FitSettings
) -> tuple[NDArray[np.float32], list[dict[str, Any]]]:
    """Learn codebooks, from codes if there are some; see `AdditiveQuantizer.fit`.

    Returns
    -------
    codebooks : ndarray (num_codebooks, codebook_size, dim) float32
        The best for the codes of the least distortion that an iteration ended with.
    history : list of dict
        See `AdditiveQuantizer.history`.
    """
    begun = time.perf_counter()
    report(
        settings.verbose,
        "fit: %d vectors of %d dimensions, %d codebooks of %d codewords, %d iterations; "
        "threads %d, SIMD level %s",
        *vectors.shape, settings.num_codebooks, settings.codebook_size, settings.iterations,
        settings.threads, _core.active_simd_level(),
    )  # fmt: skip
    with Progress(settings.verbose) as bar:
        codebooks, history = _Fit(vectors, settings, bar).alternate(codes)
    seconds = time.perf_counter() - begun
    if history:
        report(
            settings.verbose,
            "fit: distortion %.6g after %d iterations, %.1f s",
            history[-1]["distortion"], settings.iterations, seconds,
        )  # fmt: skip
    else:
        report(
            settings.verbose, "fit: codebooks to start from, without iterations, %.1f s", seconds
        )
    return codebooks, history


class _Fit:
    """Alternates between codes and codebooks.

    Iteration i solves for the codebooks, adds noise of temperature T(i) = sqrt(1 - i / I) to them
    ("codebooks") or to the vectors ("data"), and encodes anew (LSQ++; Martinez et al., ECCV 2018).
    The ridge of the solve falls from `SHRINKAGE` of the mean use of a codeword to `ridge`: as it
    prefers many codewords of like size to few large ones, the codebooks, of which residual
    quantization makes each smaller than the one before, come to share the work. In the last
    `SETTLING` iterations there is neither.
    """

    def __init__(self, vectors: FloatMatrix, settings: FitSettings, bar: Progress) -> None:
        self.vectors = vectors
        self.settings = settings
        self.bar = bar
        self.annealed = max(settings.iterations - SETTLING, 0)

    def alternate(
        self, codes: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.float32], list[dict[str, Any]]]:
        """Codebooks and history as `fit_codebooks` gives them."""
        settings, bar = self.settings, self.bar
        if codes is None:
            best = self._first_codebooks()
            if settings.iterations == 0:
                return best, []
            bar.stage("fit: first codes", len(self.vectors), " vectors")
            current = self._encode(best, None, 0, 0.0, bar.move_to)
        else:
            best, _ = self._solve(codes, settings.ridge)
            if settings.iterations == 0:
                return best, []
            current = codes
        least, best_codes = self._distortion(current, best), current
        history: list[dict[str, Any]] = []
        bar.stage("fit", settings.iterations, "it")
        for i in range(settings.iterations):
            codebooks, reseeded = self._solve(current, self._ridge(i))
            heat = self._heat(i)
            share = partial(_advance_share, bar.move_to, i, len(self.vectors))
            current = self._encode(codebooks, None if heat else current, i + 1, heat, share)
            distortion = self._distortion(current, codebooks)
            if distortion <= least:
                best_codes, least = current, distortion
            history.append({"iteration": i, "distortion": least, "reseeded": reseeded})
            bar.move_to(i + 1, distortion=least)
            logger.debug(
                "iteration %d of %d: distortion %.6g, the least so far %.6g, %d codewords "
                "re-seeded",
                i + 1, settings.iterations, distortion, least, reseeded,
            )  # fmt: skip
        return self._solve(best_codes, settings.ridge)[0], history

    def _first_codebooks(self) -> NDArray[np.float32]:
        settings = self.settings
        start = residual_codebooks if settings.init == "residual" else slice_codebooks
        self.bar.stage("fit: start", settings.num_codebooks, " codebooks")
        return start(
            self.vectors, settings.num_codebooks, settings.codebook_size, settings.metric,
            settings.seed, settings.threads, progress=self.bar.move_to,
        )  # fmt: skip

    def _ridge(self, iteration: int) -> float | None:
        """Of the solve: the shrinkage that is left, and the ridge that was asked for."""
        settings = self.settings
        left = 1 - iteration / self.annealed if iteration < self.annealed else 0.0
        most = SHRINKAGE[settings.relaxation] * len(self.vectors) / settings.codebook_size
        shrinkage = most * left
        return shrinkage + (settings.ridge or 0.0) if shrinkage else settings.ridge

    def _heat(self, iteration: int) -> float:
        if self.settings.relaxation == "none" or iteration >= self.annealed:
            return 0.0
        return math.sqrt(1 - (iteration + 1) / self.annealed)

    def _encode(
        self,
        codebooks: NDArray[np.float32],
        start: NDArray[np.uint8] | None,
        iteration: int,
        heat: float,
        progress: ProgressCallback,
    ) -> NDArray[np.uint8]:
        settings = self.settings
        if heat > 0 and settings.relaxation == "codebooks":
            codebooks = _core.perturb_codebooks(codebooks, heat, settings.seed, iteration)
        perturb = None
        if heat > 0 and settings.relaxation == "data":

            def perturb(chunk: NDArray[np.float32]) -> NDArray[np.float32]:
                return _core.perturb_vectors(
                    chunk, codebooks, heat, settings.seed, iteration, settings.threads
                )

        return encode_chunks(
            _core.Encoder(codebooks, settings.metric, settings.threads), self.vectors, start,
            settings.num_codebooks, iterations=FIT_SWEEPS, relaxation="none",
            seed=_seed_of(settings.seed, iteration), beam_width=FIT_BEAM_WIDTH,
            threads=settings.threads, perturb=perturb, progress=progress,
        )  # fmt: skip

    def _solve(
        self, codes: NDArray[np.uint8], ridge: float | None
    ) -> tuple[NDArray[np.float32], int]:
        """Codebooks for the codes, and how many codewords no vector used and got a new place."""
        settings, vectors = self.settings, self.vectors
        shape = settings.num_codebooks, settings.codebook_size
        statistics = CodeStatistics(*shape, vectors.shape[1], settings.threads, verbose=False)
        statistics.update(vectors, codes)
        # The ridge is to shrink what tells codewords apart, not the mean of the vectors.
        mean = statistics.sums[0].sum(axis=0) / len(vectors)
        uses = np.diagonal(statistics.histogram.reshape(2 * (math.prod(shape),)))
        statistics.sums -= uses.reshape(*shape, 1) * mean
        codebooks = statistics.solve(ridge) + (mean / settings.num_codebooks).astype(np.float32)
        unused = np.argwhere(statistics.unused())
        if len(unused):
            _reseed(codebooks, unused, vectors, codes, settings.threads)
        return codebooks, len(unused)

    def _distortion(self, codes: NDArray[np.uint8], codebooks: NDArray[np.float32]) -> float:
        settings = self.settings
        return mean_distortion(self.vectors, codes, codebooks, settings.metric, settings.threads)


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
