"""What every loss asks of its tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def check_matrix(name: str, value: Any) -> None:
    """Raise unless `value` is a two-dimensional floating-point tensor."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise TypeError(f"{name}: expected a floating-point tensor, got {kind(value)}")
    if value.ndim != 2:
        raise ValueError(f"{name}: expected two dimensions, got shape {tuple(value.shape)}")


def check_same_width(name: str, value: Tensor, embeddings: Tensor) -> None:
    """Raise unless `value` has as many columns as `embeddings`."""
    if value.shape[1] != embeddings.shape[1]:
        raise ValueError(
            f"{name}: expected {embeddings.shape[1]} columns, as embeddings have, "
            f"got shape {tuple(value.shape)}"
        )


def check_same_dtype(name: str, value: Tensor, other: str, expected: Tensor) -> None:
    """Raise unless the tensor `value` has the dtype of `expected`, which is called `other`."""
    if value.dtype != expected.dtype:
        raise TypeError(f"{name}: expected {expected.dtype}, as {other}, got {kind(value)}")


def check_positives(positives: Tensor, embeddings: Tensor, sphere: Tensor) -> None:
    """Raise unless `positives` is a (B, T') bool tensor."""
    if not isinstance(positives, Tensor) or positives.dtype != torch.bool:
        raise TypeError(f"positives: expected a bool tensor, got {kind(positives)}")
    expected = (len(embeddings), len(sphere))
    if tuple(positives.shape) != expected:
        raise ValueError(
            f"positives: expected shape (B, T') = {expected}, got {tuple(positives.shape)}"
        )


def check_targets(targets: Tensor, log_probabilities: Tensor) -> None:
    """Raise unless `targets` is a tensor of the shape and dtype of `log_probabilities`."""
    check_matrix("targets", targets)
    check_same_dtype("targets", targets, "log_probabilities", log_probabilities)
    if targets.shape != log_probabilities.shape:
        raise ValueError(
            "targets: expected the shape of log_probabilities, "
            f"{tuple(log_probabilities.shape)}, got {tuple(targets.shape)}"
        )


def kind(value: Any) -> str:
    """What `value` is, for messages: its type, and the dtype of tensors and arrays."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} of {value.dtype}"
    return type(value).__name__
