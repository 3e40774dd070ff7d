"""Encoding in bounded memory: chunks of any float input through the compiled encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq._shared.arguments import as_choice, as_integer
from wsdhq._shared.progress import Progress, ProgressCallback, check_verbose
from wsdhq.quant.arrays.codes import CodeMatrix, as_code_rows
from wsdhq.quant.arrays.parameters import as_codebooks, as_metric
from wsdhq.quant.arrays.vectors import FloatMatrix, as_vectors, float32_chunks
from wsdhq.quant.threads import resolve_threads

Relaxation = Literal["codebooks", "data"] | None

MAX_ITERATIONS = 2**31 - 1
MAX_SEED = 2**64 - 1
MAX_BEAM_WIDTH = 1024
# Of the quantizer: codes as good as sixteen rounds of iterated local search find, many times
# faster (benchmarks/RESULTS.md).
BEAM_WIDTH = 32


def check_relaxation(value: object) -> str:
    """Give the core's name of a relaxation; ValueError lists the known ones."""
    known = (None, "codebooks", "data")
    return "none" if as_choice(value, "relaxation", known) is None else str(value)


def check_beam_width(value: object, *, warm: bool) -> int:
    """Give a beam width; None is a greedy start, or none where there are codes to start from."""
    if value is None:
        return 0 if warm else 1
    return as_integer(value, "beam_width", 0 if warm else 1, MAX_BEAM_WIDTH)


def encode_chunks(
    encoder: _core.Encoder,
    vectors: FloatMatrix,
    codes: CodeMatrix | None,
    num_codebooks: int,
    *,
    iterations: int,
    relaxation: str,
    seed: int,
    beam_width: int,
    threads: int,
    perturb: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    progress: ProgressCallback | None = None,
) -> NDArray[np.uint8]:
    """Encode checked arguments, or what `perturb` makes of each chunk; see `icm_encode`.

    `progress` is told how many vectors are done, twenty times a second at most.
    """
    out = np.empty((len(vectors), num_codebooks), np.uint8)
    for first, last, chunk in float32_chunks(vectors, "X"):
        start = None if codes is None else codes[first:last]
        if perturb is not None:
            chunk = perturb(chunk)
        within = None if progress is None else partial(_advance_part, progress, first, last)
        out[first:last] = encoder.encode(
            chunk, start, iterations, relaxation, seed, beam_width, threads, within
        )
        if progress is not None:
            progress(last)
    return out


def _advance_part(progress: ProgressCallback, first: int, last: int, part: float) -> None:
    progress(first + part * (last - first))


def icm_encode(
    X: ArrayLike,
    codebooks: ArrayLike,
    *,
    codes: ArrayLike | None = None,
    metric: ArrayLike | None = None,
    iterations: int = 3,
    relaxation: Relaxation = None,
    seed: int = 0,
    beam_width: int | None = None,
    threads: int | None = None,
    verbose: bool | None = None,
) -> NDArray[np.uint8]:
    """Codes of vectors by iterated conditional modes.

    Minimizes E(b) = (x - sum_m C[m, b_m])^T metric (x - sum_m C[m, b_m]) one codebook at a
    time, the others fixed (method section 4; paper, "Alternating optimization").

    Parameters
    ----------
    X : array (num_vectors, dim) of float16, float32 or float64
        Any stride or byte order; a memory map is read in chunks. Computed in float32. Arrays of
        other libraries: see `AdditiveQuantizer`.
    codebooks : array (num_codebooks, codebook_size, dim) of float
        codebook_size from 1 to 256.
    codes : array (num_vectors, num_codebooks) of uint8, optional
        Codes to start from. None makes a start codebook by codebook, the one of the largest
        codewords first; see `beam_width`.
    metric : array (dim, dim) of float, optional
        Symmetric positive semi-definite. None is the identity.
    iterations : int, at least 0
        Without relaxation, the most sweeps over the codebooks; a vector stops early when a sweep
        changes nothing. With relaxation, the number I of the schedule T(i) = sqrt(1 - i / I),
        whose last iteration sweeps until nothing changes. 0 returns the start.
    relaxation : "codebooks", "data" or None
        What noise is added to between sweeps (LSQ++). The best code seen is kept.
    seed : int, 0 to 2**64 - 1
        Keys the noise and the order in which codebooks are visited.
    beam_width : int, 1 to 1024, optional
        Partial codes kept while a start is made; one in eight of the whole ones is swept, and the
        best end counts. None is 1, the greedy start. With `codes`, 0 (which None then is) starts
        from them alone, and more from them and from a beam: the better end counts.
    threads : int, optional
        At least 1; None uses every core. The GIL is released; the result does not depend on it.
    verbose : bool, optional
        Whether a bar shows how far it is, as in `AdditiveQuantizer`.

    Returns
    -------
    ndarray (num_vectors, num_codebooks) uint8
        Each row is a function of its vector, the codebooks, the metric, the settings and the
        code it started from, and of nothing else. Its objective is never above the start's.

    Raises
    ------
    TypeError
        A dtype is not as above.
    ValueError
        A shape or range is not as above, a value is not finite, a code is >= codebook_size, or
        the metric is not symmetric positive semi-definite.

    Examples
    --------
    >>> import numpy as np
    >>> codebooks = np.array([[[0, 0], [4, 0]], [[0, 0], [0, 1]]], np.float32)
    >>> icm_encode(np.array([[3.9, 0.1]]), codebooks)
    array([[1, 0]], dtype=uint8)
    """
    checked_codebooks = as_codebooks(codebooks)
    num_codebooks, codebook_size, dim = checked_codebooks.shape
    vectors = as_vectors(X, "X", dim)
    start = (
        None
        if codes is None
        else as_code_rows(codes, "codes", num_codebooks, codebook_size, len(vectors))
    )
    count = resolve_threads(threads)
    check_verbose(verbose)
    encoder = _core.Encoder(checked_codebooks, as_metric(metric, dim), count)
    with Progress(verbose) as progress:
        progress.stage("encode", len(vectors), " vectors")
        return encode_chunks(
            encoder,
            vectors,
            start,
            num_codebooks,
            iterations=as_integer(iterations, "iterations", 0, MAX_ITERATIONS),
            relaxation=check_relaxation(relaxation),
            seed=as_integer(seed, "seed", 0, MAX_SEED),
            beam_width=check_beam_width(beam_width, warm=start is not None),
            threads=count,
            progress=progress.move_to,
        )
