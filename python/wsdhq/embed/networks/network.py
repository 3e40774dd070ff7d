"""The trainable network: an optional backbone and the hyperspherical head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wsdhq._shared.arguments import as_choice
from wsdhq.embed.backbones.pixels import pixel_format_of
from wsdhq.embed.config import EVALUATION_CROPS
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.views import centre_crop, ten_crops

_IMAGES_PER_BLOCK = 64


class EmbeddingNetwork(nn.Module):
    """Features, or images through a backbone, to embeddings.

    Parameters
    ----------
    head : HypersphericalHead
    backbone : torch.nn.Module or None
        From (B, 3, H, W) float32 images to (B, F) features; None where the input is features
        already. Pixels are brought to the backbone's `pixel_format`
        (`wsdhq.embed.backbones.PixelFormat`) if it has this attribute, else normalized with
        the channel statistics of ImageNet, red first.
    crop_size : int or None
        Side of the square that the backbone sees. In evaluation mode it is cut out here; in
        training mode images come already cropped. None: the backbone sees what comes.
    evaluation_crops : {"centre", "ten"}
        In evaluation mode, with a crop size: the square in the middle, or the mean over ten
        (`wsdhq.embed.networks.views.ten_crops`) of what the head gives, brought to unit norm
        again if the head normalizes.

    Raises
    ------
    TypeError
        The backbone's `pixel_format` is no `PixelFormat`.
    ValueError
        `evaluation_crops` is unknown.
    """

    pixel_mean: Tensor
    pixel_deviation: Tensor

    def __init__(
        self,
        head: HypersphericalHead,
        backbone: nn.Module | None = None,
        crop_size: int | None = None,
        evaluation_crops: str = "centre",
    ) -> None:
        super().__init__()
        as_choice(evaluation_crops, "evaluation_crops", EVALUATION_CROPS)
        self.head = head
        self.backbone = backbone
        self.crop_size = crop_size
        self.evaluation_crops = evaluation_crops
        pixels = pixel_format_of(backbone)
        self.blue_first = pixels.channel_order == "bgr"
        # Constants, so not part of the stored weights.
        mean, deviation = (
            torch.tensor(values).view(1, 3, 1, 1) for values in (pixels.mean, pixels.deviation)
        )
        self.register_buffer("pixel_mean", mean, persistent=False)
        self.register_buffer("pixel_deviation", deviation, persistent=False)

    @property
    def evaluation_batch(self) -> int:
        """Rows that pass at once without gradient: images need far more memory than features."""
        return 1024 if self.backbone is None else 128

    def features(self, inputs: Tensor) -> Tensor:
        """The input of the head: `inputs` itself, or what the backbone makes of it."""
        if self.backbone is None:
            return inputs
        images = inputs.permute(0, 3, 1, 2)
        images = (images.flip(1) if self.blue_first else images).float()
        features: Tensor = self.backbone((images - self.pixel_mean) / self.pixel_deviation)
        return features

    def forward(self, inputs: Tensor) -> Tensor:
        """Embed a batch.

        Parameters
        ----------
        inputs : Tensor
            (B, F) float32 features, or with a backbone (B, H, W, 3) uint8 images: in training
            mode crops, in evaluation mode the whole images that `crop_size` is cut out of.

        Returns
        -------
        Tensor, (B, D), float32
            Rows as the head gives them, of unit norm by default.

        Raises
        ------
        ValueError
            In evaluation mode, images smaller than the crop size.
        """
        size = None if self.backbone is None or self.training else self.crop_size
        if size is None or self.evaluation_crops == "centre":
            shown = inputs if size is None else centre_crop(inputs, size)
            embeddings: Tensor = self.head(self.features(shown))
            return embeddings
        # One crop after the other: all at once would need ten times the memory.
        total: Any = sum(self.head(self.features(crop)) for crop in ten_crops(inputs, size))
        mean: Tensor = total / 10
        return functional.normalize(mean, dim=1) if self.head.normalize else mean

    def fit_scaling(self, inputs: Tensor, whitening: float = 0.0) -> None:
        """Fit the head's scaling to what the backbone makes of some images in training mode.

        The running statistics of a fresh backbone's batch normalization say nothing yet: in
        evaluation mode its features would be of another scale than those to be trained on.
        All buffers, these statistics among them, are left as they were. With a crop size,
        the middle of each image is looked at.

        Parameters
        ----------
        inputs : Tensor, (B, H, W, 3), uint8
            At least one whole image.
        whitening : float
            As for `HypersphericalHead.fit_scaling`.
        """
        if self.crop_size is not None:
            inputs = centre_crop(inputs, self.crop_size)
        device = self.pixel_mean.device
        buffers = {name: value.clone() for name, value in self.named_buffers()}
        with evaluation_mode(self):
            self.train()
            num_blocks = max(1, len(inputs) // _IMAGES_PER_BLOCK)
            blocks = [self.features(block.to(device)).cpu() for block in inputs.chunk(num_blocks)]
            for name, value in self.named_buffers():
                value.copy_(buffers[name])
        self.head.fit_scaling(torch.cat(blocks).numpy(), whitening=whitening)


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
        It cannot take images of this size, or the output has another shape than (2, F).
    """
    if not isinstance(backbone, nn.Module):
        raise TypeError(f"backbone: expected a torch.nn.Module, got {type(backbone).__name__}")
    parameter = next(backbone.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    with evaluation_mode(backbone):
        try:
            features = backbone(torch.zeros(2, 3, image_size, image_size, device=device))
        # So networks complain of a size that is not theirs.
        except (AssertionError, RuntimeError) as error:
            raise ValueError(
                f"backbone: it cannot take images of {image_size} x {image_size} pixels "
                f"(crop_size, or else image_size): {error}"
            ) from error
    if not isinstance(features, Tensor) or not features.is_floating_point():
        raise TypeError(
            "backbone: expected a floating-point tensor of shape (B, F), "
            f"got {getattr(features, 'dtype', type(features).__name__)}"
        )
    if features.ndim != 2 or len(features) != 2:
        raise ValueError(
            "backbone: expected features of shape (B, F) for images of shape (B, 3, H, W); "
            f"for B = 2 and H = W = {image_size} it returned {tuple(features.shape)}"
        )
    return features.shape[1]
