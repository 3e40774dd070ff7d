"""The trainable network: an optional backbone and the hyperspherical head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from wsdhq.embed.heads import HypersphericalHead

__all__ = ["EmbeddingNetwork", "backbone_width", "evaluation_mode"]

# The means and deviations of ImageNet's channels: what public backbones are trained with.
_PIXEL_MEAN = (0.485, 0.456, 0.406)
_PIXEL_DEVIATION = (0.229, 0.224, 0.225)
_IMAGES_PER_BLOCK = 64


class EmbeddingNetwork(nn.Module):
    """Features, or images through a backbone, to unit vectors.

    Parameters
    ----------
    head : HypersphericalHead
    backbone : torch.nn.Module or None
        From (B, 3, H, W) float32 images, normalised with the channel statistics of
        ImageNet, to (B, F) features; None where the input is features already.
    """

    pixel_mean: Tensor
    pixel_deviation: Tensor

    def __init__(self, head: HypersphericalHead, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.head = head
        self.backbone = backbone
        # Constants, so not part of the stored weights.
        shape = (1, 3, 1, 1)
        mean, deviation = torch.tensor(_PIXEL_MEAN), torch.tensor(_PIXEL_DEVIATION)
        self.register_buffer("pixel_mean", 255 * mean.view(shape), persistent=False)
        self.register_buffer("pixel_deviation", 255 * deviation.view(shape), persistent=False)

    @property
    def evaluation_batch(self) -> int:
        """Rows that pass at once without gradient: images need far more memory than features."""
        return 1024 if self.backbone is None else 128

    def features(self, inputs: Tensor) -> Tensor:
        """The input of the head: `inputs` itself, or what the backbone makes of it."""
        if self.backbone is None:
            return inputs
        images = inputs.permute(0, 3, 1, 2).float()
        features: Tensor = self.backbone((images - self.pixel_mean) / self.pixel_deviation)
        return features

    def forward(self, inputs: Tensor) -> Tensor:
        """Embed a batch.

        Parameters
        ----------
        inputs : Tensor
            (B, F) float32 features, or with a backbone (B, H, W, 3) uint8 images.

        Returns
        -------
        Tensor, (B, D), float32
            Unit rows.
        """
        embeddings: Tensor = self.head(self.features(inputs))
        return embeddings

    def fit_scaling(self, inputs: Tensor) -> None:
        """Fit the head's scaling to what the backbone makes of some images in training mode.

        The running statistics of a fresh backbone's batch normalisation say nothing yet: in
        evaluation mode its features would be of another scale than those to be trained on.
        All buffers, these statistics among them, are left as they were.

        Parameters
        ----------
        inputs : Tensor, (B, H, W, 3), uint8
            At least one image.
        """
        device = self.pixel_mean.device
        buffers = {name: value.clone() for name, value in self.named_buffers()}
        with evaluation_mode(self):
            self.train()
            num_blocks = max(1, len(inputs) // _IMAGES_PER_BLOCK)
            blocks = [self.features(block.to(device)).cpu() for block in inputs.chunk(num_blocks)]
            for name, value in self.named_buffers():
                value.copy_(buffers[name])
        self.head.fit_scaling(torch.cat(blocks).numpy())


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Within the block `network` is in evaluation mode without gradients; restored after it."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def backbone_width(backbone: nn.Module, image_size: int) -> int:
    """Find out how many features a backbone gives, by showing it two black images.

    Parameters
    ----------
    backbone : torch.nn.Module
        From (B, 3, H, W) float32 to (B, F) floating point.
    image_size : int
        H and W.

    Returns
    -------
    int
        F.

    Raises
    ------
    TypeError
        `backbone` is no module, or its output no floating-point tensor.
    ValueError
        The output has another shape than (2, F).
    """
    if not isinstance(backbone, nn.Module):
        raise TypeError(f"backbone must be a torch.nn.Module, got {type(backbone).__name__}")
    parameter = next(backbone.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    with evaluation_mode(backbone):
        features = backbone(torch.zeros(2, 3, image_size, image_size, device=device))
    if not isinstance(features, Tensor) or not features.is_floating_point():
        raise TypeError(
            "backbone must return a floating-point tensor of shape (B, F), "
            f"got {getattr(features, 'dtype', type(features).__name__)}"
        )
    if features.ndim != 2 or len(features) != 2:
        raise ValueError(
            "backbone must return features of shape (B, F) for images of shape (B, 3, H, W); "
            f"for B = 2 and H = W = {image_size} it returned {tuple(features.shape)}"
        )
    return features.shape[1]
