"""The quantizer of a run: made, warm-started and restored with the settings of the run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.embed.config import QuantizerConfig, TrainConfig
from wsdhq.embed.losses import semantic_metric
from wsdhq.quant import AdditiveQuantizer

CODEBOOK_SIZE = 256

# Alternations of codes and codebooks: from scratch, after a few epochs of training, and in the
# end. In between the embeddings move on before more could pay.
_FIRST, _WARM, _LAST = 12, 2, 12


def quantizer_metric(config: QuantizerConfig, sphere: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sigma, (D, D) float32: the metric that `config.quantizer_metric` names.

    Parameters
    ----------
    config : TrainConfig
    sphere : (T', D) float32
        The tags as they are now.
    """
    if config.quantizer_metric == "identity":
        return np.eye(sphere.shape[1], dtype=np.float32)
    return semantic_metric(sphere)


def make_quantizer(
    config: TrainConfig,
    metric: NDArray[np.float32],
    codebooks: NDArray[np.float32] | None = None,
) -> AdditiveQuantizer:
    """A quantizer with the settings of a run.

    Parameters
    ----------
    config : TrainConfig
    metric : (D, D) float32
        What `quantizer_metric` gives.
    codebooks : (M, K, D) float32, optional
        Codebooks it has already; without them it is still to be fitted.
    """
    settings: dict[str, Any] = {
        "metric": metric,
        "relaxation": config.relaxation,
        "seed": config.seed,
        "threads": config.threads,
        # What trains and what encodes a collection has a bar of its own.
        "verbose": False,
    }
    if codebooks is not None:
        return AdditiveQuantizer.from_codebooks(codebooks, **settings)
    return AdditiveQuantizer(config.num_codebooks, CODEBOOK_SIZE, **settings)


def fit_quantizer(
    quantizer: AdditiveQuantizer,
    embeddings: NDArray[np.float32],
    codes: NDArray[np.uint8] | None,
    *,
    last: bool = False,
) -> NDArray[np.uint8]:
    """Alternate between codes and codebooks (method section 4, B and C).

    Parameters
    ----------
    quantizer : AdditiveQuantizer
        Fitted in place.
    embeddings : (n, D) float32
        The training rows as they are now.
    codes : (n, M) uint8 or None
        Their codes before, to start from; None starts from residual k-means.
    last : bool
        Whether training has ended, so that accuracy is worth more time.

    Returns
    -------
    (n, M) uint8
        Their codes now.
    """
    if codes is None:
        # Without joint training the one fit has to do what two do otherwise.
        quantizer.iterations = _FIRST + _LAST if last else _FIRST
    else:
        quantizer.iterations = _LAST if last else _WARM
    quantizer.fit(embeddings, codes=codes)
    return quantizer.encode(embeddings, codes=codes)
