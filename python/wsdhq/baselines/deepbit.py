"""DeepBit: binary codes without supervision (Lin, Lu, Chen and Zhou, CVPR 2016)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsdhq._shared.arguments import as_number
from wsdhq.baselines.common.deep_network import DeepHashing, HashTask, augmented
from wsdhq.baselines.interface import TrainingData
from wsdhq.embed.networks.network import EmbeddingNetwork

# Images are turned by up to two steps either way, as in the released code; the weight of a turn
# is a normal curve over its angle, a step being the deviation.
_STEP_DEGREES = 5.0
_MAX_STEPS = 2


def quantization_loss(activations: Tensor) -> Tensor:
    """How far activations are from their bits (paper, first objective).

    `||(b - 0.5) - M||^2`, b the bits of the activations M; the mean over images and bits.

    Parameters
    ----------
    activations : Tensor, (B, bits), float32

    Returns
    -------
    Tensor, ()
        At least 0. No gradient flows through the bits.
    """
    return (_centred_bits(activations) - activations).square().mean()


def distribution_loss(activations: Tensor) -> Tensor:
    """How unevenly each bit is spread over a batch (paper, second objective).

    `(mu - 0.5)^2`, mu the share of the images whose bit is 1; the mean over bits.

    Parameters
    ----------
    activations : Tensor, (B, bits), float32

    Returns
    -------
    Tensor, ()
        0 .. 0.25. The gradient is that of the activations' mean in place of the bits' mean: a
        bit itself has none.
    """
    shares = activations + (_centred_bits(activations) - activations).detach()
    return shares.mean(dim=0).square().mean()


def invariance_loss(
    activations: Tensor, transformed: Tensor, weights: Tensor | None = None
) -> Tensor:
    """How much a transformation changes the activations (paper, third objective).

    Parameters
    ----------
    activations, transformed : Tensor, (B, bits), float32
        Of images, and of the same images transformed.
    weights : Tensor, (B,), or None
        Weight of each image's transformation; 1 by default.

    Returns
    -------
    Tensor, ()
        Mean over images and bits of the weighted squared differences.
    """
    changes = (activations - transformed).square().mean(dim=1)
    return (changes if weights is None else weights * changes).mean()


def rotated(pixels: Tensor, degrees: Tensor) -> Tensor:
    """Rotate images about their centres.

    Parameters
    ----------
    pixels : Tensor, (B, S, S, 3), uint8
    degrees : Tensor, (B,), float32
        Angle of each image, counter-clockwise.

    Returns
    -------
    Tensor, (B, S, S, 3), uint8
        Interpolated bilinearly; borders are repeated where the image does not reach.
    """
    radians = degrees * (math.pi / 180)
    cosine, sine, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    # Where in the image each pixel of the result comes from; rows count downwards.
    origins = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).view(-1, 2, 3)
    images = pixels.permute(0, 3, 1, 2).float()
    grid = functional.affine_grid(origins, list(images.shape), align_corners=False)
    turned = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return turned.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


class DeepBit(DeepHashing):
    """DeepBit: few changes under rounding, balanced bits, invariance to small transformations.

    Lin, Lu, Chen and Zhou, "Learning Compact Binary Descriptors with Unsupervised Deep Neural
    Networks", CVPR 2016. Minimizes (paper, "Overall objective")::

        alpha ||(b - 0.5) - M||^2  +  beta ||mu - 0.5||^2  +  gamma C(theta) ||M_theta - M||^2

    with M the outputs of a linear layer, b = 1 where M is not negative, mu the mean of each bit
    over the batch, M_theta the outputs for a transformed image and C its weight. All three
    are means over images and bits, so that the weights mean the same for any length and batch.

    With a backbone the views of an image are two random mirrorings and shifts (or crops) of it,
    one of them turned by -10, -5, 0, 5 or 10 degrees as well. Features cannot be turned: there
    the two views differ by noise and by dropout, which ask for less than a turn of the image.

    The hash layer stands directly on the features, as in the released code, which keeps the
    layers below fixed. Nothing in the objective holds bits apart: training that goes on lowers
    the loss by making bits copies of each other, and so ranks worse. Hence few epochs at the
    published rate.

    Parameters
    ----------
    bits, epochs, learning_rate, hidden_dim
        As in `DeepHashing`.
    quantization_weight, distribution_weight, invariance_weight : float
        alpha, beta and gamma, at least 0; 1 each in the paper.
    noise : float
        Deviation of the noise added to features, in units of their root mean square deviation,
        at least 0.
    **settings
        The others of `DeepHashing`.
    """

    name: ClassVar[str] = "DeepBit"
    reference: ClassVar[str] = "Lin et al. 2016"

    def __init__(
        self,
        bits: int,
        *,
        epochs: int = 5,
        learning_rate: float = 1e-4,
        hidden_dim: int | None = None,
        quantization_weight: float = 1.0,
        distribution_weight: float = 1.0,
        invariance_weight: float = 1.0,
        noise: float = 0.1,
        **settings: Any,
    ) -> None:
        super().__init__(
            bits, epochs=epochs, learning_rate=learning_rate, hidden_dim=hidden_dim, **settings
        )
        self.quantization_weight = as_number(quantization_weight, "quantization_weight", 0)
        self.distribution_weight = as_number(distribution_weight, "distribution_weight", 0)
        self.invariance_weight = as_number(invariance_weight, "invariance_weight", 0)
        self.noise = as_number(noise, "noise", 0)

    def _task(self, data: TrainingData) -> HashTask:
        return HashTask(np.arange(len(data.inputs)), self.bits, self._losses)

    def _losses(
        self, network: EmbeddingNetwork, inputs: Tensor, targets: Tensor | None
    ) -> dict[str, Tensor]:
        device = network.pixel_mean.device
        first, second, weights = self._views(network, inputs)
        activations = network(torch.cat([first, second]).to(device))
        plain, transformed = activations.chunk(2)
        quantization = quantization_loss(activations)
        distribution = distribution_loss(activations)
        invariance = invariance_loss(
            plain, transformed, None if weights is None else weights.to(device)
        )
        return {
            "loss": self.quantization_weight * quantization
            + self.distribution_weight * distribution
            + self.invariance_weight * invariance,
            "quantization_loss": quantization,
            "distribution_loss": distribution,
            "invariance_loss": invariance,
        }

    def _views(
        self, network: EmbeddingNetwork, inputs: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        if network.backbone is None:
            # Nothing is whitened here: all dimensions have the same scale.
            deviation = self.noise / float(network.head.scale[0])
            return (
                inputs + deviation * torch.randn(inputs.shape),
                inputs + deviation * torch.randn(inputs.shape),
                None,
            )
        steps = torch.randint(-_MAX_STEPS, _MAX_STEPS + 1, (len(inputs),)).float()
        turned = augmented(network, rotated(inputs, _STEP_DEGREES * steps))
        return augmented(network, inputs), turned, torch.exp(-steps.square() / 2)


def _centred_bits(activations: Tensor) -> Tensor:
    return (activations.detach() >= 0).to(activations.dtype) - 0.5
