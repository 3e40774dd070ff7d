"""The table of baselines: names, order, lazy imports, checks of what all of them take."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from wsdhq.baselines import BASELINES, Baseline, TrainingData, baseline_class, make_baseline

SHALLOW = ("LSH", "SH", "SpH", "ITQ", "AQ", "WMH", "WDH")


def test_names_are_those_of_the_paper_in_its_order() -> None:
    assert list(BASELINES) == [
        "LSH", "SH", "SpH", "ITQ", "AQ", "DeepBit", "WMH", "WDH", "WDHT",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SHALLOW)
def test_shallow_baselines_are_made_by_name(name: str) -> None:
    baseline = make_baseline(name, 16, seed=3, threads=1)
    assert type(baseline) is baseline_class(name)
    assert isinstance(baseline, Baseline)
    assert (baseline.name, baseline.bits, baseline.seed, baseline.threads) == (name, 16, 3, 1)
    assert not baseline.is_deep
    assert baseline.uses_tags == (name in ("WMH", "WDH"))
    assert baseline.reference


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"name: expected one of 'LSH', 'SH', .*'WDHT', got 'itq'"):
        make_baseline("itq", 16)


def test_shallow_baselines_need_neither_torch_nor_one_another() -> None:
    code = (
        "import sys\n"
        "from wsdhq.baselines import make_baseline\n"
        "assert 'wsdhq.baselines.itq' not in sys.modules\n"
        "assert 'sklearn' not in sys.modules\n"
        f"for name in {SHALLOW}: make_baseline(name, 8)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bits": 12}, ValueError, "bits: expected a multiple of 8, got 12"),
        ({"bits": 0}, ValueError, "bits: expected at least 8, got 0"),
        ({"bits": 16.0}, TypeError, "bits: expected an integer, got float"),
        ({"bits": True}, TypeError, "bits: expected an integer, got bool"),
        ({"bits": 8, "seed": -1}, ValueError, "seed: expected 0 to"),
        ({"bits": 8, "threads": 0}, ValueError, "threads: expected at least 1"),
    ],
)
def test_settings_are_checked(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        baseline_class("LSH")(**arguments)  # type: ignore[arg-type]


def test_settings_of_a_method_are_passed_on_and_unknown_ones_named() -> None:
    assert make_baseline("WMH", 8, rotate=False).rotate is False  # type: ignore[attr-defined]
    assert make_baseline("DeepBit", 8, noise=0.5).noise == 0.5  # type: ignore[attr-defined]
    with pytest.raises(
        TypeError, match="LSH: expected settings among bits, seed, threads, got 'ep"
    ):
        make_baseline("LSH", 8, epochs=3)


@pytest.mark.parametrize("name", BASELINES)
def test_references_are_authors_and_year(name: str) -> None:
    assert re.fullmatch(r"\w+ (et al\.|& \w+) \d{4}", baseline_class(name).reference)


def test_integers_of_numpy_are_integers() -> None:
    assert make_baseline("LSH", np.int64(16)).bits == 16  # type: ignore[arg-type]


def test_training_data_has_tags_for_each_row() -> None:
    with pytest.raises(ValueError, match="tag set for each of the 3 rows of inputs, got 2"):
        TrainingData(np.zeros((3, 4), np.float32), [["a"], []])
