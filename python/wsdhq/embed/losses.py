"""The two training losses, as pure functions of tensors (method sections 2 and 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = [
    "adaptive_cosine_margin",
    "adaptive_margin",
    "cosine_quantization",
    "semantic_metric",
]

# Positive pairs handled at once: a block of (512, T') floats stays within a core's cache.
_PAIRS_PER_BLOCK = 512


def adaptive_margin(cosines: Tensor, gamma: float = 1.0) -> Tensor:
    """Margin between tags: `2^(1 - gamma) * (1 - cos)^gamma` (method section 2, Delta_ij).

    Parameters
    ----------
    cosines : Tensor
        Cosines between tags, any shape, floating point. Values above 1, which rounding
        can produce, count as 1.
    gamma : float
        Shape of the margin, above 0. Whatever it is, opposite tags have margin 2 and
        equal tags margin 0.

    Returns
    -------
    Tensor
        Margins in 0 .. 2, of the shape and dtype of `cosines`.
    """
    distance = 1.0 - cosines.clamp(max=1.0)
    # A general power is by far the dearest operation of the loss.
    return distance if gamma == 1.0 else distance.pow(gamma).mul_(2.0 ** (1.0 - gamma))


class _PairHinge(torch.autograd.Function):
    """Mean hinge over (positive, negative) pairs, as a function of the (B, T') cosines.

    The hinge is piecewise linear in the cosines, so its gradient is a count: how often each
    cosine takes part in a pair that violates its margin. Counting in the forward pass keeps
    no (pairs, T') array alive for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any,
        cosines: Tensor,
        sphere: Tensor,
        positives: Tensor,
        gamma: float,
        num_negatives: int | None,
    ) -> Tensor:
        num_tags = len(sphere)
        limit = num_tags if num_negatives is None else min(num_negatives, num_tags)
        num_positives = positives.sum(dim=1)
        num_pairs = int((num_positives * (num_tags - num_positives).clamp(max=limit)).sum())
        counts = torch.zeros_like(cosines)
        ctx.save_for_backward(counts)
        ctx.num_pairs = num_pairs
        if num_pairs == 0:
            return cosines.new_zeros(())

        # Tags that are no candidates get cosine -inf and so can never violate a margin.
        candidates = cosines.masked_fill(positives, -torch.inf)
        if limit < num_tags:
            hardest, place = candidates.topk(limit, dim=1, sorted=False)
            candidates = torch.full_like(cosines, -torch.inf).scatter_(1, place, hardest)
        rows, tags = positives.nonzero(as_tuple=True)
        distinct, which = tags.unique(return_inverse=True)
        margins = adaptive_margin(sphere[distinct] @ sphere.T, gamma)

        total = cosines.new_zeros((), dtype=torch.float64)
        for start in range(0, len(rows), _PAIRS_PER_BLOCK):
            block = slice(start, start + _PAIRS_PER_BLOCK)
            row, tag = rows[block], tags[block]
            violation = margins[which[block]]
            violation += candidates[row]
            violation -= cosines[row, tag].unsqueeze(1)
            active = (violation > 0).to(cosines.dtype)
            total += violation.clamp_(min=0).sum(dtype=torch.float64)
            counts.index_add_(0, row, active)
            counts[row, tag] -= active.sum(dim=1)
        return (total / num_pairs).to(cosines.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        (counts,) = ctx.saved_tensors
        return counts * (gradient / max(ctx.num_pairs, 1)), None, None, None, None


def adaptive_cosine_margin(
    embeddings: Tensor,
    sphere: Tensor,
    positives: Tensor,
    gamma: float = 1.0,
    num_negatives: int | None = 1000,
) -> Tensor:
    """Adaptive cosine margin loss (method section 2; paper, "Semantics-preserving Learning").

    Each image should be nearer (by cosine) to each of its own tags i than to any other tag
    j, by a margin that grows with the distance between i and j::

        [ Delta_ij - cos(s_i, r) + cos(s_j, r) ]_+
        Delta_ij = 2^(1-gamma) (1 - cos(s_i, s_j))^gamma

    averaged over all (positive, negative) pairs of the batch.

    Parameters
    ----------
    embeddings : Tensor, (B, D), floating point
        Embedded images; normalised here, so that any length is accepted.
    sphere : Tensor, (T', D), floating point
        Semantic sphere: unit rows, one per merged tag. Held constant.
    positives : Tensor, (B, T'), bool
        Which tags each image carries. Rows without positives, or without negatives,
        contribute no pair.
    gamma : float, above 0
        Shape of the margin.
    num_negatives : int or None
        The negatives of an image are the `num_negatives` tags it does not carry with the
        largest cosine to it (fewer where there are fewer); None takes all of them. The
        choice is made without gradient.

    Returns
    -------
    Tensor, ()
        Mean hinge, of the dtype of `embeddings`; 0 when the batch holds no pair.
        Differentiable once, with respect to `embeddings`.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit, `gamma` or `num_negatives` out of range.
    """
    _check_matrix("embeddings", embeddings)
    _check_matrix("sphere", sphere)
    _check_same_width("sphere", sphere, embeddings)
    if not isinstance(positives, Tensor) or positives.dtype != torch.bool:
        raise TypeError(f"positives must be a bool tensor, got {_kind(positives)}")
    expected = (len(embeddings), len(sphere))
    if tuple(positives.shape) != expected:
        raise ValueError(
            f"positives must have shape (B, T') = {expected}, got {tuple(positives.shape)}"
        )
    if not 0 < gamma < float("inf"):
        raise ValueError(f"gamma must be a finite number above 0, got {gamma}")
    if num_negatives is not None and num_negatives < 1:
        raise ValueError(f"num_negatives must be at least 1, or None, got {num_negatives}")
    constant = sphere.detach().to(embeddings.dtype)
    cosines = functional.normalize(embeddings, dim=1) @ constant.T
    loss: Tensor = _PairHinge.apply(cosines, constant, positives, float(gamma), num_negatives)
    return loss


def cosine_quantization(embeddings: Tensor, reconstructions: Tensor, metric: Tensor) -> Tensor:
    """Supervised cosine quantisation loss (method section 3; paper, same name).

    `sum_s (s.r - s.r^)^2` over the tags s of the sphere, which is the quadratic form
    `(r - r^)^T Sigma (r - r^)` with `Sigma = semantic_metric(sphere)`, averaged over the batch.

    Parameters
    ----------
    embeddings : Tensor, (B, D), floating point
        Embedded images r.
    reconstructions : Tensor, (B, D), floating point
        What the quantiser makes of them, r^. Held constant: no gradient flows into codes
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
    _check_matrix("embeddings", embeddings)
    _check_matrix("reconstructions", reconstructions)
    _check_matrix("metric", metric)
    if reconstructions.shape != embeddings.shape:
        raise ValueError(
            f"reconstructions must have the shape of embeddings, {tuple(embeddings.shape)}, "
            f"got {tuple(reconstructions.shape)}"
        )
    dim = embeddings.shape[1]
    if tuple(metric.shape) != (dim, dim):
        raise ValueError(f"metric must have shape (D, D) = {(dim, dim)}, got {tuple(metric.shape)}")
    difference = embeddings - reconstructions.detach().to(embeddings.dtype)
    quadratic = (difference @ metric.detach().to(embeddings.dtype)) * difference
    return quadratic.sum() / max(len(embeddings), 1)


def semantic_metric(sphere: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Sigma, the metric of the quantiser: `sum_s s s^T` over the tags (method, "Symbols").

    Parameters
    ----------
    sphere : array, (T', D), floating point
        Semantic sphere, unit rows.

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
        raise TypeError(f"sphere must be a floating-point NumPy array, got {_kind(sphere)}")
    if sphere.ndim != 2:
        raise ValueError(f"sphere must have shape (T', D), got {sphere.shape}")
    wide = sphere.astype(np.float64)
    metric = wide.T @ wide
    return ((metric + metric.T) / 2).astype(np.float32)


def _check_matrix(name: str, value: Any) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got {_kind(value)}")
    if value.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, got shape {tuple(value.shape)}")


def _check_same_width(name: str, value: Tensor, embeddings: Tensor) -> None:
    if value.shape[1] != embeddings.shape[1]:
        raise ValueError(
            f"{name} must have {embeddings.shape[1]} columns, as embeddings have, "
            f"got shape {tuple(value.shape)}"
        )


def _kind(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} of {value.dtype}"
    return type(value).__name__
