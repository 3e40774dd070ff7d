"""Crops of images: at random in training, centre or ten in evaluation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from wsdhq.data import decode_images, open_images
from wsdhq.embed import TrainedModel, train
from wsdhq.embed.backbones import SmallBackbone, alexnet, make_backbone
from wsdhq.embed.backbones.weights import weight_shapes
from wsdhq.embed.model_files import build_network
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork
from wsdhq.embed.networks.views import centre_crop, ten_crops
from wsdhq.embed.training.augmentation import augment
from wsdhq.runs.inputs import untrained


def _places(count: int, height: int, width: int) -> torch.Tensor:
    """Images whose first two channels are the row and the column of a pixel."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, :, 0] = np.arange(height)[:, None]
    image[:, :, 1] = np.arange(width)
    return torch.from_numpy(np.repeat(image[None], count, axis=0))


def test_random_crops_are_squares_at_every_place_and_mirrored():
    crops = augment(_places(4000, 9, 8), torch.Generator().manual_seed(0), crop_size=6).numpy()
    assert crops.shape == (4000, 6, 6, 3)
    seen = Counter()
    for crop in crops.astype(int):
        rows, columns = crop[:, 0, 0], crop[0, :, 1]
        assert (crop[:, :, 0] == rows[:, None]).all()
        assert (crop[:, :, 1] == columns).all()
        mirrored = columns[0] > columns[-1]
        left = columns[-1] if mirrored else columns[0]
        assert (rows == rows[0] + np.arange(6)).all()
        across = columns[::-1] if mirrored else columns
        assert (across == left + np.arange(6)).all()
        seen[int(rows[0]), int(left), bool(mirrored)] += 1
    assert set(seen) == {(t, x, m) for t in range(4) for x in range(3) for m in (False, True)}
    # 24 equally likely outcomes: 167 of each, give or take 12.7.
    assert min(seen.values()) > 110
    assert max(seen.values()) < 230


def test_a_crop_of_the_whole_image_is_mirrored_only():
    pixels = _places(50, 7, 7)
    crops = augment(pixels, torch.Generator().manual_seed(0), crop_size=7)
    mirrored = [torch.equal(crop, image.flip(1)) for crop, image in zip(crops, pixels)]
    whole = [torch.equal(crop, image) for crop, image in zip(crops, pixels)]
    assert all(a != b for a, b in zip(mirrored, whole))
    assert any(mirrored)
    assert any(whole)


def test_crops_come_from_their_generator_alone():
    pixels = _places(20, 9, 9)
    state = torch.get_rng_state()
    first = augment(pixels, torch.Generator().manual_seed(1), 5)
    assert torch.equal(first, augment(pixels, torch.Generator().manual_seed(1), 5))
    assert not torch.equal(first, augment(pixels, torch.Generator().manual_seed(2), 5))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", [0, 9, -1])
def test_sizes_that_do_not_fit(size):
    pixels = _places(2, 9, 8)
    message = f"crop_size: expected 1 to the size of the images, 9 x 8, got {size}"
    for cut in (
        lambda: centre_crop(pixels, size),
        lambda: list(ten_crops(pixels, size)),
        lambda: augment(pixels, torch.Generator(), size),
    ):
        with pytest.raises(ValueError, match=message):
            cut()


def test_centre_and_ten_crops_are_where_they_should_be():
    pixels = _places(2, 9, 12)
    corners = [(0, 0), (0, 7), (4, 0), (4, 7), (2, 3)]
    crops = [crop[1].numpy() for crop in ten_crops(pixels, 5)]
    assert len(crops) == 10
    for (top, left), crop, mirrored in zip(corners, crops[:5], crops[5:], strict=True):
        expected = pixels[1].numpy()[top : top + 5, left : left + 5]
        np.testing.assert_array_equal(crop, expected)
        np.testing.assert_array_equal(mirrored, expected[:, ::-1])
    np.testing.assert_array_equal(centre_crop(pixels, 5)[1].numpy(), crops[4])


class _Flat(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images):
        assert images.shape[2:] == (self.size, self.size)
        return images.flatten(1)


def _network(crop_size=5, crops="centre") -> EmbeddingNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = HypersphericalHead(3 * 25, 4)
    return EmbeddingNetwork(head, _Flat(5), crop_size, crops).eval()


