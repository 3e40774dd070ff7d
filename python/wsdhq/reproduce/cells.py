"""Cells: one method at one width with one seed, and the file that keeps what it came to.

A cell is finished when its file is there, written whole. A file says what it is of (settings,
data, protocol), so that one of something else is never taken for it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsdhq._shared.files import write_json

FORMAT = "wsdhq-cell"
VERSION = 1


@dataclass(frozen=True)
class Cell:
    """What is computed at a time.

    Attributes
    ----------
    method : str
        Name of the row.
    bits : int
        Length of a code.
    seed : int
        Seed of the split and of everything random.
    changes : tuple of (str, value)
        Settings that differ from those of the method's other cells: a point of a sweep.
    """

    method: str
    bits: int
    seed: int
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def title(self) -> str:
        """What progress and messages call it."""
        parts = [f"{self.method} {self.bits} bits seed {self.seed}"]
        parts += [f"{name} {_short(value)}" for name, value in self.changes]
        return ", ".join(parts)

    @property
    def file_stem(self) -> str:
        """The same as the name of a file."""
        parts = [self.method, f"{self.bits}bits", f"seed{self.seed}"]
        parts += [f"{name}={_short(value)}" for name, value in self.changes]
        return re.sub(r"[^A-Za-z0-9_.=-]+", "-", "-".join(parts))


@dataclass(frozen=True, eq=False)
class CellResult:
    """What a cell came to.

    Attributes
    ----------
    cell : Cell
    identity : dict
        What the figures are of, in nested dictionaries of JSON values. Results of equal
        cells and identities are interchangeable.
    results : dict of str to dict
        By grouping of labels: `wsdhq.evaluation.EvaluationResult.to_dict()`.
    seconds : dict of str to float
        "fit", "encode" and "rank".
    counts : dict of str to int
        "images", "unreadable", "query", "database", "train".
    versions : dict of str to str
        Of Python and of the packages that computed it.
    """

    cell: Cell
    identity: dict[str, Any]
    results: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    counts: dict[str, int]
    versions: dict[str, str]

    def value(self, grouping: str, measure: str) -> float | None:
        """A figure by one grouping; None where it was not measured or is not defined."""
        found: float | None = self.results.get(grouping, {}).get(measure)
        return found


class CellStore:
    """The results of cells, a JSON file for each.

    Parameters
    ----------
    folder : path
        Made when the first result is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, cell: Cell) -> Path:
        """Where the result of a cell is, or will be."""
        return self.folder / f"{cell.file_stem}.json"

    def write(self, result: CellResult) -> None:
        """Keep a result, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(result.cell), {"format": FORMAT, "version": VERSION, **asdict(result)})

    def read(self, cell: Cell) -> CellResult | None:
        """The result of a cell; None if it has not been computed.

        Raises
        ------
        ValueError
            The file is damaged, or of another cell; the message names it.
        """
        path = self.path(cell)
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT or content["version"] != VERSION:
                raise ValueError(
                    f"expected {FORMAT} of version {VERSION}, got {content['format']!r} of "
                    f"{content['version']!r}"
                )
            found = content["cell"]
            changes = tuple((name, value) for name, value in found["changes"])
            result = CellResult(
                Cell(found["method"], found["bits"], found["seed"], changes),
                *(
                    _mapping(content, name)
                    for name in ("identity", "results", "seconds", "counts", "versions")
                ),
            )
            _check_figures(result)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path} is not the result of a cell: {what}") from error
        if result.cell != cell:
            raise ValueError(f"{path} is of {result.cell.title}, expected {cell.title}")
        return result


def _mapping(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name}: expected an object, got {value!r:.40}")
    return value


def _check_figures(result: CellResult) -> None:
    """Raise unless the figures are what tables and plots take them for."""
    if not result.results:
        raise ValueError("results: expected the figures by some labels, got none")
    for name, figures in result.results.items():
        of = f"results of {name}"
        for measure in ("map", "map_all", "map_tie_averaged", "map_random", "chance"):
            _check_number(figures.get(measure), f"{of}: {measure}")
        for depth, value in figures["precision_at"].items():
            _check_number(value, f"{of}: precision_at {int(depth)}")
        curve = [figures[part] for part in ("depths", "recall", "precision")]
        if len({len(part) for part in curve}) > 1:
            raise ValueError(f"{of}: depths, recall and precision: expected one length")
        for value in (number for part in curve for number in part):
            _check_number(value, f"{of}: the curve")
    for part in ("fit", "encode", "rank"):
        _check_number(result.seconds[part], f"seconds of {part}")
    for part in ("unreadable", "query", "database", "train"):
        _check_number(result.counts[part], f"count of {part}")


def _check_number(value: Any, what: str) -> None:
    """Raise unless it is a number, or None: not defined."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TypeError(f"{what}: expected a number, got {value!r:.40}")


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
