"""The hyperspherical head, the networks around it and their refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork, backbone_width, evaluation_mode


def test_linear_head_is_the_formula_of_the_paper():
    head = HypersphericalHead(4, 3).double()
    features = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight, bias = head.transform.weight.detach().numpy(), head.transform.bias.detach().numpy()
    for row, embedded in zip(features.numpy(), head(features).detach().numpy()):
        squashed = np.tanh(weight @ row + bias)
        np.testing.assert_allclose(embedded, squashed / np.linalg.norm(squashed), rtol=1e-12)


def test_hidden_layer_takes_part():
    head = HypersphericalHead(4, 3, hidden_dim=6)
    assert head.hidden.weight.shape == (6, 4)
    assert head.transform.weight.shape == (3, 6)
    features = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    embedded = head(features)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(5))
    embedded[:, 0].sum().backward()
    assert torch.count_nonzero(head.hidden.weight.grad) > 0


def test_dropout_only_in_training():
    head = HypersphericalHead(50, 8, hidden_dim=64, dropout=0.5)
    features = torch.ones(1, 50)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_zero_output_stays_zero_with_a_finite_gradient():
    head = HypersphericalHead(2, 3)
    nn.init.zeros_(head.transform.weight)
    nn.init.zeros_(head.transform.bias)
    embedded = head(torch.ones(1, 2))
    assert torch.count_nonzero(embedded) == 0
    embedded.sum().backward()
    assert torch.isfinite(head.transform.weight.grad).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scaling_centres_and_gives_mean_square_one(dtype):
    generator = np.random.default_rng(0)
    features = (100 + generator.standard_normal((20_000, 5)) * [1, 2, 3, 4, 5]).astype(dtype)
    head = HypersphericalHead(5, 3)
    head.fit_scaling(features)
    scaled = (torch.from_numpy(features.astype(np.float32)) - head.shift) * head.scale
    assert scaled.mean(dim=0).abs().max() < 1e-3
    assert float((scaled**2).mean()) == pytest.approx(1, rel=1e-3)
    # One scale for all: the widest dimension stays five times as wide as the narrowest.
    deviation = scaled.std(dim=0)
    assert float(deviation[4] / deviation[0]) == pytest.approx(5, rel=0.05)


def test_scaling_looks_at_the_rows_given_only():
    features = np.array([[0.0, 2.0], [1e6, 1e6], [4.0, 2.0]])
    head = HypersphericalHead(2, 3)
    head.fit_scaling(features, np.array([0, 2]))
    torch.testing.assert_close(head.shift, torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(head.scale, torch.full((2,), 1 / np.sqrt(2), dtype=torch.float32))


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_scaling_of_identical_rows_does_not_divide_by_zero(whitening):
    head = HypersphericalHead(2, 3)
    head.fit_scaling(np.full((4, 2), 7.0, dtype=np.float32), whitening=whitening)
    assert torch.equal(head.scale, torch.ones(2))
    assert torch.isfinite(head(torch.full((1, 2), 7.0))).all()


def _uneven_features(num_rows: int = 4000) -> np.ndarray:
    generator = np.random.default_rng(3)
    return 100 + generator.standard_normal((num_rows, 5)) * [0.5, 1, 2, 4, 8]


def _whitened(features: np.ndarray, whitening: float) -> tuple[HypersphericalHead, np.ndarray]:
    head = HypersphericalHead(features.shape[1], 3).double()
    head.fit_scaling(features, whitening=whitening)
    return head, ((torch.from_numpy(features) - head.shift) * head.scale).numpy()


@pytest.mark.parametrize("whitening", [0.0, 0.3, 0.5, 1.0])
def test_whitening_divides_each_dimension_by_a_power_of_its_deviation(whitening):
    features = _uneven_features()
    head, scaled = _whitened(features, whitening)
    assert head.scale.shape == (5,)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-9)
    assert np.mean(scaled**2) == pytest.approx(1, rel=1e-9)
    centred = features - features.mean(axis=0)
    divided = np.empty_like(centred)
    for column in range(5):
        deviation = np.sqrt(np.mean(centred[:, column] ** 2))
        divided[:, column] = centred[:, column] / deviation**whitening
    divided /= np.sqrt(np.mean(divided**2))
    np.testing.assert_allclose(scaled, divided, rtol=1e-7, atol=1e-9)


def test_without_whitening_there_is_one_scale_for_all_dimensions():
    features = _uneven_features()
    head, _ = _whitened(features, 0.0)
    expected = 1 / np.sqrt(np.var(features, axis=0).mean())
    np.testing.assert_allclose(head.scale.numpy(), expected, rtol=1e-9)
    by_itself = HypersphericalHead(5, 3).double()
    by_itself.fit_scaling(features)
    assert torch.equal(by_itself.scale, head.scale)


def test_whole_whitening_gives_each_dimension_unit_variance():
    _, scaled = _whitened(_uneven_features(), 1.0)
    np.testing.assert_allclose(scaled.var(axis=0), 1, rtol=1e-9)


@pytest.mark.parametrize("whitening", [0.5, 1.0])
def test_dimensions_that_hardly_vary_are_not_blown_up(whitening):
    features = _uneven_features()
    features[:, 1] = 3.0
    features[:, 2] = 3.0 + 1e-9 * np.arange(len(features))
    head, scaled = _whitened(features, whitening)
    assert np.isfinite(scaled).all()
    # A step of a mean deviation to the side, where there was none in training, stays in bounds.
    deviation = np.sqrt(np.var(features, axis=0).mean())
    assert float(head.scale.max()) * deviation < 200
    np.testing.assert_allclose(scaled[:, 1:3], 0, atol=1e-3)
    np.testing.assert_allclose(np.mean(scaled**2), 1, rtol=1e-9)


def test_scaling_is_stored_with_the_weights():
    head = HypersphericalHead(2, 3)
    head.fit_scaling(np.array([[0.0, 2.0], [4.0, 2.0]]))
    other = HypersphericalHead(2, 3)
    other.load_state_dict(head.state_dict())
    features = torch.tensor([[1.0, 5.0]])
    assert torch.equal(other(features), head(features))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_dim": 0}, "in_dim: expected at least 1, got 0"),
        ({"dim": 0}, "dim: expected at least 1"),
        ({"hidden_dim": 0}, "hidden_dim: expected at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
    ],
)
def test_head_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        HypersphericalHead(**({"in_dim": 2, "dim": 3} | arguments))


def test_scaling_refuses():
    head = HypersphericalHead(2, 3)
    with pytest.raises(ValueError, match=r"features: expected shape \(N, 2\), got \(4, 3\)"):
        head.fit_scaling(np.ones((4, 3)))
    with pytest.raises(ValueError, match="at least one row"):
        head.fit_scaling(np.ones((4, 2)), np.array([], dtype=np.int64))
    for whitening in (-0.1, 1.5, float("nan")):
        with pytest.raises(
            ValueError, match=rf"whitening: expected (0 to 1|a finite number), got {whitening}"
        ):
            head.fit_scaling(np.ones((4, 2)), whitening=whitening)


def test_evaluation_mode_is_restored_module_by_module():
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    network[1].eval()

    def fail_inside() -> None:
        with evaluation_mode(network):
            assert not any(module.training for module in network.modules())
            assert not torch.is_grad_enabled()
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_inside()
    assert [module.training for module in network.modules()] == [True, True, False]
    assert torch.is_grad_enabled()


class _Flatten(nn.Module):
    def forward(self, images):
        return images.flatten(1)


class _Broken(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, images):
        return self.output


def test_images_arrive_normalized_and_channels_first():
    head = HypersphericalHead(3 * 2 * 2, 4)
    network = EmbeddingNetwork(head, _Flatten())
    pixels = torch.arange(24, dtype=torch.uint8).view(2, 2, 2, 3) * 10
    features = network.features(pixels)
    red = (pixels[1, 0, 1, 0].item() / 255 - 0.485) / 0.229
    blue = (pixels[1, 1, 1, 2].item() / 255 - 0.406) / 0.225
    assert features[1, 1].item() == pytest.approx(red, rel=1e-4)
    assert features[1, 11].item() == pytest.approx(blue, rel=1e-4)
    torch.testing.assert_close(network(pixels), head(features))


def test_backbone_width():
    assert backbone_width(_Flatten(), 16) == 3 * 16 * 16
    with pytest.raises(TypeError, match=r"torch\.nn\.Module, got function"):
        backbone_width(lambda images: images, 16)
    with pytest.raises(TypeError, match=r"floating-point tensor.*NoneType"):
        backbone_width(_Broken(None), 16)
    with pytest.raises(ValueError, match=r"returned \(2, 3, 4\)"):
        backbone_width(_Broken(torch.zeros(2, 3, 4)), 16)


def test_scaling_meets_a_fresh_backbone_as_training_will_and_leaves_it_alone():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = nn.Sequential(_Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 4))
        network = EmbeddingNetwork(HypersphericalHead(4, 3), backbone).eval()
        # A dim picture: only within its batch does it have a deviation of 1.
        pixels = torch.randint(100, 104, (200, 2, 2, 3), dtype=torch.uint8)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    network.fit_scaling(pixels)
    assert not network.training
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name])
    backbone.train()
    scaled = (network.features(pixels) - network.head.shift) * network.head.scale
    assert scaled.pow(2).mean().item() == pytest.approx(1, rel=0.02)


def test_networks_whiten_what_their_backbone_gives():
    generator = np.random.default_rng(0)
    pixels = torch.from_numpy(generator.integers(0, 256, size=(300, 2, 2, 3), dtype=np.uint8))
    # The left column varies far less than the right one.
    pixels[:, :, 0] = 100 + pixels[:, :, 0] // 16
    network = EmbeddingNetwork(HypersphericalHead(12, 3), _Flatten()).eval()
    deviations = {}
    for whitening in (0.0, 1.0):
        network.fit_scaling(pixels, whitening)
        scaled = (network.features(pixels) - network.head.shift) * network.head.scale
        assert scaled.pow(2).mean().item() == pytest.approx(1, rel=1e-4)
        deviations[whitening] = scaled.std(dim=0, correction=0)
    assert deviations[0.0].max() > 10 * deviations[0.0].min()
    torch.testing.assert_close(deviations[1.0], torch.ones(12), rtol=1e-3, atol=0)