def _images(count=3, size=8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, size, size, 3), generator=generator, dtype=torch.uint8)


def test_evaluation_sees_the_centre_and_training_what_comes():
    network, pixels = _network(), _images()
    centre = network.head(network.features(pixels[:, 1:6, 1:6]))
    torch.testing.assert_close(network(pixels), centre)
    torch.testing.assert_close(network.train()(pixels[:, 1:6, 1:6]), centre)


@pytest.mark.parametrize("normalize", [True, False])
def test_ten_crops_give_the_mean_embedding_on_the_sphere(normalize):
    network, pixels = _network(crops="ten"), _images()
    network.head.normalize = normalize
    total = torch.zeros(3, 4)
    for top, left in [(0, 0), (0, 3), (3, 0), (3, 3), (1, 1)]:
        crop = pixels[:, top : top + 5, left : left + 5]
        for seen in (crop, crop.flip(2)):
            total += network.head(network.features(seen))
    expected = functional.normalize(total, dim=1) if normalize else total / 10
    torch.testing.assert_close(network(pixels), expected)
    # Training sees one crop.
    one = network.train()(pixels[:, :5, :5])
    torch.testing.assert_close(one, network.head(network.features(pixels[:, :5, :5])))


def test_scaling_looks_at_the_centre():
    network, pixels = _network(), _images(count=200)
    network.fit_scaling(pixels)
    scaled = (network.features(pixels[:, 1:6, 1:6]) - network.head.shift) * network.head.scale
    assert scaled.pow(2).mean().item() == pytest.approx(1, rel=1e-3)


def test_unknown_crops():
    with pytest.raises(
        ValueError, match="evaluation_crops: expected one of 'centre', 'ten', got 'five'"
    ):
        _network(crops="five")


