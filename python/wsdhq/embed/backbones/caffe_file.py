"""Reading weights that were converted from Caffe: a pickled dict of layers in a `.npy` file.

`numpy.load(..., allow_pickle=True)` would run whatever code such a file holds; see
`wsdhq.embed.array_pickles`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from wsdhq.embed.array_pickles import ARRAY_NAMES, ArrayStandIn, as_text, read_pickle

_NOT_A_DICT = "expected a dict of layers, {layer: [weights, biases]}"


def read_caffe_layers(path: str | os.PathLike[str]) -> dict[str, tuple[NDArray[Any], ...]]:
    """Read the layers of a Caffe-converted `.npy` file.

    Parameters
    ----------
    path : path
        A pickled dict, written by Python 2 or 3: `{layer: [weights, biases]}` or
        `{layer: {"weights": weights, "biases": biases}}`.

    Returns
    -------
    dict
        (weights, biases) of each layer, floating-point arrays as they lie in the file. Entries
        of another form are given as an empty tuple.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is truncated, no such file, or holds anything but arrays of numbers in lists and
        dicts; nothing of what it holds has been run then. The message names the file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with Path(path).open("rb") as file:
            _read_header(file)
            content = read_pickle(file, ARRAY_NAMES, encoding="latin1")
    # A damaged pickle can make the unpickler raise nearly anything.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path}: {_NOT_A_DICT}, as a whole .npy file: {reason}") from error
    layers = content.only_item() if isinstance(content, ArrayStandIn) else content
    if not isinstance(layers, dict):
        raise ValueError(f"{path}: {_NOT_A_DICT}, got {_describe(layers)}")
    return {as_text(name): _layer(value, path, as_text(name)) for name, value in layers.items()}


def _read_header(file: BinaryIO) -> None:
    version = npy_format.read_magic(file)
    readers = {
        (1, 0): npy_format.read_array_header_1_0,
        (2, 0): npy_format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"the version {version} of the .npy format is not known")
    shape, _, dtype = readers[version](file)
    if dtype != np.dtype(object) or shape not in ((), (1,)):
        raise ValueError(f"got an array of {dtype} of shape {shape}")


def _layer(value: Any, path: str | os.PathLike[str], name: str) -> tuple[NDArray[Any], ...]:
    if isinstance(value, dict):
        parts = {as_text(key): part for key, part in value.items()}
        value = [parts.get("weights"), parts.get("biases")]
    if not isinstance(value, list | tuple) or len(value) != 2:
        return ()
    try:
        arrays = [part.as_array() for part in value if isinstance(part, ArrayStandIn)]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: the arrays of the layer {name!r} are damaged: {error}") from None
    whole = tuple(array for array in arrays if array is not None)
    return whole if len(whole) == 2 else ()


def _describe(value: Any) -> str:
    return "an array" if isinstance(value, ArrayStandIn) else type(value).__name__
