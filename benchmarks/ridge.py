"""A linear baseline: ridge regression from features to the leading singular vectors of the tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler, normalize

from wsdhq.baselines.common.tag_matrix import tag_matrix
from wsdhq.embed import TrainConfig
from wsdhq.embed.tags.weights import inverse_document_frequency

__all__ = ["ridge_embeddings"]

_MIN_COUNT = TrainConfig.min_count
_RIDGES = np.logspace(-1, 5, 13)


def ridge_embeddings(
    features: NDArray[np.floating[Any]],
    tag_sets: Sequence[Sequence[str]],
    database: NDArray[np.int64],
    dim: int = 128,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embed images by a linear map to the leading singular vectors of the tags.

    Tags weigh `log(N / n_t)`, rows are brought to unit norm and projected on the `dim` leading
    right singular vectors; the features, centred and with unit variances, are regressed on the
    projections, with the ridge that has the least squared error under leave-one-out.

    Parameters
    ----------
    features : (N, F) floating point
    tag_sets : sequence of sequences of str
        N of them. Tags on fewer than 5 rows of the database are dropped, as `train` does by
        default.
    database : (n,) int64
        The rows that may be learnt from.
    dim : int
        At most; fewer if there are not as many tags or images.
    seed : int
        Of the randomized decomposition.

    Returns
    -------
    embeddings : (N, dim) float32
        Unit rows.
    trained : array of int64
        The rows that were learnt from: those with a tag left.

    Raises
    ------
    ValueError
        No tag is on 5 rows.
    """
    carried = sparse.csr_array(tag_matrix([tag_sets[row] for row in database]) > 0)
    carried = carried[:, carried.sum(axis=0) >= _MIN_COUNT]
    if carried.shape[1] == 0:
        raise ValueError(f"tag_sets: no tag is on {_MIN_COUNT} of the {len(database)} rows")
    tagged = np.diff(carried.indptr) > 0
    trained, carried = database[tagged], carried[tagged]
    weighted = normalize(carried.multiply(inverse_document_frequency(carried)).tocsr())
    svd = TruncatedSVD(min(dim, *weighted.shape), random_state=seed)
    targets = svd.fit_transform(weighted)
    scaler = StandardScaler().fit(features[trained].astype(np.float64))
    scaled = scaler.transform(features.astype(np.float64))
    predicted = RidgeCV(_RIDGES).fit(scaled[trained], targets).predict(scaled)
    return normalize(predicted.reshape(len(scaled), -1)).astype(np.float32), trained