class _Watching(nn.Module):
    """A backbone that notes what it is shown in training mode and otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3, 6)
        self.shown: dict[bool, list[torch.Tensor]] = {True: [], False: []}

    def forward(self, images):
        self.shown[self.training].append(images.detach())
        return self.project(images.mean(dim=(2, 3)))


@pytest.mark.parametrize("augmented", [True, False])
def test_training_shows_crops(world, config_for, augmented):
    backbone = _Watching()
    config = config_for(
        world.folder,
        images=world.folder / "images",
        image_size=18,
        crop_size=16,
        epochs=2,
        augment=augmented,
    )
    model = train(config, backbone=backbone)
    for images in (*backbone.shown[True], *backbone.shown[False]):
        assert images.shape[2:] == (16, 16)
    # The last batch; the first that are shown in training mode are for the scaling.
    kinds = {tuple(image.flatten()[:40].tolist()) for image in backbone.shown[True][-1]}
    centres = centre_crop(torch.from_numpy(_decoded(world, config)), 16)
    network = model.network
    normal = (centres.permute(0, 3, 1, 2) - network.pixel_mean) / network.pixel_deviation
    plain = {tuple(image.flatten()[:40].tolist()) for image in normal}
    assert (kinds <= plain) == (not augmented)


def _decoded(world, config) -> np.ndarray:
    with open_images(world.folder / "images") as images:
        return decode_images(images, config.image_size).pixels


def test_a_model_with_crops_is_saved_and_loaded(world, config_for):
    config = config_for(
        world.folder,
        images=world.folder / "images",
        image_size=20,
        crop_size=16,
        evaluation_crops="ten",
        epochs=1,
    )
    model = train(config)
    pixels = _decoded(world, config)
    embeddings = model.embed(pixels)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    loaded = TrainedModel.load(config.out)
    assert (loaded.network.crop_size, loaded.network.evaluation_crops) == (16, "ten")
    np.testing.assert_array_equal(loaded.embed(pixels), embeddings)
    centre = TrainedModel(
        replace(config, evaluation_crops="centre"),
        EmbeddingNetwork(model.network.head, model.network.backbone, 16, "centre"),
        model.quantizer,
        model.tags,
    ).embed(pixels)
    assert not np.allclose(centre, embeddings, atol=1e-3)
    with pytest.raises(ValueError, match=r"images: expected shape \(N, 20, 20, 3\)"):
        model.embed(pixels[:, :16, :16])


def test_weights_begin_a_training_and_are_not_needed_afterwards(world, config_for, tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        trained_before = make_backbone("small")
    path = tmp_path / "small.pth"
    torch.save(trained_before.state_dict(), path)
    config = config_for(
        world.folder, images=world.folder / "images", epochs=1, backbone_weights=path
    )
    begun = build_network(config, None, 8).backbone
    for name, value in trained_before.state_dict().items():
        assert torch.equal(begun.state_dict()[name], value)
    model = train(config)
    path.unlink()
    loaded = TrainedModel.load(config.out)
    pixels = _decoded(world, config)
    np.testing.assert_array_equal(loaded.embed(pixels), model.embed(pixels))
    with pytest.raises(FileNotFoundError, match=r"small\.pth: no such file"):
        train(replace(config, out=str(tmp_path / "again")))


class _StopError(Exception):
    pass


def _stop(record):
    raise _StopError


def test_alexnet_in_torchvisions_form_is_resumed_loaded_and_compared_with(
    world, config_for, tmp_path, monkeypatch
):
    monkeypatch.setattr(alexnet, "_HIDDEN", 32)
    narrow = {"caffe": (4, 4, 4, 4, 4), "torchvision": (2, 4, 4, 4, 4)}
    monkeypatch.setattr(alexnet, "_CHANNELS", narrow)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        own = make_backbone("alexnet-torchvision")
    path = tmp_path / "alexnet.pth"
    names = weight_shapes(own, "torchvision")
    torch.save(dict(zip(names, own.state_dict().values())), path)
    settings = {
        "images": world.folder / "images", "epochs": 2, "num_queries": 150,
        "backbone": "alexnet", "backbone_weights": path, "image_size": 66, "crop_size": 63,
    }  # fmt: skip
    config, whole = (config_for(world.folder, name, **settings) for name in ("run", "whole"))
    train(whole)
    with pytest.raises(_StopError):
        train(config, progress=_stop)
    path.unlink()
    model = train(config, resume=True)
    loaded = TrainedModel.load(config.out)
    assert loaded.network.backbone.variant == "torchvision"
    assert not loaded.network.blue_first
    assert loaded.config.backbone == "alexnet"
    pixels = _decoded(world, config)[:8]
    np.testing.assert_array_equal(loaded.embed(pixels), model.embed(pixels))
    np.testing.assert_array_equal(TrainedModel.load(whole.out).embed(pixels), model.embed(pixels))
    loaded.save(tmp_path / "saved")
    assert TrainedModel.load(tmp_path / "saved").network.backbone.variant == "torchvision"
    # With the file gone the untrained network has random weights, in the same form.
    assert untrained(loaded).network.backbone.variant == "torchvision"


def test_weights_are_refused_where_nothing_takes_them(world, config_for):
    message = "backbone_weights: features need no backbone, expected None, got 'w.npy'"
    with pytest.raises(ValueError, match=message):
        train(config_for(world.folder, backbone_weights="w.npy"))
    config = config_for(world.folder, images=world.folder / "images", backbone_weights="w.npy")
    with pytest.raises(ValueError, match="backbone_weights: a module has its own"):
        train(config, backbone=_Watching())


def test_a_named_backbone_given_as_a_module_is_loaded_by_name(world, config_for):
    config = config_for(world.folder, images=world.folder / "images", epochs=1)
    train(config, backbone=make_backbone("small"))
    assert TrainedModel.load(config.out).network.backbone.backbone_name == "small"
    narrow = replace(config, out=str(world.folder / "narrow"))
    train(narrow, backbone=SmallBackbone(width=8))
    with pytest.raises(ValueError, match="trained with a backbone of the user's own"):
        TrainedModel.load(narrow.out)
    TrainedModel.load(narrow.out, backbone=SmallBackbone(width=8))


def test_a_size_that_the_backbone_cannot_take_is_named(world, config_for):
    class Large(nn.Module):
        def forward(self, images):
            return functional.max_pool2d(images, 40).flatten(1)

    config = config_for(world.folder, images=world.folder / "images")
    message = r"backbone: it cannot take images of 16 x 16 pixels \(crop_size, or else image_size\)"
    with pytest.raises(ValueError, match=message):
        train(config, backbone=Large())
