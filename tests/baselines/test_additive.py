"""AQ: ranked as by decoding every code and measuring its distance to the query."""

from __future__ import annotations

import numpy as np
import pytest

from tagged_clusters import Collection
from wsdhq.baselines.additive import AdditiveQuantization


@pytest.mark.parametrize("bits", [8, 24])
def test_ranking_is_that_of_decoded_rows(bits: int, collection: Collection) -> None:
    baseline = AdditiveQuantization(bits, threads=1).fit(collection.data)
    codes = baseline.encode(collection.features)
    decoded = baseline._quantizer.codebooks[np.arange(bits // 8), codes].sum(axis=1)
    queries = collection.features[:15]
    distances = np.square(queries[:, None].astype(np.float64) - decoded).sum(axis=2)
    scores, positions = (np.asarray(part) for part in baseline.rank(queries, codes)(0, 15))
    np.testing.assert_allclose(
        scores, -np.take_along_axis(distances, positions, axis=1), rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(-scores, np.sort(distances, axis=1), rtol=1e-4, atol=1e-3)


def test_it_is_plain_additive_quantization_and_improves_with_bits(collection: Collection) -> None:
    errors = []
    for bits in (8, 16, 24):
        baseline = AdditiveQuantization(bits, threads=1).fit(collection.data)
        quantizer = baseline._quantizer
        assert quantizer.metric is None
        assert quantizer.relaxation is None
        assert quantizer.codebooks.shape == (bits // 8, 256, 24)
        errors.append(
            quantizer.distortion(collection.features, baseline.encode(collection.features))
        )
    assert errors[0] > 2 * errors[1]
    assert errors[1] > errors[2]
