"""The hinge between the mean tag vectors of a batch (WDHT; the paper's variant WSDHQ_L)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from wsdhq._shared.arguments import as_number
from wsdhq.embed.losses.checks import check_matrix, check_positives, check_same_width


def batch_hinge(
    embeddings: Tensor,
    sphere: Tensor,
    positives: Tensor,
    margin: float = 0.2,
    *,
    normalize: bool = True,
) -> Tensor:
    """Mini-batch hinge loss of WDHT (Gattupalli, Zhuo & Li 2019; paper, "Ablation Study", 3).

    Each image should be nearer to the mean of its own tags, s_n, than to that of any other
    image of the batch, s_j, by one margin::

        [ margin + s_j . r_n - s_n . r_n ]_+

    averaged over all pairs (n, j), n != j, of images that carry tags (the paper sums). A pair of
    images with the same tags adds the margin and no gradient.

    Parameters
    ----------
    embeddings : Tensor, (B, D), floating point
        Embedded images r; normalized here unless `normalize` is False.
    sphere : Tensor, (T', D), floating point
        One row per merged tag. Held constant.
    positives : Tensor, (B, T'), bool
        Which tags each image carries. Rows without any take no part.
    margin : float
        delta, at least 0.
    normalize : bool
        Whether embeddings are brought to unit norm. The means never are.

    Returns
    -------
    Tensor, ()
        Mean hinge, of the dtype of `embeddings`; 0 where fewer than two images carry tags.

    Raises
    ------
    TypeError
        A wrong dtype, or an argument that is no tensor.
    ValueError
        Shapes that do not fit, or `margin` out of range.
    """
    check_matrix("embeddings", embeddings)
    check_matrix("sphere", sphere)
    check_same_width("sphere", sphere, embeddings)
    check_positives(positives, embeddings, sphere)
    as_number(margin, "margin", 0)
    tagged = positives.any(dim=1)
    carried = positives[tagged].to(embeddings.dtype)
    count = len(carried)
    if count < 2:
        return embeddings.sum() * 0
    means = carried @ sphere.detach().to(embeddings.dtype) / carried.sum(dim=1, keepdim=True)
    vectors = embeddings[tagged]
    if normalize:
        vectors = functional.normalize(vectors, dim=1)
    products = vectors @ means.T
    violation = functional.relu(margin + products - products.diagonal().unsqueeze(1))
    off_diagonal = ~torch.eye(count, dtype=torch.bool, device=violation.device)
    return (violation * off_diagonal).sum() / (count * (count - 1))
