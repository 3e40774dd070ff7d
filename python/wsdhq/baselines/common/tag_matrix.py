"""Tags as binary labels: a sparse matrix of images and tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from wsdhq.embed.tags.sets import check_tag_sets


def tag_matrix(tags: Sequence[Sequence[str]]) -> sparse.csr_matrix:
    """The tags of images, each image's row of unit norm.

    Parameters
    ----------
    tags : sequence of sequences of str
        The tags of each of the n images, at least one in all.

    Returns
    -------
    (n, T) csr_matrix of float64
        1 / sqrt(number of tags of the image) where it carries the tag; the inner product of two
        rows is the cosine similarity of the binary labels. Columns are the tags in the order of
        their first appearance; the row of an image without tags is empty.

    Raises
    ------
    TypeError, ValueError
        As `wsdhq.embed.tags.sets.check_tag_sets`: a set is no sequence of strings, a tag is empty,
        there is none at all.
    """
    checked = check_tag_sets(tags)
    columns: dict[str, int] = {}
    indices = [columns.setdefault(tag, len(columns)) for row in checked for tag in row]
    counts = np.array([len(row) for row in checked])
    limits = np.concatenate([[0], np.cumsum(counts)])
    values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
    return sparse.csr_matrix((values, indices, limits), shape=(len(checked), len(columns)))
