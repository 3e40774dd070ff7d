"""Margin losses between the tags an image carries and those it does not (method section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from wsdhq._shared.arguments import as_integer, as_number
from wsdhq.embed.losses.checks import check_matrix, check_positives, check_same_width

# Positive pairs handled at once: a block of (512, T') floats stays within a core's cache.
_PAIRS_PER_BLOCK = 512

# Margins of some tags (rows of the sphere) to all: (n, D) and (T', D) to (n, T').
_Margins = Callable[[Tensor, Tensor], Tensor]


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
        margins_of: _Margins,
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
        margins = margins_of(sphere[distinct], sphere)

        total = cosines.new_zeros((), dtype=torch.float64)
        for start in range(0, len(rows), _PAIRS_PER_BLOCK):
            block = slice(start, start + _PAIRS_PER_BLOCK)
            row, tag = rows[block], tags[block]
            violation = margins[which[block]]
            violation += candidates[row]
            violation -= cosines[row, tag].unsqueeze(1)
            # A sum in another dtype, or a comparison turned into floats, takes ten times as long.
            total += violation.clamp_(min=0).sum()
            active = violation.sign_()
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
    *,
    normalize: bool = True,
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
        Embedded images; normalized here, so that any length is accepted, unless `normalize`
        is False.
    sphere : Tensor, (T', D), floating point
        Semantic sphere, one row per merged tag: unit rows, unless `normalize` is False. Held
        constant.
    positives : Tensor, (B, T'), bool
        Which tags each image carries. Rows without positives, or without negatives,
        contribute no pair.
    gamma : float, above 0
        Shape of the margin.
    num_negatives : int or None
        The negatives of an image are the `num_negatives` tags it does not carry with the
        largest cosine to it (fewer where there are fewer); None takes all of them. The
        choice is made without gradient.
    normalize : bool
        False takes inner products in place of all cosines, of rows of any norm (the paper's
        WSDHQ_N). Tags with an inner product above 1 then have no margin.

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
    as_number(gamma, "gamma", above=0)

    def margins_of(tags: Tensor, all_tags: Tensor) -> Tensor:
        return adaptive_margin(tags @ all_tags.T, float(gamma))

    return _pair_hinge(embeddings, sphere, positives, margins_of, num_negatives, normalize)


def fixed_cosine_margin(
    embeddings: Tensor,
    sphere: Tensor,
    positives: Tensor,
    margin: float = 1.0,
    num_negatives: int | None = 1000,
    *,
    normalize: bool = True,
) -> Tensor:
    """Cosine margin loss with one margin for all pairs of tags: the ablation of Delta_ij.

    As `adaptive_cosine_margin`, with `[ margin - cos(s_i, r) + cos(s_j, r) ]_+`. A margin of
    1 is what the adaptive one with gamma = 1 gives to unrelated tags.

    Parameters
    ----------
    embeddings, sphere, positives, num_negatives, normalize
        As for `adaptive_cosine_margin`.
    margin : float
        At least 0.

    Returns
    -------
    Tensor, ()

    Raises
    ------
    TypeError, ValueError
        As `adaptive_cosine_margin`; `margin` out of range.
    """
    as_number(margin, "margin", 0)

    def margins_of(tags: Tensor, all_tags: Tensor) -> Tensor:
        return tags.new_full((len(tags), len(all_tags)), float(margin))

    return _pair_hinge(embeddings, sphere, positives, margins_of, num_negatives, normalize)


def _pair_hinge(
    embeddings: Tensor,
    sphere: Tensor,
    positives: Tensor,
    margins_of: _Margins,
    num_negatives: int | None,
    normalize: bool,
) -> Tensor:
    check_matrix("embeddings", embeddings)
    check_matrix("sphere", sphere)
    check_same_width("sphere", sphere, embeddings)
    check_positives(positives, embeddings, sphere)
    if num_negatives is not None:
        as_integer(num_negatives, "num_negatives", 1)
    constant = sphere.detach().to(embeddings.dtype)
    vectors = functional.normalize(embeddings, dim=1) if normalize else embeddings
    loss: Tensor = _PairHinge.apply(
        vectors @ constant.T, constant, positives, margins_of, num_negatives
    )
    return loss
