"""Settings of the objective: the loss, and what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, choice, number, whole

LOSSES = ("tag_softmax", "adaptive_margin", "fixed_margin", "batch_hinge")


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig(Settings):
    """What draws images to their tags.

    Parameters
    ----------
    loss : {"tag_softmax", "adaptive_margin", "fixed_margin", "batch_hinge"}
        The semantics-preserving loss (`wsdhq.embed.training.objectives`): softmax over tags and
        over neighbours; the paper's adaptive cosine margin; the same with one margin for all pairs
        of tags; or the hinge of WDHT between the mean tag vectors of a batch (the paper's WSDHQ_L).
    temperature : float
        Of the softmax over tags in "tag_softmax", above 0: low ones tell similar tags apart,
        high ones let them share a place.
    neighbour_weight : float
        Weight of the softmax over neighbours in "tag_softmax"; 0 leaves it out.
    neighbour_temperature : float
        Of that softmax, above 0: low ones look at the nearest images, high ones draw whole kinds
        together.
    plausibility : float
        How much "tag_softmax" doubts tags that an image gives no sign of: their weights are
        multiplied by the probability that the network gives them, to this power. 0 trusts all.
    propagation : float
        What the tags of look-alike images count in "tag_softmax" beside an image's own, in tags
        of mean weight: they stand in for those that nobody wrote down. 0 leaves them out. They
        are asked after the first fifth of the training; with images, unless the backbone begins
        with `backbone_weights`, only in the last three tenths.
    margin : float or None
        Margin of the losses that have a fixed one. None: 2^(1 - gamma), which the adaptive
        margin gives to unrelated tags, for "fixed_margin"; 0.2, that of WDHT, for
        "batch_hinge".
    gamma : float
        Shape of the adaptive margin (method section 2).
    num_negatives : int or None
        Hardest tags taken as negatives per image; None takes all, as the released code.
    """

    loss: Annotated[str, choice(LOSSES)] = "tag_softmax"
    temperature: Annotated[float, number(above=0)] = 0.15
    neighbour_weight: Annotated[float, number(0)] = 0.5
    neighbour_temperature: Annotated[float, number(above=0)] = 0.3
    plausibility: Annotated[float, number(0)] = 0.5
    propagation: Annotated[float, number(0)] = 1.0
    margin: Annotated[float | None, number(0)] = None
    gamma: Annotated[float, number(above=0)] = 1.0
    num_negatives: Annotated[int | None, whole(1)] = 1000
