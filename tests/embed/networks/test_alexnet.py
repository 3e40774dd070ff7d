"""AlexNet to fc7: its published shapes and sizes, and what it computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import alexnet_oracle
from wsdhq.embed.backbones import AlexNet, load_alexnet_weights, make_backbone
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork, backbone_width

NARROW = 1 / 16


def _on_meta(variant: str = "caffe", **options) -> AlexNet:
    with torch.device("meta"):
        return AlexNet(variant, **options).eval()


def _shapes(network: AlexNet, size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, part in network.named_children():
        part.register_forward_hook(
            lambda part, given, result, name=name: shapes.update({name: tuple(result.shape[1:])})
        )
    shapes["features"] = tuple(network(torch.zeros(2, 3, size, size, device="meta")).shape[1:])
    return shapes


def test_number_of_parameters_as_published():
    counts = {
        name: sum(value.numel() for value in part.parameters())
        for name, part in _on_meta().named_children()
    }
    published = {
        "conv1": 34_944,
        "conv2": 307_456,
        "conv3": 885_120,
        "conv4": 663_936,
        "conv5": 442_624,
        "fc6": 37_752_832,
        "fc7": 16_781_312,
    }
    assert {name: count for name, count in counts.items() if count} == published
    assert sum(counts.values()) == 56_868_224


def test_number_of_parameters_of_torchvisions_form():
    # 61,100,840 as published, less the 4,097,000 of the classifier behind fc7.
    count = sum(value.numel() for value in _on_meta("torchvision").parameters())
    assert count == 61_100_840 - 4_097_000


@pytest.mark.parametrize(
    ("variant", "size", "shapes"),
    [
        (
            "caffe",
            227,
            {
                "conv1": (96, 55, 55),
                "pool1": (96, 27, 27),
                "conv2": (256, 27, 27),
                "pool2": (256, 13, 13),
                "conv3": (384, 13, 13),
                "conv4": (384, 13, 13),
                "conv5": (256, 13, 13),
                "pool5": (256, 6, 6),
                "fc6": (4096,),
                "fc7": (4096,),
                "features": (4096,),
            },
        ),
        (
            "torchvision",
            224,
            {
                "conv1": (64, 55, 55),
                "pool1": (64, 27, 27),
                "conv2": (192, 27, 27),
                "pool2": (192, 13, 13),
                "conv3": (384, 13, 13),
                "conv4": (256, 13, 13),
                "conv5": (256, 13, 13),
                "pool5": (256, 6, 6),
                "fc6": (4096,),
                "fc7": (4096,),
                "features": (4096,),
            },
        ),
    ],
)
def test_shapes_of_all_layers_as_published(variant, size, shapes):
    got = _shapes(_on_meta(variant), size)
    assert {name: got[name] for name in shapes} == shapes


@pytest.mark.parametrize("variant", ["caffe", "torchvision"])
def test_every_size_gives_features_or_is_named(variant):
    network = _on_meta(variant, width=NARROW)
    expected = "227 x 227" if variant == "caffe" else "224 x 224"
    fitting = range(199, 231) if variant == "caffe" else range(63, 1000)
    for size in [16, 62, 63, 64, *range(195, 235), 256, 300]:
        images = torch.zeros(1, 3, size, size, device="meta")
        if size in fitting:
            assert network(images).shape == (1, 256)
        else:
            with pytest.raises(ValueError, match=f"expects images of {expected} .* got {size} x"):
                network(images)
    with pytest.raises(ValueError, match="got 227 x 31"):
        network(torch.zeros(1, 3, 227, 31, device="meta"))


def test_response_normalization_is_the_plain_loop():
    generator = np.random.default_rng(0)
    maps = 200 * generator.standard_normal((5, 4, 7))
    norm = _real(AlexNet, width=NARROW).norm
    got = norm(torch.from_numpy(maps).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(got.numpy(), alexnet_oracle.normalize(maps), rtol=1e-9)
    # Far from the identity, so that another alpha would show.
    assert np.abs(got.numpy() / maps).min() < 0.5


@pytest.mark.parametrize(
    ("name", "size", "stride", "padding", "groups"),
    [("conv1", 19, 4, 0, 1), ("conv2", 6, 1, 2, 2), ("conv3", 4, 1, 1, 1), ("conv4", 4, 1, 1, 2)],
)
def test_a_layer_is_the_plain_loop(name, size, stride, padding, groups):
    layer = getattr(_real(AlexNet, width=NARROW), name).double()
    maps = np.random.default_rng(1).standard_normal((size, size, layer.in_channels))
    with torch.no_grad():
        got = layer(torch.from_numpy(maps).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    kernel = layer.weight.detach().permute(2, 3, 1, 0).numpy()
    bias = layer.bias.detach().numpy()
    expected = alexnet_oracle.convolve(maps, kernel, bias, stride, padding, groups)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("size", [227, 224])
def test_a_pass_is_the_plain_loops(norm_first, size, tmp_path):
    layers = alexnet_oracle.random_layers()
    np.save(tmp_path / "weights.npy", np.array(layers, dtype=object))
    network = _real(AlexNet, width=NARROW, norm_first=norm_first).eval()
    load_alexnet_weights(network, tmp_path / "weights.npy")
    pixels = np.random.default_rng(2).integers(0, 256, (size, size, 3), dtype=np.uint8)
    # All the way from pixels: blue first, means taken off.
    image = pixels[:, :, ::-1].astype(np.float64) - [103.939, 116.779, 123.68]
    expected = alexnet_oracle.features(layers, image, norm_first)
    embedding = EmbeddingNetwork(HypersphericalHead(256, 4), network)
    with torch.no_grad():
        got = embedding.features(torch.from_numpy(pixels)[None])[0].numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * expected.max())
    assert (expected > 0).any()


def test_the_order_of_pooling_and_normalization_matters():
    pixels = 255 * torch.rand(1, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    first, then = (_real(AlexNet, width=NARROW, norm_first=choice).eval() for choice in (0, 1))
    then.load_state_dict(first.state_dict())
    with torch.no_grad():
        assert not torch.allclose(first(100 * pixels), then(100 * pixels), rtol=1e-3)


def test_torchvisions_form_is_that_sequence_of_layers():
    network = _real(AlexNet, "torchvision", width=NARROW).eval()
    images = torch.randn(2, 3, 150, 224, generator=torch.Generator().manual_seed(0))
    maps = images
    for name, pooled in (
        ("conv1", True),
        ("conv2", True),
        ("conv3", False),
        ("conv4", False),
        ("conv5", True),
    ):
        layer = getattr(network, name)
        padding = 2 if name in ("conv1", "conv2") else 1
        stride = 4 if name == "conv1" else 1
        maps = functional.conv2d(maps, layer.weight, layer.bias, stride, padding).relu()
        maps = functional.max_pool2d(maps, 3, 2) if pooled else maps
    hidden = functional.adaptive_avg_pool2d(maps, 6).flatten(1)
    for layer in (network.fc6, network.fc7):
        hidden = functional.linear(hidden, layer.weight, layer.bias).relu()
    torch.testing.assert_close(network(images), hidden)


def test_dropout_stands_behind_fc7_in_caffes_form_alone():
    images = torch.rand(4, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for variant in ("caffe", "torchvision"):
            network = AlexNet(variant, width=NARROW, dropout=0.9)
            nn.init.ones_(network.fc7.bias)
            nn.init.zeros_(network.fc7.weight)
            dropped = (network.train()(images) == 0).float().mean().item()
            assert dropped == pytest.approx(0.9 if variant == "caffe" else 0, abs=0.05)
            assert (network.eval()(images) == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "vgg"}, "variant: expected one of 'caffe', 'torchvision', got 'vgg'"),
        ({"variant": "torchvision", "norm_first": True}, "norm_first.*expected False"),
        ({"dropout": 1.0}, "dropout: expected 0 <= dropout < 1, got 1.0"),
        ({"width": 0.01}, "width: expected even whole numbers .* 96 \\* 0.01"),
        ({"width": -1}, "width: expected even"),
        ({"width": float("nan")}, "width: expected even"),
    ],
)
def test_bad_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        AlexNet(**options)


def test_by_name_and_width_of_features():
    with torch.device("meta"):
        caffe, other = make_backbone("alexnet"), make_backbone("alexnet-torchvision")
    assert (caffe.variant, other.variant) == ("caffe", "torchvision")
    assert backbone_width(caffe, 227) == caffe.out_dim == 4096
    with pytest.raises(ValueError, match=r"227 x 227.*got 64 x 64: set crop_size, or image_size"):
        backbone_width(caffe, 64)


def _real(make, *arguments, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*arguments, **options)
