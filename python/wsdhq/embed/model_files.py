"""The files of a trained model: config.toml, tags.json and model.safetensors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsdhq._shared.files import write_json
from wsdhq.embed.backbones import make_backbone
from wsdhq.embed.backbones.alexnet import ALEXNET_NAMES
from wsdhq.embed.backbones.weights import alexnet_variant
from wsdhq.embed.config import TrainConfig
from wsdhq.embed.devices import usable_device
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork, backbone_width
from wsdhq.embed.run_directory import RUN_FILES, RunDirectory
from wsdhq.embed.tags import SemanticSphere
from wsdhq.embed.tensor_files import load_weights, read_tensors, write_tensors
from wsdhq.embed.training.quantization import CODEBOOK_SIZE, make_quantizer
from wsdhq.quant import AdditiveQuantizer

_FORMAT = "wsdhq model 1"
_PREFIX = "network."


def build_network(
    config: TrainConfig,
    in_dim: int | None,
    dim: int,
    backbone: nn.Module | None = None,
    *,
    stored: Mapping[str, Tensor] | None = None,
) -> EmbeddingNetwork:
    """A network with the structure that the settings ask for.

    Parameters
    ----------
    config : TrainConfig
    in_dim : int or None
        Width of the features; None in images mode.
    dim : int
        Width of the semantic space.
    backbone : torch.nn.Module, optional
        In place of the one that `config.backbone` names; used itself, not copied.
    stored : mapping of str to Tensor, optional
        The state of a network of the same settings, where all weights are about to be replaced:
        `config.backbone_weights` is not read then, as the file may be gone, and AlexNet gets
        the form that it had. The state is not loaded here.

    Returns
    -------
    EmbeddingNetwork
        Other weights are drawn from torch's current random state.

    Raises
    ------
    FileNotFoundError
        There is no file `config.backbone_weights`.
    ImportError
        The library that `config.backbone` names is not installed.
    TypeError, ValueError
        `backbone` is no module that gives rows of features from images of the size that it
        will see, or is given in features mode; or the weights do not fit.
    """
    weights = config.backbone_weights if stored is None else None
    if weights is not None and (config.images is None or backbone is not None):
        reason = "features need no backbone" if config.images is None else "a module has its own"
        raise ValueError(f"backbone_weights: {reason}, expected None, got {weights!r}")
    if config.images is None:
        if backbone is not None:
            raise ValueError("backbone: features need none, expected None in features mode")
        width = in_dim
    else:
        if backbone is None:
            backbone = make_backbone(_form_of(config.backbone, stored), weights)
            # By this name it will be made again.
            cast(Any, backbone).backbone_name = config.backbone
        width = backbone_width(backbone, config.crop_size or config.image_size)
    if width is None:
        raise ValueError("in_dim: the width of the features is needed in features mode")
    # What follows the tags is set when they are known, and only training needs it.
    dropout = 0.0 if config.dropout is None else config.dropout
    head = HypersphericalHead(width, dim, config.hidden_dim, dropout, config.normalize)
    return EmbeddingNetwork(head, backbone, config.crop_size, config.evaluation_crops)


def write_model(
    path: str | os.PathLike[str],
    config: TrainConfig,
    network: EmbeddingNetwork,
    quantizer: AdditiveQuantizer,
    tags: SemanticSphere,
) -> None:
    """Write the files of a model; model.safetensors last, so that its presence means whole."""
    run = RunDirectory(path)
    run.path.mkdir(parents=True, exist_ok=True)
    config.save(run.file("config.toml"))
    write_json(run.file("tags.json"), tags.to_json())
    tensors = {_PREFIX + name: value for name, value in network.state_dict().items()}
    tensors["codebooks"] = torch.from_numpy(np.array(quantizer.codebooks))
    tensors["metric"] = torch.from_numpy(_metric_of(quantizer))
    tensors["sphere"] = torch.from_numpy(np.array(tags.sphere))
    write_tensors(
        run.file("model.safetensors"),
        tensors,
        {"format": _FORMAT, "backbone": _backbone_kind(config, network.backbone)},
    )


def read_model(
    path: str | os.PathLike[str], backbone: nn.Module | None, device: str
) -> tuple[TrainConfig, EmbeddingNetwork, AdditiveQuantizer, SemanticSphere]:
    """Read what `write_model` wrote; for the errors see `TrainedModel.load`."""
    place = usable_device(device)
    run = RunDirectory(path)
    if not run.path.is_dir():
        raise FileNotFoundError(f"{run.path}: there is no such run directory")
    for name in ("config.toml", "tags.json", "model.safetensors"):
        if not run.file(name).is_file():
            unfinished = run.file("checkpoint.safetensors").is_file()
            advice = "; the training has not ended: resume it" if unfinished else ""
            raise FileNotFoundError(
                f"{run.file(name)} is missing: expected {RUN_FILES[name]}{advice}"
            )
    config = TrainConfig.load(run.file("config.toml"))
    source = os.fspath(run.file("model.safetensors"))
    tensors, metadata = read_tensors(source)
    if metadata.get("format") != _FORMAT:
        raise ValueError(
            f"{source}: expected the format {_FORMAT!r}, got {metadata.get('format')!r}"
        )
    if metadata.get("backbone") == "given" and backbone is None:
        raise ValueError(
            f"{source}: the model was trained with a backbone of the user's own: "
            "give it as backbone=module"
        )
    codebooks = _matrix(tensors, "codebooks", source, (config.num_codebooks, CODEBOOK_SIZE, None))
    dim = codebooks.shape[2]
    sphere = _matrix(tensors, "sphere", source, (None, dim))
    metric = _matrix(tensors, "metric", source, (dim, dim))
    tags = _read_tags(run, sphere, config.normalize)

    weights = {
        name.removeprefix(_PREFIX): value
        for name, value in tensors.items()
        if name.startswith(_PREFIX)
    }
    shift = weights.get("head.shift")
    if shift is None or shift.ndim != 1:
        raise ValueError(f"{source}: expected the tensor {_PREFIX + 'head.shift'!r}, (F,)")
    scale = weights.get("head.scale")
    if scale is not None and scale.ndim == 0:
        # Runs from before there was whitening have one scale for all dimensions.
        weights["head.scale"] = scale.expand(len(shift)).clone()
    _check_head(config, len(shift), dim, weights, source)
    # The weights drawn here are replaced at once, so that no random state need be touched.
    with torch.random.fork_rng(devices=[]):
        network = build_network(config, len(shift), dim, backbone, stored=weights)
    load_weights(network, weights, source)
    quantizer = make_quantizer(config, metric, codebooks)
    return config, network.to(place), quantizer, tags


def _check_head(
    config: TrainConfig, in_dim: int, dim: int, weights: Mapping[str, Tensor], source: str
) -> None:
    """Raise unless the stored weights are of the sizes that the settings say.

    Before a network of those sizes is made: they may be any, and the memory would be taken first.
    """
    with torch.device("meta"):
        head = HypersphericalHead(in_dim, dim, config.hidden_dim, 0.0, config.normalize)
    for name, expected in head.state_dict().items():
        stored = weights.get(f"head.{name}")
        if stored is None:
            raise ValueError(f"{source}: the tensor {'head.' + name!r} is missing")
        if stored.shape != expected.shape:
            raise ValueError(
                f"{source}: the tensor {_PREFIX + 'head.' + name!r} has shape "
                f"{tuple(stored.shape)}, expected {tuple(expected.shape)}"
            )


def _form_of(name: str, stored: Mapping[str, Tensor] | None) -> str:
    """The backbone's name, or that of its form: "alexnet" takes the one that its weights have."""
    if name != "alexnet" or stored is None:
        return name
    prefix = "backbone."
    weights = {
        each.removeprefix(prefix): stored[each] for each in stored if each.startswith(prefix)
    }
    return ALEXNET_NAMES[alexnet_variant(weights)]


