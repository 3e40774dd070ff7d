"""Settings of the optimizer: steps, rates and their schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, choice, number, whole

SCHEDULES = ("cosine", "constant", "halving")
# Steps in an epoch, where that leaves batches of a good size.
_STEPS = 160
# The rate of a backbone that begins with random weights, and of one that was trained before.
_NEW_RATE, _TRAINED_RATE = 2e-3, 2e-4
# Head to backbone, in rates: where the head learns alone, beside a backbone with random weights,
# and beside one that was trained before.
_ALONE, _BESIDE_NEW, _BESIDE_TRAINED = 3.5, 1.0, 10.0


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Settings):
    """How long and how fast is learnt.

    Parameters
    ----------
    epochs : int
        Passes over the training rows.
    batch_size : int or None
        Images per step at most (batches are of nearly equal size). None takes a 160th of the
        training rows, as a power of two from 64 to 256: small collections need steps, large ones
        neighbours in the batch.
    learning_rate : float or None
        The backbone's rate, of Adam. None is .002, and a tenth of it for a backbone that begins
        with `backbone_weights`: what it knows is to be kept. For a module of your own that was
        trained before, give .0002 and a `head_rate_factor` of 10.
    head_rate_factor : float or None
        The head learns with `head_rate_factor * learning_rate`, in features mode too. None is
        3.5 there, where the head learns alone; 1 beside a backbone with random weights, as a head
        that runs ahead of it settles on features that mean nothing yet; and 10 beside one that
        begins with `backbone_weights`.
    tag_rate_factor : float
        In "tag_softmax" the tags' own places on the sphere learn with `tag_rate_factor` times the
        head's rate; 0 leaves them where the word vectors put them.
    schedule : {"cosine", "constant", "halving"}
        Rate over the steps: rising during the first twentieth and falling to 0 along a half
        cosine, constant, or halved after every `halve_every` steps.
    halve_every : int
        Steps between halvings, for "halving" only.
    weight_decay : float
        Decoupled weight decay, scaled by the rate of each group.
    """

    epochs: Annotated[int, whole(1)] = 15
    batch_size: Annotated[int | None, whole(1)] = None
    learning_rate: Annotated[float | None, number(above=0)] = None
    head_rate_factor: Annotated[float | None, number(above=0)] = None
    tag_rate_factor: Annotated[float, number(0)] = 1.0
    schedule: Annotated[str, choice(SCHEDULES)] = "cosine"
    halve_every: Annotated[int, whole(1)] = 300
    weight_decay: Annotated[float, number(0)] = 0.0

    def rates(self, *, is_alone: bool, is_trained: bool) -> tuple[float, float]:
        """The learning rates of backbone and head.

        Parameters
        ----------
        is_alone : bool
            Whether there is no backbone beside the head.
        is_trained : bool
            Whether the backbone was trained before.
        """
        rate, factor = self.learning_rate, self.head_rate_factor
        if rate is None:
            rate = _TRAINED_RATE if is_trained else _NEW_RATE
        if factor is None:
            factor = _ALONE if is_alone else _BESIDE_TRAINED if is_trained else _BESIDE_NEW
        return rate, rate * factor

    def batch_size_for(self, num_rows: int) -> int:
        """Images per step, where there are `num_rows` to train on: see `batch_size`."""
        if self.batch_size is not None:
            return self.batch_size
        return int(2 ** round(math.log2(min(max(num_rows / _STEPS, 64), 256))))
