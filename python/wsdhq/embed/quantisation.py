"""The quantiser of a run: which one the settings ask for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsdhq.embed.config import TrainConfig
from wsdhq.quant import AdditiveQuantizer

__all__ = ["make_quantizer", "with_codebooks"]

CODEBOOK_SIZE = 256


def make_quantizer(config: TrainConfig, metric: NDArray[np.float32]) -> AdditiveQuantizer:
    """A quantiser with the settings of a run, without codebooks yet."""
    return AdditiveQuantizer(
        config.num_codebooks,
        CODEBOOK_SIZE,
        metric=metric,
        relaxation=config.relaxation,
        seed=config.seed,
        threads=config.threads,
    )


def with_codebooks(
    quantizer: AdditiveQuantizer, codebooks: NDArray[np.float32]
) -> AdditiveQuantizer:
    quantizer.codebooks = codebooks
    return quantizer
