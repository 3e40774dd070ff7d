"""WMH: orthogonal projections that keep tag similarity and local visual structure."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from wsdhq.baselines.common.features import (
    centred_chunks,
    covariance,
    mean_of,
    principal_directions,
    project_rows,
)
from wsdhq.baselines.common.hamming import HashingBaseline
from wsdhq.baselines.common.tag_matrix import tag_matrix
from wsdhq.baselines.interface import TrainingData
from wsdhq.baselines.itq import learn_rotation
from wsdhq.quant.arrays.vectors import FloatMatrix
from wsdhq.quant.initialize import sample_rows

_NEIGHBOURS = 5
# Brute-force neighbours and their scatter take time with the square of the rows.
_MAX_ROWS = 10_000
# Values of the largest temporary arrays: 64 MiB of float32, 128 MiB of float64.
_TEMPORARY_VALUES = 1 << 24


class WMH(HashingBaseline):
    """Weakly supervised multimodal hashing: tags as binary labels, and an eigenvalue problem.

    Tang and Li, "Weakly Supervised Multimodal Hashing for Scalable Social Image Retrieval",
    TCSVT 2018. What its abstract and the papers that cite it tell: linear hash functions keep the
    semantic structure of the user tags; against overfitting to weak tags, local discriminative
    structure and geometric structure of the visual space are explored; the functions are
    orthogonal and regularized by maximum entropy; the solution is that of an eigenvalue problem.
    So, with X the centred features, W (F, bits) maximizes

        tr(W^T M W),  W^T W = I,
        M = X^T Y Y^T X + X^T X - X^T L_g X - X^T L_d X,

    each of the four products divided by its trace, by the eigenvectors of the `bits` largest
    eigenvalues of M.

    - Y (n, tags): binary labels in rows of unit norm, so that Y Y^T is the cosine similarity of
      tag sets. It is never formed.
    - X^T X: the variance of the projections, greatest where bits cut the data in the middle, is
      the usual linear form of maximum entropy.
    - L_g: Laplacian of the graph of 5 nearest neighbours, with edges of weight 1.
    - L_d: the local discriminative models of Yang et al., "Image Clustering Using Local
      Discriminant Models and Global Integration", TIP 2010, see `local_discriminant`.

    The paper's text is not public: the choice of these forms is ours, and so is that all four
    weigh the same. The two Laplacians are those of at most 10,000 rows drawn at random, the other
    products are of all rows.

    The objective is the same for W R with any orthogonal R: it says which subspace is best, and
    not which bits in it. The eigenvectors themselves make poor bits, the later ones of little
    variance. Ours, in favour of the method: R is that of ITQ (`wsdhq.baselines.itq`), which makes
    bits of like variance.

    Parameters
    ----------
    bits, seed, threads
        As in `Baseline`.
    rotate : bool
        False takes the eigenvectors as they are.
    """

    name: ClassVar[str] = "WMH"
    reference: ClassVar[str] = "Tang & Li 2018"
    uses_tags: ClassVar[bool] = True
    least_rows: ClassVar[int] = _NEIGHBOURS + 1

    def __init__(
        self,
        bits: int,
        *,
        seed: int = 0,
        threads: int | None = None,
        rotate: bool = True,
    ) -> None:
        super().__init__(bits, seed=seed, threads=threads)
        self.rotate = rotate

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        dim = features.shape[1]
        if self.bits > dim:
            raise ValueError(
                f"bits: WMH has orthogonal hash functions, so features of {dim} dimensions give "
                f"up to {dim} bits, not {self.bits}"
            )
        labels = tag_matrix([] if data.tags is None else data.tags)
        mean = mean_of(features)
        self._objective = (
            _of_unit_trace(tag_scatter(features, mean, labels))
            + _of_unit_trace(covariance(features, mean))
            - self._local_terms(features)
        )
        _, directions = principal_directions(self._objective, self.bits)
        if self.rotate:
            projected = project_rows(features, mean, directions)
            rotation, _ = learn_rotation(projected, np.random.default_rng(self.seed))
            directions = directions @ rotation
        self._mean = mean.astype(np.float32)
        self._projection = directions.astype(np.float32)

    def _local_terms(self, features: FloatMatrix) -> NDArray[np.float64]:
        rows = sample_rows(len(features), _MAX_ROWS, np.random.default_rng(self.seed))
        sample = np.asarray(features[rows], dtype=np.float32)
        sample = sample - mean_of(sample).astype(np.float32)
        search = NearestNeighbors(n_neighbors=_NEIGHBOURS, algorithm="brute").fit(sample)
        neighbours = search.kneighbors(return_distance=False)
        terms = np.zeros((sample.shape[1], sample.shape[1]))
        for matrix in (graph_laplacian(neighbours), local_discriminant(sample, neighbours)):
            terms += _of_unit_trace(sample.T @ (matrix.astype(np.float32) @ sample))
        return (terms + terms.T) / 2

    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return (chunk - self._mean) @ self._projection


def tag_scatter(
    features: FloatMatrix, mean: NDArray[np.float64], labels: sparse.csr_matrix
) -> NDArray[np.float64]:
    """X^T Y Y^T X of centred features X (n, F) and tags Y (n, T): (F, F).

    The features are read once for each block of tags whose sums take 128 MiB.
    """
    dim = features.shape[1]
    scatter = np.zeros((dim, dim))
    by_tag = labels.tocsc()
    step = max(1, _TEMPORARY_VALUES // dim)
    for first in range(0, labels.shape[1], step):
        block = by_tag[:, first : first + step].tocsr()
        sums = np.zeros((block.shape[1], dim))
        for rows, chunk in centred_chunks(features, mean):
            sums += block[rows].T @ chunk
        scatter += sums.T @ sums
    return scatter


def graph_laplacian(neighbours: NDArray[np.integer]) -> sparse.csr_matrix:
    """D - A of the graph that links each row with its neighbours (n, k), both ways, by 1."""
    count, k = neighbours.shape
    links = sparse.csr_matrix(
        (np.ones(count * k), neighbours.ravel(), np.arange(0, count * k + 1, k)),
        shape=(count, count),
    )
    adjacency = links.maximum(links.T)
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    return (sparse.diags(degrees) - adjacency).tocsr()


def local_discriminant(
    sample: NDArray[np.float32], neighbours: NDArray[np.integer]
) -> sparse.csr_matrix:
    """The Laplacian of local discriminative models: sum_i S_i L_i S_i^T, (n, n).

    Row i and its k neighbours are a clique, S_i places its members among all rows, and

        L_i = H (H X_i X_i^T H + r I)^-1 H,   H = I - 1 1^T / (k + 1)

    is what a linear model of the clique, regularized by r, fails to explain of values on its
    members (Yang et al., TIP 2010): tr(F^T L F) is small where F follows the structure of each
    clique. r, which is ours, is the mean squared distance of members to the middle of their
    clique, over all cliques.

    Parameters
    ----------
    sample : (n, F) float32
    neighbours : (n, k) integers
        Rows near each row, without itself.
    """
    count, k = neighbours.shape
    cliques = np.concatenate([np.arange(count)[:, None], neighbours], axis=1)
    grams = np.empty((count, k + 1, k + 1))
    step = max(1, _TEMPORARY_VALUES // ((k + 1) * sample.shape[1]))
    for first in range(0, count, step):
        members = sample[cliques[first : first + step]]
        members = members - members.mean(axis=1, keepdims=True)
        grams[first : first + step] = members @ members.transpose(0, 2, 1)
    middle = np.eye(k + 1) - 1 / (k + 1)
    spread = float(np.trace(grams, axis1=1, axis2=2).mean()) / (k + 1)
    # Where all neighbours are equal there is no structure, and H alone is the model.
    models = np.linalg.inv(grams + (spread or 1.0) * np.eye(k + 1))
    models = middle @ models @ middle
    rows = np.repeat(cliques, k + 1, axis=1).ravel()
    columns = np.tile(cliques, (1, k + 1)).ravel()
    return sparse.csr_matrix((models.ravel(), (rows, columns)), shape=(count, count))


def _of_unit_trace(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """A positive semi-definite matrix divided by its trace; zero stays zero."""
    exact = matrix.astype(np.float64)
    trace = float(np.trace(exact))
    return exact / trace if trace > 0 else exact
