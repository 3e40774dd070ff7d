"""Weights of backbones from files: AlexNet's classic ones, and state dicts."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsdhq._shared.files import as_path
from wsdhq.embed.backbones.alexnet import ALEXNET_NAMES, LAST_MAP, AlexNet
from wsdhq.embed.backbones.caffe_file import read_caffe_layers
from wsdhq.embed.tensor_files import load_weights, read_tensors

_logger = logging.getLogger("wsdhq.embed")

# Where torchvision's state dict has each layer.
_TORCHVISION_NAMES = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
}
_CAFFE_PARTS = {"weight": "weights", "bias": "biases"}
_PICKLED = (".pth", ".pt", ".bin")

Shape = tuple[int, ...]
_Values = NDArray[Any] | Tensor


def load_backbone_weights(backbone: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load the weights of a backbone, checked tensor by tensor; all or nothing.

    Parameters
    ----------
    backbone : torch.nn.Module
        Made by `make_backbone`.
    path : path
        For AlexNet see `load_alexnet_weights`. Otherwise a state dict, `.pth`, `.pt` or `.bin`
        (read with `weights_only=True`) or `.safetensors`. Tensors of the classifier that
        `make_backbone` took off are passed over and logged.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no state dict, or a tensor is missing, superfluous, of another shape or not
        finite; the message names file and tensor.
    """
    path = as_path(path)
    if isinstance(backbone, AlexNet):
        load_alexnet_weights(backbone, path)
        return
    if Path(path).is_file() and Path(path).suffix == ".npy":
        raise ValueError(
            f"{path}: weights converted from Caffe fit the backbone 'alexnet' alone; expected a "
            f"state dict, {', '.join(_PICKLED)} or .safetensors"
        )
    tensors = _read_state_dict(path)
    removed = tuple(getattr(backbone, "removed_classifier", ()))
    superfluous = sorted(name for name in tensors if name.startswith(removed)) if removed else []
    _log_ignored(path, superfluous)
    kept = {name: value for name, value in tensors.items() if name not in superfluous}
    for name, value in backbone.state_dict().items():
        # A counter that state dicts of before torch 0.4.1 do not have.
        if name.endswith(".num_batches_tracked"):
            kept.setdefault(name, value)
    load_weights(backbone, kept, os.fspath(path))


def load_alexnet_weights(model: AlexNet, path: str | os.PathLike[str]) -> None:
    """Load weights of AlexNet, checked layer by layer; all or nothing.

    Layers behind fc7 and other entries are passed over and logged.

    Parameters
    ----------
    model : AlexNet
    path : path
        `.npy`: the classic weights converted from Caffe, a pickled dict `{layer: [weights,
        biases]}` or `{layer: {"weights": ..., "biases": ...}}` of "conv1" .. "fc7". Kernels are
        (height, width, inputs, outputs), matrices (inputs, outputs), and the inputs of fc6 run
        over row, column and channel. The pickle is read without running anything of it.

        `.pth`, `.pt`, `.bin` (read with `weights_only=True`) or `.safetensors`: a state dict
        with the names of torchvision's AlexNet or those of `AlexNet`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no such file, or a layer is missing, of another shape or not finite: the message
        names file, layer, the shape expected and the one that came, and the backbone that
        the file does fit, if there is one.
    """
    found, form = _read_alexnet(path)
    _fill(model, found, form, path)


def read_alexnet(path: str | os.PathLike[str]) -> AlexNet:
    """AlexNet with the weights of a file, in the form that they have.

    Parameters
    ----------
    path : path
        As for `load_alexnet_weights`.

    Returns
    -------
    AlexNet
        In Caffe's form or torchvision's, see `alexnet_variant`. Its first random weights are
        drawn from torch's current random state.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_alexnet_weights`.
    """
    found, form = _read_alexnet(path)
    model = AlexNet(alexnet_variant(found, form))
    _fill(model, found, form, path)
    return model


def alexnet_variant(found: Mapping[str, _Values], form: str = "own") -> str:
    """Which form of AlexNet weights belong to, by the shape of the first convolution.

    Parameters
    ----------
    found : mapping of str to array or Tensor
        Weights by name.
    form : {"caffe", "torchvision", "own"}
        As for `weight_shapes`.

    Returns
    -------
    {"caffe", "torchvision"}
        Where the first convolution is missing or is that of neither: torchvision's for its
        names, else Caffe's.
    """
    for variant in ALEXNET_NAMES:
        with torch.device("meta"):
            label, shape = next(iter(weight_shapes(AlexNet(variant), form).items()))
        if label in found and tuple(found[label].shape) == shape:
            return variant
    return "torchvision" if form == "torchvision" else "caffe"


