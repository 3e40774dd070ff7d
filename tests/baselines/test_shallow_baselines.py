"""What every shallow baseline promises, whatever its method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import threadpoolctl

from tagged_clusters import Collection
from wsdhq.baselines import Baseline, TrainingData, make_baseline
from wsdhq.baselines.lsh import LSH
from wsdhq.evaluation import evaluate_ranking

SHALLOW = ("LSH", "SH", "SpH", "ITQ", "AQ", "WMH", "WDH")


def fitted(name: str, collection: Collection, bits: int = 16, **settings: Any) -> Baseline:
    return make_baseline(name, bits, threads=1, **settings).fit(collection.data)


def map_of(baseline: Baseline, collection: Collection) -> tuple[float, float]:
    """MAP of the first 60 rows among all, and that of a random ranking."""
    ranking = baseline.rank(collection.features[:60], baseline.encode(collection.features))
    result = evaluate_ranking(ranking, collection.labels[:60], collection.labels)
    assert result.map_random is not None
    return result.map, result.map_random


@pytest.mark.parametrize("name", SHALLOW)
@pytest.mark.parametrize("bits", [8, 24])
def test_codes_find_the_clusters(name: str, bits: int, collection: Collection) -> None:
    before = collection.features.copy()
    baseline = fitted(name, collection, bits)
    codes = baseline.encode(collection.features)
    assert codes.dtype == np.uint8
    assert codes.shape == (300, bits // 8)
    found, by_chance = map_of(baseline, collection)
    assert found > 2 * by_chance
    np.testing.assert_array_equal(collection.features, before)


@pytest.mark.parametrize("name", ["WMH", "WDH"])
def test_tags_show_what_features_hide(name: str, noisy_collection: Collection) -> None:
    blind, _ = map_of(fitted("ITQ", noisy_collection), noisy_collection)
    taught, _ = map_of(fitted(name, noisy_collection), noisy_collection)
    assert taught > blind + 0.1


@pytest.mark.parametrize("name", SHALLOW)
def test_a_seed_repeats_and_a_second_fit_forgets_the_first(
    name: str, collection: Collection, noisy_collection: Collection
) -> None:
    first = fitted(name, collection, seed=4)
    again = fitted(name, noisy_collection, seed=4).fit(collection.data)
    codes = first.encode(collection.features)
    np.testing.assert_array_equal(codes, again.encode(collection.features))
    if name != "SH":  # nothing in it is random
        other = fitted(name, collection, seed=5)
        assert (codes != other.encode(collection.features)).any()


@pytest.mark.parametrize("name", SHALLOW)
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_the_same_numbers(
    name: str, dtype: type[np.floating[Any]], collection: Collection
) -> None:
    rounded = collection.features.astype(np.float16)
    codes = [
        fitted_to.encode(rounded.astype(kind))
        for kind in (np.float32, dtype)
        for fitted_to in [
            make_baseline(name, 8, threads=1).fit(
                TrainingData(rounded.astype(kind), collection.tags)
            )
        ]
    ]
    np.testing.assert_array_equal(codes[0], codes[1])


@pytest.mark.parametrize("name", SHALLOW)
def test_a_code_does_not_depend_on_the_rows_beside_it(name: str, collection: Collection) -> None:
    baseline = fitted(name, collection)
    codes = baseline.encode(collection.features)
    # BLAS may sum a single row in another order: rows next to a boundary are left out of it.
    part = baseline.encode(collection.features[100:200])
    assert (part == codes[100:200]).all(axis=1).mean() > 0.98
    assert baseline.encode(collection.features[:0]).shape == (0, 2)


@pytest.mark.parametrize("name", SHALLOW)
def test_rankings_are_whole_ordered_and_break_ties_by_position(
    name: str, collection: Collection
) -> None:
    baseline = fitted(name, collection, 8)
    rank = baseline.rank(collection.features[:20], baseline.encode(collection.features))
    scores, positions = (np.asarray(part) for part in rank(5, 12))
    assert scores.shape == positions.shape == (7, 300)
    np.testing.assert_array_equal(np.sort(positions, axis=1), np.tile(np.arange(300), (7, 1)))
    assert (np.diff(scores, axis=1) <= 0).all()
    ties = np.diff(scores, axis=1) == 0
    assert ties.any()
    assert (np.diff(positions, axis=1)[ties] > 0).all()


@pytest.mark.parametrize("name", SHALLOW)
def test_nothing_works_before_fit_or_after_a_failed_one(name: str, collection: Collection) -> None:
    baseline = make_baseline(name, 16)
    message = f"{name} has not learnt anything yet: call fit first"
    codes = np.zeros((3, 2), np.uint8)
    with pytest.raises(ValueError, match=message):
        baseline.encode(collection.features)
    with pytest.raises(ValueError, match=message):
        baseline.rank(collection.features, codes)
    baseline.fit(collection.data)
    with pytest.raises(ValueError, match="row 1"):
        baseline.fit(TrainingData(with_value(collection, np.nan), collection.tags))
    with pytest.raises(ValueError, match=message):
        baseline.encode(collection.features)


def with_value(collection: Collection, value: float) -> Any:
    features = collection.features.copy()
    features[1, 2] = value
    return features


@pytest.mark.parametrize("name", SHALLOW)
def test_what_cannot_be_learnt_from_is_refused(name: str, collection: Collection) -> None:
    features, tags = collection.features, collection.tags
    cases: list[tuple[Any, type[Exception], str]] = [
        (np.zeros((9, 4, 4, 3), np.uint8), TypeError, f"{name} needs features .* got pixels"),
        (features.astype(np.int32), TypeError, "inputs: expected float16, float32 or float64"),
        (features[:, 0], ValueError, r"inputs: expected shape \(num_vectors, dim\)"),
        (features[:, :0], ValueError, "at least one dimension"),
        (features[:1], ValueError, f"inputs: {name} needs at least . rows .* got 1"),
        (np.ones((20, 4), np.float32), ValueError, "rows that differ, got 20 equal rows"),
        (with_value(collection, np.inf), ValueError, "inputs: row 1, column 2 is inf"),
        (with_value(collection, np.nan), ValueError, "inputs: row 1, column 2 is nan"),
        # Beyond float32 in the first row: refused without a warning before.
        (features.astype(np.float64) * 1e300, ValueError, r"inputs: row 0, column 0 is .*e\+"),
    ]
    for inputs, error, message in cases:
        with pytest.raises(error, match=message):
            make_baseline(name, 8, threads=1).fit(TrainingData(inputs, tags[:1] * len(inputs)))


@pytest.mark.parametrize("name", ["WMH", "WDH"])
def test_tags_are_asked_for_and_checked(name: str, collection: Collection) -> None:
    features = collection.features
    cases: list[tuple[Any, type[Exception], str]] = [
        (None, ValueError, f"tags: {name} learns from tags, got None"),
        ([[]] * 300, ValueError, "every tag set is empty"),
        ([["a"]] * 299 + [[3]], TypeError, r"tag_sets\[299\] holds 3"),
        (["abc"] * 300, TypeError, r"tag_sets\[0\]: expected a sequence of strings"),
    ]
    for tags, error, message in cases:
        with pytest.raises(error, match=message):
            make_baseline(name, 8).fit(TrainingData(features, tags))


@pytest.mark.parametrize("name", ["LSH", "SH", "SpH", "ITQ", "AQ"])
def test_unsupervised_baselines_need_no_tags(name: str, collection: Collection) -> None:
    alone = make_baseline(name, 8, threads=1).fit(TrainingData(collection.features))
    np.testing.assert_array_equal(
        alone.encode(collection.features),
        fitted(name, collection, 8).encode(collection.features),
    )


@pytest.mark.parametrize("name", SHALLOW)
def test_what_does_not_fit_the_model_is_refused(name: str, collection: Collection) -> None:
    baseline = fitted(name, collection)
    codes = baseline.encode(collection.features)
    with pytest.raises(ValueError, match="fitted to features of 24 dimensions, got 23"):
        baseline.encode(collection.features[:, 1:])
    with pytest.raises(ValueError, match="fitted to features of 24 dimensions, got 23"):
        baseline.rank(collection.features[:, 1:], codes)
    with pytest.raises(TypeError, match=r"needs features .* got pixels"):
        baseline.encode(np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="row 1, column 2 is nan"):
        baseline.encode(with_value(collection, np.nan))
    with pytest.raises(TypeError, match="codes: expected uint8, got int64"):
        baseline.rank(collection.features, codes.astype(np.int64))
    with pytest.raises(ValueError, match=r"codes: expected shape \(N, 2\) for 16 bits"):
        baseline.rank(collection.features, codes[:, :1])


@pytest.mark.parametrize("name", ["ITQ", "WMH"])
def test_orthogonal_functions_end_where_dimensions_do(name: str, collection: Collection) -> None:
    with pytest.raises(ValueError, match=r"bits: .* features of 24 dimensions .* not 32"):
        fitted(name, collection, 32)
    assert fitted(name, collection, 24).encode(collection.features).shape == (300, 3)


@pytest.mark.parametrize("name", ["LSH", "SH", "SpH", "AQ", "WDH"])
def test_other_methods_make_more_bits_than_dimensions(name: str, collection: Collection) -> None:
    codes = fitted(name, collection, 32).encode(collection.features)
    assert codes.shape == (300, 4)
    assert len(np.unique(codes, axis=0)) > 100


@pytest.mark.parametrize("threads", [1, None])
def test_threads_are_borrowed(collection: Any, threads: int | None) -> None:
    def counts() -> list[int]:
        return [library["num_threads"] for library in threadpoolctl.threadpool_info()]

    seen: list[list[int]] = []

    class Watched(LSH):
        def _project(self, chunk: Any) -> Any:
            seen.append(counts())
            return super()._project(chunk)

    before = counts()
    Watched(8, threads=threads).fit(TrainingData(collection.features)).encode(collection.features)
    assert seen
    for during in seen:
        assert during == before if threads is None else set(during) == {1}
    assert counts() == before
