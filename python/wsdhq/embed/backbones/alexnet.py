"""AlexNet up to its second fully connected layer, fc7: in Caffe's form and in torchvision's."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from wsdhq.embed.backbones.pixels import IMAGENET_PIXELS, PixelFormat

# The backbone's name for each of its variants.
ALEXNET_NAMES = {"caffe": "alexnet", "torchvision": "alexnet-torchvision"}
# Side of the map that fc6 sees.
LAST_MAP = 6

# Means of blue, green and red that the classic weights were trained with; no deviation.
_CAFFE_PIXELS = PixelFormat((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr")

_CHANNELS = {"caffe": (96, 256, 384, 384, 256), "torchvision": (64, 192, 384, 256, 256)}
_GROUPS = {"caffe": (1, 2, 1, 2, 2), "torchvision": (1, 1, 1, 1, 1)}
_HIDDEN = 4096


class AlexNet(nn.Module):
    """AlexNet to fc7, the backbone of the paper (Krizhevsky et al., 2012).

    ======  ==========================  =======================  =====================
    layer   "caffe"                     "torchvision"            output, 227 or 224
    ======  ==========================  =======================  =====================
    conv1   96 of 11 x 11, stride 4     64, two pixels padded    55 x 55
    pool1   3 x 3, stride 2, then norm  no norm                  27 x 27
    conv2   256 of 5 x 5, in 2 groups   192, one group           27 x 27
    pool2   3 x 3, stride 2, then norm  no norm                  13 x 13
    conv3   384 of 3 x 3                384                      13 x 13
    conv4   384 of 3 x 3, in 2 groups   256, one group           13 x 13
    conv5   256 of 3 x 3, in 2 groups   256, one group           13 x 13
    pool5   3 x 3, stride 2             the same                 6 x 6
    fc6     4096                        4096
    fc7     4096                        4096
    ======  ==========================  =======================  =====================

    A ReLU follows every convolution and fully connected layer. "norm" is local response
    normalization over 5 channels, `x / (1 + 1e-4 / 5 * sum of squares)^0.75`, the 2e-5 per
    channel of the released code. Dropout follows fc6 and fc7 in Caffe's form and precedes
    them in torchvision's (Krizhevsky, 2014, one tower).

    Parameters
    ----------
    variant : {"caffe", "torchvision"}
        "caffe" takes 227 x 227 images, blue first, 0 .. 255 minus the channel means; as Caffe
        does, it rounds the sizes of pooled maps up, so that 199 to 230 pixels give the 6 x 6
        map of fc6. "torchvision" takes 224 x 224 images with the statistics of ImageNet, and
        averages the last map to 6 x 6 from any size of at least 63.
    width : float
        Factor on all numbers of channels and hidden units; each must stay a whole number, and
        the groups equal.
    dropout : float
        0 <= dropout < 1.
    norm_first : bool
        "caffe" only. False pools before it normalizes, as the paper's released code does with
        the classic weights (the order of CaffeNet); True is the order of the original network
        and of Caffe's bvlc_alexnet.

    Attributes
    ----------
    out_dim : int
        Width of the features, 4096 * width.
    pixel_format : PixelFormat
        What `EmbeddingNetwork` makes of pixels for this backbone.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    def __init__(
        self,
        variant: str = "caffe",
        *,
        width: float = 1.0,
        dropout: float = 0.5,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        if variant not in ALEXNET_NAMES:
            raise ValueError(
                f"variant: expected one of {', '.join(map(repr, ALEXNET_NAMES))}, got {variant!r}"
            )
        if norm_first and variant != "caffe":
            raise ValueError(
                "norm_first: torchvision's AlexNet has no response normalization, expected False"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected 0 <= dropout < 1, got {dropout}")
        c1, c2, c3, c4, c5 = (_scaled(count, width) for count in _CHANNELS[variant])
        g1, g2, g3, g4, g5 = _GROUPS[variant]
        hidden = _scaled(_HIDDEN, width)
        padding = 0 if variant == "caffe" else 2
        # Caffe rounds the size of a pooled map up, torchvision down.
        up = variant == "caffe"

        self.variant = variant
        self.width = width
        self.norm_first = norm_first
        self.pixel_format = _CAFFE_PIXELS if variant == "caffe" else IMAGENET_PIXELS
        self.out_dim = hidden

        self.conv1 = nn.Conv2d(3, c1, kernel_size=11, stride=4, padding=padding, groups=g1)
        self.conv2 = nn.Conv2d(c1, c2, kernel_size=5, padding=2, groups=g2)
        self.conv3 = nn.Conv2d(c2, c3, kernel_size=3, padding=1, groups=g3)
        self.conv4 = nn.Conv2d(c3, c4, kernel_size=3, padding=1, groups=g4)
        self.conv5 = nn.Conv2d(c4, c5, kernel_size=3, padding=1, groups=g5)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=up)
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=up)
        self.pool5 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=up)
        # torch divides alpha by the size: 2e-5 is left for each squared channel.
        self.norm = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)
        self.fc6 = nn.Linear(c5 * LAST_MAP**2, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images: fc7 after its ReLU.

        Parameters
        ----------
        images : Tensor, (B, 3, H, W), float32
            In `pixel_format`; for the sizes see `variant`.

        Returns
        -------
        Tensor, (B, out_dim), float32

        Raises
        ------
        ValueError
            Images of a size that does not fit.
        """
        self._check_size(images)
        caffe = self.variant == "caffe"
        maps = self._reduced(functional.relu(self.conv1(images), inplace=True), self.pool1)
        maps = self._reduced(functional.relu(self.conv2(maps), inplace=True), self.pool2)
        maps = functional.relu(self.conv3(maps), inplace=True)
        maps = functional.relu(self.conv4(maps), inplace=True)
        maps = self.pool5(functional.relu(self.conv5(maps), inplace=True))
        if caffe:
            hidden = maps.flatten(1)
        else:
            hidden = self.dropout(functional.adaptive_avg_pool2d(maps, LAST_MAP).flatten(1))
        hidden = self.dropout(functional.relu(self.fc6(hidden)))
        features = functional.relu(self.fc7(hidden))
        return self.dropout(features) if caffe else features

    def _reduced(self, maps: Tensor, pool: nn.Module) -> Tensor:
        if self.variant == "torchvision":
            reduced: Tensor = pool(maps)
        elif self.norm_first:
            reduced = pool(self.norm(maps))
        else:
            reduced = self.norm(pool(maps))
        return reduced

    def _check_size(self, images: Tensor) -> None:
        least, most, usual = (199, 230, 227) if self.variant == "caffe" else (63, None, 224)
        height, width = images.shape[-2:]
        if min(height, width) < least or (most is not None and max(height, width) > most):
            fitting = f"{least} to {most}" if most is not None else f"at least {least}"
            raise ValueError(
                f"AlexNet ({self.variant}) expects images of {usual} x {usual} pixels "
                f"({fitting} fit), got {height} x {width}: set crop_size, or image_size, to {usual}"
            )


def _scaled(count: int, width: float) -> int:
    scaled = count * width
    if scaled < 2 or scaled % 2:
        raise ValueError(
            f"width: expected even whole numbers of channels, got {count} * {width} = {scaled}"
        )
    return int(scaled)
