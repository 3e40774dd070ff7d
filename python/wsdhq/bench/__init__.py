"""Measurements of `wsdhq.quant` beside the libraries that are installed.

`wsdhq bench` runs them. Contestants of a comparison take turns in one process, what they answer
is checked before they are timed, and ratios are those within a round.
"""

from wsdhq.bench.context import Context
from wsdhq.bench.peers import find_peer, num_cores
from wsdhq.bench.report.results import Comparison, Entry, Report, Verdict
from wsdhq.bench.runner import new_report, run_suites
from wsdhq.bench.settings import MODES, SUITES, Settings
from wsdhq.bench.vectors import structured_vectors

__all__ = [
    "MODES",
    "SUITES",
    "Comparison",
    "Context",
    "Entry",
    "Report",
    "Settings",
    "Verdict",
    "find_peer",
    "new_report",
    "num_cores",
    "run_suites",
    "structured_vectors",
]
