"""A whole run: the limits of the machine, the suites that were asked for, the memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from wsdhq.bench.context import Context
from wsdhq.bench.limits import product_limit, read_limit
from wsdhq.bench.machine import describe_machine
from wsdhq.bench.memory import measure_memory
from wsdhq.bench.peers import find_peer
from wsdhq.bench.report.results import Comparison, Report
from wsdhq.bench.settings import SUITES
from wsdhq.bench.suites.encode import encode_suite
from wsdhq.bench.suites.search import search_suite
from wsdhq.bench.suites.solve import solve_suite
from wsdhq.bench.suites.train import train_suite

_RUN: dict[str, Callable[[Context], Iterator[Comparison]]] = {
    "search": search_suite,
    "encode": encode_suite,
    "solve": solve_suite,
    "train": train_suite,
}


def new_report(context: Context, suites: Sequence[str], command: str) -> Report:
    """An empty report that says where and how."""
    report = Report(
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        settings={
            "suites": list(suites),
            "threads": list(context.threads),
            "seed": context.seed,
            "data": "made: unit norm, clusters, decaying spectrum"
            if context.features is None
            else f"features, {context.features.shape[0]} x {context.features.shape[1]}",
            **context.settings.to_dict(),
        },
    )
    if context.faiss is None:
        from wsdhq._shared.extras import install_command

        report.notes.append(
            f"faiss is not installed: ours alone was timed. To compare: {install_command('bench')}"
        )
    if find_peer("threadpoolctl") is None:
        report.notes.append(
            "threadpoolctl is not installed: the BLAS of NumPy and SciPy kept its own number of "
            "threads. pip install threadpoolctl, or set OPENBLAS_NUM_THREADS=1."
        )
    return report


def run_suites(
    context: Context, report: Report, save: Callable[[Report], None] = lambda _: None
) -> None:
    """Measure what `report.settings["suites"]` names, in the order of `SUITES`.

    Parameters
    ----------
    context : Context
    report : Report
        Filled. It is whole after every comparison, whatever stops the run.
    save : callable
        Told after every comparison.

    Raises
    ------
    WrongResultError
        A contestant's answer was wrong.
    """
    begun = time.monotonic()

    def saved() -> None:
        report.seconds = round(time.monotonic() - begun, 1)
        save(report)

    saved()
    suites = [name for name in SUITES if name in report.settings["suites"]]
    context.stage("limits of the machine")
    for threads in context.threads:
        if "search" in suites:
            limit = read_limit(threads, context.settings.rounds, context.settings.read_bytes)
            context.limits["read", threads] = limit["value"]
            report.limits.append(limit)
        if "encode" in suites:
            limit = product_limit(threads, context.settings.rounds)
            context.limits["product", threads] = limit["value"]
            report.limits.append(limit)
    for name in suites:
        for comparison in _RUN[name](context):
            report.comparisons.append(comparison)
            saved()
        if name in ("search", "encode"):
            context.stage(f"memory of {name}")
            report.memory.append(measure_memory(name, context.settings.memory, context.seed))
    report.finished = True
    saved()
