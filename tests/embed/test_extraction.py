"""Features of images by a backbone as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wsdhq.data import decode_images, open_images
from wsdhq.embed import decoding, extract_features
from wsdhq.embed.backbones import AlexNet, PixelFormat, SmallBackbone
from wsdhq.embed.networks.views import centre_crop, ten_crops


class _Means(nn.Module):
    """The mean of each half of the image, per channel, in pixel values."""

    pixel_format = PixelFormat((0, 0, 0), (1, 1, 1))

    def forward(self, images):
        assert not self.training
        half = images.shape[3] // 2
        return torch.cat([images[..., :half].mean((2, 3)), images[..., half:].mean((2, 3))], 1)


def _means(pixels: np.ndarray) -> np.ndarray:
    half = pixels.shape[2] // 2
    values = pixels.astype(np.float64)
    parts = [values[:, :, :half].mean((1, 2)), values[:, :, half:].mean((1, 2))]
    return np.concatenate(parts, axis=1)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (11, 10, 10, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, pixels):
    """The images as files; 0, 4, 5 and 10 cannot be read."""
    for row, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{row}.png")
    for row in (0, 4, 5, 10):
        (tmp_path / f"{row}.png").write_bytes(b"no image")
    return tmp_path


def test_features_of_an_array(pixels):
    done = []
    rows = extract_features(
        pixels,
        _Means(),
        image_size=10,
        batch_size=4,
        threads=1,
        progress=lambda *counts: done.append(counts),
    )
    np.testing.assert_allclose(rows.features, _means(pixels), rtol=1e-5)
    assert rows.features.dtype == np.float32
    assert rows.kept.tolist() == list(range(11))
    assert rows.skipped == []
    assert done == [(4, 11), (8, 11), (11, 11)]


def test_features_of_crops(pixels):
    centre = extract_features(pixels, _Means(), image_size=10, crop_size=6).features
    crops = [crop.numpy() for crop in ten_crops(torch.from_numpy(pixels), 6)]
    np.testing.assert_allclose(centre, _means(crops[4]), rtol=1e-5)
    np.testing.assert_array_equal(crops[4], centre_crop(torch.from_numpy(pixels), 6).numpy())
    ten = extract_features(
        pixels, _Means(), image_size=10, crop_size=6, evaluation_crops="ten"
    ).features
    expected = np.mean([_means(crop) for crop in crops], axis=0)
    np.testing.assert_allclose(ten, expected, rtol=1e-5)


@pytest.mark.parametrize("part", [1, 2, 3, 100])
def test_features_of_a_collection_part_by_part(folder, pixels, part, monkeypatch):
    monkeypatch.setattr(decoding, "_MAX_PART", part)
    done = []
    with open_images(folder) as images:
        rows = extract_features(
            images,
            _Means(),
            image_size=10,
            batch_size=2,
            threads=1,
            progress=lambda *counts: done.append(counts),
        )
    readable = [1, 2, 3, 6, 7, 8, 9]
    assert rows.kept.tolist() == readable
    np.testing.assert_allclose(rows.features, _means(pixels[readable]), rtol=1e-5)
    assert [image.row for image in rows.skipped] == [0, 4, 5, 10]
    assert done == sorted(done)
    assert done[-1] == (11, 11)


def test_parts_are_bounded_in_bytes(folder, monkeypatch):
    monkeypatch.setattr(decoding, "_BYTES_PER_PART", 3 * 10 * 10 * 3)
    with open_images(folder) as images:
        sizes = [
            len(part.pixels) + len(part.skipped) for part in decoding.decoded_parts(images, 10)
        ]
    assert sizes == [3, 3, 3, 2]


def test_none_can_be_read(folder):
    for row in range(11):
        (folder / f"{row}.png").write_bytes(b"no image")
    message = r"none of the 11 images can be read; the first, 0\.png"
    with open_images(folder) as images, pytest.raises(ValueError, match=message):
        extract_features(images, _Means(), image_size=10)


def test_fc7_of_alexnet_from_files(folder):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = AlexNet(width=1 / 16)
    backbone.train()
    with open_images(folder) as images:
        rows = extract_features(images, backbone, image_size=240, crop_size=227, threads=1)
        decoded = decode_images(images, 240, rows.kept, threads=1).pixels
    assert backbone.training
    assert all(value.grad is None for value in backbone.parameters())
    blue_first = centre_crop(torch.from_numpy(decoded), 227).flip(3).permute(0, 3, 1, 2).float()
    normal = blue_first - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    with torch.no_grad():
        expected = backbone.eval()(normal).numpy()
    np.testing.assert_allclose(rows.features, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"AlexNet .* expects images of 227 x 227"):
        extract_features(decoded, backbone, image_size=240)


def test_no_images_give_no_rows():
    none = np.empty((0, 16, 16, 3), dtype=np.uint8)
    assert extract_features(none, SmallBackbone(width=2), image_size=16).features.shape == (0, 32)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"image_size": 0}, ValueError, "image_size: expected at least 1, got 0"),
        ({"crop_size": 11}, ValueError, "crop_size: expected 1 to 10, got 11"),
        ({"crop_size": 0}, ValueError, "crop_size: expected 1 to 10, got 0"),
        ({"batch_size": 0}, ValueError, "batch_size: expected at least 1, got 0"),
        (
            {"evaluation_crops": "five"},
            ValueError,
            "evaluation_crops: expected one of 'centre', 'ten'",
        ),
        ({"image_size": 12}, ValueError, r"images: expected shape \(N, 12, 12, 3\), got \(11, 10"),
        ({"images": [1]}, TypeError, "an ImageCollection or a uint8 array, got list"),
        ({"images": np.zeros((1, 10, 10, 3))}, TypeError, "uint8 array, got float64"),
        ({"backbone": len}, TypeError, r"backbone: expected a torch\.nn\.Module"),
    ],
)
def test_bad_input_is_named(pixels, changes, error, message):
    arguments = {"images": pixels, "backbone": _Means(), "image_size": 10} | changes
    with pytest.raises(error, match=message):
        extract_features(arguments.pop("images"), arguments.pop("backbone"), **arguments)


def test_features_that_are_not_finite_are_named(folder):
    class Broken(_Means):
        def forward(self, images):
            means = super().forward(images)
            return means if len(means) == 2 else means / 0

    message = "backbone: the features of image 1 are not all finite"
    with open_images(folder) as images, pytest.raises(ValueError, match=message):
        extract_features(images, Broken(), image_size=10)
