"""What was measured, in a form that tables, files and plots are made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wsdhq.bench.timing import Contestant, Spread, ratio_of_rounds

FORMAT = "wsdhq-bench"
VERSION = 1


@dataclass
class Entry:
    """One contestant of a comparison.

    Attributes
    ----------
    name, ours, figures
        As in `Contestant`.
    seconds : list of float
        Per unit of work, one value per round.
    """

    name: str
    ours: bool
    seconds: list[float]
    figures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, contestant: Contestant, seconds_per_call: list[float]) -> Entry:
        """The entry of a contestant that was timed."""
        return cls(
            contestant.name,
            contestant.ours,
            [seconds / contestant.work for seconds in seconds_per_call],
            dict(contestant.figures),
        )

    @property
    def spread(self) -> Spread:
        """Seconds per unit of work."""
        return Spread.of(self.seconds)


@dataclass
class Verdict:
    """How many times faster one of ours is than a peer (or than a limit), and what is wanted."""

    against: str
    ours: str
    ratio: Spread
    wanted: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median is what was wanted; None where nothing was."""
        return None if self.wanted is None else self.ratio.median >= self.wanted


@dataclass
class Comparison:
    """Contestants that were timed by turns.

    Attributes
    ----------
    suite : str
        Name of the suite.
    setting : str
        What was compared, in a few words.
    unit : str
        What times are shown in, such as "ns per vector and query" or "vectors/s".
    threads : int
    parameters : dict
        Sizes.
    entries : list of Entry
    quality : str or None
        A figure of which less is better: a peer is compared with the fastest of ours that is as
        good. None: with the first of ours.
    wanted : dict of str to float
        By peer: the ratio that the project aims at.
    checks : list of str
        What was asserted before the times were taken.
    notes : list of str
    """

    suite: str
    setting: str
    unit: str
    threads: int
    parameters: dict[str, Any]
    entries: list[Entry]
    quality: str | None = None
    wanted: dict[str, float] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def match(self, peer: Entry) -> Entry | None:
        """Which of ours a peer is compared with; None if none of ours is as good."""
        ours = [entry for entry in self.entries if entry.ours]
        if self.quality is None:
            return ours[0] if ours else None
        limit = peer.figures[self.quality]
        good = [entry for entry in ours if entry.figures[self.quality] <= limit]
        return min(good, key=lambda entry: entry.spread.median, default=None)

    @property
    def verdicts(self) -> list[Verdict]:
        """One per peer that one of ours can be compared with."""
        found = []
        for peer in self.entries:
            ours = None if peer.ours else self.match(peer)
            if ours is not None:
                ratio = ratio_of_rounds(peer.seconds, ours.seconds)
                found.append(Verdict(peer.name, ours.name, ratio, self.wanted.get(peer.name)))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON; times in seconds per unit of work, by round."""
        return {
            "suite": self.suite,
            "setting": self.setting,
            "unit": self.unit,
            "threads": self.threads,
            "parameters": self.parameters,
            "entries": [
                {
                    "name": entry.name,
                    "ours": entry.ours,
                    "seconds": entry.seconds,
                    "median": entry.spread.median,
                    "least": entry.spread.least,
                    "most": entry.spread.most,
                    "figures": entry.figures,
                }
                for entry in self.entries
            ],
            "ratios": [
                {
                    "against": verdict.against,
                    "ours": verdict.ours,
                    "median": verdict.ratio.median,
                    "least": verdict.ratio.least,
                    "most": verdict.ratio.most,
                    "wanted": verdict.wanted,
                    "met": verdict.met,
                }
                for verdict in self.verdicts
            ],
            "checks": self.checks,
            "notes": self.notes,
        }


@dataclass
class Report:
    """A whole run: where, how, and what came out; `finished` is False while it goes on.

    Attributes
    ----------
    limits : list of dict
        What the machine can do: "name", "threads", "value", "unit", "how".
    memory : list of dict
        Peak working memory: "work", "small", "large" (rows), "mib_small", "mib_large", "wanted".
    """

    command: str
    date: str
    machine: dict[str, Any]
    settings: dict[str, Any]
    limits: list[dict[str, Any]] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "finished": self.finished,
            "command": self.command,
            "date": self.date,
            "seconds": self.seconds,
            "machine": self.machine,
            "settings": self.settings,
            "limits": self.limits,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "memory": self.memory,
            "notes": self.notes,
        }
