"""Results of cells put together over seeds: means with their spread, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.reproduce.cells import Cell, CellResult

#: Depths N of figure 4 in the paper.
FIGURE_DEPTHS = tuple(range(100, 1001, 100))

Results = Mapping[Cell, CellResult]
Changes = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Attributes
    ----------
    values : tuple of float
        At least one, in the order of the seeds.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Arithmetic mean."""
        return fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation (over n - 1); None for a single seed."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def least(self) -> float:
        """The lowest value."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The highest value."""
        return max(self.values)


@dataclass(frozen=True, eq=False)
class Curve:
    """A precision-recall curve, averaged over seeds depth by depth.

    Attributes
    ----------
    depths, recall, precision : arrays (n,)
    num_seeds : int
    """

    depths: NDArray[np.int64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    num_seeds: int


def gathered(results: Results, method: str, bits: int, changes: Changes = ()) -> list[CellResult]:
    """The results of one method at one width, in the order of the seeds."""
    found = [
        result
        for cell, result in results.items()
        if (cell.method, cell.bits, cell.changes) == (method, bits, changes)
    ]
    return sorted(found, key=lambda result: result.cell.seed)


def measured(found: Sequence[CellResult], grouping: str, measure: str) -> Spread | None:
    """One measure over seeds.

    Parameters
    ----------
    found : sequence of CellResult
        Of one method, as `gathered` gives them.
    grouping : str
        Of labels.
    measure : str
        "map", "map_all", "map_tie_averaged", "map_random", "chance", or "precision_at N".

    Returns
    -------
    Spread or None
        None where it is defined for no seed.
    """
    name, _, depth = measure.partition(" ")
    values = []
    for result in found:
        value: Any = result.results.get(grouping, {}).get(name)
        if depth:
            value = (value or {}).get(depth)
        if value is not None:
            values.append(float(value))
    return Spread(tuple(values)) if values else None


def curve(found: Sequence[CellResult], grouping: str) -> Curve | None:
    """The precision-recall curve of one method; None where there is none.

    Seeds whose databases are of other sizes, and so measured at other depths, are read off
    at the depths of the first, between neighbours.
    """
    tables = []
    for result in found:
        each = result.results.get(grouping)
        if each is not None and None not in each["precision"]:
            tables.append([np.array(each[name]) for name in ("depths", "recall", "precision")])
    if not tables:
        return None
    last = min(table[0][-1] for table in tables)
    depths = tables[0][0][tables[0][0] <= last]
    recall = np.mean([np.interp(depths, table[0], table[1]) for table in tables], axis=0)
    precision = np.mean([np.interp(depths, table[0], table[2]) for table in tables], axis=0)
    return Curve(depths, recall, precision, len(tables))


def depths_of(found: Sequence[CellResult], grouping: str) -> list[int]:
    """The depths N at which P@N was measured for all seeds."""
    tables = [result.results[grouping]["precision_at"] for result in found
              if grouping in result.results]  # fmt: skip
    if not tables:
        return []
    return sorted(int(depth) for depth in set.intersection(*map(set, tables)))


def shown_depths(results: Results, grouping: str) -> list[int]:
    """The depths N of figure 4: the paper's that were measured of all, else all that were.

    A database of fewer than 200 images has at most one of the paper's.
    """
    measured_at = depths_of(list(results.values()), grouping)
    of_paper = [depth for depth in measured_at if depth in FIGURE_DEPTHS]
    return of_paper if len(of_paper) > 1 else measured_at


def seconds_of(found: Sequence[CellResult], part: str) -> float | None:
    """Mean seconds of a part, "fit", "encode" or "rank"; None without results."""
    return round(fmean(result.seconds[part] for result in found), 3) if found else None
