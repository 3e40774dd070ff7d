"""The paper's tables and figures, computed again: `wsdhq reproduce`.

A table is laid out as cells (`plan`), one method at one width with one seed; those that are
missing are computed (`runner`, `methods`, on what `dataset` prepares) and kept as files
(`cells`); tables and figures are made from the files, beside the figures of the `paper`.
"""

from wsdhq.reproduce.cells import Cell, CellResult, CellStore
from wsdhq.reproduce.inputs.dataset import Materials, Source
from wsdhq.reproduce.listener import Listener
from wsdhq.reproduce.methods import Method, Work
from wsdhq.reproduce.plan import TARGETS, Plan, base_settings, make_methods, make_plan
from wsdhq.reproduce.runner import check_stale, compute_missing, gather, set_aside_other_rows

__all__ = [
    "TARGETS",
    "Cell",
    "CellResult",
    "CellStore",
    "Listener",
    "Materials",
    "Method",
    "Plan",
    "Source",
    "Work",
    "base_settings",
    "check_stale",
    "compute_missing",
    "gather",
    "make_methods",
    "make_plan",
    "set_aside_other_rows",
]
