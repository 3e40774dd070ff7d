"""What each table and figure is made of: its rows, and the cells that have to be computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsdhq._shared.arguments import as_choice
from wsdhq.embed.config.presets import PRESETS, preset_settings
from wsdhq.embed.config.variants import PAPER_OBJECTIVE, VARIANTS
from wsdhq.reproduce.cells import Cell
from wsdhq.reproduce.inputs.dataset import setting
from wsdhq.reproduce.methods import BaselineMethod, EmbeddingMethod, Method
from wsdhq.reproduce.paper import BITS, DATASETS, TABLE_1, TABLE_2, paper_map

TARGETS = ("table1", "table2", "fig3", "fig4", "fig5")
#: Width of the codes in the paper's figures.
FIGURE_BITS = 32
_QUICK_BITS = (8, 32)
#: Passes of a quick run over the rows.
QUICK_EPOCHS = 4

_MAIN, _TWO_STAGE, _RIVAL = "WSDHQ", "WSDHQ_2", "WDHT"

#: The values that figure 5 goes through; a weight of 0 is the two-stage variant.
GAMMAS = (0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 4.0)
WEIGHTS = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)

# What the command line and the plan decide; a preset may not.
_DECIDED = (
    "out", "tags", "features", "images", "bits", "word_vectors", "num_queries", "num_train",
    "split_seed", "seed", "threads", "device", "backbone_weights",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A point of figure 5: the method and the settings that its cells have.

    Attributes
    ----------
    parameter : str
        The field of `TrainConfig` that is varied.
    value : float
    method : str
    changes : tuple of (str, value)
        Empty where the point is the method as it is.
    """

    parameter: str
    value: float
    method: str
    changes: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Plan:
    """Which cells a table or figure shows, and which are to be computed.

    Attributes
    ----------
    target : str
        One of `TARGETS`.
    rows : tuple of str
        Names of the methods, in the order of the table.
    bits, seeds : tuples of int
    shown : tuple of Cell
        All that the table has a place for.
    wanted : tuple of Cell
        Those of them to compute where they are missing.
    points : tuple of Point
        Of figure 5; empty elsewhere.
    """

    target: str
    rows: tuple[str, ...]
    bits: tuple[int, ...]
    seeds: tuple[int, ...]
    shown: tuple[Cell, ...]
    wanted: tuple[Cell, ...]
    points: tuple[Point, ...] = ()


def make_plan(
    target: str,
    settings: Mapping[str, Any],
    *,
    bits: Sequence[int] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    chosen: Sequence[str] | None = None,
    quick: bool = False,
) -> Plan:
    """Lay out a table or figure.

    Parameters
    ----------
    target : str
        One of `TARGETS`.
    settings : mapping
        What the embeddings are trained with, as `base_settings` gives it.
    bits : sequence of int, optional
        Widths; those of the paper by default.
    seeds : sequence of int
    chosen : sequence of str, optional
        Rows to compute; by default all of them.
    quick : bool
        Fewer widths by default.

    Raises
    ------
    ValueError
        An unknown target or row; the message lists the known ones.
    """
    rows = rows_of(target)
    is_table = target.startswith("table")
    if bits is None:
        bits = (_QUICK_BITS if quick else BITS) if is_table else (FIGURE_BITS,)
    wanted_rows = rows if not chosen else tuple(_known_row(name, target, rows) for name in chosen)
    points = sweep_points(settings) if target == "fig5" else ()
    kinds = [(point.method, point.changes) for point in points]
    kinds += [(row, ()) for row in rows if row not in (point.method for point in points)]
    shown = [
        Cell(method, width, seed, changes)
        for seed in seeds
        for method, changes in dict.fromkeys(kinds)
        for width in bits
    ]
    wanted = tuple(cell for cell in shown if cell.method in wanted_rows)
    return Plan(target, rows, tuple(bits), tuple(seeds), tuple(shown), wanted, points)


