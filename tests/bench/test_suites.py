"""The suites end to end at tiny sizes, and that a wrong answer ends them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wsdhq.bench import Context, find_peer, new_report, run_suites
from wsdhq.bench.checks import WrongResultError
from wsdhq.bench.report.plot import plot_report
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics


def _run(settings, *suites, faiss=None, **changes):
    context = Context(settings, (1, 2), 0, None, faiss, **changes)
    report = new_report(context, suites, "test")
    run_suites(context, report)
    return report


@pytest.mark.parametrize("faiss", [None, "faiss"])
def test_every_suite_runs_with_faiss_and_without(tiny, faiss, tmp_path):
    module = None if faiss is None else pytest.importorskip(faiss)
    report = _run(tiny, "search", "encode", "solve", "train", faiss=module)
    assert report.finished
    by_suite = {
        name: [each for each in report.comparisons if each.suite == name]
        for name in ("search", "encode", "solve", "train")
    }
    own = 0 if module is None else 2
    # Two thread counts each; one query and the authors' encoder once, LSQ's codebooks twice.
    assert {name: len(found) for name, found in by_suite.items()} == {
        "search": 3, "encode": 3 + own, "solve": 2, "train": 1,
    }  # fmt: skip
    for comparison in report.comparisons:
        peers = [entry for entry in comparison.entries if not entry.ours]
        assert any(entry.ours for entry in comparison.entries)
        named = any(word in comparison.setting for word in ("authors", "one query"))
        assert bool(peers) == (module is not None or named)
        assert len({len(entry.seconds) for entry in comparison.entries}) == 1
        assert min(min(entry.seconds) for entry in comparison.entries) > 0
    assert {limit["threads"] for limit in report.limits} == {1, 2}
    assert [each["work"] for each in report.memory] == ["search", "encode"]
    assert ("faiss is not installed" in " ".join(report.notes)) == (module is None)
    assert plot_report(tmp_path / "plot.png", report)


def test_a_report_without_measurements_has_no_plot(tiny, tmp_path):
    report = new_report(Context(tiny, (1,)), ["search"], "test")
    assert not plot_report(tmp_path / "plot.png", report)
    assert list(tmp_path.iterdir()) == []


def test_features_take_the_place_of_made_vectors(tiny):
    features = np.random.default_rng(0).standard_normal((1600, 12)).astype(np.float16)
    context = Context(tiny, (1,), 0, features)
    report = new_report(context, ["search"], "test")
    run_suites(context, report)
    assert {each.parameters["dim"] for each in report.comparisons} == {12}
    assert report.settings["vectors"] == tiny.vectors
    assert report.settings["data"].startswith("features")


def test_a_wrong_search_is_not_timed(tiny, monkeypatch):
    right = AQDIndex.search

    def wrong(self, Q, k=10, allowed=None, threads=None):
        scores, ids = right(self, Q, k + 1, allowed, threads)
        return scores[:, 1:], ids[:, 1:]  # the best is lost

    monkeypatch.setattr(AQDIndex, "search", wrong)
    context = Context(tiny, (1,))
    report = new_report(context, ["search"], "test")
    with pytest.raises(WrongResultError, match="rank 0"):
        run_suites(context, report)
    assert report.comparisons == []
    assert not report.finished


def test_a_wrong_encoder_is_not_timed(tiny, monkeypatch):
    right = AdditiveQuantizer.encode

    def wrong(self, X, codes=None, iterations=None, threads=None, beam_width=None):
        made = right(self, X, codes, iterations, threads, beam_width)
        return made if threads != 2 else (made + 1).astype(np.uint8)

    monkeypatch.setattr(AdditiveQuantizer, "encode", wrong)
    with pytest.raises(WrongResultError, match="depend on the number of threads"):
        _run(tiny, "encode")

    def poor(self, X, codes=None, iterations=None, threads=None, beam_width=None):
        made = right(self, X, codes, iterations, threads, beam_width)
        return np.random.default_rng(0).permutation(made)

    monkeypatch.setattr(AdditiveQuantizer, "encode", poor)
    with pytest.raises(WrongResultError):
        _run(tiny, "encode")


def test_a_wrong_solution_is_not_timed(tiny, monkeypatch):
    right = CodeStatistics.solve
    monkeypatch.setattr(CodeStatistics, "solve", lambda self: right(self) * np.float32(1.5))
    with pytest.raises(WrongResultError, match="expected at most"):
        _run(tiny, "solve")


def test_what_was_measured_before_an_interrupt_is_saved(tiny, monkeypatch):
    saved = []
    context = Context(replace(tiny, solve=(400, 500)), (1,))
    report = new_report(context, ["solve"], "test")

    def stop_at_the_second(stage):
        if "500" in stage and saved and saved[-1]["comparisons"]:
            raise KeyboardInterrupt

    context.stage = stop_at_the_second
    with pytest.raises(KeyboardInterrupt):
        run_suites(context, report, lambda current: saved.append(current.to_dict()))
    assert len(saved[-1]["comparisons"]) == 1
    assert saved[-1]["finished"] is False


def test_a_peer_that_is_not_installed_is_none(monkeypatch):
    assert find_peer("no_such_package_at_all") is None
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    assert find_peer("faiss") is None
