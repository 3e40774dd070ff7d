"""Softmax over the tags: an image's embedding should point to its tags among all tags."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from wsdhq._shared.arguments import as_number
from wsdhq.embed.losses.checks import (
    check_matrix,
    check_same_dtype,
    check_same_width,
    check_targets,
)


def tag_log_probabilities(embeddings: Tensor, tag_vectors: Tensor, temperature: float) -> Tensor:
    """How probable each tag is for each image: `log softmax_t(cos(r_n, s_t) / temperature)`.

    Parameters
    ----------
    embeddings : Tensor, (B, D), floating point
        Embedded images r, used as they are: of unit norm, the products are cosines.
    tag_vectors : Tensor, (T', D), floating point
        One row per merged tag, of any norm above 0; brought to unit norm here.
    temperature : float
        Above 0. Low ones tell similar tags apart, high ones let them share a place.

    Returns
    -------
    Tensor, (B, T')
        Natural logarithms; differentiable with respect to both tensors.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit, or `temperature` out of range.
    """
    check_matrix("embeddings", embeddings)
    check_matrix("tag_vectors", tag_vectors)
    check_same_width("tag_vectors", tag_vectors, embeddings)
    check_same_dtype("tag_vectors", tag_vectors, "embeddings", embeddings)
    as_number(temperature, "temperature", above=0)
    directions = functional.normalize(tag_vectors, dim=1)
    return functional.log_softmax(embeddings @ directions.T / temperature, dim=1)


def tag_softmax(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy between an image's weighted tags and the tags that its embedding points to.

    With `y_nt` the targets and `p_nt` the probabilities::

        sum_n sum_t y_nt (-log p_nt) / sum_n sum_t y_nt

    which counts an image by the weight of all its tags: one with a single common tag says less
    than one with three telling ones.

    Parameters
    ----------
    log_probabilities : Tensor, (B, T'), floating point
        log p, as `tag_log_probabilities` gives them.
    targets : Tensor, (B, T'), floating point
        y, at least 0: the weight of each tag that the image carries, 0 for the others. Held
        constant.

    Returns
    -------
    Tensor, ()
        Mean over the weights; 0 where all are 0.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit.
    """
    check_matrix("log_probabilities", log_probabilities)
    check_targets(targets, log_probabilities)
    weights = targets.detach()
    mass = weights.sum()
    return -(weights * log_probabilities).sum() / torch.where(mass > 0, mass, 1)


def plausible_targets(targets: Tensor, log_probabilities: Tensor, power: float) -> Tensor:
    """Shift the weight of an image's tags to those that its embedding finds plausible.

    `y_nt p_nt^power`, scaled so that the sum over an image's tags stays what it was: a tag that
    the image gives no sign of, put there by a careless hand, loses weight to the others. An
    image with one tag keeps it whole.

    Parameters
    ----------
    targets : Tensor, (B, T'), floating point
        y, at least 0.
    log_probabilities : Tensor, (B, T'), floating point
        log p. Held constant.
    power : float
        At least 0. With 0 nothing is shifted; with 1 the weights are those of the
        expectation-maximization algorithm for "one of these tags is right".

    Returns
    -------
    Tensor, (B, T')
        Without gradient.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit, or `power` out of range.
    """
    check_matrix("log_probabilities", log_probabilities)
    check_targets(targets, log_probabilities)
    as_number(power, "power", 0)
    weights = targets.detach()
    rows, tags = weights.nonzero(as_tuple=True)
    own = weights[rows, tags]
    beliefs = log_probabilities.detach()[rows, tags]
    # Only ratios within an image count: without its largest, exp could underflow for all.
    largest = beliefs.new_zeros(len(weights)).scatter_reduce(
        0, rows, beliefs, "amax", include_self=False
    )
    shifted = own * torch.exp(power * (beliefs - largest[rows]))
    shares = torch.zeros_like(weights).index_put((rows, tags), shifted)
    before, after = weights.sum(dim=1, keepdim=True), shares.sum(dim=1, keepdim=True)
    return shares * (before / torch.where(after > 0, after, 1))