def _metric_of(quantizer: AdditiveQuantizer) -> NDArray[np.float32]:
    if quantizer.metric is not None:
        return quantizer.metric
    return np.eye(quantizer.codebooks.shape[2], dtype=np.float32)


def _backbone_kind(config: TrainConfig, backbone: nn.Module | None) -> str:
    if backbone is None:
        return "none"
    named = getattr(backbone, "backbone_name", None) == config.backbone
    return "named" if named else "given"


def _read_tags(run: RunDirectory, sphere: NDArray[np.float32], normalized: bool) -> SemanticSphere:
    path = run.file("tags.json")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return SemanticSphere.from_json(value, sphere, normalized=normalized)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected {RUN_FILES['tags.json']}, fitting model.safetensors: {error}"
        ) from error


def _matrix(
    tensors: dict[str, Tensor], name: str, source: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
    value = tensors.get(name)
    if value is None:
        raise ValueError(f"{source}: expected the tensor {name!r}, {wanted} float32; it is missing")
    fits = value.ndim == len(shape) and all(
        size is None or size == got for size, got in zip(shape, value.shape)
    )
    if not fits or value.dtype != torch.float32:
        raise ValueError(
            f"{source}: expected the tensor {name!r} to be {wanted} float32, "
            f"got {tuple(value.shape)} {value.dtype}"
        )
    if not torch.isfinite(value).all():
        raise ValueError(f"{source}: the tensor {name!r} holds NaN or infinite values")
    return value.numpy()
