"""What a search costs that a filter restricts, beside one of everything.

    python benchmarks/filtered_search.py --vectors 10000000 --keep 0.01 --threads 1

Codes and codebooks are random: what is measured does not depend on their values. By turns, in each
round:

    everything           no filter, k = 10
    filtered afterwards  no filter, k so large that 10 of each query's results are left on average
                         after filtering (20 / keep), then those kept are picked out
    mask                 allowed = boolean mask of a random share of the vectors
    ids                  allowed = their ids
    range                allowed = a range of as many ids
    subset               index.subset(mask) made once before, then searched without a filter
    subset, made         making it

Before timing, each filter's results are compared with those of the full ranking.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from measuring import markdown_table, positive
from wsdhq.bench.timing import Contestant, Spread, race, ratio_of_rounds
from wsdhq.quant import AdditiveQuantizer, AQDIndex

K = 10


def main() -> None:
    """Measure, print a table, and write the rounds where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=positive, default=10_000_000)
    parser.add_argument("--keep", type=float, default=0.01, help="share that the filter keeps")
    parser.add_argument("--codebooks", type=positive, default=4)
    parser.add_argument("--similarity", default="ip", choices=["ip", "l2", "cosine"])
    parser.add_argument("--queries", type=positive, nargs="+", default=[1, 64])
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--rounds", type=positive, default=9)
    parser.add_argument("--out", type=Path, help="JSON with every round")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    codebooks = rng.standard_normal((arguments.codebooks, 256, 64)).astype(np.float32)
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks), arguments.similarity)
    index.add(
        rng.integers(0, 256, (arguments.vectors, arguments.codebooks), dtype=np.uint8),
        threads=arguments.threads,
    )
    kept = np.sort(
        rng.choice(len(index), max(1, round(arguments.keep * len(index))), replace=False)
    )
    Q = rng.standard_normal((max(arguments.queries), 64)).astype(np.float32)
    rows, record = [], []
    for num_queries in arguments.queries:
        contestants = filters(index, Q[:num_queries], kept, arguments.threads)
        times = race(contestants, arguments.rounds)
        record.append({"queries": num_queries, "seconds": times})
        for name, seconds in times.items():
            rows.append(
                [
                    str(num_queries),
                    name,
                    f"{Spread.of(seconds).median * 1e3:.3f}",
                    *(text(ratio_of_rounds(times[other], seconds)) for other in SLOWER),
                ]
            )
    print(f"{index}, {len(kept)} kept, k={K}, {arguments.threads} thread(s)\n")
    print(markdown_table(["queries", "filter", "ms", *(f"{n} /" for n in SLOWER)], rows))
    if arguments.out:
        setting = {name: str(value) for name, value in vars(arguments).items()}
        arguments.out.write_text(json.dumps({"setting": setting, "rounds": record}, indent=1))


SLOWER = ("everything", "filtered afterwards")


def filters(index: AQDIndex, Q: np.ndarray, kept: np.ndarray, threads: int) -> list[Contestant]:
    """The ways to search, each checked against the whole ranking of some queries."""
    size = len(index)
    mask = np.zeros(size, bool)
    mask[kept] = True
    inside = range(size // 3, size // 3 + len(kept))
    many = min(size, round(2 * K * size / len(kept)))
    subset = index.subset(mask, threads=threads)

    def afterwards() -> np.ndarray:
        ids = index.search(Q, many, threads=threads)[1]
        # The places of what is kept, those of each query in front.
        order = np.argsort(~mask[ids], axis=1, kind="stable")[:, :K]
        return np.take_along_axis(ids, order, axis=1)

    some = Q[:2]
    whole = index.search(some, size, threads=threads)[1]
    for allowed, chosen in ((mask, mask), (kept, mask), (inside, within(inside, size))):
        expected = np.stack([row[chosen[row]][:K] for row in whole])
        np.testing.assert_array_equal(index.search(some, K, allowed=allowed)[1], expected)
    np.testing.assert_array_equal(
        subset.search(some, K)[1], np.stack([row[mask[row]][:K] for row in whole])
    )
    return [
        Contestant("everything", lambda: index.search(Q, K, threads=threads), 1),
        Contestant("filtered afterwards", afterwards, 1),
        Contestant("mask", lambda: index.search(Q, K, allowed=mask, threads=threads), 1, True),
        Contestant("ids", lambda: index.search(Q, K, allowed=kept, threads=threads), 1, True),
        Contestant("range", lambda: index.search(Q, K, allowed=inside, threads=threads), 1, True),
        Contestant("subset", lambda: subset.search(Q, K, threads=threads), 1, True),
        Contestant("subset, made", lambda: index.subset(mask, threads=threads), 1, True),
    ]


def within(inside: range, size: int) -> np.ndarray:
    """A range of positions as a mask."""
    mask = np.zeros(size, bool)
    mask[inside.start : inside.stop] = True
    return mask


def text(ratio: Spread) -> str:
    return f"{ratio.median:.1f}x ({ratio.least:.1f} to {ratio.most:.1f})"


if __name__ == "__main__":
    main()
