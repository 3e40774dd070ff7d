"""WDH: binary codes that rebuild tags and can be told from features, solved without relaxation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from wsdhq.baselines.common.features import centred_chunks, covariance, mean_of, project_rows
from wsdhq.baselines.common.hamming import HashingBaseline
from wsdhq.baselines.common.tag_matrix import tag_matrix
from wsdhq.baselines.interface import TrainingData
from wsdhq.quant.arrays.vectors import FloatMatrix

# Weight of the visual term, averaged over bits, against that of the tags.
_CONSISTENCY = 1.0
# Ridges, as parts of the mean diagonal of the matrices that they are added to.
_TAG_RIDGE = 1e-3
_HASH_RIDGE = 1e-3
_MAX_ITERATIONS = 100
_TOLERANCE = 1e-4
_MAX_SWEEPS = 5
# Keeps the weight of an image finite whose tags are rebuilt exactly.
_SMOOTHING = 1e-6


class WDH(HashingBaseline):
    """Weakly supervised discrete hashing.

    Cui, Zhu, Cui, Nie and Zhang, "Efficient Weakly-Supervised Discrete Hashing for Large-Scale
    Social Image Retrieval", Pattern Recognition Letters 130, 2020. The text is not public. Its
    title and the works around it say that codes are learnt from user tags and visual features
    together, robustly against wrong tags, as binary variables without relaxation, in time linear
    in the images. With X the centred features, this implements

        min  sum_n sqrt(|y_n - b_n V - c|^2 + s) + a (|B - X W - 1 w|^2 + r |W|^2) + p |V|^2,
        B in {-1, 1}^(n, bits)

    - y_n: the tags of image n as binary labels, divided to unit norm. The first sum is an l2,1
      norm, smoothed by s = 1e-6: an image whose tags do not fit its code counts with its
      distance, not the square of it. Images without tags are left out of it.
    - V (bits, tags), c: tags from codes; V has the low rank of the codes.
    - W (F, bits), w: hash functions. Any row x, of the training set or not, is encoded as
      sgn((x - mean) W + w).

    The parts are solved by turns, each in closed form, with the l2,1 norm replaced by weights
    d_n = 1 / (2 sqrt(.)), which majorizes it, so that the objective never rises: V and c by least
    squares; B bit by bit, with the others fixed (discrete cyclic coordinate descent, Shen et al.,
    "Supervised Discrete Hashing", CVPR 2015); W and w by ridge regression; then d. It ends when
    the objective falls by less than 1e-4 of itself, or after 100 turns.

    Ours: this objective as a whole; a = 1 / bits, so that both sums are at most about 1 per image;
    p and r of a thousandth, which only keep the equations well posed; the solution bit by bit; a
    start from signs of random projections. The codes B of the training set serve to learn W alone:
    the database is encoded by the hash functions, as queries are.

    Attributes
    ----------
    objectives : list of float
        The objective, divided by n, at the end of each turn.
    """

    name: ClassVar[str] = "WDH"
    reference: ClassVar[str] = "Cui et al. 2020"
    uses_tags: ClassVar[bool] = True

    def _learn(self, features: FloatMatrix, data: TrainingData) -> None:
        tags = _TagTerm(tag_matrix([] if data.tags is None else data.tags), self.bits)
        functions = _HashFunctions(features, self.bits, np.random.default_rng(self.seed))
        signs = np.where(functions.values() >= 0, 1.0, -1.0)
        functions.fit(signs)
        values = functions.values()
        self.objectives: list[float] = []
        for _ in range(_MAX_ITERATIONS):
            tags.fit(signs)
            _update_signs(signs, tags, values, _CONSISTENCY / self.bits)
            functions.fit(signs)
            values = functions.values()
            visual = np.square(signs - values).sum() + functions.penalty()
            objective = tags.reweight(signs) + _CONSISTENCY / self.bits * visual
            self.objectives.append(float(objective) / len(features))
            if len(self.objectives) > 1:
                before, now = self.objectives[-2:]
                if before - now <= _TOLERANCE * before:
                    break
        self._signs = signs
        self._mean = functions.mean.astype(np.float32)
        self._weights = functions.weights.astype(np.float32)
        self._offsets = functions.offsets.astype(np.float32)

    def _project(self, chunk: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return (chunk - self._mean) @ self._weights + self._offsets


class _TagTerm:
    """The first sum of the objective, with V and c (`rebuilding`: its last row) and weights d."""

    def __init__(self, labels: sparse.csr_matrix, bits: int) -> None:
        self.labels = labels
        self.norms = np.asarray(labels.multiply(labels).sum(axis=1)).ravel()
        self.tagged = self.norms > 0
        self.weights = np.where(self.tagged, 0.5, 0.0)
        self.ridge = _TAG_RIDGE * np.count_nonzero(self.tagged) * np.eye(bits + 1)
        # The mean of the tags is no pattern to be shrunk.
        self.ridge[bits, bits] = 0
        self.rebuilding = np.zeros((bits + 1, labels.shape[1]))

    def fit(self, signs: NDArray[np.float64]) -> None:
        """V and c for given codes, by weighted least squares."""
        design = _with_ones(signs)
        weighted = design * self.weights[:, None]
        self.rebuilding = linalg.solve(
            design.T @ weighted + self.ridge, (self.labels.T @ weighted).T, assume_a="pos"
        )

    def reweight(self, signs: NDArray[np.float64]) -> float:
        """Set the weights for the present errors, and give the sum with its ridge."""
        design = _with_ones(signs)
        products = ((self.labels @ self.rebuilding.T) * design).sum(axis=1)
        gram = self.rebuilding @ self.rebuilding.T
        errors = self.norms - 2 * products + ((design @ gram) * design).sum(axis=1)
        distances = np.sqrt(np.maximum(errors, 0) + _SMOOTHING)
        self.weights = np.where(self.tagged, 0.5 / distances, 0.0)
        penalty = float((self.ridge.diagonal() * gram.diagonal()).sum())
        return float(distances[self.tagged].sum()) + penalty


class _HashFunctions:
    """W and w (`offsets`), and what they give for the training rows."""

    def __init__(self, features: FloatMatrix, bits: int, generator: np.random.Generator) -> None:
        self.features = features
        self.mean = mean_of(features)
        gram = covariance(features, self.mean) * len(features)
        self.ridge = _HASH_RIDGE * float(np.trace(gram)) / len(gram)
        self.factor = linalg.cho_factor(gram + self.ridge * np.eye(len(gram)))
        self.weights = generator.standard_normal((features.shape[1], bits))
        self.offsets = np.zeros(bits)

    def fit(self, signs: NDArray[np.float64]) -> None:
        """Ridge regression of codes on features."""
        products = np.zeros_like(self.weights)
        for rows, chunk in centred_chunks(self.features, self.mean):
            products += chunk.T @ signs[rows].astype(np.float32)
        self.weights = linalg.cho_solve(self.factor, products)
        # Of centred features no function has a mean, so the offsets are those of the codes.
        self.offsets = signs.mean(axis=0)

    def values(self) -> NDArray[np.float64]:
        return project_rows(self.features, self.mean, self.weights) + self.offsets

    def penalty(self) -> float:
        return self.ridge * float(np.square(self.weights).sum())


def _update_signs(
    signs: NDArray[np.float64],
    tags: _TagTerm,
    values: NDArray[np.float64],
    consistency: float,
) -> None:
    """Set bit after bit to its best value, in place, until no bit changes."""
    bits = signs.shape[1]
    patterns, offset = tags.rebuilding[:bits], tags.rebuilding[bits]
    gram = patterns @ patterns.T
    linear = tags.labels @ patterns.T - patterns @ offset
    linear *= tags.weights[:, None]
    linear += consistency * values
    for _ in range(_MAX_SWEEPS):
        changed = False
        for bit in range(bits):
            others = signs @ gram[:, bit] - signs[:, bit] * gram[bit, bit]
            drive = linear[:, bit] - tags.weights * others
            updated = np.where(drive == 0, signs[:, bit], np.sign(drive))
            changed = changed or not np.array_equal(updated, signs[:, bit])
            signs[:, bit] = updated
        if not changed:
            break


def _with_ones(signs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([signs, np.ones((len(signs), 1))], axis=1)