def rows_of(target: str) -> tuple[str, ...]:
    """Names of the rows of a table, or of the lines of a figure, in the paper's order.

    Raises
    ------
    ValueError
        There is no such table or figure; the message lists those there are.
    """
    as_choice(target, "what", TARGETS)
    if target == "fig5":
        return (_MAIN, _TWO_STAGE, _RIVAL)
    if target != "table2":
        return tuple(TABLE_1[DATASETS[0]])
    printed = tuple(TABLE_2[DATASETS[0]])
    return printed + tuple(name for name in VARIANTS if name not in printed)


def make_methods(
    names: Iterable[str], settings: Mapping[str, Any], quick: bool = False
) -> dict[str, Method]:
    """The methods of some rows, by name.

    Parameters
    ----------
    names : iterable of str
    settings : mapping
        As for `make_plan`.
    quick : bool
        Deep methods pass over the rows a few times only.

    Raises
    ------
    ValueError
        A name is neither that of a baseline nor of a variant.
    ImportError
        A package that one needs is not installed.
    """
    from wsdhq.baselines import baseline_class

    methods: dict[str, Method] = {}
    for name in names:
        if name in VARIANTS:
            methods[name] = EmbeddingMethod(name, VARIANTS[name], settings)
        else:
            made = baseline_class(name)
            options = {"epochs": QUICK_EPOCHS} if quick and made.is_deep else {}
            methods[name] = BaselineMethod(name, made, options)
    return methods


def base_settings(
    dataset: str,
    given: Mapping[str, Any],
    *,
    backbone: str | None = None,
    quick: bool = False,
    weights: bool = False,
) -> dict[str, Any]:
    """What the embeddings of a data set are trained with.

    Parameters
    ----------
    dataset : str
        One of `wsdhq.reproduce.paper.DATASETS`, whose preset comes first.
    given : mapping
        Settings that the user names; they win.
    backbone : str, optional
        In place of the preset's.
    quick : bool
        Few epochs, unless `given` says how many; and images of one central crop. Without a
        `backbone` or `weights` they are those of `TrainConfig`, small ones for a small network:
        ten crops of thousands through AlexNet take a processor hours.
    weights : bool
        Whether weights of the preset's backbone are given.

    Raises
    ------
    ValueError
        An unknown data set; the message lists the known ones.
    """
    as_choice(dataset, "dataset", DATASETS)
    # Those for images go with the others: where features are learnt from, they say nothing.
    as_paper = not quick or backbone is not None or weights
    usual = preset_settings(dataset, images=as_paper) if dataset in PRESETS else {}
    settings = {name: value for name, value in usual.items() if name not in _DECIDED}
    if quick:
        settings["epochs"] = QUICK_EPOCHS
        settings["evaluation_crops"] = "centre"
    if backbone is not None:
        settings["backbone"] = backbone
    return {**settings, **given}


def sweep_points(settings: Mapping[str, Any]) -> tuple[Point, ...]:
    """The points of figure 5: gamma at the usual lambda, then lambda at the usual gamma."""
    points = []
    for parameter, values in (("gamma", GAMMAS), ("quantization_weight", WEIGHTS)):
        for value in values:
            if parameter == "quantization_weight" and value == 0:
                points.append(Point(parameter, value, _TWO_STAGE, ()))
                continue
            # A point at the usual value is a cell of the tables.
            usual = value == setting({**PAPER_OBJECTIVE, **settings}, parameter)
            points.append(Point(parameter, value, _MAIN, () if usual else ((parameter, value),)))
    return tuple(points)


def point_map(point: Point, dataset: str, bits: int) -> float | None:
    """The MAP@5000 that the paper's tables have of a point of figure 5; None where they do not."""
    return None if point.changes else paper_map(dataset, point.method, bits)


def _known_row(name: str, target: str, rows: Sequence[str]) -> str:
    for row in rows:
        if row.casefold() == name.casefold():
            return row
    raise ValueError(f"{target} has no row {name!r}; its rows are {', '.join(rows)}")
