"""Statistics of batch normalization are those of the weights that training ended with."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from wsdhq.baselines import TrainingData, make_baseline
from wsdhq.baselines.common.batch_norm import settle_batch_norm
from wsdhq.embed.backbones import make_backbone
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork
from wsdhq.embed.tags.word_vectors import WordVectors


class _Normalized(nn.Module):
    """Mean colours, normalized over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(self.norm(images.mean(dim=(2, 3))))


def _images(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 16, 16, 3), generator=generator, dtype=torch.uint8)


def test_statistics_are_the_means_over_the_images():
    network = EmbeddingNetwork(HypersphericalHead(3, 4), _Normalized()).eval()
    images = _images(150)
    modes = [module.training for module in network.modules()]
    settle_batch_norm(network, images)
    pixels = (images.permute(0, 3, 1, 2).float() - network.pixel_mean) / network.pixel_deviation
    seen = pixels.mean(dim=(2, 3))
    norm = network.backbone.norm
    # Blocks are of equal size here, so that the mean over blocks is that over all images.
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=0))
    torch.testing.assert_close(norm.running_var, seen.var(dim=0), rtol=0.1, atol=0)
    assert norm.momentum == 0.1
    assert [module.training for module in network.modules()] == modes


def test_networks_without_such_layers_stay_as_they_are():
    network = EmbeddingNetwork(HypersphericalHead(3 * 256, 4), nn.Flatten())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settle_batch_norm(network, _images(10))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_short_training_tells_kinds_of_image_apart():
    generator = np.random.default_rng(0)
    kinds = generator.integers(3, size=90)
    colours = np.array([[90, 150, 250], [20, 60, 120], [150, 90, 40]])
    noise = generator.integers(-20, 20, size=(90, 32, 32, 3))
    pixels = (colours[kinds][:, None, None, :] + noise).clip(0, 255).astype(np.uint8)
    words = ("sky", "sea", "dog")
    vectors = WordVectors(words, np.eye(3, 8, dtype=np.float32))
    data = TrainingData(pixels, [[words[kind]] for kind in kinds], vectors)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = make_backbone("small")
    method = make_baseline("WDHT", 16, threads=1, epochs=3, backbone=backbone).fit(data)
    bits = np.unpackbits(method.encode(pixels), axis=1)
    distances = (bits[:, None, :] != bits[None, :, :]).sum(axis=2)
    same = kinds[:, None] == kinds[None, :]
    assert distances[same].mean() < 0.5 * distances[~same].mean()
