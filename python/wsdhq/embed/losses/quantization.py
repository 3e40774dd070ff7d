"""The supervised cosine quantization loss and its metric (method section 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wsdhq.embed.losses.checks import check_matrix, kind


def cosine_quantization(embeddings: Tensor, reconstructions: Tensor, metric: Tensor) -> Tensor:
    """Supervised cosine quantization loss (method section 3; paper, same name).

    `sum_s (s.r - s.r^)^2` over the tags s of the sphere, which is the quadratic form
    `(r - r^)^T Sigma (r - r^)` with `Sigma = semantic_metric(sphere)`, averaged over the batch.

    Parameters
    ----------
    embeddings : Tensor, (B, D), floating point
        Embedded images r.
    reconstructions : Tensor, (B, D), floating point
        What the quantizer makes of them, r^. Held constant: no gradient flows into codes
        or codebooks.
    metric : Tensor, (D, D), floating point
        Symmetric positive semi-definite Sigma. Held constant.

    Returns
    -------
    Tensor, ()
        Mean over the batch, at least 0 up to rounding; 0 for an empty batch.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit.
    """
    check_matrix("embeddings", embeddings)
    check_matrix("reconstructions", reconstructions)
    check_matrix("metric", metric)
    if reconstructions.shape != embeddings.shape:
        raise ValueError(
            f"reconstructions: expected the shape of embeddings, {tuple(embeddings.shape)}, "
            f"got {tuple(reconstructions.shape)}"
        )
    dim = embeddings.shape[1]
    if tuple(metric.shape) != (dim, dim):
        raise ValueError(f"metric: expected shape (D, D) = {(dim, dim)}, got {tuple(metric.shape)}")
    difference = embeddings - reconstructions.detach().to(embeddings.dtype)
    quadratic = (difference @ metric.detach().to(embeddings.dtype)) * difference
    return quadratic.sum() / max(len(embeddings), 1)


def semantic_metric(sphere: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Sigma, the metric of the quantizer: `sum_s s s^T` over the tags (method, "Symbols").

    Parameters
    ----------
    sphere : array, (T', D), floating point
        Semantic sphere, one row per merged tag: unit rows, or of any norm (WSDHQ_N).

    Returns
    -------
    array, (D, D), float32
        Exactly symmetric, positive semi-definite up to rounding; summed in float64.

    Raises
    ------
    TypeError
        `sphere` is not a floating-point array.
    ValueError
        `sphere` is not two-dimensional.
    """
    if not isinstance(sphere, np.ndarray) or not np.issubdtype(sphere.dtype, np.floating):
        raise TypeError(f"sphere: expected a floating-point NumPy array, got {kind(sphere)}")
    if sphere.ndim != 2:
        raise ValueError(f"sphere: expected shape (T', D), got {sphere.shape}")
    wide = sphere.astype(np.float64)
    metric = wide.T @ wide
    return ((metric + metric.T) / 2).astype(np.float32)
