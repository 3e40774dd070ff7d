"""SH: the chosen eigenfunctions, and bits by the formula."""

from __future__ import annotations

import numpy as np
import pytest

from tagged_clusters import Collection
from wsdhq.baselines.common.hamming import unpack_signs
from wsdhq.baselines.spectral import SpectralHashing, smoothest_modes


def every_mode(ranges: list[float], count: int, epsilon: float) -> list[tuple[int, int]]:
    """All modes by their eigenvalue, as the paper writes it."""
    modes = [
        (1 - np.exp(-(epsilon**2) / 2 * (k * np.pi / length) ** 2), place, k)
        for place, length in enumerate(ranges)
        if length > 0
        for k in range(1, count + 1)
    ]
    return [(place, k) for _, place, k in sorted(modes)[:count]]


@pytest.mark.parametrize("epsilon", [0.01, 0.1])
def test_the_smallest_eigenvalues_are_chosen(epsilon: float) -> None:
    for ranges in ([7.1, 3.3, 2.3, 0.9], [5.3], [1.9, 1.8, 0.0], [9.7, 0.5]):
        places, modes = smoothest_modes(np.array(ranges), 12)
        assert list(zip(places, modes)) == every_mode(ranges, 12, epsilon)


@pytest.mark.parametrize("bits", [8, 40])
def test_bits_are_signs_of_the_eigenfunctions(bits: int, collection: Collection) -> None:
    baseline = SpectralHashing(bits, threads=1).fit(collection.data)
    centred = collection.features.astype(np.float64)
    centred -= centred.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    projected = centred @ components[: min(bits, 24)].T
    # A principal direction has no sign: it is taken from what was learnt.
    signs = unpack_signs(baseline.encode(collection.features))
    lengths = np.ptp(projected, axis=0)
    for bit, (place, k) in enumerate(every_mode(list(lengths), bits, 0.01)):
        direction = np.sign(baseline._directions[:, bit] @ components[place])
        x = direction * projected[:, place]
        values = np.sin(np.pi / 2 + k * np.pi * (x - x.min()) / lengths[place])
        clear = np.abs(values) > 0.02
        np.testing.assert_array_equal(signs[clear, bit], np.sign(values)[clear])
