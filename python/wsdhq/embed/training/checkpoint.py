"""Checkpoints: the whole state of an unfinished training as tensors, nothing pickled."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from wsdhq.embed.tensor_files import load_weights, read_tensors, write_tensors
from wsdhq.quant import AdditiveQuantizer

_FORMAT = "wsdhq checkpoint 3"
# All of them, or before the first code update none.
_QUANTIZED = ("codes", "codebooks", "metric")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What `read_checkpoint` found.

    Attributes
    ----------
    epoch : int
        Epochs done.
    fingerprint : str
        Names what was trained on: see `wsdhq.embed.training.trainer`.
    weights : dict of Tensor
        State of the network.
    objective : dict of Tensor
        State of the objective: the tags' places, where they are learnt.
    optimizer : dict of Tensor
        State of the optimizer, "index.name".
    codes : (n, M) uint8 or None
        Codes of the training rows; None before the first code update.
    codebooks : (M, K, D) float32 or None
        Codebooks at that time.
    metric : (D, D) float32 or None
        The quantizer's metric since that time: tags that are learnt have moved on.
    """

    epoch: int
    fingerprint: str
    weights: dict[str, Tensor]
    objective: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    codes: NDArray[np.uint8] | None
    codebooks: NDArray[np.float32] | None
    metric: NDArray[np.float32] | None

    def restore(
        self, network: nn.Module, objective: nn.Module, optimizer: Optimizer, source: str
    ) -> None:
        """Put the state back into a network, objective and optimizer of the same structure.

        Raises
        ------
        ValueError
            The tensors do not fit; the message names `source`.
        """
        load_weights(network, self.weights, source)
        load_weights(objective, self.objective, source)
        state = optimizer.state_dict()
        count = sum(len(group["params"]) for group in state["param_groups"])
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in self.optimizer.items():
            index, _, key = name.partition(".")
            entries.setdefault(int(index), {})[key] = value
        if any(index >= count for index in entries):
            raise ValueError(
                f"{source}: has optimizer states for {max(entries) + 1} parameters, "
                f"the training has {count}"
            )
        optimizer.load_state_dict({"state": entries, "param_groups": state["param_groups"]})


def write_checkpoint(
    path: str | os.PathLike[str],
    *,
    epoch: int,
    fingerprint: str,
    network: nn.Module,
    objective: nn.Module,
    optimizer: Optimizer,
    codes: NDArray[np.uint8] | None,
    quantizer: AdditiveQuantizer,
) -> None:
    """Write a checkpoint, whole or not at all; of the quantizer only where there are codes.

    Everything random in an epoch is drawn from streams keyed by (seed, epoch), so that there
    is no state of a generator to keep.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"objective.{name}": value for name, value in objective.state_dict().items()}
    for index, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
    if codes is not None:
        tensors["codes"] = torch.from_numpy(codes)
        tensors["codebooks"] = torch.from_numpy(quantizer.codebooks.copy())
        tensors["metric"] = torch.from_numpy(quantizer.metric)
    metadata = {"format": _FORMAT, "epoch": str(epoch), "fingerprint": fingerprint}
    write_tensors(path, tensors, metadata)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    FileNotFoundError
        There is none.
    ValueError
        The file is damaged or something else; the message names it.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"{path}: expected the format {_FORMAT!r}, got {metadata.get('format')!r}")
    quantized = {name: tensors[name].numpy() for name in _QUANTIZED if name in tensors}
    if quantized and len(quantized) < len(_QUANTIZED):
        missing = next(name for name in _QUANTIZED if name not in quantized)
        raise ValueError(f"{path}: the tensor {missing!r} is missing")
    return Checkpoint(
        epoch=int(metadata["epoch"]),
        fingerprint=metadata["fingerprint"],
        weights=_with_prefix(tensors, "network."),
        objective=_with_prefix(tensors, "objective."),
        optimizer=_with_prefix(tensors, "optimizer."),
        codes=quantized.get("codes"),
        codebooks=quantized.get("codebooks"),
        metric=quantized.get("metric"),
    )


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
