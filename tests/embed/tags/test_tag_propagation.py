"""Tags of look-alike images: equal to a plain loop, never an echo, never more than there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from wsdhq.embed.tags.propagation import propagate_tags


def _plain(embeddings, weights, sampled, num_neighbours, most_tags):
    """One image after the other."""
    rows = np.zeros_like(weights)
    for image, place in enumerate(embeddings):
        others = [other for other in sampled if other != image]
        # One fewer where the sample has no room for all without the image.
        others.sort(key=lambda other: -float(place @ embeddings[other]))
        count = min(num_neighbours, len(sampled) - 1)
        sums = weights[others[:count]].sum(axis=0) if count > 0 else np.zeros(weights.shape[1])
        kept = sorted(range(len(sums)), key=lambda tag: (-sums[tag], tag))[:most_tags]
        total = sums[kept].sum()
        if total > 0:
            rows[image, kept] = sums[kept] / total
    return rows


@settings(deadline=None, max_examples=60)
@given(
    num_rows=st.integers(1, 30),
    num_tags=st.integers(1, 6),
    num_sampled=st.integers(1, 40),
    num_neighbours=st.integers(1, 6),
    most_tags=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_propagation_equals_a_plain_loop(
    num_rows, num_tags, num_sampled, num_neighbours, most_tags, seed
):
    generator = np.random.default_rng(seed)
    embeddings = generator.standard_normal((num_rows, 5)).astype(np.float32)
    # Multiples of a quarter: sums are exact, and ties are ties.
    weights = generator.integers(1, 4, (num_rows, num_tags)).astype(np.float32) / 4
    weights *= generator.random((num_rows, num_tags)) < 0.4
    found = propagate_tags(
        embeddings, sparse.csr_array(weights), np.random.default_rng(seed),
        num_sampled=num_sampled, num_neighbours=num_neighbours, most_tags=most_tags,
    )  # fmt: skip
    sampled = (
        np.arange(num_rows)
        if num_sampled >= num_rows
        else np.sort(np.random.default_rng(seed).choice(num_rows, num_sampled, replace=False))
    )
    expected = _plain(embeddings, weights, sampled.tolist(), num_neighbours, most_tags)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5, atol=1e-7)
    assert np.diff(found.indptr).max() <= most_tags


def test_a_missing_tag_comes_from_those_that_look_alike():
    generator = np.random.default_rng(0)
    kind = np.repeat([0, 1], 60)
    embeddings = np.eye(2, dtype=np.float32)[kind]
    embeddings += 0.05 * generator.standard_normal(embeddings.shape).astype(np.float32)
    # "shirt" and "boat" are on half of their images, "nice" on one in ten of all.
    weights = np.zeros((120, 3), np.float32)
    weights[np.arange(120), kind] = generator.random(120) < 0.5
    weights[:, 2] = generator.random(120) < 0.1
    found = propagate_tags(embeddings, sparse.csr_array(weights), generator).toarray()
    right = found[np.arange(120), kind]
    assert right.min() > 0.5
    assert found[np.arange(120), 1 - kind].max() == 0
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_the_tags_of_the_image_itself_are_no_evidence():
    embeddings = np.array([[1, 0], [0.9, 0.1], [0.8, 0.2]], np.float32)
    only_the_first = sparse.csr_array(np.array([[1], [0], [0]], np.float32))
    found = propagate_tags(embeddings, only_the_first, np.random.default_rng(0)).toarray()
    np.testing.assert_array_equal(found, [[0], [1], [1]])


def test_the_sample_follows_the_generator():
    generator = np.random.default_rng(0)
    embeddings = generator.standard_normal((200, 4)).astype(np.float32)
    weights = sparse.csr_array((generator.random((200, 9)) < 0.3).astype(np.float32))

    def found(seed: int) -> np.ndarray:
        return propagate_tags(
            embeddings, weights, np.random.default_rng(seed), num_sampled=20
        ).toarray()

    np.testing.assert_array_equal(found(1), found(1))
    assert np.abs(found(1) - found(2)).max() > 0.1


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a row for each of the 4 embeddings, got 3"):
        propagate_tags(
            np.zeros((4, 2), np.float32), sparse.csr_array((3, 5)), np.random.default_rng(0)
        )
