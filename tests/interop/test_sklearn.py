"""The quantizer as a transformer of scikit-learn: its own checks, and what users do with it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer, StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402

X = oracle.float_problem(64, 120, 6, 3, 10).X
CHEAP: dict[str, Any] = {"iterations": 2, "beam_width": 2, "threads": 1}

# What scikit-learn checks and we do otherwise, on purpose.
NOT_OURS = {
    "check_do_not_raise_errors_in_init_or_set_params": (
        "a wrong setting is an error where it is set, not hours later in fit"
    ),
    "check_estimators_dtypes": (
        "whole numbers are a TypeError: codes in the place of vectors would pass in silence"
    ),
    "check_dtype_object": "arrays of objects are a TypeError, as are all dtypes but floats",
    "check_complex_data": "a wrong dtype is a TypeError here, and the check wants a ValueError",
}


with warnings.catch_warnings():
    # That it does not inherit from BaseEstimator is the point.
    warnings.filterwarnings("ignore", ".*does not inherit from `sklearn.base.BaseEstimator`")
    CHECKS = parametrize_with_checks(
        [
            AdditiveQuantizer(2, 4, **CHEAP),
            AdditiveQuantizer(1, 3, init="slices", relaxation="data", seed=5, **CHEAP),
        ],
        expected_failed_checks=lambda estimator: NOT_OURS,
    )


# A setting that is refused when it is set makes the checks warn.
@pytest.mark.filterwarnings("ignore:.* occurred during set_params:UserWarning")
@CHECKS
def test_checks_of_scikit_learn(estimator: AdditiveQuantizer, check: Any) -> None:
    check(estimator)


def test_parameters_are_given_back_as_they_came(tmp_path: Path) -> None:
    metric = np.eye(6).tolist()
    given = {
        "num_codebooks": np.int64(3), "codebook_size": np.uint8(7), "metric": metric,
        "init": "slices", "iterations": 4, "relaxation": None, "ridge": np.float32(0.5),
        "beam_width": 3, "seed": np.uint64(2**64 - 1), "threads": 1,
        "verbose": False,
    }  # fmt: skip
    assert set(given) == set(inspect.signature(AdditiveQuantizer).parameters)
    q = AdditiveQuantizer(**given)
    for deep in (False, True):
        found = q.get_params(deep=deep)
        assert list(found) == list(given)
        assert all(found[name] is given[name] for name in given)
    # What is computed with is checked and converted.
    assert [type(value) for value in (q.num_codebooks, q.seed, q.ridge)] == [int, int, float]
    assert q.metric.dtype == np.float32
    copied = clone(q.fit(X))
    assert not hasattr(copied, "codebooks")
    assert copied.get_params()["metric"] == metric
    np.testing.assert_array_equal(copied.fit(X).codebooks, q.codebooks)
    # Whatever came, the settings can be saved.
    q.save(tmp_path / "quantizer")
    read = AdditiveQuantizer.load(tmp_path / "quantizer")
    assert (read.seed, read.ridge, read.init) == (2**64 - 1, 0.5, "slices")


def test_settings_are_checked_whenever_they_are_set() -> None:
    q = AdditiveQuantizer(2, 8)
    assert q.set_params(iterations=3, seed=9) is q
    q.beam_width = 5
    assert (q.iterations, q.seed, q.get_params()["beam_width"]) == (3, 9, 5)
    before = q.get_params()
    for name, value, error in (
        ("iterations", -1, ValueError),
        ("num_codebooks", 0, ValueError),
        ("codebook_size", 2.0, TypeError),
        ("init", np.ones(2), ValueError),
        ("relaxation", np.ones(2), ValueError),
        ("relaxation", "both", ValueError),
        ("ridge", -1.0, ValueError),
        ("metric", -np.eye(6), ValueError),
        ("metric", np.float32(1), ValueError),
        ("metric", np.ones((6, 5)), ValueError),
        ("threads", 0, ValueError),
        ("threads", True, TypeError),
        ("num_codebooks", 2000, ValueError),
    ):
        with pytest.raises(error, match=name):
            q.set_params(**{"seed": 1, name: value})
        with pytest.raises(error, match=name):
            setattr(q, name, value)
        assert q.get_params() == before
    with pytest.raises(ValueError, match="codebooks: no such setting, expected one of num_codeb"):
        q.set_params(codebooks=3)
    # Only together they are too many.
    q.set_params(num_codebooks=1024, codebook_size=16)
    with pytest.raises(
        ValueError, match=r"num_codebooks \* codebook_size up to 16384, got 1024 \*"
    ):
        q.codebook_size = 17


def test_settings_that_change_after_fit_leave_the_codebooks_alone() -> None:
    q = AdditiveQuantizer(2, 8, **CHEAP).fit(X)
    codes, rebuilt = q.encode(X), q.decode(q.encode(X))
    q.set_params(num_codebooks=5, codebook_size=3)
    np.testing.assert_array_equal(q.encode(X), codes)
    np.testing.assert_array_equal(q.encode(X, codes=codes), codes)
    np.testing.assert_array_equal(q.decode(codes), rebuilt)
    assert q.distortion(X, codes) == -q.score(X)
    assert q.fit(X).codebooks.shape == (5, 3, 6)
    # A metric counts at once, as it does for a quantizer made with it.
    metric = np.diag([1, 1, 100, 1, 1, 1]).astype(np.float32)
    q.metric = metric
    expected = AdditiveQuantizer.from_codebooks(q.codebooks, metric, **CHEAP).encode(X)
    np.testing.assert_array_equal(q.encode(X), expected)
    q.metric = np.eye(5)
    for call in (q.encode, lambda Y: q.distortion(Y, expected), q.fit):
        with pytest.raises(ValueError, match=r"metric: expected shape \(6, 6\).*got \(5, 5\)"):
            call(X)


def test_what_a_transformer_gives() -> None:
    q = AdditiveQuantizer(3, 10, **CHEAP)
    codes = q.fit_transform(X)
    np.testing.assert_array_equal(codes, q.encode(X))
    np.testing.assert_array_equal(codes, q.transform(X))
    np.testing.assert_array_equal(q.inverse_transform(codes), q.decode(codes))
    assert q.score(X) == -q.distortion(X, codes)
    assert q.n_features_in_ == 6
    names = ["additivequantizer0", "additivequantizer1", "additivequantizer2"]
    assert q.get_feature_names_out().tolist() == names
    assert q.get_feature_names_out(list("abcdef")).tolist() == names
    with pytest.raises(ValueError, match=r"input_features should have length equal.*6.*got 2"):
        q.get_feature_names_out(["a", "b"])
    with pytest.raises(
        ValueError, match=r"X: expected shape \(num_vectors, 6\), got \(120, 5\): X"
    ):
        q.transform(X[:, :5])
    warm = AdditiveQuantizer(3, 10, **CHEAP).fit(X, codes=codes)
    again = AdditiveQuantizer(3, 10, **CHEAP)
    np.testing.assert_array_equal(again.fit_transform(X, codes=codes), warm.encode(X))


def test_labels_are_ignored_and_codes_are_not_taken_for_them() -> None:
    expected = AdditiveQuantizer(2, 8, **CHEAP).fit(X).codebooks
    for labels in (None, np.arange(120), ["a"] * 120, np.zeros((120, 3))):
        np.testing.assert_array_equal(
            AdditiveQuantizer(2, 8, **CHEAP).fit(X, labels).codebooks, expected
        )
    with pytest.raises(TypeError, match=r"y: expected labels or None, got codes: fit\(X, codes="):
        AdditiveQuantizer(2, 8, **CHEAP).fit(X, np.zeros((120, 2), np.uint8))


def test_not_fitted_is_an_error_that_both_sides_know() -> None:
    q = AdditiveQuantizer(2, 4)
    for call in (
        lambda: check_is_fitted(q),
        lambda: q.transform(X),
        lambda: q.inverse_transform(np.zeros((1, 2), np.uint8)),
        lambda: q.score(X),
        lambda: q.get_feature_names_out(),
        lambda: AQDIndex(q),
    ):
        with pytest.raises(NotFittedError, match="fit"):
            call()
    assert not hasattr(q, "n_features_in_")
    check_is_fitted(q.fit(X[:, :3]))
    assert hasattr(q, "n_features_in_")
    check_is_fitted(AdditiveQuantizer.from_codebooks(np.ones((1, 2, 3), np.float32)))


def test_without_scikit_learn_it_is_a_value_error_and_an_attribute_error() -> None:
    code = (
        "import sys\n"
        "from wsdhq.quant import AdditiveQuantizer\n"
        "q = AdditiveQuantizer(2, 4)\n"
        "for kind in (ValueError, AttributeError):\n"
        "    try:\n"
        "        q.encode([[1.0]])\n"
        "        raise SystemExit('no error')\n"
        "    except kind as error:\n"
        "        assert type(error).__name__ == 'NotFittedError', error\n"
        "assert not hasattr(q, 'codebooks')\n"
        "try:\n"
        "    q.__sklearn_tags__()\n"
        "    raise SystemExit('no error')\n"
        "except AttributeError as error:\n"
        "    assert 'expected a loaded scikit-learn' in str(error)\n"
        "assert 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pipeline_that_ends_in_codes() -> None:
    labels = np.arange(len(X)) % 2
    for y in (None, labels):
        pipeline = make_pipeline(StandardScaler(), AdditiveQuantizer(2, 8, **CHEAP))
        assert pipeline.fit(X, y) is pipeline
        codes = pipeline.transform(X)
        np.testing.assert_array_equal(codes, pipeline.fit_transform(X, y))
        assert codes.dtype == np.uint8
        rebuilt = pipeline.inverse_transform(codes)
        assert np.square(rebuilt - X).mean() < np.square(X - X.mean(axis=0)).mean()
        assert pipeline.score(X) == pipeline[-1].score(pipeline[0].transform(X))
        assert pipeline.get_feature_names_out().tolist()[0] == "additivequantizer0"
        assert "AdditiveQuantizer" in repr(pipeline)
        assert "AdditiveQuantizer" in pipeline._repr_html_()


def test_a_pipeline_that_learns_from_codes() -> None:
    labels = X[:, 0] > np.median(X[:, 0])
    quantizer = AdditiveQuantizer(2, 16, **CHEAP)
    rebuild = FunctionTransformer(lambda codes: np.eye(16)[codes].reshape(len(codes), -1))
    model = make_pipeline(quantizer, rebuild, LogisticRegression()).fit(X, labels)
    assert model.score(X, labels) > 0.7


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_grid_search(n_jobs: int | None) -> None:
    grid = {
        "num_codebooks": np.array([1, 2, 3]),
        "ridge": [None, 0.1],
        "metric": [None, np.eye(6, dtype=np.float32)],
    }
    search = GridSearchCV(AdditiveQuantizer(2, 8, **CHEAP), grid, cv=2, n_jobs=n_jobs).fit(X)
    assert search.best_params_["num_codebooks"] == 3
    assert search.best_score_ > search.cv_results_["mean_test_score"][0]
    assert search.best_estimator_.codebooks.shape == (3, 8, 6)
    np.testing.assert_array_equal(search.transform(X), search.best_estimator_.encode(X))
