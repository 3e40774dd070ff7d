"""Softmax over the other images of a batch: images with tags in common should be neighbours."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from wsdhq._shared.arguments import as_number
from wsdhq.embed.losses.checks import check_matrix


def neighbour_softmax(
    embeddings: Tensor, tag_weights: Tensor, temperature: float, power: float = 0.5
) -> Tensor:
    """Cross-entropy between who shares tags with an image and who is near its embedding.

    With `z_n` the weights of the tags of image n, brought to unit norm, and j over the other
    images of the batch::

        y_nj = cos(z_n, z_j)^power / sum_j' cos(z_n, z_j')^power
        q_nj = exp(r_n . r_j / temperature) / sum_j' exp(r_n . r_j' / temperature)
        mean_n sum_j y_nj (-log q_nj)

    over the images that share a tag with another of the batch. The form is that of
    neighbourhood embeddings (Hinton & Roweis 2002) and of the supervised contrastive loss (Khosla
    et al. 2020), with degrees of kinship in place of classes.

    Parameters
    ----------
    embeddings : Tensor, (B, D), floating point
        Embedded images r, of unit norm for cosines.
    tag_weights : Tensor, (B, T'), floating point
        At least 0: how much each tag of the image counts, 0 for the others. Held constant.
    temperature : float
        Above 0. High ones draw whole kinds together, low ones the next neighbours.
    power : float
        Above 0. Near 0 one common tag is as good as all; high ones ask for the same tags.

    Returns
    -------
    Tensor, ()
        0 where no two images of the batch share a tag.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit, or a number out of range.
    """
    check_matrix("embeddings", embeddings)
    check_matrix("tag_weights", tag_weights)
    if len(tag_weights) != len(embeddings):
        raise ValueError(
            f"tag_weights: expected {len(embeddings)} rows, as embeddings have, "
            f"got shape {tuple(tag_weights.shape)}"
        )
    as_number(temperature, "temperature", above=0)
    as_number(power, "power", above=0)
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    kinship = _kinship(tag_weights.detach(), power).masked_fill(itself, 0)
    total = kinship.sum(dim=1)
    related = total > 0
    if not bool(related.any()):
        return embeddings.sum() * 0
    targets = kinship[related] / total[related].unsqueeze(1)
    products = (embeddings @ embeddings.T / temperature).masked_fill(itself, -math.inf)
    # Without the second mask 0 * -inf on the diagonal would be NaN.
    log_neighbours = functional.log_softmax(products, dim=1).masked_fill(itself, 0)[related]
    return -(targets * log_neighbours).sum(dim=1).mean()


def _kinship(tag_weights: Tensor, power: float) -> Tensor:
    unit = functional.normalize(tag_weights, dim=1)
    return (unit @ unit.T).clamp_min(0) ** power
