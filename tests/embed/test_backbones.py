"""Backbones by name, and the augmentation of training images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wsdhq.embed.backbones import BACKBONES, SmallBackbone, augment, make_backbone


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize("size", [16, 64, 75])
def test_backbones_give_one_row_of_features_per_image(name, size):
    backbone = make_backbone(name).eval()
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
    with pytest.raises(ValueError, match="backbone: unknown name 'large'; known names: small"):
        make_backbone("large")


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
