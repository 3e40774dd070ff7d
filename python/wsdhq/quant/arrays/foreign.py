"""Arrays of other libraries as NumPy arrays: shared where memory allows it, else read in slices.

None of the libraries is imported: an object is known by the protocols that it speaks, and a
tensor of torch by the module that the user has imported already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.quant.arrays.arrow import arrow_matrices, speaks_arrow

# What is converted or copied at a time.
CHUNK_BYTES = 16 << 20

# Devices of DLPack whose memory the processor reads: CPU, pinned and managed memory of CUDA and
# pinned memory of ROCm.
_HOST_DEVICES = (1, 3, 11, 13)


def rows_per_chunk(row_bytes: int) -> int:
    """How many rows make a chunk; at least one."""
    return max(1, CHUNK_BYTES // max(row_bytes, 1))


class LazyRows:
    """Rows that become a NumPy array a slice at a time.

    For what cannot be a NumPy array without a copy of the whole: tensors on a device, bfloat16,
    Arrow lists in several chunks, data sets in files.

    Parameters
    ----------
    name : str
        The argument, for errors.
    shape : tuple of int
    dtype : dtype
        Of what `read` gives.
    read : callable
        read(first, last) gives rows first .. last - 1.
    take : callable, optional
        take(rows) gives rows by number, where that is cheaper than to read what lies between.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        read: Callable[[int, int], NDArray[Any]],
        take: Callable[[NDArray[np.int64]], NDArray[Any]] | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self._read = read
        self._take = take

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | int | NDArray[np.int64]) -> NDArray[Any]:
        """Rows of a slice, by their numbers, or one row."""
        if isinstance(key, slice):
            first, last, step = key.indices(len(self))
            if step == 1:
                return self._checked(self._read(first, max(first, last)), max(0, last - first))
            key = np.arange(first, last, step)
        rows = np.asarray(key, np.int64)
        if rows.ndim == 0:
            first = range(len(self))[int(rows)]
            row: NDArray[Any] = self[first : first + 1][0]
            return row
        if self._take is not None:
            return self._checked(self._take(rows), len(rows))
        return self._gather(rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.name}: cannot become a NumPy array without a copy")
        whole = np.empty(self.shape, self.dtype if dtype is None else dtype)
        size = rows_per_chunk(self._row_bytes)
        for first in range(0, len(self), size):
            last = min(first + size, len(self))
            whole[first:last] = self[first:last]
        return whole

    @property
    def _row_bytes(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.shape[1:]))

    def _checked(self, rows: NDArray[Any], count: int) -> NDArray[Any]:
        expected = (count, *self.shape[1:])
        if rows.shape != expected or rows.dtype != self.dtype:
            raise ValueError(
                f"{self.name}: expected slices of shape {expected} and dtype {self.dtype}, got "
                f"{rows.shape} and {rows.dtype}"
            )
        return rows

    def _gather(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows by number, read chunk by chunk between the least and the largest."""
        gathered = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = rows_per_chunk(self._row_bytes)
        for first in range(int(rows.min(initial=0)), int(rows.max(initial=-1)) + 1, size):
            last = min(first + size, len(self))
            here = np.flatnonzero((rows >= first) & (rows < last))
            if len(here):
                gathered[here] = self[first:last][rows[here] - first]
        return gathered


def as_rows(value: object, name: str) -> NDArray[Any] | LazyRows:
    """What a user passed for an array: as NumPy sees it, or to be read in slices.

    Without a copy: NumPy arrays and memory maps; tensors of torch in the memory of the processor,
    those that require a gradient included; what has `__dlpack__`, there; Arrow fixed-size lists
    in one chunk. Read in slices: tensors on other devices; bfloat16, as float32; Arrow in several
    chunks; other array-likes that have a shape and can be sliced. Everything else goes through
    `numpy.asarray`, which for lists copies.

    Parameters
    ----------
    value : object
        Any dtype and shape: those are for the caller to check.
    name : str
        The argument, for errors.

    Raises
    ------
    TypeError
        Sparse or without values, or nothing that becomes an array.
    ValueError
        A masked or null row, named, or lists of unequal lengths.
    """
    if isinstance(value, LazyRows):
        return value
    if isinstance(value, np.ndarray):
        return _numpy_rows(value, name)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, getattr(torch, "Tensor", ())):
        return _torch_rows(value, name, torch)
    kind = type(value).__name__
    if hasattr(value, "nnz") and hasattr(value, "toarray"):
        raise TypeError(
            f"{name}: expected a dense array, got a sparse {kind}: sparse input is not supported; "
            f"{name}.toarray() makes a dense one"
        )
    if speaks_arrow(value):
        matrices = arrow_matrices(value, name)
        if matrices is not None:
            return _concatenated(matrices, name)
    # The DLPack of pyarrow is of an old kind, and warns of it.
    is_array = speaks_arrow(value) and hasattr(value, "__array__")
    if not is_array and hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        found = _dlpack_rows(value, name)
        if found is not None:
            return found
    if _is_sliceable(value):
        return _sliced_rows(value, name)
    try:
        array = np.asarray(value)
        if array.dtype == object and hasattr(type(value), "columns"):
            raise TypeError("a column of numbers, or of lists of them, can be passed by itself")
        return _numpy_rows(array, name)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array, got {kind}: {error}") from None
    except (TypeError, RuntimeError, BufferError) as error:
        raise TypeError(f"{name}: expected an array, got {kind}: {error}") from None


def _numpy_rows(array: NDArray[Any], name: str) -> NDArray[Any] | LazyRows:
    if isinstance(array, np.ma.MaskedArray):
        if array.mask is not np.ma.nomask and array.mask.any():
            where = np.argwhere(np.atleast_1d(array.mask))[0]
            raise ValueError(
                f"{name}: row {where[0]} is masked: expected an array with all its values"
            )
        return np.asarray(array.data)
    if array.dtype.name == "bfloat16" and array.ndim:
        # The type that JAX and TensorFlow register with NumPy.
        return LazyRows(
            name,
            array.shape,
            np.dtype(np.float32),
            lambda first, last: array[first:last].astype(np.float32),
            lambda rows: array[rows].astype(np.float32),
        )
    return np.asarray(array)


def _torch_rows(tensor: Any, name: str, torch: Any) -> NDArray[Any] | LazyRows:
    if tensor.layout is not torch.strided or tensor.is_nested:
        kind = "nested tensor" if tensor.is_nested else f"tensor of layout {tensor.layout}"
        raise TypeError(f"{name}: expected a dense tensor, as of {name}.to_dense(), got a {kind}")
    if tensor.device.type == "meta":
        raise TypeError(f"{name}: expected a tensor with values, got one on the device meta")
    # Codes have no gradient, so that there is none to lose.
    tensor = tensor.detach()
    is_bfloat16 = tensor.dtype is torch.bfloat16
    try:
        dtype = np.dtype("float32" if is_bfloat16 else str(tensor.dtype).removeprefix("torch."))
    except TypeError:
        raise TypeError(
            f"{name}: expected a dtype that NumPy has, or bfloat16, got {tensor.dtype}: "
            f"{name}.float() converts"
        ) from None

    def on_host(part: Any) -> NDArray[Any]:
        part = part.cpu()
        if is_bfloat16:
            # The upper half of a float32.
            bits: NDArray[Any] = part.view(torch.int16).numpy().view(np.uint16).astype(np.uint32)
            bits <<= 16
            return bits.view(np.float32)
        array: NDArray[Any] = part.resolve_conj().resolve_neg().numpy()
        return array

    if tensor.device.type == "cpu" and not (is_bfloat16 or tensor.is_conj() or tensor.is_neg()):
        try:
            return np.asarray(tensor.numpy())
        except (RuntimeError, TypeError) as error:
            raise TypeError(f"{name}: expected a tensor with values: {error}") from None
    return LazyRows(
        name,
        tuple(tensor.shape),
        dtype,
        lambda first, last: on_host(tensor[first:last]),
        lambda rows: on_host(tensor[torch.from_numpy(rows).to(tensor.device)]),
    )


def _concatenated(matrices: list[NDArray[Any]], name: str) -> NDArray[Any] | LazyRows:
    if len(matrices) == 1:
        return matrices[0]
    ends = np.cumsum([len(matrix) for matrix in matrices])

    def read(first: int, last: int) -> NDArray[Any]:
        parts = []
        number = int(np.searchsorted(ends, first, side="right"))
        while first < last:
            begin = int(ends[number]) - len(matrices[number])
            end = min(last, int(ends[number]))
            parts.append(matrices[number][first - begin : end - begin])
            first, number = end, number + 1
        return parts[0] if len(parts) == 1 else np.concatenate([matrices[0][:0], *parts])

    return LazyRows(name, (int(ends[-1]), matrices[0].shape[1]), matrices[0].dtype, read)


def _dlpack_rows(value: Any, name: str) -> NDArray[Any] | LazyRows | None:
    """What an object gives through DLPack; None where NumPy does not understand it."""
    device = int(value.__dlpack_device__()[0])
    if device in _HOST_DEVICES:
        try:
            return np.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError, ValueError):
            return None
    if not len(getattr(value, "shape", ())):
        return None

    def read(first: int, last: int) -> NDArray[Any]:
        part = value[first:last]
        try:
            return np.from_dlpack(part, device="cpu")
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            if hasattr(part, "__array__"):
                try:
                    return _plain(np.asarray(part), name)
                except (TypeError, ValueError, RuntimeError):
                    pass
            raise TypeError(
                f"{name}: expected an array that can be copied to the processor's memory, got "
                f"{type(value).__name__} on device {device} of DLPack: {error}"
            ) from None

    return _probed(value, name, read)


def _is_sliceable(value: object) -> bool:
    """Whether an object is an array-like that gives slices: a data set in a file, say."""
    return (
        all(hasattr(value, part) for part in ("shape", "dtype", "__array__", "__getitem__"))
        and not any(hasattr(value, part) for part in ("iloc", "columns"))
        and not isinstance(value, np.generic)
        and len(getattr(value, "shape", None) or ()) > 0
    )


def _sliced_rows(value: Any, name: str) -> LazyRows:
    def read(first: int, last: int) -> NDArray[Any]:
        try:
            return _plain(np.asarray(value[first:last]), name)
        except (TypeError, RuntimeError) as error:
            kind = type(value).__name__
            raise TypeError(f"{name}: expected an array, got {kind}: {error}") from None

    return _probed(value, name, read)


def _probed(value: Any, name: str, read: Callable[[int, int], NDArray[Any]]) -> LazyRows:
    """Lazy rows of the dtype that the first of them turns out to have."""
    shape = tuple(int(length) for length in value.shape)
    return LazyRows(name, shape, read(0, min(1, shape[0])).dtype, read)


def _plain(array: NDArray[Any], name: str) -> NDArray[Any]:
    """A slice as an array: without a mask, bfloat16 as float32."""
    rows = _numpy_rows(array, name)
    return rows[:] if isinstance(rows, LazyRows) else rows
