"""Contestants timed by turns, and ratios that a drifting machine does not shift."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

# A call shorter than this is repeated within its turn: the clock and the first touch of the
# caches would weigh as much as the work.
_SHORTEST_TURN = 0.02
_MAX_CALLS = 1000


@dataclass
class Contestant:
    """Something that does a piece of work when it is called.

    Parameters
    ----------
    name : str
        As the tables show it.
    call : callable
        Does the work once.
    work : float, positive
        How many units one call gets done: times are compared per unit.
    ours : bool
        This library, or a peer.
    figures : dict of str to float
        What else is known of it, such as "MSE" or "recall@10".
    """

    name: str
    call: Callable[[], Any]
    work: float
    ours: bool = False
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """Median and range of repeated measurements."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarize at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def race(
    contestants: Sequence[Contestant],
    rounds: int,
    budget: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
    advance: Callable[[int, int], None] | None = None,
    warm_up: bool = True,
) -> dict[str, list[float]]:
    """Time contestants by turns: each once per round, so that all meet the same machine.

    Each is called once to warm up. Who begins moves on by one from round to round, so that nobody
    always follows the same one. A call shorter than 20 ms is repeated within its turn.

    Parameters
    ----------
    contestants : sequence of Contestant
        With different names.
    rounds : int, at least 1
        Rounds to run in any case.
    budget : float
        Seconds, warm-up included: while they last there are more rounds, up to three times as
        many.
    clock : callable
        Gives seconds.
    advance : callable, optional
        Told (rounds done, rounds to do in any case).
    warm_up : bool
        False: no call but the timed ones, for work of many seconds.

    Returns
    -------
    dict of str to list of float
        By name: seconds per call, one value per round.
    """
    if len({contestant.name for contestant in contestants}) != len(contestants):
        raise ValueError("contestants: expected different names")
    begun = clock()
    calls = {contestant.name: 1 for contestant in contestants}
    for contestant in contestants if warm_up else ():
        before = clock()
        contestant.call()
        first = clock() - before
        enough = _SHORTEST_TURN / first if first > 0 else math.inf
        calls[contestant.name] = math.ceil(min(enough, _MAX_CALLS))
    times: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for done in range(3 * rounds):
        if done >= rounds and clock() - begun >= budget:
            break
        if advance is not None:
            advance(min(done, rounds), rounds)
        start = done % len(contestants) if contestants else 0
        for contestant in [*contestants[start:], *contestants[:start]]:
            repeats = calls[contestant.name]
            before = clock()
            for _ in range(repeats):
                contestant.call()
            times[contestant.name].append((clock() - before) / repeats)
    return times


def ratio_of_rounds(slower: Sequence[float], faster: Sequence[float]) -> Spread:
    """How many times longer one took than the other: within each round, then the median.

    Parameters
    ----------
    slower, faster : sequences of float, of one length
        Seconds per unit of work, by round.
    """
    if len(slower) != len(faster) or not slower:
        raise ValueError(
            f"expected as many rounds of both, at least 1; got {len(slower)} and {len(faster)}"
        )
    return Spread.of([a / b for a, b in zip(slower, faster)])
