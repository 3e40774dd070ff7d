"""Tensors of torch in safetensors files, and their way into a network."""

from __future__ import annotations

import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsdhq._shared.files import atomic_path
from wsdhq._shared.tensor_files import TYPES, byte_chunks, encode_header, read_arrays, read_header

_METADATA = "wsdhq"
# As the format's own library orders and aligns them, so that files are the same by either.
_ALIGNMENT = 8
_ORDER = list(reversed(TYPES))
# Headers of other people's networks name thousands of tensors.
_MAX_HEADER_BYTES = 100_000_000


def write_tensors(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], metadata: dict[str, str]
) -> None:
    """Write tensors as safetensors, whole or not at all; tied weights are written twice.

    The same tensors and metadata give the same bytes.
    """
    arrays = {name: _as_array(value) for name, value in tensors.items()}
    ordered = sorted(arrays, key=lambda name: (_ORDER.index(arrays[name][0]), name))
    header, _ = encode_header(
        {_METADATA: json.dumps(metadata, sort_keys=True)},
        {name: (arrays[name][0], tuple(tensors[name].shape)) for name in ordered},
        alignment=_ALIGNMENT,
        sort_keys=False,
    )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(header)
        for name in ordered:
            for part in byte_chunks(arrays[name][1]):
                file.write(part)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors and its metadata.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is truncated or no safetensors file; the message names it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with FileIO(os.fspath(path)) as file:
            about, entries = read_header(file, max_bytes=_MAX_HEADER_BYTES)
            arrays = read_arrays(file, entries)
        metadata = json.loads(about.get(_METADATA, "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected a whole safetensors file: {error}") from error
    return {each.name: _as_tensor(arrays[each.name], each.type) for each in entries}, metadata


def _as_array(tensor: Tensor) -> tuple[str, NDArray[Any]]:
    value = tensor.detach().cpu().contiguous()
    if value.dtype == torch.bfloat16:
        return "BF16", value.view(torch.int16).numpy().view(TYPES["BF16"])
    array = value.numpy()
    known = {dtype: name for name, dtype in TYPES.items() if name != "BF16"}
    if array.dtype not in known:
        raise TypeError(f"tensors: expected floats, integers or bool, got {tensor.dtype}")
    return known[array.dtype], array


def _as_tensor(array: NDArray[Any], kind: str) -> Tensor:
    if kind == "BF16":
        return torch.from_numpy(array.view("i2")).view(torch.bfloat16)
    return torch.from_numpy(array)


def load_weights(network: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Load a network's state, every tensor present, of its shape and finite.

    Raises
    ------
    ValueError
        A tensor is missing, superfluous, of another shape or not finite; the message names
        `source` and the tensor.
    """
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ weights.keys()):
        problem = "is missing" if name in expected else "belongs to no part of the model"
        raise ValueError(f"{source}: the tensor {name!r} {problem}")
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            raise ValueError(
                f"{source}: the tensor {name!r} has shape {tuple(value.shape)}, "
                f"expected {tuple(expected[name].shape)}"
            )
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{source}: the tensor {name!r} holds NaN or infinite values")
    network.load_state_dict(weights)
