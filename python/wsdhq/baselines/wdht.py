"""WDHT: weakly supervised hashing by tag embeddings (Gattupalli, Zhuo and Li, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from wsdhq._shared.arguments import as_number
from wsdhq.baselines.common.deep_network import DeepHashing, HashTask, augmented
from wsdhq.baselines.interface import TrainingData
from wsdhq.embed.networks.network import EmbeddingNetwork
from wsdhq.embed.tags.sets import check_tag_sets
from wsdhq.embed.tags.word_vectors import WordVectors

# A mean of unit vectors that is shorter is what rounding left of vectors that cancel out.
_SHORTEST_MEAN = 1e-6


def mean_tag_vectors(
    tag_sets: Sequence[Sequence[str]], word_vectors: WordVectors
) -> NDArray[np.float32]:
    """The mean word vector of each image's tags, m_n of the paper.

    Parameters
    ----------
    tag_sets : sequence of sequences of str
        The tags of each of the n images.
    word_vectors : WordVectors
        Brought to unit norm first, so that no tag counts for more than another.

    Returns
    -------
    (n, D) float32
        The plain mean over the tags that have a vector; zero where none has, or where they
        cancel out. Its norm, at most 1, is left as it is.

    Raises
    ------
    TypeError, ValueError
        As `wsdhq.embed.tags.sets.check_tag_sets`.
    """
    checked = check_tag_sets(tag_sets)
    rows = {tag: word_vectors.find(tag) for tags in checked for tag in tags}
    norms = np.linalg.norm(word_vectors.vectors.astype(np.float64), axis=1)
    means = np.zeros((len(checked), word_vectors.dim), dtype=np.float32)
    for image, tags in enumerate(checked):
        known = [row for tag in tags if (row := rows[tag]) is not None and norms[row] > 0]
        if known:
            units = word_vectors.vectors[known] / norms[known, None]
            mean = units.mean(axis=0)
            if np.linalg.norm(mean) > _SHORTEST_MEAN:
                means[image] = mean
    return means


def hinge_loss(predictions: Tensor, means: Tensor, margin: float = 0.2) -> Tensor:
    """Each image's predicted tag vector should fit its own mean best, by a margin.

    `[margin - (m_n - m_j) . v_n]_+`, averaged over all pairs n != j of the batch.

    Parameters
    ----------
    predictions : Tensor, (B, D), float32
        v.
    means : Tensor, (B, D), float32
        m.
    margin : float

    Returns
    -------
    Tensor, ()
        At least 0; 0 for a batch of one. Computed from the (B, B) products v m^T alone.
    """
    products = predictions @ means.T
    violations = (margin - products.diagonal().unsqueeze(1) + products).clamp(min=0)
    others = ~torch.eye(len(products), dtype=torch.bool, device=products.device)
    return violations[others].sum() / max(int(others.sum()), 1)


def quantization_loss(hashes: Tensor) -> Tensor:
    """`-(h - 0.5)^2`, averaged over images and bits: least, -0.25, where every h is 0 or 1.

    Parameters
    ----------
    hashes : Tensor, (B, bits), float32
        0 .. 1.

    Returns
    -------
    Tensor, ()
        -0.25 .. 0.
    """
    return -(hashes - 0.5).square().mean()


def pairwise_loss(hashes: Tensor, means: Tensor, distance_scale: float = 1.0) -> Tensor:
    """Hamming distances of codes should be the distances of tags.

    `(||h_n - h_j||^2 / bits - distance_scale * (1 - cos(m_n, m_j)))^2`, averaged over all pairs.

    Parameters
    ----------
    hashes : Tensor, (B, bits), float32
        h, 0 .. 1.
    means : Tensor, (B, D), float32
        m, none of them zero.
    distance_scale : float

    Returns
    -------
    Tensor, ()
        At least 0.
    """
    # About the middle, so that the squares below cancel less.
    centred = hashes - 0.5
    squares = centred.square().sum(dim=1)
    distances = squares.unsqueeze(1) + squares - 2 * centred @ centred.T
    units = functional.normalize(means, dim=1)
    wanted = distance_scale * (1 - units @ units.T)
    return (distances / hashes.shape[1] - wanted).square().mean()


class WDHT(DeepHashing):
    """WDHT: two branches on one body, a code and a tag vector, trained together.

    Gattupalli, Zhuo and Li, "Weakly Supervised Deep Image Hashing through Tag Embeddings", CVPR
    2019. h = sigmoid(outputs) are the bits before rounding, v = tanh(outputs) is the predicted tag
    vector, m the mean word vector of the image's tags. Minimizes, every term a mean::

        hinge_weight [margin - (m_n - m_j) . v_n]_+                      over n != j
        - quantization_weight (h - 0.5)^2                                over images and bits
        + (||h_n - h_j||^2 / bits - distance_scale (1 - cos(m_n, m_j)))^2     over pairs

    Images without a tag that has a vector take no part in training.

    Where this differs from the paper and its released code:

    - Tags are weighted equally, as in the data of the released code; the paper also tries
      weights by frequency.
    - Adam with a falling rate in place of SGD with momentum at 1e-3 and batches of 50: at low
      rates the bits of the first epochs all follow the strongest direction, and stay nearly
      copies of each other.
    - The published formula has distance_scale 1 and quantization_weight 1. A Hamming distance is
      a half on average where bits are balanced and independent, and can hardly be more, but
      cosine distances of tags depend on the origin of the word vectors, and have a mean near
      0.8 where that is the mean of the words. By default they are therefore scaled to a mean of
      a half over the training images. Then a quantization loss of full weight rounds outputs
      before the pairs have shaped them, and leaves bits that are the same for all images: it
      has a tenth of its weight. Both were chosen by the tags of images held out.

    Parameters
    ----------
    bits, epochs, batch_size
        As in `DeepHashing`.
    margin : float
        Margin of the hinge, at least 0.
    hinge_weight, quantization_weight : float
        lambda_1 and lambda_2 of the paper, at least 0.
    distance_scale : float or None
        Factor on cosine distances, above 0; None makes their mean over pairs of training
        images a half.
    **settings
        The others of `DeepHashing`.
    """

    name: ClassVar[str] = "WDHT"
    reference: ClassVar[str] = "Gattupalli et al. 2019"
    uses_tags: ClassVar[bool] = True

    def __init__(
        self,
        bits: int,
        *,
        epochs: int = 20,
        batch_size: int = 128,
        margin: float = 0.2,
        hinge_weight: float = 10.0,
        quantization_weight: float = 0.1,
        distance_scale: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(bits, epochs=epochs, batch_size=batch_size, **settings)
        self.margin = as_number(margin, "margin", 0)
        self.hinge_weight = as_number(hinge_weight, "hinge_weight", 0)
        self.quantization_weight = as_number(quantization_weight, "quantization_weight", 0)
        self.distance_scale = distance_scale
        if distance_scale is not None:
            self.distance_scale = as_number(distance_scale, "distance_scale", above=0)

    def _task(self, data: TrainingData) -> HashTask:
        if data.tags is None:
            raise ValueError(f"tags: {self.name} learns from tags, got None")
        if not isinstance(data.word_vectors, WordVectors):
            raise TypeError(
                f"word_vectors: {self.name} needs a WordVectors, "
                f"got {type(data.word_vectors).__name__}"
            )
        means = mean_tag_vectors(data.tags, data.word_vectors)
        rows = np.flatnonzero(means.any(axis=1))
        if len(rows) < 2:
            examples = ", ".join(repr(tag) for tags in data.tags[:20] for tag in list(tags)[:1])
            raise ValueError(
                f"tags: {self.name} learns from images with tags that have a word vector, at "
                f"least 2, got {len(rows)} of {len(means)}; the tags are such as {examples[:100]}, "
                f"the words such as {', '.join(map(repr, data.word_vectors.words[:5]))}"
            )
        targets = torch.from_numpy(means[rows])
        scale = self.distance_scale
        if scale is None:
            distance = _mean_distance(means[rows])
            if distance < _SHORTEST_MEAN:
                raise ValueError(
                    f"tags: all {len(rows)} images have the same mean tag vector: nothing tells "
                    "them apart"
                )
            scale = 0.5 / distance
        losses = partial(self._losses, distance_scale=scale)
        return HashTask(rows, self.bits + means.shape[1], losses, targets)

    def _losses(
        self,
        network: EmbeddingNetwork,
        inputs: Tensor,
        means: Tensor | None,
        *,
        distance_scale: float,
    ) -> dict[str, Tensor]:
        assert means is not None  # _task gives targets
        outputs = network(augmented(network, inputs).to(means.device))
        hashes = torch.sigmoid(outputs[:, : self.bits])
        hinge = hinge_loss(torch.tanh(outputs[:, self.bits :]), means, self.margin)
        quantization = quantization_loss(hashes)
        pairwise = pairwise_loss(hashes, means, distance_scale)
        return {
            "loss": self.hinge_weight * hinge + self.quantization_weight * quantization + pairwise,
            "hinge_loss": hinge,
            "quantization_loss": quantization,
            "pairwise_loss": pairwise,
        }


def _mean_distance(means: NDArray[np.float32]) -> float:
    """Mean cosine distance over all pairs of different rows, at least two, none of them zero."""
    units = means.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    total = units.sum(axis=0)
    count = len(units)
    return 1.0 - (float(total @ total) - count) / (count * (count - 1))
