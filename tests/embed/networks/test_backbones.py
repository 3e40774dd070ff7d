"""Backbones by name, and the augmentation of training images."""

from __future__ import annotations

import sys
from collections import OrderedDict
from functools import partial
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wsdhq.embed.backbones import (
    BACKBONES,
    IMAGENET_PIXELS,
    AlexNet,
    PixelFormat,
    SmallBackbone,
    make_backbone,
    pixel_format_of,
)
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork, backbone_width
from wsdhq.embed.training.augmentation import augment


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("small", 16),
        ("small", 64),
        ("small", 75),
        ("alexnet", 227),
        ("alexnet-torchvision", 64),
        ("alexnet-torchvision", 224),
    ],
)
def test_backbones_give_one_row_of_features_per_image(name, size):
    # Narrow: half a gigabyte of weights would show no more.
    narrow = {"alexnet": partial(AlexNet, width=1 / 16)}
    narrow["alexnet-torchvision"] = partial(AlexNet, "torchvision", width=1 / 16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = narrow.get(name, BACKBONES[name])().eval()
    images = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    features = backbone(images)
    assert features.ndim == 2
    assert len(features) == 3
    assert features.shape[1] == backbone.out_dim
    torch.testing.assert_close(backbone(images[1:2])[0], features[1], rtol=1e-4, atol=1e-5)


def test_small_backbone_sees_an_object_anywhere():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = SmallBackbone().eval()
    images = torch.zeros(2, 3, 64, 64)
    images[0, :, 16:24, 16:24] = 1
    images[1, :, 32:40, 32:40] = 1
    near, far = backbone(images)
    torch.testing.assert_close(near, far, rtol=1e-3, atol=1e-5)


def test_unknown_backbone_lists_the_known():
    message = "backbone: expected one of alexnet, alexnet-torchvision, small, or"
    with pytest.raises(ValueError, match=f"{message} timm:NAME or torchvision:NAME"):
        make_backbone("large")
    with pytest.raises(ValueError, match="unknown library 'keras'; expected timm:NAME or torchv"):
        make_backbone("keras:resnet18")


def test_every_known_name_is_tried_above():
    assert set(BACKBONES) == {"small", "alexnet", "alexnet-torchvision"}


def test_a_backbone_keeps_its_name():
    assert make_backbone("small").backbone_name == "small"


class _Ending(nn.Module):
    """A network of a public library, from its pooled channels on."""

    def __init__(self, **ending):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, kernel_size=3)
        self.ending = list(ending)
        for name, part in ending.items():
            self.add_module(name, part)

    def forward(self, images):
        pooled = self.stem(images).mean(dim=(2, 3))
        for name in self.ending:
            pooled = getattr(self, name)(pooled)
        return pooled


_TORCHVISION = {
    "resnet18": lambda: _Ending(fc=nn.Linear(6, 10)),
    "resnet34": lambda: _Ending(fc=nn.Linear(6, 10)),
    "vgg11": lambda: _Ending(
        classifier=nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 10))
    ),
    "vit_b_16": lambda: _Ending(heads=nn.Sequential(OrderedDict(head=nn.Linear(6, 10)))),
    "swin_t": lambda: _Ending(head=nn.Linear(6, 10)),
    "squeezenet1_0": lambda: _Ending(classifier=nn.Sequential(nn.Dropout(), nn.ReLU())),
}


@pytest.fixture
def torchvision(monkeypatch):
    """What is used of torchvision.models: `list_models` and `get_model`."""
    package, models = ModuleType("torchvision"), ModuleType("torchvision.models")

    def list_models(module=None):
        assert module is models
        return sorted(_TORCHVISION)

    def get_model(name, weights="not given"):
        assert weights is None
        return _TORCHVISION[name]()

    models.list_models, models.get_model = list_models, get_model
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return models


@pytest.fixture
def timm(monkeypatch):
    """What is used of timm: `list_models` and `create_model`."""
    module = ModuleType("timm")

    def create_model(name, pretrained=False, num_classes=1000):
        assert not pretrained
        if name.endswith(".wrong"):
            raise RuntimeError("Invalid pretrained tag (wrong)")
        model = _Ending(fc=nn.Linear(6, num_classes) if num_classes else nn.Identity())
        classifier = ("fc", "fc_dist") if "dist" in name else "fc"
        model.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "classifier": classifier}
        if name == "plain":
            model.pretrained_cfg = {}
        return model

    module.create_model = create_model
    module.list_models = lambda: ["deit_dist", "plain", "resnet18", "resnet34"]
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


@pytest.mark.parametrize(
    ("name", "width", "prefix"),
    [
        ("resnet18", 6, "fc."),
        ("vgg11", 8, "classifier.2."),
        ("vit_b_16", 6, "heads.head."),
        ("swin_t", 6, "head."),
    ],
)
def test_torchvisions_networks_come_without_classifier(torchvision, tmp_path, name, width, prefix):
    backbone = make_backbone(f"torchvision:{name}")
    assert backbone_width(backbone, 32) == width
    assert backbone.backbone_name == f"torchvision:{name}"
    whole = _TORCHVISION[name]()
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    loaded = make_backbone(f"torchvision:{name}", tmp_path / "weights.pth")
    removed = {key for key in whole.state_dict() if key.startswith(prefix)}
    assert removed == whole.state_dict().keys() - loaded.state_dict().keys()
    assert removed
    for key, value in loaded.state_dict().items():
        assert torch.equal(value, whole.state_dict()[key])


