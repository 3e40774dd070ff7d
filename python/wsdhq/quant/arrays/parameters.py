"""What a quantizer is made of: codebooks, and the metric that it is judged by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsdhq import _core
from wsdhq.quant.arrays.vectors import MAX_VALUE, as_float32, as_floats

# The pairwise tables of the encoder take two or four bytes per pair of codewords: up to 1 GiB at
# this number, which is 64 codebooks of 256. Beyond it a mistyped size would exhaust the machine.
MAX_CODEWORDS = 16_384
MAX_CODEBOOKS: int = _core.max_codebooks


def check_num_codewords(num_codebooks: int, codebook_size: int) -> None:
    """Check num_codebooks against `MAX_CODEBOOKS`, and the codewords against `MAX_CODEWORDS`."""
    if num_codebooks > MAX_CODEBOOKS:
        raise ValueError(f"num_codebooks: expected up to {MAX_CODEBOOKS}, got {num_codebooks}")
    if num_codebooks * codebook_size > MAX_CODEWORDS:
        raise ValueError(
            f"num_codebooks: expected num_codebooks * codebook_size up to {MAX_CODEWORDS}, got "
            f"{num_codebooks} * {codebook_size} = {num_codebooks * codebook_size}"
        )


def as_codebooks(value: object, name: str = "codebooks") -> NDArray[np.float32]:
    """Check codebooks (num_codebooks, codebook_size, dim): a private float32 copy."""
    array = np.asarray(as_floats(value, name))
    if array.ndim != 3 or 0 in array.shape or array.shape[1] > 256:
        raise ValueError(
            f"{name}: expected shape (num_codebooks, codebook_size, dim) with codebook_size "
            f"from 1 to 256, got {array.shape}"
        )
    check_num_codewords(array.shape[0], array.shape[1])
    # Copied first: what is kept must be what was checked.
    flat = np.array(array, order="C").reshape(-1, array.shape[2])
    return as_float32(flat, name).reshape(array.shape)


def as_metric(value: object, dim: int | None, name: str = "metric") -> NDArray[np.float32] | None:
    """Check a symmetric positive semi-definite metric (dim, dim): a private float32 copy.

    Without `dim` it may be of any, at least one.
    """
    if value is None:
        return None
    array = np.asarray(as_floats(value, name))
    if dim is None:
        if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
            raise ValueError(f"{name}: expected shape (dim, dim), got {array.shape}")
    elif array.shape != (dim, dim):
        raise ValueError(f"{name}: expected shape ({dim}, {dim}), got {array.shape}")
    exact = np.array(array, np.float64, order="C")
    if not np.isfinite(exact).all() or np.abs(exact).max() > MAX_VALUE:
        as_float32(array, name)
    scale = float(np.abs(exact).max())
    asymmetry = float(np.abs(exact - exact.T).max())
    if asymmetry > 1e-5 * scale:
        raise ValueError(
            f"{name}: expected a symmetric matrix, got entries that differ from their "
            f"transpose by up to {asymmetry:g}"
        )
    exact = (exact + exact.T) / 2
    tolerance = 1e-5 * max(scale, np.finfo(np.float64).tiny) * len(array)
    quotient = _core.indefinite_quotient(exact, tolerance, 1)
    if quotient is not None:
        raise ValueError(
            f"{name}: expected a positive semi-definite matrix, got one with an eigenvalue of "
            f"{quotient:.3g} or less"
        )
    return np.ascontiguousarray(exact, dtype=np.float32)
