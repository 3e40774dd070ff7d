"""Files of weights: what is read, how it is checked, and that nothing in a file is run."""

from __future__ import annotations

import logging
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import alexnet_oracle
from wsdhq.embed.backbones import (
    AlexNet,
    alexnet,
    load_alexnet_weights,
    load_backbone_weights,
    make_backbone,
)
from wsdhq.embed.backbones.small import SmallBackbone
from wsdhq.embed.backbones.weights import weight_shapes

NARROW = 1 / 16


def _narrow(variant: str = "caffe", seed: int = 0) -> AlexNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AlexNet(variant, width=NARROW).eval()


def _torchvision_state(seed: int = 1) -> dict[str, torch.Tensor]:
    """A state dict with torchvision's names, narrow but for its classifier."""
    shapes = weight_shapes(_narrow("torchvision"), "torchvision")
    shapes |= {"classifier.6.weight": (10, 256), "classifier.6.bias": (10,)}
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def _write_npy(path: Path, layers: object, protocol: int = 4) -> Path:
    """What `numpy.save` writes, with the protocol of another Python."""
    array = np.empty((), dtype=object)
    array[()] = layers
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(array, file, protocol=protocol)
    return path


def test_shapes_of_both_files_as_published():
    with torch.device("meta"):
        caffe, torchvision = AlexNet(), AlexNet("torchvision")
    assert weight_shapes(caffe, "caffe") == {
        "conv1 weights": (11, 11, 3, 96),
        "conv1 biases": (96,),
        "conv2 weights": (5, 5, 48, 256),
        "conv2 biases": (256,),
        "conv3 weights": (3, 3, 256, 384),
        "conv3 biases": (384,),
        "conv4 weights": (3, 3, 192, 384),
        "conv4 biases": (384,),
        "conv5 weights": (3, 3, 192, 256),
        "conv5 biases": (256,),
        "fc6 weights": (9216, 4096),
        "fc6 biases": (4096,),
        "fc7 weights": (4096, 4096),
        "fc7 biases": (4096,),
    }
    assert weight_shapes(torchvision, "torchvision") == {
        "features.0.weight": (64, 3, 11, 11),
        "features.0.bias": (64,),
        "features.3.weight": (192, 64, 5, 5),
        "features.3.bias": (192,),
        "features.6.weight": (384, 192, 3, 3),
        "features.6.bias": (384,),
        "features.8.weight": (256, 384, 3, 3),
        "features.8.bias": (256,),
        "features.10.weight": (256, 256, 3, 3),
        "features.10.bias": (256,),
        "classifier.1.weight": (4096, 9216),
        "classifier.1.bias": (4096,),
        "classifier.4.weight": (4096, 4096),
        "classifier.4.bias": (4096,),
    }


