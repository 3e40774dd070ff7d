"""WDH: each closed form is the best of its kind, and together they never raise the objective."""

from __future__ import annotations

import numpy as np
import pytest

from tagged_clusters import Collection
from wsdhq.baselines.common.tag_matrix import tag_matrix
from wsdhq.baselines.wdh import WDH, _HashFunctions, _TagTerm, _update_signs


def test_objective_never_rises_and_codes_are_signs(collection: Collection) -> None:
    for seed in range(4):
        baseline = WDH(16, seed=seed, threads=1).fit(collection.data)
        objectives = np.array(baseline.objectives)
        assert 2 < len(objectives) <= 100
        assert (np.diff(objectives) <= 1e-6 * objectives[0]).all()
        assert objectives[-1] < 0.95 * objectives[0]
        assert set(np.unique(baseline._signs)) == {-1.0, 1.0}


def test_hash_functions_give_most_of_the_learnt_codes(collection: Collection) -> None:
    baseline = WDH(16, threads=1).fit(collection.data)
    signs = np.where(baseline._project(collection.features) >= 0, 1, -1)
    assert (signs == baseline._signs).mean() > 0.9


@pytest.fixture
def tags(collection: Collection) -> _TagTerm:
    term = _TagTerm(tag_matrix(collection.tags), 8)
    term.weights[term.tagged] = np.random.default_rng(0).uniform(0.5, 2, term.tagged.sum())
    return term


def random_signs(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], (300, 8))


def weighted_errors(term: _TagTerm, signs: np.ndarray, rebuilding: np.ndarray) -> float:
    design = np.concatenate([signs, np.ones((len(signs), 1))], axis=1)
    errors = np.square(term.labels.toarray() - design @ rebuilding).sum(axis=1)
    penalty = (term.ridge.diagonal()[:, None] * np.square(rebuilding)).sum()
    return float((term.weights * errors).sum() + penalty)


def test_tags_are_rebuilt_by_least_squares(tags: _TagTerm) -> None:
    signs = random_signs(1)
    tags.fit(signs)
    least = weighted_errors(tags, signs, tags.rebuilding)
    rng = np.random.default_rng(2)
    for size in (1e-3, 1e-2, 1):
        other = tags.rebuilding + size * rng.standard_normal(tags.rebuilding.shape)
        assert weighted_errors(tags, signs, other) > least


def test_images_without_tags_say_nothing_about_tags(collection: Collection, tags: _TagTerm) -> None:
    untagged = [row for row, words in enumerate(collection.tags) if not words]
    assert untagged
    signs = random_signs(3)
    tags.fit(signs)
    before = tags.rebuilding
    signs[untagged] *= -1
    tags.fit(signs)
    np.testing.assert_array_equal(tags.rebuilding, before)
    tags.reweight(signs)
    assert not tags.weights[untagged].any()


def test_weights_make_the_sum_of_distances(tags: _TagTerm) -> None:
    signs = random_signs(4)
    tags.fit(signs)
    design = np.concatenate([signs, np.ones((300, 1))], axis=1)
    errors = np.square(tags.labels.toarray() - design @ tags.rebuilding).sum(axis=1)
    distances = np.sqrt(errors + 1e-6)[tags.tagged]
    penalty = (tags.ridge.diagonal()[:, None] * np.square(tags.rebuilding)).sum()
    assert tags.reweight(signs) == pytest.approx(distances.sum() + penalty)
    np.testing.assert_allclose(tags.weights[tags.tagged], 1 / (2 * distances))


def test_no_single_bit_could_be_set_better(tags: _TagTerm) -> None:
    signs = random_signs(5)
    values = np.random.default_rng(6).standard_normal((300, 8))
    tags.fit(signs)

    def costs(codes: np.ndarray) -> np.ndarray:
        design = np.concatenate([codes, np.ones((300, 1))], axis=1)
        errors = np.square(tags.labels.toarray() - design @ tags.rebuilding).sum(axis=1)
        return tags.weights * errors + 0.01 * np.square(codes - values).sum(axis=1)

    before = costs(signs)
    for _ in range(3):
        _update_signs(signs, tags, values, 0.01)
    settled = costs(signs)
    assert settled.sum() < before.sum()
    for bit in range(8):
        flipped = signs.copy()
        flipped[:, bit] *= -1
        assert (costs(flipped) >= settled - 1e-9).all()


def test_functions_are_ridge_regressions_with_an_offset(collection: Collection) -> None:
    functions = _HashFunctions(collection.features, 8, np.random.default_rng(0))
    signs = random_signs(7)
    functions.fit(signs)
    centred = collection.features - collection.features.mean(axis=0, dtype=np.float64)
    design = np.concatenate([centred, np.ones((300, 1))], axis=1)
    ridge = np.diag([functions.ridge] * 24 + [0.0])
    expected = np.linalg.solve(design.T @ design + ridge, design.T @ signs)
    np.testing.assert_allclose(functions.weights, expected[:24], atol=1e-4)
    np.testing.assert_allclose(functions.offsets, expected[24], atol=1e-4)
    np.testing.assert_allclose(functions.values(), design @ expected, atol=1e-3)
    assert functions.penalty() == pytest.approx(
        functions.ridge * np.square(functions.weights).sum()
    )
