"""The hyperspherical head: from backbone features to unit vectors (method, "Symbols", r_n)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wsdhq._shared.arguments import as_integer, as_number

_ROWS_PER_BLOCK = 8192
# Of the mean variance: what a dimension is taken to vary at least when it is whitened.
_MIN_SHARE = 1e-4


class HypersphericalHead(nn.Module):
    """`r = tanh(W v + b) / ||tanh(W v + b)||`, with an optional hidden layer before it.

    Without `normalize` the norm stays: `r = tanh(W v + b)`.

    Features are first shifted and scaled by two stored buffers (`shift` and `scale`, (F,);
    identity until `fit_scaling`), so that backbones of any magnitude meet the tanh where it is
    neither linear nor saturated.

    Parameters
    ----------
    in_dim : int
        Width F of the features, at least 1.
    dim : int
        Width D of the semantic space, at least 1.
    hidden_dim : int or None
        Width of a hidden layer with GELU; None is the paper's linear head.
    dropout : float
        Share of the hidden units (of the features where there is no hidden layer) set to
        zero in training, 0 <= dropout < 1.
    normalize : bool
        Whether embeddings are brought to unit norm.

    Raises
    ------
    ValueError
        A width below 1 or `dropout` out of range.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        in_dim: int,
        dim: int,
        hidden_dim: int | None = None,
        dropout: float = 0.0,
        normalize: bool = True,
    ) -> None:
        super().__init__()
        for name, width in (("in_dim", in_dim), ("dim", dim), ("hidden_dim", hidden_dim)):
            if width is not None:
                as_integer(width, name, 1)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected 0 <= dropout < 1, got {dropout}")
        self.in_dim = in_dim
        self.dim = dim
        self.normalize = normalize
        self.register_buffer("shift", torch.zeros(in_dim))
        self.register_buffer("scale", torch.ones(in_dim))
        self.hidden = None if hidden_dim is None else nn.Linear(in_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.transform = nn.Linear(hidden_dim or in_dim, dim)

    def forward(self, features: Tensor) -> Tensor:
        """Embed features.

        Parameters
        ----------
        features : Tensor, (B, F), float32

        Returns
        -------
        Tensor, (B, D), float32
            Unit rows (any norm without `normalize`). A row whose tanh is zero in every
            dimension stays zero: it has no direction, and a division by zero would only
            spread NaN.
        """
        hidden = (features - self.shift) * self.scale
        if self.hidden is not None:
            hidden = functional.gelu(self.hidden(hidden))
        embeddings = torch.tanh(self.transform(self.dropout(hidden)))
        return functional.normalize(embeddings, dim=1) if self.normalize else embeddings

    def fit_scaling(
        self,
        features: NDArray[np.floating[Any]],
        rows: NDArray[np.int64] | None = None,
        whitening: float = 0.0,
    ) -> None:
        """Set the buffers: features centred, with a mean square of 1 per dimension.

        Sums are taken in float64, block by block, so that `features` may be a memory map.

        Parameters
        ----------
        features : array, (N, F), floating point
        rows : array of int64, optional
            The rows to look at (training rows); all by default.
        whitening : float
            0 .. 1. With 0 one scale for all dimensions keeps the geometry of the features; with
            1 each has unit variance; between them deviations are divided by their power.

        Raises
        ------
        ValueError
            `features` has another width than the head, there is no row to look at, or
            `whitening` is out of range.
        """
        if features.ndim != 2 or features.shape[1] != self.in_dim:
            raise ValueError(f"features: expected shape (N, {self.in_dim}), got {features.shape}")
        as_number(whitening, "whitening", 0, 1)
        count = len(features) if rows is None else len(rows)
        if count == 0:
            raise ValueError("features: at least one row is needed to fit the scaling, got none")
        total, squares = np.zeros(self.in_dim), np.zeros(self.in_dim)
        # Squares are taken about the first row: large common offsets would cancel badly.
        origin = features[0 if rows is None else rows[0]].astype(np.float64)
        for start in range(0, count, _ROWS_PER_BLOCK):
            block = slice(start, start + _ROWS_PER_BLOCK)
            values = features[block if rows is None else rows[block]].astype(np.float64) - origin
            total += values.sum(axis=0)
            squares += np.einsum("nf,nf->f", values, values)
        offset = total / count
        self.shift.copy_(torch.from_numpy(origin + offset))
        variances = np.maximum(squares / count - offset * offset, 0.0)
        self.scale.copy_(torch.from_numpy(_scale(variances, whitening)))


def _scale(variances: NDArray[np.float64], whitening: float) -> NDArray[np.float64]:
    mean = float(variances.mean())
    if mean <= 1e-30:
        return np.ones_like(variances)
    # Dimensions that hardly vary hold noise, or nothing: not to be blown up without limit.
    floored = np.maximum(variances, _MIN_SHARE * mean)
    scale = floored ** (-whitening / 2)
    scale /= math.sqrt(float((variances * scale * scale).mean()))
    return np.asarray(scale)