@pytest.mark.parametrize("form", ["lists", "dicts", "bytes", "fortran", "big endian", "double"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_converted_file_is_read_in_every_form(form, protocol, tmp_path):
    layers = alexnet_oracle.random_layers()
    file = {
        "lists": layers,
        "dicts": {n: {"weights": w, "biases": b} for n, (w, b) in layers.items()},
        "bytes": {n.encode(): {b"weights": w, b"biases": b} for n, (w, b) in layers.items()},
        "fortran": {n: (np.asfortranarray(w), b) for n, (w, b) in layers.items()},
        "big endian": {n: [w.astype(">f4"), b] for n, (w, b) in layers.items()},
        "double": {n: [w.astype(np.float64), b] for n, (w, b) in layers.items()},
    }[form]
    network = _narrow()
    load_alexnet_weights(network, _write_npy(tmp_path / "weights.npy", file, protocol))
    for name, (weights, biases) in layers.items():
        layer = getattr(network, name)
        np.testing.assert_array_equal(layer.bias.detach().numpy(), biases)
        got = layer.weight.detach().numpy()
        if name == "fc6":
            # Of place (2, 5) and channel 3, there and here.
            row = (2 * 6 + 5) * 16 + 3
            np.testing.assert_array_equal(got[:, 3 * 36 + 2 * 6 + 5], weights[row])
        elif weights.ndim == 4:
            np.testing.assert_array_equal(got, weights.transpose(3, 2, 0, 1))
        else:
            np.testing.assert_array_equal(got, weights.T)


def test_what_numpy_saves_and_python_2_saved_are_read(tmp_path):
    layers = alexnet_oracle.random_layers()
    np.save(tmp_path / "saved.npy", layers)
    first, second = _narrow(), _narrow(seed=1)
    load_alexnet_weights(first, tmp_path / "saved.npy")
    # Python 2 wrote bytes as text and the names of NumPy 1: the same file, written by hand.
    load_alexnet_weights(second, _write_as_python_2(tmp_path / "old.npy", layers))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def _write_as_python_2(path: Path, layers: dict) -> Path:
    def text(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def array(values: np.ndarray) -> bytes:
        shape = b"(" + b"".join(map(number, values.shape)) + b"t"
        dtype = b"cnumpy\ndtype\n(" + text(b"f4") + number(0) + number(1) + b"tR"
        dtype += b"(" + number(3) + text(b"<") + b"NNN" + number(-1) * 2 + number(0) + b"tb"
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n("
        made += number(0) + b"t" + text(b"b") + b"tR"
        return made + b"(" + number(1) + shape + dtype + b"I00\n" + text(values.tobytes()) + b"tb"

    items = b"".join(
        text(name.encode()) + b"(" + array(w) + array(b) + b"l" for name, (w, b) in layers.items()
    )
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        file.write(b"\x80\x02}(" + items + b"u.")
    # The test's own writing is right: NumPy reads the same.
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        content = pickle.load(file, encoding="latin1")
    np.testing.assert_array_equal(content["conv2"][0], layers["conv2"][0])
    return path


def test_further_layers_are_passed_over_and_logged(tmp_path, caplog):
    layers = alexnet_oracle.random_layers() | {
        "fc8": [np.zeros((256, 10), np.float32), np.zeros(10, np.float32)],
        "C": np.zeros((4, 5), np.float32),
        "steps": np.float32(7),
        "counts": np.arange(3),
    }
    np.save(tmp_path / "weights.npy", layers)
    with caplog.at_level(logging.INFO, "wsdhq"):
        load_alexnet_weights(_narrow(), tmp_path / "weights.npy")
    assert "weights.npy: passed over C, counts, fc8 biases, fc8 weights, steps" in caplog.text


class _Evil:
    def __init__(self, action, *arguments):
        self.call = (action, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("action", "name"),
    [
        (os.mkdir, "mkdir"),
        (eval, "eval"),
        (np.save, "save"),
        (getattr, "getattr"),
        (torch.load, "load"),
    ],
)
def test_nothing_in_a_file_is_run(action, name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = {
        "mkdir": ("made",),
        "eval": ("__import__('os').mkdir('made')",),
        "save": ("made", 1),
        "getattr": ("text", "upper"),
        "load": ("made",),
    }[name]
    layers = alexnet_oracle.random_layers() | {"fc8": _Evil(action, *arguments)}
    path = _write_npy(tmp_path / "weights.npy", layers, protocol)
    with pytest.raises(ValueError, match=rf"weights\.npy: .*asks for \S*{name}.*nothing of it"):
        load_alexnet_weights(_narrow(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.npy"]


def test_stand_ins_cannot_be_changed_by_a_file(tmp_path):
    # BUILD on the class numpy.ndarray itself, with attributes to set.
    state = b"(N}\x8c\x05stateK\x01st"
    path = tmp_path / "weights.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        file.write(b"\x80\x04cnumpy\nndarray\n" + state + b"b.")
    with pytest.raises(ValueError, match="expected a dict of layers"):
        load_alexnet_weights(_narrow(), path)
    np.save(path, alexnet_oracle.random_layers())
    load_alexnet_weights(_narrow(), path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda p: p.write_bytes(b""), "expected a dict of layers"),
        (lambda p: p.write_bytes(b"not an array at all"), "expected a dict of layers"),
        (lambda p: np.save(p, np.zeros((3, 4))), r"got an array of float64 of shape \(3, 4\)"),
        (lambda p: np.save(p, np.array([1, "a"], object)), r"array of object of shape \(2,\)"),
        (lambda p: _write_npy(p, [1, 2]), "got list"),
        (lambda p: _write_npy(p, None), "got NoneType"),
        (lambda p: _truncate(p), "expected a dict of layers"),
        (lambda p: _write_npy(p, {"conv1": [1, 2]}), "conv1 weights is missing: expected"),
        (
            lambda p: _write_npy(p, {"conv1": [np.arange(3), np.arange(3)]}),
            "conv1 weights is missing: expected an array of floats",
        ),
    ],
)
def test_a_file_of_something_else_is_named(write, message, tmp_path):
    path = tmp_path / "weights.npy"
    write(path)
    with pytest.raises(ValueError, match=rf"weights\.npy: .*{message}"):
        load_alexnet_weights(_narrow(), path)


def _truncate(path: Path) -> None:
    np.save(path, alexnet_oracle.random_layers())
    path.write_bytes(path.read_bytes()[:-5000])


def test_every_byte_may_be_damaged(tmp_path):
    np.save(tmp_path / "whole.npy", {"conv1": [np.ones((2, 2), np.float32)] * 2})
    whole = (tmp_path / "whole.npy").read_bytes()
    path = tmp_path / "weights.npy"
    network = _narrow()
    for place in range(len(whole)):
        for value in (0, 46, 255):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            # Whatever is read, it is not the layers of AlexNet.
            with pytest.raises(ValueError, match=r"weights\.npy"):
                load_alexnet_weights(network, path)


@pytest.mark.parametrize(
    ("layer", "part", "spoil", "message"),
    [
        ("conv4", 0, lambda a: a[:, :, :3], r"conv4 weights has shape \(3, 3, 3, 24\), expected"),
        ("fc6", 0, lambda a: a.T, r"fc6 weights has shape \(256, 576\), expected \(576, 256\)"),
        ("conv1", 1, lambda a: a[None], r"conv1 biases has shape \(1, 6\), expected \(6,\)"),
        ("fc7", 1, lambda a: a * np.nan, "fc7 biases holds values that are not finite"),
        ("conv2", 0, lambda a: a.astype(np.float64) + 1e300, "conv2 weights holds values"),
    ],
)
def test_a_wrong_layer_is_named_and_nothing_is_loaded(layer, part, spoil, message, tmp_path):
    layers = alexnet_oracle.random_layers()
    layers[layer][part] = spoil(layers[layer][part])
    np.save(tmp_path / "weights.npy", layers)
    network = _narrow()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=rf"weights\.npy: {message}"):
        load_alexnet_weights(network, tmp_path / "weights.npy")
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_missing_layer_is_named(tmp_path):
    layers = alexnet_oracle.random_layers()
    del layers["conv5"]
    np.save(tmp_path / "weights.npy", layers)
    with pytest.raises(ValueError, match=r"conv5 weights is missing.*\(3, 3, 12, 16\)"):
        load_alexnet_weights(_narrow(), tmp_path / "weights.npy")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_torchvisions_state_dict(suffix, tmp_path, caplog):
    state, path = _torchvision_state(), tmp_path / f"alexnet{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    network = _narrow("torchvision")
    with caplog.at_level(logging.INFO, "wsdhq"):
        load_alexnet_weights(network, path)
    assert "passed over classifier.6.bias, classifier.6.weight" in caplog.text
    assert torch.equal(network.conv1.weight, state["features.0.weight"])
    assert torch.equal(network.conv5.bias, state["features.10.bias"])
    assert torch.equal(network.fc7.weight, state["classifier.4.weight"])


def test_own_state_dict_of_both_forms(tmp_path):
    for variant in ("caffe", "torchvision"):
        network, other = _narrow(variant), _narrow(variant, seed=5)
        torch.save(network.half().state_dict(), tmp_path / "own.pt")
        load_alexnet_weights(other, tmp_path / "own.pt")
        assert other.fc6.weight.dtype == torch.float32
        assert torch.equal(network.fc6.weight.float(), other.fc6.weight)


def test_the_other_forms_file_is_told_apart(tmp_path):
    torch.save(_torchvision_state(), tmp_path / "alexnet.pth")
    np.save(tmp_path / "alexnet.npy", alexnet_oracle.random_layers())
    message = (
        "features.0.weight has shape (4, 3, 11, 11), expected (6, 3, 11, 11); the file fits the "
        "backbone 'alexnet-torchvision'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        load_alexnet_weights(_narrow(), tmp_path / "alexnet.pth")
    message = (
        "conv1 weights has shape (11, 11, 3, 6), expected (11, 11, 3, 4); the file fits the "
        "backbone 'alexnet'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        load_alexnet_weights(_narrow("torchvision"), tmp_path / "alexnet.npy")


@pytest.fixture
def narrow_by_default(monkeypatch):
    """AlexNet a sixteenth as wide, so that its files are small."""
    monkeypatch.setattr(alexnet, "_HIDDEN", 256)
    narrow = {"caffe": (6, 16, 24, 24, 16), "torchvision": (4, 12, 24, 16, 16)}
    monkeypatch.setattr(alexnet, "_CHANNELS", narrow)


@pytest.mark.usefixtures("narrow_by_default")
def test_alexnet_by_name_takes_the_form_of_its_weights(tmp_path):
    wide = AlexNet("torchvision")
    state = {name: value * 1 for name, value in wide.state_dict().items()}
    torch.save(state, tmp_path / "own.pth")
    names = weight_shapes(wide, "torchvision")
    state = dict(zip(names, state.values()))
    torch.save(state, tmp_path / "tv.pth")
    layers = alexnet_oracle.random_layers()
    np.save(tmp_path / "caffe.npy", layers)
    for name, variant in (("tv.pth", "torchvision"), ("own.pth", "torchvision"),
                          ("caffe.npy", "caffe"), (None, "caffe")):  # fmt: skip
        network = make_backbone("alexnet", name and tmp_path / name)
        assert (network.variant, network.backbone_name) == (variant, "alexnet")
    network = make_backbone("alexnet", tmp_path / "tv.pth")
    assert torch.equal(network.conv3.weight, state["features.6.weight"])

    # A wrong layer is told in the terms of the file's own form.
    state["features.6.weight"] = torch.zeros(24, 12, 5, 5)
    torch.save(state, tmp_path / "tv.pth")
    message = "features.6.weight has shape (24, 12, 5, 5), expected (24, 12, 3, 3)"
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        make_backbone("alexnet", tmp_path / "tv.pth")
    del state["features.0.weight"]
    torch.save(state, tmp_path / "tv.pth")
    with pytest.raises(ValueError, match=r"features\.0\.weight is missing.*\(4, 3, 11, 11\)"):
        make_backbone("alexnet", tmp_path / "tv.pth")
    layers["conv4"][1] = np.zeros(3, np.float32)
    np.save(tmp_path / "caffe.npy", layers)
    with pytest.raises(ValueError, match=r"conv4 biases has shape \(3,\), expected \(24,\)"):
        make_backbone("alexnet", tmp_path / "caffe.npy")


def test_state_dicts_that_are_none(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"features.0.weight": 3}, path)
    with pytest.raises(ValueError, match=r"weights\.pth: expected a state dict, names to tensors"):
        load_alexnet_weights(_narrow(), path)
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"weights\.pth: expected a whole state dict"):
        load_alexnet_weights(_narrow(), path)
    torch.save({"a": _Evil(os.mkdir, str(tmp_path / "made"))}, path)
    with pytest.raises(ValueError, match=r"weights\.pth: expected a whole state dict"):
        load_alexnet_weights(_narrow(), path)
    assert not (tmp_path / "made").exists()
    (tmp_path / "weights.safetensors").write_bytes(b"junk")
    with pytest.raises(ValueError, match="expected a whole safetensors file"):
        load_alexnet_weights(_narrow(), tmp_path / "weights.safetensors")
    (tmp_path / "weights.caffemodel").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"expected weights in .* ending in '\.caffemodel'"):
        load_alexnet_weights(_narrow(), tmp_path / "weights.caffemodel")
    for name in ("none.npy", "none.pth"):
        with pytest.raises(FileNotFoundError, match=name):
            load_alexnet_weights(_narrow(), tmp_path / name)


def test_any_other_backbone_takes_its_state_dict(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = SmallBackbone(width=4), SmallBackbone(width=4)
    state = first.state_dict()
    # Counters that old files do not have; the classifier that was taken off.
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    torch.save(old | {"fc.weight": torch.zeros(3, 3)}, tmp_path / "small.pth")
    with pytest.raises(ValueError, match=r"small\.pth: the tensor 'fc\.weight' belongs to no"):
        load_backbone_weights(second, tmp_path / "small.pth")
    second.removed_classifier = ("fc.",)
    load_backbone_weights(second, tmp_path / "small.pth")
    for name, value in second.state_dict().items():
        assert torch.equal(value, state[name])
    torch.save({"blocks.0.0.weight": state["blocks.0.0.weight"]}, tmp_path / "small.pth")
    with pytest.raises(ValueError, match=r"small\.pth: the tensor '\S+' is missing"):
        load_backbone_weights(second, tmp_path / "small.pth")
    np.save(tmp_path / "caffe.npy", {})
    with pytest.raises(ValueError, match=r"caffe\.npy: .* fit the backbone 'alexnet' alone"):
        load_backbone_weights(second, tmp_path / "caffe.npy")
