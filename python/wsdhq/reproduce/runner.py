"""Computes the cells that are missing, one after another, and keeps each when it is done."""

from __future__ import annotations

import contextlib
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wsdhq import __version__
from wsdhq.evaluation import EvaluationResult, RankBatches, evaluate_groupings
from wsdhq.reproduce.cells import Cell, CellResult, CellStore
from wsdhq.reproduce.identity import differences
from wsdhq.reproduce.inputs.dataset import Materials
from wsdhq.reproduce.methods import Method, Work
from wsdhq.reproduce.plan import Plan

#: Depths N of P@N: figure 4 goes to 1000 in steps of 100.
POINTS = (1, 10, 20, 50, *range(100, 1001, 100), 2000, 5000)

# Places of rankings that are measured at a time: bounds memory for large databases.
_PLACES_AT_ONCE = 4_000_000
_PACKAGES = ("numpy", "scipy", "torch", "gensim", "scikit-learn")


@dataclass
class Gathered:
    """The cells of a plan that have been computed.

    Attributes
    ----------
    results : dict of Cell to CellResult
    stale : dict of Cell to str
        Cells whose files are damaged, or of other data or settings, and what differs.
    """

    results: dict[Cell, CellResult] = field(default_factory=dict)
    stale: dict[Cell, str] = field(default_factory=dict)


def gather(
    plan: Plan,
    methods: Mapping[str, Method],
    materials: Mapping[int, Materials],
    store: CellStore,
    depth: int,
) -> Gathered:
    """Read the cells of a plan that are there, and see of each whether it is of the same.

    Parameters
    ----------
    plan : Plan
    methods : mapping of str to Method
        Every method of `plan.shown`.
    materials : mapping of int to Materials
        By seed.
    store : CellStore
    depth : int
        R of MAP@R.
    """
    gathered = Gathered()
    for cell in plan.shown:
        try:
            found = store.read(cell)
        except ValueError as error:
            gathered.stale[cell] = str(error)
            continue
        if found is None:
            continue
        identity = _identity(methods[cell.method], cell, materials[cell.seed], depth)
        changed = differences(found.identity, identity)
        if changed:
            what = "; ".join(changed)
            gathered.stale[cell] = f"{store.path(cell)} is of another {cell.title}: {what}"
        else:
            gathered.results[cell] = found
    return gathered


def check_stale(plan: Plan, gathered: Gathered) -> None:
    """Raise if cells that are to be computed are there already, of something else.

    Raises
    ------
    ValueError
        The message names the first, says what differs, and counts the others.
    """
    wanted = [cell for cell in plan.wanted if cell in gathered.stale]
    if wanted:
        more = f" (and {len(wanted) - 1} more cells do not fit)" if len(wanted) > 1 else ""
        raise ValueError(
            f"{gathered.stale[wanted[0]]}{more}: --overwrite computes anew what does not fit, "
            "another --out keeps both"
        )


def set_aside_other_rows(
    plan: Plan, gathered: Gathered, materials: Mapping[int, Materials], store: CellStore
) -> None:
    """Take cells for stale whose rows are others than those of the cells to be computed.

    Images that could not be read may have been mended since, or the other way round: figures
    of more or fewer rows stand in no common table. Reads the images where cells are missing.
    """
    for seed in plan.seeds:
        if all(cell in gathered.results for cell in plan.wanted if cell.seed == seed):
            continue
        now = materials[seed].counts
        for cell in [cell for cell in gathered.results if cell.seed == seed]:
            changed = differences(gathered.results[cell].counts, now)
            if changed:
                del gathered.results[cell]
                gathered.stale[cell] = f"{store.path(cell)} is of other rows: {'; '.join(changed)}"


def compute_missing(
    plan: Plan,
    methods: Mapping[str, Method],
    materials: Mapping[int, Materials],
    store: CellStore,
    depth: int,
    work: Work,
    results: dict[Cell, CellResult],
) -> None:
    """Compute the wanted cells that are not among the results, and add them.

    Parameters
    ----------
    plan, methods, materials, store, depth
        As for `gather`.
    work : Work
    results : dict of Cell to CellResult
        Those there are; grows cell by cell.

    Raises
    ------
    TypeError, ValueError
        A method cannot be fitted; the message begins with the cell.

    Notes
    -----
    A cell is kept as soon as it is measured, so that an interruption, a KeyboardInterrupt
    included, loses no more than the cell at hand; a training goes on from its last epoch.
    """
    missing = [cell for cell in plan.wanted if cell not in results]
    for number, cell in enumerate(missing, start=1):
        begun = time.perf_counter()
        data = materials[cell.seed]
        try:
            result, clean_up = _compute(methods[cell.method], cell, data, work, depth)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{cell.title}: {error}") from error
        store.write(result)
        clean_up()
        results[cell] = result
        figures = " / ".join(
            f"{short_figure(each['map'])} {name}" for name, each in result.results.items()
        )
        if any(each["map"] is None for each in result.results.values()):
            figures += ", -: no query shares a label with the database"
        seconds = time.perf_counter() - begun
        work.listener.log(f"[{number}/{len(missing)}] {cell.title}: {figures} ({seconds:.0f} s)")
        last = not any(other.seed == cell.seed for other in missing[number:])
        if last and not work.keep_runs:
            _remove(data.training_folder, work.runs)


def short_figure(value: float | None) -> str:
    """A figure in [0, 1] as tables have it: .744; a dash where there is none."""
    if value is None:
        return "-"
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def _identity(method: Method, cell: Cell, materials: Materials, depth: int) -> dict[str, Any]:
    return {
        "data": materials.content,
        "protocol": {"depth": depth},
        **method.identity(cell, materials),
    }


def _compute(
    method: Method, cell: Cell, materials: Materials, work: Work, depth: int
) -> tuple[CellResult, Callable[[], None]]:
    identity = _identity(method, cell, materials, depth)
    ranked = method.compute(cell, materials, work)
    seconds = dict(ranked.seconds)
    begun = time.perf_counter()
    work.listener.stage(f"{cell.title}: rank")
    results = _measure(ranked.rank, materials, depth, work)
    seconds["rank"] = time.perf_counter() - begun
    result = CellResult(
        cell=cell,
        identity=identity,
        results={name: each.to_dict() for name, each in results.items()},
        seconds={name: round(value, 3) for name, value in seconds.items()},
        counts=materials.counts,
        versions=_versions(),
    )
    return result, ranked.clean_up


def _measure(
    rank: RankBatches, materials: Materials, depth: int, work: Work
) -> dict[str, EvaluationResult]:
    return evaluate_groupings(
        rank,
        materials.label_pairs(),
        depth,
        points=POINTS,
        batch_size=max(1, min(64, _PLACES_AT_ONCE // len(materials.database))),
        progress=work.listener.advance,
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "wsdhq": __version__}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _remove(inputs: Path, runs: Path) -> None:
    """Remove the training rows of a seed, and folders that are left empty."""
    shutil.rmtree(inputs, ignore_errors=True)
    for folder in (inputs.parent, runs):
        with contextlib.suppress(OSError):
            folder.rmdir()
