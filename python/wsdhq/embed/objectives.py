"""The semantics-preserving losses that a configuration can name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from wsdhq.embed.config import TrainConfig
from wsdhq.embed.losses import adaptive_cosine_margin, batch_hinge, fixed_cosine_margin

__all__ = ["OBJECTIVES", "semantic_loss"]

# The margin that the authors of WDHT recommend.
_HINGE_MARGIN = 0.2


def semantic_loss(
    config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor
) -> Tensor:
    """The loss that `config.loss` names.

    Parameters
    ----------
    config : TrainConfig
        `loss`, and what belongs to it: `gamma`, `margin`, `num_negatives`, `normalise`.
    embeddings : Tensor, (B, D), float32
    sphere : Tensor, (T', D), float32
    positives : Tensor, (B, T'), bool

    Returns
    -------
    Tensor, ()
        Differentiable with respect to `embeddings`.
    """
    return OBJECTIVES[config.loss](config, embeddings, sphere, positives)


def _adaptive(config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor) -> Tensor:
    return adaptive_cosine_margin(
        embeddings,
        sphere,
        positives,
        config.gamma,
        config.num_negatives,
        normalise=config.normalise,
    )


def _fixed(config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor) -> Tensor:
    # What the adaptive margin gives to tags that have nothing to do with each other.
    margin = 2.0 ** (1.0 - config.gamma) if config.margin is None else config.margin
    return fixed_cosine_margin(
        embeddings, sphere, positives, margin, config.num_negatives, normalise=config.normalise
    )


def _hinge(config: TrainConfig, embeddings: Tensor, sphere: Tensor, positives: Tensor) -> Tensor:
    margin = _HINGE_MARGIN if config.margin is None else config.margin
    return batch_hinge(embeddings, sphere, positives, margin, normalise=config.normalise)


#: By the names of `wsdhq.embed.config.LOSSES`.
OBJECTIVES: dict[str, Callable[[TrainConfig, Tensor, Tensor, Tensor], Tensor]] = {
    "adaptive_margin": _adaptive,
    "fixed_margin": _fixed,
    "batch_hinge": _hinge,
}
