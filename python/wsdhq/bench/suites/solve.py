"""The solve suite: codebooks of least squared error for given codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wsdhq.bench.checks import check_not_above
from wsdhq.bench.context import Context, in_millions, in_words
from wsdhq.bench.peers import lsq_codebooks
from wsdhq.bench.report.results import Comparison
from wsdhq.bench.suites.encode import mean_squared_error
from wsdhq.bench.timing import Contestant
from wsdhq.bench.vectors import structured_vectors
from wsdhq.quant import AdditiveQuantizer, CodeStatistics

UNIT = "ms"
LSQ = "faiss LSQ update_codebooks, double"


def solve_suite(context: Context) -> Iterator[Comparison]:
    """One codebook update: the statistics of codes and the solution."""
    for num_vectors in context.settings.solve:
        yield from _update(context, num_vectors)


def _update(context: Context, num_vectors: int) -> Iterator[Comparison]:
    s = context.settings
    num_codebooks = s.solve_codebooks
    if context.features is None:
        vectors = structured_vectors(num_vectors, s.solve_dim, context.seed)
    else:
        split = context.split(context.dims[0])
        vectors = np.concatenate([split.train, split.base])[:num_vectors]
    num_vectors, dim = vectors.shape
    context.stage(f"solve: codes of {in_millions(num_vectors)} vectors")
    quantizer = AdditiveQuantizer(num_codebooks, iterations=0, seed=context.seed)
    codes = quantizer.fit(vectors[:5000]).encode(vectors, beam_width=1)

    def ours(threads: int) -> np.ndarray:
        statistics = CodeStatistics(num_codebooks, 256, dim, threads=threads)
        return statistics.update(vectors, codes).solve()

    checks = ["the error under the new codebooks is not above that under the old"]
    error = mean_squared_error(vectors, ours(1), codes)
    # What float32 cannot tell from an exact fit.
    negligible = 1e-6 * float((vectors.astype(np.float64) ** 2).sum(axis=1).mean())
    before = mean_squared_error(vectors, quantizer.codebooks, codes)
    check_not_above("wsdhq: the error under the new codebooks", error, before + negligible)
    lsq: Any = None
    if context.faiss is not None:
        faiss: Any = context.faiss
        lsq = faiss.LocalSearchQuantizer(dim, num_codebooks, 8)
        faiss.copy_array_to_vector(quantizer.codebooks.ravel(), lsq.codebooks)
        wide = np.ascontiguousarray(codes, np.int32)

        def theirs() -> None:
            lsq.update_codebooks(faiss.swig_ptr(vectors), faiss.swig_ptr(wide), len(vectors))

        theirs()
        their_error = mean_squared_error(vectors, lsq_codebooks(faiss, lsq), codes)
        check_not_above("wsdhq: the error under the new codebooks", error, their_error + negligible)
        checks.append("the error is not above that of faiss")
    for threads in context.threads:
        contestants = [
            Contestant("wsdhq", lambda threads=threads: ours(threads), 1, True, {"MSE": error})  # type: ignore[misc]
        ]
        if lsq is not None:
            contestants.append(Contestant(LSQ, theirs, 1, False, {"MSE": their_error}))
        yield context.compare(
            Comparison(
                "solve",
                f"{num_codebooks} codebooks, D={dim}, {in_millions(num_vectors)} vectors, "
                f"{in_words(threads)}",
                UNIT,
                threads,
                {"vectors": num_vectors, "dim": dim, "codebooks": num_codebooks},
                [],
                wanted={LSQ: 2.2} if threads == 1 and num_codebooks >= 8 else {},
                checks=checks,
                notes=["Ours is CodeStatistics.update and solve, in double."],
            ),
            contestants,
        )
