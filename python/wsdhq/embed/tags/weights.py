"""Weights of tags: the rarer a tag, the more it says about an image that carries it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def inverse_document_frequency(positives: sparse.csr_array) -> NDArray[np.float32]:
    """`log(N / n_t)`, with N the images that carry tags and n_t those that carry tag t.

    Parameters
    ----------
    positives : (N, T') scipy sparse array of bool
        Which tags each image carries.

    Returns
    -------
    array, (T',), float32
        At least 0. A tag on all images counts 0, one on none as if it were on one. Where all tags
        would count 0, all count 1.
    """
    images = int(np.count_nonzero(np.diff(sparse.csr_array(positives).indptr)))
    carriers = np.asarray(positives.sum(axis=0), dtype=np.float64).ravel()
    weights = np.log(max(images, 1) / np.maximum(carriers, 1))
    return (weights if weights.any() else np.ones_like(weights)).astype(np.float32)
