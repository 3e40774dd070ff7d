"""What the suites share: vectors, quantizers that are fitted once, and progress callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.bench.peers import num_cores, thread_limit
from wsdhq.bench.report.results import Comparison, Entry
from wsdhq.bench.settings import Settings
from wsdhq.bench.timing import Contestant, race
from wsdhq.bench.vectors import Split, split_vectors
from wsdhq.quant import AdditiveQuantizer


@dataclass
class Context:
    """A run's sizes, seed, vectors and peers.

    Attributes
    ----------
    settings : Settings
    threads : tuple of int
        Thread counts of every comparison, the first one first.
    seed : int
    features : array (N, D) of float, optional
        The user's own vectors, in place of made ones.
    faiss, scann : module or None
    stage : callable
        Told what is being done.
    advance : callable
        Told (done, total) of it.
    limits : dict
        What the machine was measured to do, by ("product" or "read", threads).
    """

    settings: Settings
    threads: tuple[int, ...]
    seed: int = 0
    features: NDArray[np.floating[Any]] | None = None
    faiss: ModuleType | None = None
    scann: ModuleType | None = None
    stage: Callable[[str], None] = lambda _: None
    advance: Callable[[int, int], None] = lambda done, total: None
    limits: dict[tuple[str, int], float] = field(default_factory=dict)
    _splits: dict[int, Split] = field(default_factory=dict)
    _fitted: dict[tuple[int, int], AdditiveQuantizer] = field(default_factory=dict)

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimensions to measure: those of the features, if there are any."""
        return self.settings.dims if self.features is None else (self.features.shape[1],)

    def split(self, dim: int) -> Split:
        """Vectors of so many dimensions to train on, to encode and to search with."""
        if dim not in self._splits:
            s = self.settings
            base = max(s.sample, s.encode)
            self._splits[dim] = split_vectors(
                max(s.train, s.fit), base, s.queries, dim, self.seed, self.features
            )
        return self._splits[dim]

    def quantizer(self, dim: int, num_codebooks: int) -> AdditiveQuantizer:
        """Our quantizer of so many codebooks, fitted once with all cores."""
        key = (dim, num_codebooks)
        if key not in self._fitted:
            self.stage(f"fitting {num_codebooks} codebooks")
            quantizer = AdditiveQuantizer(num_codebooks, seed=self.seed)
            with thread_limit(num_cores()):
                quantizer.fit(self.split(dim).train[: self.settings.train])
            self._fitted[key] = quantizer
        return self._fitted[key]

    def compare(
        self,
        comparison: Comparison,
        contestants: list[Contestant],
        rounds: int | None = None,
        warm_up: bool = True,
    ) -> Comparison:
        """Time contestants under the comparison's thread count and put them into it."""
        self.stage(f"{comparison.suite}: {comparison.setting}")
        with thread_limit(comparison.threads):
            times = race(
                contestants,
                self.settings.rounds if rounds is None else rounds,
                self.settings.budget if warm_up else 0.0,
                advance=self.advance,
                warm_up=warm_up,
            )
        comparison.entries = [Entry.of(each, times[each.name]) for each in contestants]
        return comparison


def in_words(threads: int) -> str:
    """As settings name a number of threads."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def in_millions(count: int) -> str:
    """As settings name a number of vectors: 16 M, 200 k, 750."""
    if count >= 1_000_000 and count % 100_000 == 0:
        return f"{count / 1e6:g} M"
    return f"{count / 1e3:g} k" if count >= 1000 and count % 100 == 0 else str(count)
