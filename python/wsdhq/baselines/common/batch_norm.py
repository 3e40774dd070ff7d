"""Statistics of batch normalization for the weights that training ended with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from wsdhq.embed.networks.network import EmbeddingNetwork, evaluation_mode

_IMAGES_PER_BLOCK = 64


def settle_batch_norm(network: EmbeddingNetwork, images: Tensor) -> None:
    """Replace running means and variances by those of `images` under the present weights.

    Running ones lag behind: after a few steps they are still mostly those of a fresh network,
    and a layer of signs then gives all images one code. Networks without such layers stay as
    they are.

    Parameters
    ----------
    network : EmbeddingNetwork
        Trained, with a backbone. Modes and dropout are left as they were.
    images : Tensor, (B, H, W, 3), uint8
        Whole images; seen as they are outside training.
    """
    layers = [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    ]
    if not layers or len(images) == 0:
        return
    momenta = [layer.momentum for layer in layers]
    device = network.pixel_mean.device
    with evaluation_mode(network), torch.no_grad():
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over blocks
            layer.train()
        for block in images.chunk(max(1, len(images) // _IMAGES_PER_BLOCK)):
            network(block.to(device))
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
