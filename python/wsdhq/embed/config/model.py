"""Settings of the model: from an image or its features to the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, choice, flag, number, path, text, whole

EVALUATION_CROPS = ("centre", "ten")
# No network has wider layers, and no backbone sees larger images: a run that says so is damaged,
# and would take memory by its square.
MAX_HIDDEN_DIM, MAX_IMAGE_SIZE = 2**16, 2**12
# Tags an image at which dropout is a half.
_FEW_TAGS = 1.5


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """What the network is, and what it sees of an image.

    Parameters
    ----------
    backbone : str
        Name of the backbone in images mode (`wsdhq.embed.backbones.make_backbone`), used where
        no module is given to `train`.
    backbone_weights : path or None
        Weights of the backbone to begin with: for "alexnet" a Caffe-converted `.npy` or a
        state dict of torchvision's, in whose form it is then built. None begins with random
        ones.
    image_size : int
        Images are resized to `image_size` x `image_size`, at least 16.
    crop_size : int or None
        Side of the square, cut out of the resized image, that the backbone sees: 16 ..
        `image_size`. None shows the whole image.
    evaluation_crops : {"centre", "ten"}
        Outside training, with a crop size: the central crop, or the mean embedding of ten (the
        corners, the centre, and their mirror images).
    augment : bool
        Mirror training images at random and crop them at random (without a crop size: shift
        them).
    whitening : float
        How far features are whitened before the head, 0 .. 1: each dimension is divided by its
        standard deviation to this power. 0 keeps the geometry of the backbone.
    hidden_dim : int or None
        Width of the head's hidden layer; None is the paper's linear head.
    dropout : float or None
        Dropout before the last layer of the head, 0 <= dropout < 1. None follows the tags:
        1.5 / (1.5 + t) where trained images carry t of them on average, .23 for five and .5 for
        one and a half. The fewer there are, the sooner they are learnt by heart.
    normalize : bool
        Whether tags and images are brought to unit norm. False keeps their norms and takes
        inner products for cosines, in training, quantizer and search (the paper's WSDHQ_N);
        not with "tag_softmax".
    """

    backbone: Annotated[str, text()] = "small"
    backbone_weights: Annotated[str | None, path()] = None
    image_size: Annotated[int, whole(16, MAX_IMAGE_SIZE)] = 64
    crop_size: Annotated[int | None, whole(16, MAX_IMAGE_SIZE)] = None
    evaluation_crops: Annotated[str, choice(EVALUATION_CROPS)] = "centre"
    augment: Annotated[bool, flag()] = True
    whitening: Annotated[float, number(0, 1)] = 0.5
    hidden_dim: Annotated[int | None, whole(1, MAX_HIDDEN_DIM)] = 1024
    dropout: Annotated[float | None, number(0)] = None
    normalize: Annotated[bool, flag()] = True

    def _check_together(self) -> None:
        super()._check_together()
        if self.crop_size is not None and self.crop_size > self.image_size:
            raise ValueError(
                f"crop_size: expected at most image_size, {self.image_size}, got {self.crop_size}"
            )
        if self.dropout is not None and self.dropout >= 1:
            raise ValueError(f"dropout: expected 0 <= dropout < 1, got {self.dropout}")

    def dropout_for(self, tags_per_image: float) -> float:
        """Dropout in the head, where trained images carry so many tags: see `dropout`."""
        if self.dropout is not None:
            return self.dropout
        return _FEW_TAGS / (_FEW_TAGS + tags_per_image)
