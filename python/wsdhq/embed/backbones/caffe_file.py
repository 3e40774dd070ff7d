"""Reading weights that were converted from Caffe: a pickled dict of layers in a `.npy` file.

`numpy.load(..., allow_pickle=True)` would run whatever code such a file holds. Here the pickle
is read by an unpickler that knows nothing but stand-ins for arrays, from which arrays of numbers
are made afterwards: neither NumPy nor anything else is called with what the file says.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

__all__ = ["read_caffe_layers"]

_FLOATS = ("f2", "f4", "f8")
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
            content = _LayerUnpickler(file).load()
    # A damaged pickle can make the unpickler raise nearly anything.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path}: {_NOT_A_DICT}, as a whole .npy file: {reason}") from error
    layers = content.only_item() if isinstance(content, _Array) else content
    if not isinstance(layers, dict):
        raise ValueError(f"{path}: {_NOT_A_DICT}, got {_describe(layers)}")
    return {_as_text(name): _layer(value, path, _as_text(name)) for name, value in layers.items()}


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


class _StandIn:
    """What takes the place of NumPy's objects while a pickle is read.

    Every stand-in has `__setstate__`: pickle would else set attributes on whatever is at hand,
    the classes themselves included.
    """

    # Of the class too: a pickle may make objects without calling __init__.
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype(_StandIn):
    def as_float(self) -> np.dtype[Any] | None:
        """The dtype of floats that is meant; None if it is another kind."""
        name = _as_text(self.arguments[0]) if self.arguments else ""
        order = _as_text(self.state[1]) if isinstance(self.state, tuple) else "|"
        name = name.lstrip("<>=|")
        if name not in _FLOATS or order not in ("<", ">", "=", "|"):
            return None
        return np.dtype(name).newbyteorder(order)


class _Array(_StandIn):
    def only_item(self) -> Any:
        """The object that an array of one object holds; None if it is no such array."""
        data = self.state[-1] if isinstance(self.state, tuple) and self.state else None
        return data[0] if isinstance(data, list) and len(data) == 1 else None

    def as_array(self) -> NDArray[Any] | None:
        """The array of floats that is meant; None if it is another kind."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            return None
        _, shape, dtype, by_columns, data = self.state
        # Python 2 knew no bytes: they come as text of as many characters.
        data = data.encode("latin1") if isinstance(data, str) else data
        floats = dtype.as_float() if isinstance(dtype, _Dtype) else None
        if floats is None or not isinstance(data, bytes) or not isinstance(shape, tuple):
            return None
        return np.frombuffer(data, floats).reshape(shape, order="F" if by_columns else "C")


class _Latin1(_StandIn):
    """How Python 3 pickles bytes for Python 2: as text to be encoded."""

    def __new__(cls, text: str, encoding: str = "latin1") -> Any:
        return text.encode("latin1")


_KNOWN: dict[tuple[str, str], type[_StandIn]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Latin1,
    # Named so by NumPy 1 and by NumPy 2.
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _StandIn,
    ("numpy._core.multiarray", "scalar"): _StandIn,
}


class _LayerUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module, name))
        if known is None:
            raise ValueError(
                f"the file asks for {module}.{name}, which is no part of an array of numbers; "
                "nothing of it was run"
            )
        return known


def _layer(value: Any, path: str | os.PathLike[str], name: str) -> tuple[NDArray[Any], ...]:
    if isinstance(value, dict):
        parts = {_as_text(key): part for key, part in value.items()}
        value = [parts.get("weights"), parts.get("biases")]
    if not isinstance(value, list | tuple) or len(value) != 2:
        return ()
    try:
        arrays = [part.as_array() for part in value if isinstance(part, _Array)]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: the arrays of the layer {name!r} are damaged: {error}") from None
    whole = tuple(array for array in arrays if array is not None)
    return whole if len(whole) == 2 else ()


def _as_text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _describe(value: Any) -> str:
    return "an array" if isinstance(value, _Array) else type(value).__name__
