"""The train suite: from vectors to a quantizer, seconds and error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.bench.context import Context, in_millions, in_words
from wsdhq.bench.peers import be_silent_about_few, num_cores, thread_limit
from wsdhq.bench.report.results import Comparison
from wsdhq.bench.suites.encode import mean_squared_error
from wsdhq.bench.timing import Contestant
from wsdhq.quant import AdditiveQuantizer

UNIT = "s"
LSQ = "faiss LSQ, default"
_ERROR_WANTED = 0.97

Decode = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def train_suite(context: Context) -> Iterator[Comparison]:
    """Everyone's own training with default settings, for each number of codebooks."""
    for num_codebooks in context.settings.fit_codebooks:
        # Training takes long: with several thread counts, only the full run does it twice.
        counts = context.threads if context.settings.fit_rounds > 1 else context.threads[:1]
        for threads in counts:
            yield _train(context, context.dims[0], num_codebooks, threads)


def _train(context: Context, dim: int, num_codebooks: int, threads: int) -> Comparison:
    s = context.settings
    split = context.split(dim)
    train, held_out = split.train[: s.fit], split.base[: s.encode]
    made: dict[str, Decode] = {}

    def ours() -> None:
        quantizer = AdditiveQuantizer(num_codebooks, seed=context.seed, threads=threads).fit(train)
        made["wsdhq"] = lambda given: quantizer.decode(quantizer.encode(given))
        codes = quantizer.encode(train[:1000])
        error = mean_squared_error(train[:1000], quantizer.codebooks, codes)
        assert np.isclose(error, quantizer.distortion(train[:1000], codes), rtol=1e-4)

    def peer(name: str, make: Callable[[], Any]) -> Contestant:
        def call() -> None:
            quantizer = make()
            quantizer.train(train)
            made[name] = lambda given: quantizer.decode(quantizer.compute_codes(given))

        return Contestant(name, call, 1)

    contestants = [Contestant("wsdhq", ours, 1, True)]
    if context.faiss is not None:
        faiss: Any = context.faiss

        def residual(beam: int) -> Any:
            quantizer = faiss.ResidualQuantizer(dim, num_codebooks, 8)
            quantizer.max_beam_size = beam
            be_silent_about_few(quantizer)
            return quantizer

        contestants += [
            peer(LSQ, lambda: faiss.LocalSearchQuantizer(dim, num_codebooks, 8)),
            peer("faiss RQ, beam 5", lambda: residual(5)),
            peer("faiss RQ, beam 1", lambda: residual(1)),
        ]
        if dim % num_codebooks == 0:
            contestants.append(peer("faiss OPQ + PQ", lambda: _OPQ(faiss, dim, num_codebooks)))
    comparison = context.compare(
        Comparison(
            "train",
            f"{num_codebooks} codebooks, D={dim}, {in_millions(len(train))} vectors, "
            f"{in_words(threads)}",
            UNIT,
            threads,
            {"vectors": len(train), "dim": dim, "codebooks": num_codebooks},
            [],
            quality="MSE",
            wanted={LSQ: 5.0} if threads == 1 and num_codebooks >= 8 and s.fit >= 20_000 else {},
            notes=[
                "MSE is of the training vectors, encoded with default settings, and of "
                f"{len(held_out)} others; every training starts anew, without a warm-up."
            ],
        ),
        contestants,
        s.fit_rounds,
        warm_up=False,
    )
    with thread_limit(num_cores()):
        for entry in comparison.entries:
            for figure, vectors in (("MSE", train), ("MSE of others", held_out)):
                left = vectors - made[entry.name](vectors)
                entry.figures[figure] = float((left.astype(np.float64) ** 2).sum(axis=1).mean())
    errors = {entry.name: entry.figures["MSE"] for entry in comparison.entries}
    if LSQ in errors:
        comparison.notes.append(
            f"MSE is {errors['wsdhq'] / errors[LSQ]:.3f} of that of {LSQ} (wanted: at most "
            f"{_ERROR_WANTED})."
        )
    return comparison


class _OPQ:
    """faiss's optimized product quantization: a rotation and a product quantizer."""

    def __init__(self, faiss: Any, dim: int, num_bytes: int) -> None:
        self._index = faiss.index_factory(dim, f"OPQ{num_bytes},PQ{num_bytes}x8")
        be_silent_about_few(faiss.downcast_index(self._index.index).pq)
        # The quantizer that the rotation is trained with is one of its own; faiss does not keep
        # the object alive.
        self._inner = faiss.ProductQuantizer(dim, num_bytes, 8)
        be_silent_about_few(self._inner)
        faiss.downcast_VectorTransform(self._index.chain.at(0)).pq = self._inner

    def train(self, vectors: NDArray[np.float32]) -> None:
        self._index.train(vectors)

    def compute_codes(self, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
        codes: NDArray[np.uint8] = self._index.sa_encode(vectors)
        return codes

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._index.sa_decode(codes)
        return vectors
