"""What the deep baselines share: the hashing network, its training, and coding with it."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wsdhq._shared.arguments import as_integer
from wsdhq.baselines.common.batch_norm import settle_batch_norm
from wsdhq.baselines.common.hamming import pack_bits, rank_by_hamming
from wsdhq.baselines.interface import Baseline, TrainingData
from wsdhq.embed.config import ComputeConfig, ModelConfig, OptimizerConfig
from wsdhq.embed.devices import usable_device
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork, backbone_width, evaluation_mode
from wsdhq.embed.threads import torch_threads
from wsdhq.embed.training.augmentation import augment
from wsdhq.embed.training.inputs import as_batch
from wsdhq.embed.training.loop import (
    INITIAL_WEIGHTS,
    ROW_ORDER,
    TORCH_NOISE,
    make_optimizer,
    rate_factor,
    seeded,
)
from wsdhq.evaluation import RankBatches

# Inputs are checked in blocks of so many values: images are far larger than features.
_VALUES_PER_BLOCK = 1 << 24
# Images shown to the backbone to find the scale of its features.
_SCALING_SAMPLE = 1024

# From the network, a batch of inputs and its targets to losses by name: "loss" is minimized,
# the others are its parts. Called where torch's generators are seeded, so it may draw from them.
BatchLosses = Callable[[EmbeddingNetwork, Tensor, Tensor | None], dict[str, Tensor]]


class HashHead(HypersphericalHead):
    """The head of the embedding network up to its last linear layer, for hashing.

    The same scaling, hidden layer and dropout, so that methods are compared on one body. What
    follows the last layer is the affair of each method, so nothing does here.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Outputs of the last layer.

        Parameters
        ----------
        features : Tensor, (B, F), float32

        Returns
        -------
        Tensor, (B, dim), float32
            Any real numbers; a method with several branches splits them.
        """
        hidden = (features - self.shift) * self.scale
        if self.hidden is not None:
            hidden = functional.gelu(self.hidden(hidden))
        outputs: Tensor = self.transform(self.dropout(hidden))
        return outputs


@dataclass(frozen=True, eq=False)
class HashTask:
    """What a method trains on, and towards what.

    Attributes
    ----------
    rows : (n,) int64
        The rows of the inputs that take part.
    out_dim : int
        Outputs of the network; the signs of the first `bits` are the bits of a code.
    losses : BatchLosses
    targets : Tensor or None
        (n, D) float32, one row for each of `rows`; None without supervision.
    """

    rows: NDArray[np.int64]
    out_dim: int
    losses: BatchLosses
    targets: Tensor | None = None


class DeepHashing(Baseline):
    """A network the signs of whose first outputs are the bits of a code.

    On features the network is a hidden layer with GELU, dropout and a linear layer, the body
    of the project's own embedding; on pixels the same after a backbone. Adam trains it
    (`wsdhq.embed.training.loop.make_optimizer`), at a rate that rises during the first twentieth of
    the steps and falls to 0 along a half cosine.

    Parameters
    ----------
    bits : int
        Length of a code, a positive multiple of 8 up to 512.
    seed : int
        Seed of weights, order of rows, dropout and augmentation, 0 .. 2^32 - 1.
    threads : int or None
        Threads of torch; None leaves torch's setting. Sums in torch may round differently
        with another number.
    epochs, batch_size : int
        Passes over the training rows, rows per step (batches are of nearly equal size).
    learning_rate : float
        Rate of Adam for the backbone.
    head_rate_factor : float
        The layers after the backbone learn with `head_rate_factor * learning_rate`.
    hidden_dim : int or None
        Width of the hidden layer; None leaves it out.
    dropout : float
        Dropout before the last layer, 0 <= dropout < 1.
    backbone : torch.nn.Module or None
        From (B, 3, S, S) float32 images, normalized as
        `wsdhq.embed.networks.network.EmbeddingNetwork` does, to (B, F) features. `fit` trains a
        copy of it. None: inputs are features.
    crop_size : int or None
        Side of the square, cut out of the images at random, that the backbone sees in training.
        None shows whole images, shifted at random.
    evaluation_crops : {"centre", "ten"}
        When encoding, with a crop size: the square in the middle, or the mean output of ten.
    device : str
        "cpu", "cuda" or "cuda:N".

    Attributes
    ----------
    network : EmbeddingNetwork or None
        In evaluation mode; None before `fit`.
    history : list of dict of str to float
        The mean of each loss over the rows of each epoch.

    Raises
    ------
    TypeError, ValueError
        A setting of the wrong type or out of range; the message names it.
    """

    is_deep: ClassVar[bool] = True

    def __init__(
        self,
        bits: int,
        *,
        seed: int = 0,
        threads: int | None = None,
        epochs: int = 15,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        head_rate_factor: float = 10.0,
        hidden_dim: int | None = 512,
        dropout: float = 0.2,
        backbone: nn.Module | None = None,
        crop_size: int | None = None,
        evaluation_crops: str = "centre",
        device: str = "cpu",
    ) -> None:
        super().__init__(bits, seed=seed, threads=threads)
        if backbone is not None and not isinstance(backbone, nn.Module):
            raise TypeError(f"backbone: expected a torch.nn.Module, got {type(backbone).__name__}")
        self._compute = ComputeConfig(seed=self.seed, threads=threads, device=device)
        self._optimizer = OptimizerConfig(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            head_rate_factor=head_rate_factor,
        )
        self._model = ModelConfig(
            hidden_dim=hidden_dim, dropout=dropout, evaluation_crops=evaluation_crops
        )
        if crop_size is not None:
            crop_size = as_integer(crop_size, "crop_size", 1)
            if backbone is None:
                raise ValueError("crop_size is for images: it needs a backbone, got None")
        self.backbone = backbone
        self.crop_size = crop_size
        self.evaluation_crops = evaluation_crops
        self.network: EmbeddingNetwork | None = None
        self.history: list[dict[str, float]] = []
        self._image_size: int | None = None

    @abstractmethod
    def _task(self, data: TrainingData) -> HashTask:
        """What to train on; `data.inputs` have been checked."""

    def fit(self, data: TrainingData) -> Self:
        """Train a fresh network.

        The same data, settings, thread count and machine give the same bytes of codes. No
        global seed or thread count is changed. A `fit` that fails leaves the baseline not fitted.

        Parameters
        ----------
        data : TrainingData
            `inputs`: (n, F) float16, float32 or float64, or with a backbone (n, S, S, 3)
            uint8.

        Returns
        -------
        Self

        Raises
        ------
        TypeError
            Inputs of another kind or dtype.
        ValueError
            Wrong shapes, values that are not finite, fewer than two rows to train on or only
            equal ones, tags or word vectors that the method cannot use, or the loss diverged.
        """
        self.network, self.history = None, []
        inputs = self._checked(data.inputs)
        if len(inputs) < 2:
            raise ValueError(
                f"inputs: {self.name} needs at least 2 rows to learn from, got {len(inputs)}"
            )
        _check_rows(inputs)
        task = self._task(data)
        with torch_threads(self.threads):
            network = self._fresh_network(inputs, task)
            history = _train(network, inputs, task, self._optimizer, self._compute)
            if self.backbone is not None:
                settle_batch_norm(network, _sample(inputs, task.rows))
        self.network, self.history = network, history
        self._image_size = None if self.backbone is None else inputs.shape[1]
        return self

    def encode(self, inputs: NDArray[Any]) -> NDArray[np.uint8]:
        """Encode rows: a bit is 1 where its output is not negative.

        Parameters
        ----------
        inputs : (N, F) floating point or (N, S, S, 3) uint8
            Of the width or size fitted to; N may be 0.

        Returns
        -------
        (N, bits / 8) uint8
            A row does not depend on which others there are, except that sums in torch may
            round differently.

        Raises
        ------
        TypeError
            Inputs of another kind or dtype.
        ValueError
            Not fitted yet, another width or size than fitted, or values that are not finite
            (the message names the row).
        """
        if self.network is None:
            raise ValueError(f"{self.name} has not learnt anything yet: call fit first")
        array = self._checked(inputs, self.network)
        codes = np.empty((len(array), self.bits // 8), dtype=np.uint8)
        step = self.network.evaluation_batch
        with torch_threads(self.threads), evaluation_mode(self.network):
            for start in range(0, len(array), step):
                batch = as_batch(array[start : start + step])
                _check_finite(batch, start)
                outputs = self.network(batch.to(self._compute.device))
                codes[start : start + step] = pack_bits(outputs[:, : self.bits].cpu().numpy())
        return codes

    def rank(self, queries: NDArray[Any], codes: NDArray[np.uint8]) -> RankBatches:
        """Rank a database by the Hamming distance of its codes to those of the queries.

        Parameters
        ----------
        queries : (Q, F) floating point or (Q, S, S, 3) uint8
            As for `encode`.
        codes : (N, bits / 8) uint8
            What `encode` made of the database.

        Returns
        -------
        callable (start, stop) -> (scores, positions)
            As `wsdhq.baselines.common.hamming.rank_by_hamming`.

        Raises
        ------
        TypeError, ValueError
            As `encode`; also codes of another dtype or width.
        """
        checked = self._checked_codes(codes)
        return rank_by_hamming(self.encode(queries), checked)

    def _checked(self, value: Any, network: EmbeddingNetwork | None = None) -> NDArray[Any]:
        """`value` as an array of the kind the network takes; of its width, if there is one."""
        array = np.asarray(value)
        if self.backbone is None:
            if array.dtype.kind != "f" or array.dtype.itemsize > 8:
                raise TypeError(
                    f"inputs: {self.name} without a backbone needs features of float16, float32 "
                    f"or float64, got {array.dtype}"
                )
            width = "F" if network is None else network.head.in_dim
            if array.ndim != 2 or array.shape[1] == 0 or width not in ("F", array.shape[1]):
                raise ValueError(f"inputs: expected shape (N, {width}), got {array.shape}")
            return array
        if array.dtype != np.uint8:
            raise TypeError(
                f"inputs: {self.name} with a backbone needs pixels of uint8, got {array.dtype}"
            )
        size = "S" if network is None else self._image_size
        square = array.ndim == 4 and array.shape[1:] == (array.shape[1], array.shape[1], 3)
        if not square or array.shape[1] == 0 or size not in ("S", array.shape[1]):
            raise ValueError(f"inputs: expected shape (N, {size}, {size}, 3), got {array.shape}")
        if self.crop_size is not None and self.crop_size > array.shape[1]:
            raise ValueError(
                f"inputs: expected at least crop_size, {self.crop_size}, a side, got {array.shape}"
            )
        return array

    def _fresh_network(self, inputs: NDArray[Any], task: HashTask) -> EmbeddingNetwork:
        device = usable_device(self._compute.device)
        backbone = copy.deepcopy(self.backbone)
        in_dim = inputs.shape[1]
        if backbone is not None:
            in_dim = backbone_width(backbone, self.crop_size or inputs.shape[1])
        with seeded(self.seed, INITIAL_WEIGHTS, device=device):
            head = HashHead(
                in_dim,
                task.out_dim,
                self._model.hidden_dim,
                self._model.dropout or 0.0,
                normalize=False,
            )
            network = EmbeddingNetwork(head, backbone, self.crop_size, self.evaluation_crops)
            network.to(device)
            if backbone is None:
                head.fit_scaling(inputs, task.rows)
            else:
                network.fit_scaling(_sample(inputs, task.rows))
        return network


def augmented(network: EmbeddingNetwork, inputs: Tensor) -> Tensor:
    """A batch to train on: images mirrored, shifted or cropped at random; features as they are.

    Chance is drawn from torch's own generator of the processor.
    """
    if network.backbone is None:
        return inputs
    return augment(inputs, torch.default_generator, network.crop_size)


def _sample(inputs: NDArray[Any], rows: NDArray[np.int64]) -> torch.Tensor:
    every = math.ceil(len(rows) / _SCALING_SAMPLE)
    return as_batch(inputs[rows[::every]])


def _train(
    network: EmbeddingNetwork,
    inputs: NDArray[Any],
    task: HashTask,
    config: OptimizerConfig,
    compute: ComputeConfig,
) -> list[dict[str, float]]:
    """Train `network` in place and leave it in evaluation mode; returns the losses per epoch."""
    device = torch.device(compute.device)
    rates = config.rates(is_alone=network.backbone is None, is_trained=False)
    optimizer = make_optimizer(network, config, rates)
    # Of nearly equal size, and never of one row: that has no pairs, and no mean over rows.
    num_batches = min(
        math.ceil(len(task.rows) / config.batch_size_for(len(task.rows))), len(task.rows) // 2
    )
    num_steps = config.epochs * num_batches
    history: list[dict[str, float]] = []
    network.train()
    for epoch in range(config.epochs):
        with seeded(compute.seed, epoch, ROW_ORDER, device=device):
            order = torch.randperm(len(task.rows)).numpy()
        sums: dict[str, float] = {}
        with seeded(compute.seed, epoch, TORCH_NOISE, device=device):
            for number, batch in enumerate(np.array_split(order, num_batches)):
                factor = rate_factor(config, epoch * num_batches + number, num_steps)
                for group in optimizer.param_groups:
                    group["lr"] = factor * group["base_rate"]
                targets = None if task.targets is None else task.targets[batch].to(device)
                losses = task.losses(network, as_batch(inputs[task.rows[batch]]), targets)
                if not torch.isfinite(losses["loss"]):
                    raise ValueError(
                        f"training diverged: the loss is {losses['loss'].item()} in epoch "
                        f"{epoch + 1}, batch {number + 1}; a lower learning_rate may help"
                    )
                optimizer.zero_grad()
                losses["loss"].backward()
                optimizer.step()
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value.item() * len(batch)
        history.append({name: total / len(order) for name, total in sums.items()})
    network.eval()
    return history


def _check_rows(inputs: NDArray[Any]) -> None:
    """Raise unless all values are finite and two rows differ."""
    step = max(1, _VALUES_PER_BLOCK // math.prod(inputs.shape[1:]))
    differ = False
    for start in range(0, len(inputs), step):
        block = inputs[start : start + step]
        _check_finite(as_batch(block), start)
        differ = differ or bool((block != inputs[:1]).any())
    if not differ:
        raise ValueError(
            f"inputs: expected rows that differ, got {len(inputs)} equal rows: nothing can be "
            "learnt from them"
        )


def _check_finite(batch: Tensor, start: int) -> None:
    if not batch.is_floating_point():
        return
    finite = torch.isfinite(batch).all(dim=1)
    if not finite.all():
        row = int(finite.int().argmin())
        raise ValueError(
            f"inputs: expected finite float32 values, but row {start + row} is not: "
            f"{batch[row, :5].tolist()}..."
        )
