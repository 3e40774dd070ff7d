"""Threads that search an index while another changes it: is any answer wrong?

    python benchmarks/readers_beside_writer.py --seconds 60 --readers 8

The writer adds (with and without ids), updates, removes and merges, as fast as it can, and knows
from NumPy what the answers are after each change: codebooks are whole numbers, so that scores are
exact. A reader notes how many changes were complete before its search, and how many had begun when
it returned; its answer must be that of one state in between, to the bit. Readers search everything,
a range of ids, and by a threshold.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter

import numpy as np

from measuring import positive
from wsdhq.quant import AdditiveQuantizer, AQDIndex

DIM, NUM_CODEBOOKS, CODEBOOK_SIZE, K = 8, 4, 256, 12
MOST = 6000  # vectors: beyond, half are removed


class Check:
    """An index, what it must answer after each change, and what went wrong."""

    def __init__(self, similarity: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.codebooks = self.rng.integers(-4, 5, (NUM_CODEBOOKS, CODEBOOK_SIZE, DIM)).astype(
            np.float32
        )
        self.Q = self.rng.integers(-4, 5, (3, DIM)).astype(np.float32)
        self.index = AQDIndex(AdditiveQuantizer.from_codebooks(self.codebooks), similarity)
        self.codes = np.empty((0, NUM_CODEBOOKS), np.uint8)
        self.ids = np.empty(0, np.int64)
        self.next_id = 0
        self.begun = self.complete = 0
        self.answers = {0: self.answer()}
        self.wrong: list[str] = []
        self.done = threading.Event()
        self.searches: Counter[str] = Counter()

    def answer(self) -> dict[str, list]:
        """What every kind of search must give now."""
        rebuilt = self.codebooks[np.arange(NUM_CODEBOOKS), self.codes].sum(axis=1)
        scores = self.Q @ rebuilt.T
        if self.index.similarity == "l2":
            scores = -((self.Q[:, None] - rebuilt[None]) ** 2).sum(axis=2)
        inside = np.where((self.ids >= LOW) & (self.ids < HIGH), scores, -np.inf)
        return {
            "search": best(scores, self.ids),
            "filtered search": best(inside, self.ids),
            "range search": [
                [int(self.ids[n]) for n in order if row[n] >= THRESHOLD]
                for row, order in zip(scores, np.argsort(-scores, axis=1, kind="stable"))
            ],
        }

    def write(self, changes: int | None) -> None:
        """Change the index so many times, or until told to stop."""
        while not self.done.is_set() and self.complete != changes:
            change, codes, ids, next_id = self.draw()
            self.codes, self.ids, self.next_id = codes, ids, next_id
            self.answers[self.begun + 1] = self.answer()
            self.begun += 1
            change()
            self.complete += 1
            self.answers.pop(self.complete - 5000, None)
            if len(self.index) != len(self.ids):
                self.wrong.append(f"{len(self.index)} vectors, expected {len(self.ids)}")
        self.done.set()

    def draw(self):
        """A change, and what is there after it."""
        count = int(self.rng.choice([1, 3, 100, 511, 600]))
        more = self.rng.integers(0, CODEBOOK_SIZE, (count, NUM_CODEBOOKS), dtype=np.uint8)
        kind = "remove" if len(self.ids) > MOST else self.rng.choice(KINDS)
        index = self.index
        if kind == "add":
            ids = self.next_id + np.arange(count)
            change = lambda: index.add(more)  # noqa: E731
        elif kind in ("add ids", "merge"):
            ids = self.next_id + self.rng.permutation(2 * count)[:count]
            if kind == "merge":
                other = AQDIndex(index.quantizer, index.similarity)
                other.add(more, ids)
                change = lambda: index.merge(other)  # noqa: E731
            else:
                change = lambda: index.add(more, ids)  # noqa: E731
        elif kind == "update":
            places = self.rng.permutation(len(self.ids))[:count]
            codes = self.codes.copy()
            codes[places] = more[: len(places)]
            wanted = self.ids[places]
            return (
                lambda: index.update(more[: len(places)], wanted), codes, self.ids, self.next_id
            )  # fmt: skip
        else:
            kept = self.rng.random(len(self.ids)) < 0.5
            gone = self.ids[~kept]
            return lambda: index.remove(gone), self.codes[kept], self.ids[kept], self.next_id
        return (
            change,
            np.concatenate([self.codes, more]),
            np.concatenate([self.ids, ids]),
            max(self.next_id, int(ids.max()) + 1),
        )

    def read(self, number: int) -> None:
        """Search until told to stop, and compare."""
        kinds = list(SEARCHES)
        while not self.done.is_set():
            kind = kinds[number % len(kinds)]
            number += 1
            low = self.complete
            found = SEARCHES[kind](self.index, self.Q)
            high = self.begun
            states = range(low, high + 1)
            if not any(self.answers[state][kind] == found for state in states):
                self.wrong.append(f"{kind} between states {low} and {high}: {found}")
            self.searches[kind] += 1


KINDS = ["add", "add", "add ids", "merge", "update", "remove"]
LOW, HIGH, THRESHOLD = 300, 3000, 60.0


def best(scores: np.ndarray, ids: np.ndarray) -> list[list[int]]:
    """Ids of the K best of each query, -1 beyond what there is."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return [
        [int(ids[n]) for n in line if np.isfinite(row[n])]
        + [-1] * (K - int(np.isfinite(row[line]).sum()))
        for row, line in zip(scores, order)
    ]


def range_search(index: AQDIndex, Q: np.ndarray) -> list[list[int]]:
    limits, _, ids = index.range_search(Q, THRESHOLD)
    return [ids[limits[q] : limits[q + 1]].tolist() for q in range(len(Q))]


SEARCHES = {
    "search": lambda index, Q: index.search(Q, K)[1].tolist(),
    "filtered search": lambda index, Q: index.search(Q, K, allowed=range(LOW, HIGH))[1].tolist(),
    "range search": range_search,
}


def run(
    seconds: float,
    readers: int,
    similarity: str = "ip",
    seed: int = 0,
    changes: int | None = None,
) -> Check:
    """Let readers and a writer work side by side, for a time or a number of changes."""
    check = Check(similarity, seed)

    def guarded(work, *arguments) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            check.wrong.append(f"{type(error).__name__}: {error}")
            check.done.set()

    threads = [threading.Thread(target=guarded, args=(check.write, changes))]
    threads += [threading.Thread(target=guarded, args=(check.read, n)) for n in range(readers)]
    for thread in threads:
        thread.start()
    check.done.wait(seconds)
    check.done.set()
    for thread in threads:
        thread.join()
    return check


def main() -> None:
    """Run for a while with each similarity whose scores are exact, and tell what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readers", type=positive, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    wrong = 0
    for similarity in ("ip", "l2"):
        begun = time.perf_counter()
        check = run(arguments.seconds, arguments.readers, similarity, arguments.seed)
        searches = ", ".join(f"{count} x {kind}" for kind, count in sorted(check.searches.items()))
        print(
            f"{similarity}: {arguments.readers} readers, {time.perf_counter() - begun:.0f} s, "
            f"{check.complete} changes, {searches}: {len(check.wrong)} wrong"
        )
        for line in check.wrong[:5]:
            print(f"  {line[:300]}")
        wrong += len(check.wrong)
    raise SystemExit(wrong != 0)


if __name__ == "__main__":
    main()
