"""Sizes whose tables would exhaust the machine are refused before anything is allocated."""

from __future__ import annotations

import numpy as np
import pytest

from wsdhq import _core
from wsdhq.quant import AdditiveQuantizer, CodeStatistics, icm_encode

TOO_MANY = r"num_codebooks: expected .* up to 16384, got 65 \* 256 = 16640"


def test_too_many_codewords_are_refused() -> None:
    with pytest.raises(ValueError, match=TOO_MANY):
        AdditiveQuantizer(65, 256)
    with pytest.raises(ValueError, match=TOO_MANY):
        CodeStatistics(65, 256, 2)
    codebooks = np.zeros((65, 256, 1), np.float32)
    with pytest.raises(ValueError, match=TOO_MANY):
        icm_encode(np.zeros((1, 1), np.float32), codebooks)


@pytest.mark.parametrize("size", [1, 2, 15])
def test_too_many_codebooks_are_refused(size: int) -> None:
    # Their codewords alone would be few enough.
    wanted = r"num_codebooks: expected up to 1024, got 1025"
    with pytest.raises(ValueError, match=wanted):
        AdditiveQuantizer(1025, size)
    with pytest.raises(ValueError, match=wanted):
        CodeStatistics(1025, size, 2)
    with pytest.raises(ValueError, match=wanted):
        icm_encode(np.zeros((1, 1), np.float32), np.zeros((1025, size, 1), np.float32))
    with pytest.raises(ValueError, match="codebooks: expected at most 1024, got 1025"):
        _core.Encoder(np.zeros((1025, size, 1), np.float32), None, 1)


def test_the_most_codebooks_work() -> None:
    codebooks = np.random.default_rng(0).standard_normal((1024, 2, 3)).astype(np.float32)
    codes = icm_encode(np.ones((2, 3), np.float32), codebooks)
    assert codes.shape == (2, 1024)
    assert len(np.unique(codes)) == 2


def test_many_small_codebooks_are_welcome() -> None:
    codebooks = np.random.default_rng(0).standard_normal((100, 2, 3)).astype(np.float32)
    X = np.ones((4, 3), np.float32)
    assert icm_encode(X, codebooks).shape == (4, 100)
    assert AdditiveQuantizer(64, 256).num_codebooks == 64
