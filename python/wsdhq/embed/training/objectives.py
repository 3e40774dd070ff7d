"""What training minimizes besides the quantization loss: the objectives that a setting names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from wsdhq.embed.config import TrainConfig
from wsdhq.embed.losses import (
    adaptive_cosine_margin,
    batch_hinge,
    fixed_cosine_margin,
    neighbour_softmax,
    plausible_targets,
    tag_log_probabilities,
    tag_softmax,
)
from wsdhq.embed.tags.propagation import propagate_tags
from wsdhq.embed.tags.weights import inverse_document_frequency

# The margin that the authors of WDHT recommend.
_HINGE_MARGIN = 0.2
# Before this share of the training the network is too young to overrule a tag, or to say which
# images are alike.
_BELIEF_BEGINS = 0.2
# The same for likeness, where a backbone begins with random weights: it takes long to see any.
_LIKENESS_BEGINS_FROM_NOTHING = 0.7


class Objective(nn.Module, ABC):
    """A semantics-preserving loss, with the tags' places on the sphere and who carries them.

    Parameters
    ----------
    carried : (n, T') scipy sparse array of bool or float32
        The tags of the training rows, perhaps weighted.
    """

    sphere: Tensor

    def __init__(self, carried: sparse.csr_array) -> None:
        super().__init__()
        self._carried = sparse.csr_array(carried)

    @property
    def refines_sphere(self) -> bool:
        """Whether the tags' places are learnt with the embedding."""
        return False

    def begin_epoch(
        self,
        embed: Callable[[], NDArray[np.float32]],
        progress: float,
        generator: np.random.Generator,
    ) -> None:
        """Look at all training rows before an epoch; nothing, unless an objective needs it.

        What an objective remembers of it must follow from the arguments alone: a training that
        is resumed starts with an epoch, and remembers nothing.

        Parameters
        ----------
        embed : callable
            Embeds the training rows as they are now, (n, D) float32.
        progress : float
            Share of the steps of the training that are done, 0 .. 1.
        generator : numpy.random.Generator
            Of this epoch.
        """

    @abstractmethod
    def forward(self, embeddings: Tensor, rows: NDArray[np.int64], progress: float) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        embeddings : Tensor, (B, D), float32
        rows : array, (B,), int64
            Whose they are: positions among the training rows.
        progress : float
            Share of the steps of the training that are done, 0 .. 1.

        Returns
        -------
        Tensor, ()
            Differentiable with respect to `embeddings`, and to the parameters of the objective.
        """

    def current_sphere(self) -> Tensor:
        """Where the tags are now, (T', D) float32, without gradient."""
        return self.sphere.detach()


class _SphereLoss(Protocol):
    def __call__(
        self, config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor
    ) -> Tensor: ...


class SphereObjective(Objective):
    """A loss between embeddings and tags that stay where their word vectors put them.

    The paper's objective and its variants.

    Parameters
    ----------
    loss : callable
        From (config, embeddings, sphere, positives) to the loss.
    config : TrainConfig
    sphere : Tensor, (T', D), float32
    positives : (n, T') scipy sparse array of bool
        The tags of the training rows.
    """

    def __init__(
        self,
        loss: _SphereLoss,
        config: TrainConfig,
        sphere: Tensor,
        positives: sparse.csr_array,
    ) -> None:
        super().__init__(positives)
        self._loss, self._config = loss, config
        self.register_buffer("sphere", sphere, persistent=False)

    def forward(self, embeddings: Tensor, rows: NDArray[np.int64], progress: float) -> Tensor:
        """As `Objective.forward`."""
        positives = torch.from_numpy(self._carried[rows].toarray()).to(embeddings.device)
        return self._loss(self._config, embeddings, self.sphere, positives)


class TagObjective(Objective):
    """Softmax over the tags and over the neighbours, with tags that move and may be doubted.

    `tag_softmax + config.neighbour_weight * neighbour_softmax`, where the tags of an image weigh
    their `inverse_document_frequency`. Once the first fifth of the training is over, the tags of
    look-alike images join them (`propagate_tags`, anew for each epoch), with the weight of
    `config.propagation` tags together, and all are shifted to the plausible ones
    (`plausible_targets`). Where a backbone begins with random weights, what looks alike is only
    asked in the last three tenths.

    Parameters
    ----------
    config : TrainConfig
        `temperature`, `neighbour_weight`, `neighbour_temperature`, `plausibility`,
        `propagation`, `tag_rate_factor`.
    sphere : Tensor, (T', D), float32
        Where the tags begin; they stay there if `tag_rate_factor` is 0.
    positives : (n, T') scipy sparse array of bool
        The tags of the training rows: what their weights are counted from, too.
    """

    def __init__(self, config: TrainConfig, sphere: Tensor, positives: sparse.csr_array) -> None:
        weights = inverse_document_frequency(positives)
        super().__init__(sparse.csr_array(positives.multiply(weights), dtype=np.float32))
        self._config = config
        from_nothing = config.images is not None and config.backbone_weights is None
        self._likeness_begins = _LIKENESS_BEGINS_FROM_NOTHING if from_nothing else _BELIEF_BEGINS
        self._propagated: sparse.csr_array | None = None
        if config.tag_rate_factor > 0:
            self.sphere = nn.Parameter(sphere.clone())
        else:
            self.register_buffer("sphere", sphere, persistent=False)

    @property
    def refines_sphere(self) -> bool:
        """Whether `config.tag_rate_factor` is above 0."""
        return isinstance(self.sphere, nn.Parameter)

    def begin_epoch(
        self,
        embed: Callable[[], NDArray[np.float32]],
        progress: float,
        generator: np.random.Generator,
    ) -> None:
        """As `Objective.begin_epoch`: find out what look-alike images would be called."""
        if self._config.propagation == 0 or progress < self._likeness_begins:
            return
        found = propagate_tags(embed(), self._carried, generator, device=self.sphere.device)
        mean_weight = float(self._carried.data.mean()) if self._carried.nnz else 0.0
        self._propagated = found * np.float32(self._config.propagation * mean_weight)

    def targets(self, rows: NDArray[np.int64]) -> Tensor:
        """What each tag weighs for some training rows, (B, T') float32: own and propagated."""
        weights = self._carried[rows]
        if self._propagated is not None:
            weights = weights + self._propagated[rows]
        return torch.from_numpy(weights.toarray()).to(self.sphere.device)

    def forward(self, embeddings: Tensor, rows: NDArray[np.int64], progress: float) -> Tensor:
        """As `Objective.forward`."""
        config = self._config
        log_probabilities = tag_log_probabilities(embeddings, self.sphere, config.temperature)
        targets = self.targets(rows)
        if config.plausibility > 0 and progress >= _BELIEF_BEGINS:
            targets = plausible_targets(targets, log_probabilities, config.plausibility)
        loss = tag_softmax(log_probabilities, targets)
        if config.neighbour_weight > 0:
            neighbours = neighbour_softmax(embeddings, targets, config.neighbour_temperature)
            loss = loss + config.neighbour_weight * neighbours
        return loss

    def current_sphere(self) -> Tensor:
        """Where the tags are now, brought to unit norm: only their directions are learnt."""
        return functional.normalize(self.sphere.detach(), dim=1)


def make_objective(config: TrainConfig, sphere: Tensor, positives: sparse.csr_array) -> Objective:
    """The objective that `config.loss` names.

    Parameters
    ----------
    config : TrainConfig
        `loss`, and what belongs to it.
    sphere : Tensor, (T', D), float32
        The semantic sphere, on the device of the training.
    positives : (n, T') scipy sparse array of bool
        Which merged tags each training row carries.

    Returns
    -------
    Objective
    """
    if config.loss == "tag_softmax":
        return TagObjective(config, sphere, positives)
    return SphereObjective(_SPHERE_LOSSES[config.loss], config, sphere, positives)


def _adaptive(config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor) -> Tensor:
    return adaptive_cosine_margin(
        embeddings,
        sphere,
        positives,
        config.gamma,
        config.num_negatives,
        normalize=config.normalize,
    )


def _fixed(config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor) -> Tensor:
    # What the adaptive margin gives to tags that have nothing to do with each other.
    margin = 2.0 ** (1.0 - config.gamma) if config.margin is None else config.margin
    return fixed_cosine_margin(
        embeddings, sphere, positives, margin, config.num_negatives, normalize=config.normalize
    )


def _hinge(config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor) -> Tensor:
    margin = _HINGE_MARGIN if config.margin is None else config.margin
    return batch_hinge(embeddings, sphere, positives, margin, normalize=config.normalize)


_SPHERE_LOSSES: dict[str, _SphereLoss] = {
    "adaptive_margin": _adaptive,
    "fixed_margin": _fixed,
    "batch_hinge": _hinge,
}

#: The names that `config.loss` may have.
OBJECTIVES: tuple[str, ...] = ("tag_softmax", *_SPHERE_LOSSES)