def _fill(
    model: AlexNet, found: Mapping[str, _Values], form: str, path: str | os.PathLike[str]
) -> None:
    expected = weight_shapes(model, form)
    problem = _first_problem(expected, found)
    if problem is not None:
        raise ValueError(f"{path}: {problem}{_advice(model, found, form)}")
    _log_ignored(path, sorted(found.keys() - expected.keys()))
    state = {
        parameter: _as_parameter(parameter, found[label], form)
        for parameter, label in zip(model.state_dict(), expected)
    }
    for value, label in zip(state.values(), expected):
        if not torch.isfinite(value).all():
            raise ValueError(f"{path}: {label} holds values that are not finite float32 numbers")
    model.load_state_dict(state)


def weight_shapes(model: AlexNet, form: str) -> dict[str, Shape]:
    """Names and shapes of the arrays that a file of AlexNet's weights holds.

    Parameters
    ----------
    model : AlexNet
        Possibly on the meta device.
    form : {"caffe", "torchvision", "own"}
        A Caffe-converted `.npy` ("conv1 weights", "conv1 biases"), a state dict of
        torchvision's ("features.0.weight") or one of `AlexNet` ("conv1.weight").

    Returns
    -------
    dict
        In the order of `model.state_dict()`.
    """
    shapes = {}
    for parameter, value in model.state_dict().items():
        layer, _, kind = parameter.partition(".")
        shape = tuple(value.shape)
        if form == "caffe":
            # (O, I, H, W) lies there as (H, W, I, O), and (O, I) as (I, O).
            shape = shape[2:] + shape[1::-1] if kind == "weight" else shape
            shapes[f"{layer} {_CAFFE_PARTS[kind]}"] = shape
        else:
            prefix = _TORCHVISION_NAMES[layer] if form == "torchvision" else layer
            shapes[f"{prefix}.{kind}"] = shape
    return shapes


def _read_alexnet(path: str | os.PathLike[str]) -> tuple[Mapping[str, _Values], str]:
    if Path(path).suffix != ".npy":
        tensors = _read_state_dict(path)
        return tensors, "own" if "conv1.weight" in tensors else "torchvision"
    found: dict[str, _Values] = {}
    for layer, arrays in read_caffe_layers(path).items():
        if arrays:
            found |= {f"{layer} weights": arrays[0], f"{layer} biases": arrays[1]}
        else:
            found[layer] = np.empty(0)
    return found, "caffe"


def _first_problem(expected: Mapping[str, Shape], found: Mapping[str, _Values]) -> str | None:
    for label, shape in expected.items():
        if label not in found:
            return f"{label} is missing: expected an array of floats of shape {shape}"
        got = tuple(found[label].shape)
        if got != shape:
            return f"{label} has shape {got}, expected {shape}"
    return None


def _advice(model: AlexNet, found: Mapping[str, _Values], form: str) -> str:
    """Which other form of AlexNet the file fits, said in a message."""
    for variant, name in ALEXNET_NAMES.items():
        if variant != model.variant:
            with torch.device("meta"), contextlib.suppress(ValueError):
                other = AlexNet(variant, width=model.width)
                if _first_problem(weight_shapes(other, form), found) is None:
                    return f"; the file fits the backbone {name!r}"
    return ""


def _as_parameter(parameter: str, values: _Values, form: str) -> Tensor:
    if isinstance(values, Tensor):
        return values.float()
    if parameter == "fc6.weight":
        # Rows, columns, channels of the last map, there; channels first, here.
        by_place = values.reshape(LAST_MAP, LAST_MAP, -1, values.shape[1])
        values = by_place.transpose(3, 2, 0, 1).reshape(values.shape[1], -1)
    elif values.ndim > 1:
        values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
    # Values beyond float32 become infinite, and are refused where that is looked for.
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))


def _read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    suffix = Path(path).suffix
    if suffix == ".safetensors":
        return read_tensors(path)[0]
    if suffix not in _PICKLED:
        raise ValueError(
            f"{path}: expected weights in {', '.join(_PICKLED)} or .safetensors (or .npy, "
            f"converted from Caffe, for AlexNet), got a file ending in {suffix!r}"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # A damaged file can make torch raise nearly anything.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path}: expected a whole state dict of tensors: {reason}") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError(f"{path}: expected a state dict, names to tensors, got something else")
    return dict(state)


def _log_ignored(path: str | os.PathLike[str], names: list[str]) -> None:
    if names:
        _logger.info("%s: passed over %s", path, ", ".join(names))
