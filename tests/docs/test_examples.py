"""The examples in docstrings: they run, and the names that are used most have one."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

# Where each name is written, and the names whose docstring must show how they are used.
SHOWN = {
    "wsdhq.quant.quantizer": ("AdditiveQuantizer", "AdditiveQuantizer.encode"),
    "wsdhq.quant.index.aqd_index": ("AQDIndex",),
    "wsdhq.quant.statistics": ("CodeStatistics",),
    "wsdhq.quant.encoding": ("icm_encode",),
    "wsdhq.evaluation.metrics": (
        "ranked_relevance", "mean_average_precision", "precision_at", "recall_at",
    ),
    "wsdhq.evaluation.evaluation": ("evaluate_ranking",),
    "wsdhq.data.splits": ("split_rows",),
    "wsdhq.embed.config.train_config": ("TrainConfig",),
}  # fmt: skip


@pytest.mark.parametrize("module", SHOWN)
def test_examples_run_and_are_there(module: str) -> None:
    found = {
        each.name.removeprefix(f"{module}."): each
        for each in doctest.DocTestFinder().find(import_module(module), module)
    }
    for name in SHOWN[module]:
        assert found[name].examples, f"{name} has no example"
    runner = doctest.DocTestRunner()
    report: list[str] = []
    for each in found.values():
        runner.run(each, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
