"""Turns, repeats and ratios, with a clock that only moves when a contestant works."""

from __future__ import annotations

import pytest

from wsdhq.bench.report.results import Comparison, Entry
from wsdhq.bench.timing import Contestant, Spread, race, ratio_of_rounds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def contestant(self, name: str, *seconds: float, work: float = 1) -> Contestant:
        """Takes each of `seconds` in turn, and the last one from then on."""
        left = list(seconds)

        def call() -> None:
            self.order.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return Contestant(name, call, work)


def test_contestants_take_turns_and_the_first_turn_goes_round():
    clock = Clock()
    everyone = [clock.contestant(name, 1.0) for name in "abc"]
    race(everyone, 4, clock=clock)
    assert "".join(clock.order) == "abc" + "abc" + "bca" + "cab" + "abc"


def test_the_warm_up_is_not_counted_and_may_be_left_out():
    clock = Clock()
    times = race([clock.contestant("a", 50.0, 1.0, 2.0, 3.0)], 3, clock=clock)
    assert times == {"a": [1.0, 2.0, 3.0]}
    times = race([clock.contestant("a", 50.0, 1.0)], 2, clock=clock, warm_up=False)
    assert times == {"a": [50.0, 1.0]}


def test_short_calls_are_repeated_within_their_turn_and_times_stay_per_call():
    clock = Clock()
    times = race([clock.contestant("a", 0.003), clock.contestant("b", 0.5)], 2, clock=clock)
    assert "".join(clock.order) == "ab" + "a" * 7 + "b" + "b" + "a" * 7
    assert times["a"] == pytest.approx([0.003, 0.003])
    assert times["b"] == pytest.approx([0.5, 0.5])


def test_a_budget_buys_more_rounds_but_at_most_three_times_as_many():
    for budget, expected in ((0.0, 2), (4.5, 4), (1e9, 6)):
        clock = Clock()
        times = race([clock.contestant("a", 1.0)], 2, budget, clock=clock)
        assert len(times["a"]) == expected, budget


def test_names_must_differ():
    clock = Clock()
    with pytest.raises(ValueError, match="different names"):
        race([clock.contestant("a", 1.0), clock.contestant("a", 1.0)], 1, clock=clock)


def test_a_ratio_is_the_median_of_those_within_a_round():
    # The machine is ten times slower in the second round: the ratio does not see it, while the
    # ratio of the medians would be 4 / 1.5.
    assert ratio_of_rounds([2.0, 30.0, 4.0], [1.0, 10.0, 1.5]) == Spread(8 / 3, 2.0, 3.0)
    with pytest.raises(ValueError, match="got 2 and 1"):
        ratio_of_rounds([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="at least 1"):
        ratio_of_rounds([], [])


def _comparison(entries: list[Entry], **changes) -> Comparison:
    return Comparison("encode", "", "vectors/s", 1, {}, entries, **changes)


def test_times_are_per_unit_of_work():
    clock = Clock()
    few, many = clock.contestant("few", 2.0, work=4), clock.contestant("many", 3.0, work=600)
    times = race([few, many], 1, clock=clock)
    entries = [Entry.of(each, times[each.name]) for each in (few, many)]
    assert [entry.seconds for entry in entries] == [[0.5], [0.005]]
    entries[1].ours = True
    assert _comparison(entries).verdicts[0].ratio.median == pytest.approx(100)


def test_a_peer_is_compared_with_the_fastest_of_ours_that_is_as_good():
    entries = [
        Entry("best", True, [9.0], {"MSE": 0.2}),
        Entry("good", True, [2.0], {"MSE": 0.3}),
        Entry("poor", True, [1.0], {"MSE": 0.4}),
        Entry("peer", False, [10.0], {"MSE": 0.3}),
        Entry("rival", False, [10.0], {"MSE": 0.1}),
    ]
    comparison = _comparison(entries, quality="MSE", wanted={"peer": 5.0})
    (verdict,) = comparison.verdicts
    assert (verdict.against, verdict.ours, verdict.ratio.median) == ("peer", "good", 5.0)
    assert verdict.met
    assert comparison.match(entries[-1]) is None
    comparison.wanted = {"peer": 5.1}
    assert comparison.verdicts[0].met is False
    comparison.wanted = {}
    assert comparison.verdicts[0].met is None
