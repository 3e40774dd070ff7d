"""Tags that nobody wrote down, taken from the images that look alike."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from wsdhq.quant.initialize import sample_rows

# Similarities held at a time are this many rows of the sample's width.
_ROWS_PER_BLOCK = 1024


def propagate_tags(
    embeddings: NDArray[np.float32],
    weighted_tags: sparse.csr_array,
    generator: np.random.Generator,
    *,
    num_sampled: int = 8192,
    num_neighbours: int = 16,
    most_tags: int = 8,
    device: torch.device | str = "cpu",
) -> sparse.csr_array:
    """What the nearest of a sample of images would call each image.

    The weights that an image's nearest neighbours among the sample, itself left out, give to the
    tags are added up; the `most_tags` largest sums remain, scaled to add up to 1.

    Parameters
    ----------
    embeddings : (n, D) float32
        Neighbours have the largest inner products.
    weighted_tags : (n, T') scipy sparse array of float32
        At least 0: who carries what, and what it counts.
    generator : numpy.random.Generator
        Draws the sample.
    num_sampled : int
        Images to find neighbours among, at least 1; all, if there are no more. Time grows with
        n * num_sampled.
    num_neighbours, most_tags : int
        At least 1.
    device : torch.device or str
        Where the products are taken.

    Returns
    -------
    (n, T') scipy sparse array of float32
        Rows add up to 1, or are empty where no neighbour carries a tag.

    Raises
    ------
    ValueError
        `embeddings` and `weighted_tags` differ in rows.
    """
    if len(embeddings) != weighted_tags.shape[0]:
        raise ValueError(
            f"weighted_tags: expected a row for each of the {len(embeddings)} embeddings, "
            f"got {weighted_tags.shape[0]}"
        )
    sampled = sample_rows(len(embeddings), num_sampled, generator)
    count = min(num_neighbours, len(sampled) - 1)
    if count < 1:
        return sparse.csr_array(weighted_tags.shape, dtype=np.float32)
    found = _neighbours(embeddings, sampled, count, device)
    chosen = sparse.csr_array(
        (
            np.ones(found.size, np.float32),
            found.ravel(),
            np.arange(0, found.size + 1, count),
        ),
        shape=(len(embeddings), len(sampled)),
    )
    return _largest(sparse.csr_array(chosen @ weighted_tags[sampled]), most_tags)


def _neighbours(
    embeddings: NDArray[np.float32],
    sampled: NDArray[np.int64],
    count: int,
    device: torch.device | str,
) -> NDArray[np.int64]:
    """Positions within the sample of each image's nearest, (n, count), without itself."""
    everyone = torch.from_numpy(np.ascontiguousarray(embeddings))
    sample = everyone[torch.from_numpy(sampled)].to(device).T.contiguous()
    own_place = np.full(len(embeddings), -1)
    own_place[sampled] = np.arange(len(sampled))
    found = np.empty((len(embeddings), count), np.int64)
    for start in range(0, len(embeddings), _ROWS_PER_BLOCK):
        block = slice(start, start + _ROWS_PER_BLOCK)
        products = everyone[block].to(device) @ sample
        places = own_place[block]
        inside = np.flatnonzero(places >= 0)
        products[torch.from_numpy(inside), torch.from_numpy(places[inside])] = -torch.inf
        found[block] = torch.topk(products, count, dim=1).indices.cpu().numpy()
    return found


def _largest(sums: sparse.csr_array, most: int) -> sparse.csr_array:
    """The largest entries of each row, scaled to add up to 1; the first of equal ones."""
    sums.sort_indices()
    rows = np.repeat(np.arange(sums.shape[0]), np.diff(sums.indptr))
    # Row by row, the largest first: one sort of numbers in which rows lie apart.
    apart = 2.0 * float(sums.data.max(initial=0.0))
    order = np.argsort(rows * apart - sums.data, kind="stable")
    rank = np.arange(len(order)) - sums.indptr[rows]
    kept = order[(rank < most) & (sums.data[order] > 0)]
    totals = np.bincount(rows[kept], weights=sums.data[kept], minlength=sums.shape[0])
    values = (sums.data[kept] / totals[rows[kept]]).astype(np.float32)
    result = sparse.csr_array((values, (rows[kept], sums.indices[kept])), shape=sums.shape)
    result.sort_indices()
    return result
