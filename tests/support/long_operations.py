"""Operations that last until Ctrl-C, run by `test_interruption.py` in a process of their own.

For each name read from standard input: makes ready, writes "ready", works, writes "interrupted" on
KeyboardInterrupt, and then "same" or what the interruption changed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics, icm_encode

RNG = np.random.default_rng(0)
FOLDER = Path()  # where `main` makes one for files
FEW = RNG.standard_normal((50, 16)).astype(np.float32)

# The work, and what must be the same before it and after it is interrupted.
Operation = tuple[Callable[[], object], Callable[[], Any]]


def vectors(count: int, dim: int) -> np.ndarray:
    return RNG.standard_normal((count, dim), np.float32)


def codes(count: int, num_codebooks: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, num_codebooks), dtype=np.uint8)


def quantizer(num_codebooks: int = 8, dim: int = 16, **settings: Any) -> AdditiveQuantizer:
    codebooks = 0.4 * RNG.standard_normal((num_codebooks, 256, dim))
    return AdditiveQuantizer.from_codebooks(codebooks, **settings)


def for_ever(work: Callable[[], object]) -> Callable[[], object]:
    def repeat() -> None:
        while True:
            work()

    return repeat


def fitting(
    num_codebooks: int, X: np.ndarray, start: np.ndarray | None = None, **settings: Any
) -> Operation:
    q = quantizer(num_codebooks, X.shape[1], threads=2, **settings)
    few = X[:20]
    return (
        for_ever(lambda: q.fit(X, codes=start)),
        lambda: (q.codebooks, q.history, q.encode(few)),
    )


def encoding(q: AdditiveQuantizer, X: np.ndarray, **arguments: Any) -> Operation:
    few = X[:20]
    return for_ever(lambda: q.encode(X, **arguments)), lambda: (q.codebooks, q.encode(few))


def decoding(its: np.ndarray) -> Operation:
    return for_ever(lambda: QUANTIZER.decode(its)), lambda: QUANTIZER.codebooks


def measuring(X: np.ndarray, its: np.ndarray) -> Operation:
    return for_ever(lambda: QUANTIZER.distortion(X, its)), lambda: QUANTIZER.codebooks


def summing(num_codebooks: int, X: np.ndarray) -> Operation:
    """Adds to sums again and again; they hold whole updates, as their count tells."""
    its = codes(len(X), num_codebooks)
    sums = CodeStatistics(num_codebooks, 256, X.shape[1]).update(X, its)
    one = sums.histogram.copy(), sums.sums.copy()

    def state() -> Any:
        times, left = divmod(sums.count, len(X))
        exact = np.array_equal(sums.histogram, times * one[0])
        return left, exact, np.allclose(sums.sums, times * one[1])

    return for_ever(lambda: sums.update(X, its)), state


def solving() -> Operation:
    sums = CodeStatistics(24, 256, 64).update(vectors(20_000, 64), codes(20_000, 24))
    return for_ever(sums.solve), lambda: (sums.histogram, sums.sums, sums.count)


def indexed(count: int, first_id: int = 0) -> AQDIndex:
    index = AQDIndex(QUANTIZER, "l2")
    index.add(codes(count, 8), np.arange(count) + first_id)
    return index


QUANTIZER = quantizer()


def content(index: AQDIndex) -> tuple[Any, ...]:
    return len(index), index.ids, index.codes, *index.search(FEW, 5)


def changing(change: Callable[[AQDIndex], object]) -> Operation:
    """Changes copies of an index, one after the other; each is as before its change or after."""
    index = indexed(1_000_000)
    before = content(index)
    last = index.copy()
    change(last)
    after = content(last)

    def work() -> None:
        nonlocal last
        while True:
            last = index.copy()
            change(last)

    def state() -> Any:
        if same(content(last), before):
            change(last)
        return same(content(last), after), same(content(index), before)

    return work, state


def adding() -> Operation:
    more = codes(1_000_000, 8)
    return changing(lambda index: index.add(more))


def updating() -> Operation:
    ids = RNG.permutation(1_000_000)[::2]
    new = codes(len(ids), 8)
    return changing(lambda index: index.update(new, ids))


def removing() -> Operation:
    ids = RNG.permutation(1_000_000)[::2]
    return changing(lambda index: index.remove(ids))


def merging() -> Operation:
    other = indexed(1_000_000, 5_000_000)
    return changing(lambda index: index.merge(other))


def searching(work: Callable[[AQDIndex, np.ndarray], object]) -> Operation:
    index, queries = indexed(1_000_000), vectors(20_000, 16)
    return for_ever(lambda: work(index, queries)), lambda: index.search(FEW, 5)


def saving() -> Operation:
    """Writes over a file, which holds one of the two indexes, whole, whenever one looks."""
    index, path = indexed(4_000_000), FOLDER / "saved"
    indexed(1000).save(path)

    def state() -> Any:
        return len(AQDIndex.load(path, verify=True)) in (1000, 4_000_000), os.listdir(FOLDER)

    return for_ever(lambda: index.save(path)), state


def loading(**arguments: Any) -> Operation:
    path = FOLDER / "loaded"
    indexed(4_000_000).save(path)
    return for_ever(lambda: AQDIndex.load(path, **arguments)), lambda: sorted(os.listdir(FOLDER))


def finding_many(work: Callable[[AQDIndex, np.ndarray], object]) -> Operation:
    """One query that finds millions, which are to be put in order."""
    index = AQDIndex(quantizer(4))
    index.add(codes(12_000_000, 4))
    query = vectors(1, 16)
    return for_ever(lambda: work(index, query)), lambda: index.search(query, 5)


def filtering_by_ids() -> Operation:
    index = indexed(3_000_000)
    index = index.subset(np.arange(0, 3_000_000, 2))
    allowed = RNG.permutation(index.ids)[:1_000_000]
    return for_ever(lambda: index.search(FEW, 5, allowed=allowed)), lambda: index.search(FEW, 5)


def indefinite_metric() -> Operation:
    root = vectors(4000, 4000)
    metric = root + root.T
    # Positive but for the last direction, so that the whole of it is looked at.
    metric = metric @ metric / 4000 + np.eye(4000, dtype=np.float32)
    metric[-1, -1] = -1.0

    def work() -> None:
        with contextlib.suppress(ValueError):
            AdditiveQuantizer(metric=metric)

    return for_ever(work), lambda: 0


def wide_metric() -> Operation:
    # The tables of 4096 codewords under a metric of 1024 dimensions are made anew by each call.
    X, C = vectors(10, 1024), vectors(4096, 1024).reshape(16, 256, 1024)
    root = vectors(1024, 1024)
    metric = root @ root.T
    return for_ever(lambda: icm_encode(X, C, metric=metric)), lambda: 0


OPERATIONS: dict[str, Callable[[], Operation]] = {
    "fit: start": lambda: fitting(32, vectors(60_000, 48), iterations=0),
    "fit: iterations": lambda: fitting(8, vectors(20_000, 16), iterations=10**6),
    "fit: noise on the vectors": lambda: fitting(
        8, vectors(20_000, 16), iterations=10**6, relaxation="data"
    ),
    "fit: solve": lambda: fitting(24, vectors(20_000, 64), codes(20_000, 24), iterations=0),
    "encode": lambda: encoding(quantizer(), vectors(400_000, 16)),
    "encode: relaxation": lambda: encoding(quantizer(), vectors(50_000, 16), iterations=10**6),
    "encode: widest beam": lambda: encoding(quantizer(32), vectors(5000, 16), beam_width=1024),
    "encode: many codebooks": lambda: encoding(quantizer(48), vectors(5000, 16), iterations=10**6),
    "encode: wide metric": wide_metric,
    "decode": lambda: decoding(codes(2_000_000, 8)),
    "distortion": lambda: measuring(vectors(2_000_000, 16), codes(2_000_000, 8)),
    "statistics: sums": lambda: summing(4, vectors(1_000_000, 64)),
    "statistics: counts": lambda: summing(24, vectors(1_000_000, 1)),
    "statistics: solve": solving,
    "index: search": lambda: searching(lambda index, Q: index.search(Q, 10)),
    "index: range_search": lambda: searching(lambda index, Q: index.range_search(Q, -1.0)),
    "index: search for millions": lambda: finding_many(lambda i, q: i.search(q, 10_000_000)),
    "index: range_search for millions": lambda: finding_many(lambda i, q: i.range_search(q, -1e30)),
    "index: filter by ids": filtering_by_ids,
    "metric: indefinite": indefinite_metric,
    "index: add": adding,
    "index: update": updating,
    "index: remove": removing,
    "index: merge": merging,
    "index: save": saving,
    "index: load": lambda: loading(mmap=False),
    "index: verify": lambda: loading(verify=True),
}


def same(before: Any, after: Any) -> bool:
    if isinstance(before, tuple):
        return all(same(one, other) for one, other in zip(before, after, strict=True))
    return bool(np.array_equal(before, after))


def copied(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(copied(each) for each in value)
    return np.copy(value)


def main() -> None:
    global FOLDER
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        for line in sys.stdin:
            run(line.strip())


def run(name: str) -> None:
    work, state = OPERATIONS[name]()
    before = copied(state())
    try:
        print("ready", flush=True)
        work()
    except KeyboardInterrupt:
        print("interrupted", time.process_time(), flush=True)
    print("same" if same(before, state()) else "changed", flush=True)


if __name__ == "__main__":
    main()