def test_torchvisions_auxiliary_classifiers_are_left_out(torchvision, monkeypatch, tmp_path):
    def googlenet():
        model = _Ending(fc=nn.Linear(6, 10))
        model.aux1, model.aux_logits = nn.Linear(6, 10), True
        return model

    monkeypatch.setitem(_TORCHVISION, "googlenet", googlenet)
    torch.save(googlenet().state_dict(), tmp_path / "weights.pth")
    backbone = make_backbone("torchvision:googlenet", tmp_path / "weights.pth")
    assert backbone.aux1 is None
    assert not backbone.aux_logits
    assert set(backbone.state_dict()) == {"stem.weight", "stem.bias"}


def test_a_network_without_linear_end_is_refused(torchvision):
    with pytest.raises(ValueError, match="squeezenet1_0 does not end in a linear layer"):
        make_backbone("torchvision:squeezenet1_0")


def test_timms_networks_come_without_classifier_and_with_their_pixels(timm, tmp_path):
    backbone = make_backbone("timm:resnet18.a1_in1k")
    assert backbone_width(backbone, 32) == 6
    assert backbone.pixel_format == PixelFormat((127.5,) * 3, (63.75,) * 3)
    whole = timm.create_model("resnet18")
    save_file(whole.state_dict(), tmp_path / "weights.safetensors")
    loaded = make_backbone("timm:resnet18", tmp_path / "weights.safetensors")
    assert torch.equal(loaded.stem.weight, whole.stem.weight)
    assert make_backbone("timm:deit_dist").removed_classifier == ("fc.", "fc_dist.")
    assert pixel_format_of(make_backbone("timm:plain")) == IMAGENET_PIXELS
    with pytest.raises(ValueError, match=r"timm cannot make 'resnet18\.wrong': Invalid pretrained"):
        make_backbone("timm:resnet18.wrong")


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_unknown_names_of_libraries_list_similar_ones(library, torchvision, timm):
    message = f"backbone: {library} has no network 'resnet81' among its .* resnet18"
    with pytest.raises(ValueError, match=message):
        make_backbone(f"{library}:resnet81")
    with pytest.raises(ValueError, match="no name is similar"):
        make_backbone(f"{library}:@@@")


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_library_that_is_not_installed_is_told_how_to_get(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.models", None)
    message = f"'{library}:resnet18' needs {library}.*pip install {library}, in a version for torch"
    with pytest.raises(ImportError, match=message):
        make_backbone(f"{library}:resnet18")


def test_pixels_come_as_the_backbone_asks():
    class Flat(nn.Module):
        pixel_format = PixelFormat((1, 2, 3), (10, 20, 40), "bgr")

        def forward(self, images):
            return images.flatten(1)

    network = EmbeddingNetwork(HypersphericalHead(3, 2), Flat())
    pixels = torch.tensor([[[[50, 100, 200]]]], dtype=torch.uint8)
    expected = torch.tensor([[(200 - 1) / 10, (100 - 2) / 20, (50 - 3) / 40]])
    torch.testing.assert_close(network.features(pixels), expected)
    assert "pixel_mean" not in network.state_dict()

    Flat.pixel_format = "bgr"
    with pytest.raises(TypeError, match="pixel_format: expected a PixelFormat, got str"):
        EmbeddingNetwork(HypersphericalHead(3, 2), Flat())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 2), (1, 1, 1)), "mean: expected three finite numbers, got "),
        (((0, 0, 0), (1, 1, float("nan"))), "deviation: expected three finite numbers"),
        (((0, 0, 0), (1, 0, 1)), "deviation: expected numbers above 0"),
        (((0, 0, 0), (1, 1, 1), "gbr"), "channel_order: expected 'rgb' or 'bgr', got 'gbr'"),
    ],
)
def test_bad_pixel_formats(arguments, message):
    with pytest.raises(ValueError, match=message):
        PixelFormat(*arguments)


def _gradient_images(count: int, size: int = 32) -> torch.Tensor:
    rows = torch.arange(size, dtype=torch.uint8).view(-1, 1, 1)
    columns = torch.arange(size, dtype=torch.uint8).view(1, -1, 1)
    image = torch.cat(
        [
            rows.expand(size, size, 1),
            columns.expand(size, size, 1),
            torch.zeros(size, size, 1, dtype=torch.uint8),
        ],
        dim=2,
    )
    return image.expand(count, size, size, 3).contiguous()


def test_augmentation_is_a_mirrored_and_shifted_image_with_its_border_repeated():
    pixels = _gradient_images(200)
    changed = augment(pixels, torch.Generator().manual_seed(3)).numpy()
    seen = set()
    plain = np.arange(32)
    for image in changed:
        rows, columns = image[:, 0, 0].astype(int), image[0, :, 1].astype(int)
        assert (image[:, :, 0] == rows[:, None]).all()
        assert (image[:, :, 1] == columns[None, :]).all()
        mirrored = columns[0] > columns[-1]
        across = columns[::-1] if mirrored else columns
        down_shift, across_shift = rows[16] - 16, across[16] - 16
        assert (rows == np.clip(plain + down_shift, 0, 31)).all()
        assert (across == np.clip(plain + across_shift, 0, 31)).all()
        seen.add((bool(mirrored), int(down_shift), int(across_shift)))
    assert {mirrored for mirrored, _, _ in seen} == {True, False}
    assert {shift for _, shift, _ in seen} == {-2, -1, 0, 1, 2}
    assert {shift for _, _, shift in seen} == {-2, -1, 0, 1, 2}


def test_augmentation_depends_on_its_generator_alone():
    pixels = _gradient_images(10)
    before = pixels.clone()
    state = torch.get_rng_state()
    first = augment(pixels, torch.Generator().manual_seed(1))
    again = augment(pixels, torch.Generator().manual_seed(1))
    other = augment(pixels, torch.Generator().manual_seed(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(pixels, before)
    assert torch.equal(torch.get_rng_state(), state)
