"""The alternating training loop (method section 4): one epoch, and one update of the codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from wsdhq.embed.config import OptimizerConfig, TrainConfig
from wsdhq.embed.losses import cosine_quantization
from wsdhq.embed.networks.network import EmbeddingNetwork, evaluation_mode
from wsdhq.embed.networks.views import centre_crop
from wsdhq.embed.training.augmentation import augment
from wsdhq.embed.training.inputs import TrainingInputs
from wsdhq.embed.training.objectives import Objective
from wsdhq.embed.training.quantization import fit_quantizer, make_quantizer, quantizer_metric
from wsdhq.quant import AdditiveQuantizer

# Share of the steps in which "cosine" rises to its full rate: a fresh head that is moved too
# fast saturates its tanh and does not recover.
_WARM_UP = 0.05

# Last keys of the random streams, so that no two uses draw the same numbers. Never 0: a
# SeedSequence does not tell trailing zeros apart.
INITIAL_WEIGHTS, ROW_ORDER, TORCH_NOISE, OBJECTIVE = 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What stays the same from epoch to epoch.

    Attributes
    ----------
    inputs : TrainingInputs
    rows : (n,) int64
        The rows trained on: no queries, and at least one tag each.
    positives : (n, T') bool, sparse
        Which merged tags each of those rows carries.
    device : torch.device
    """

    inputs: TrainingInputs
    rows: NDArray[np.int64]
    positives: csr_matrix
    device: torch.device


@dataclass(eq=False)
class TrainingState:
    """What changes from epoch to epoch.

    Attributes
    ----------
    network : EmbeddingNetwork
    objective : Objective
        With the tags' places, which may be learnt too.
    optimizer : torch.optim.Optimizer
    quantizer : AdditiveQuantizer
    codes : (n, M) uint8 or None
        Codes of the training rows; None until the first code update.
    epoch : int
        Epochs done.
    """

    network: EmbeddingNetwork
    objective: Objective
    optimizer: torch.optim.Optimizer
    quantizer: AdditiveQuantizer
    codes: NDArray[np.uint8] | None = None
    epoch: int = 0


def make_optimizer(
    network: EmbeddingNetwork,
    config: OptimizerConfig,
    learning_rates: tuple[float, float],
    objective: Objective | None = None,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay, at the learning rates of backbone and head.

    Tags that `objective` learns have `tag_rate_factor` times the head's rate, and no decay: only
    their directions matter.
    """
    backbone_rate, head_rate = learning_rates
    groups: list[dict[str, Any]] = [
        {"params": list(network.head.parameters()), "base_rate": head_rate}
    ]
    if network.backbone is not None:
        parameters = [value for value in network.backbone.parameters() if value.requires_grad]
        if parameters:
            groups.append({"params": parameters, "base_rate": backbone_rate})
    if objective is not None and objective.refines_sphere:
        rate = head_rate * config.tag_rate_factor
        groups.append(
            {"params": list(objective.parameters()), "base_rate": rate, "weight_decay": 0.0}
        )
    return torch.optim.AdamW(groups, lr=head_rate, weight_decay=config.weight_decay)


def rate_factor(config: OptimizerConfig, step: int, num_steps: int) -> float:
    """Factor on the learning rates at `step`, 0 .. num_steps - 1, of the whole training."""
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "halving":
        return 0.5 ** (step // config.halve_every)
    warmed = min(1.0, (step + 1) / (_WARM_UP * num_steps))
    return warmed * 0.5 * (1.0 + math.cos(math.pi * step / num_steps))


@contextmanager
def seeded(seed: int, *keys: int, device: torch.device) -> Iterator[None]:
    """Within the block torch's own generators start from (seed, keys); restored after it.

    Dropout, in the head and in a user's backbone, can draw from nothing else.
    """
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        value = _stream(seed, *keys)
        torch.default_generator.manual_seed(value)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(value)
        yield


def train_epoch(
    state: TrainingState,
    task: TrainingTask,
    config: TrainConfig,
    on_batch: Callable[[int, int], None] | None = None,
) -> dict[str, float | None]:
    """Train one epoch; `state` is changed in place.

    What happens is a function of the state, the task, the settings and the number of the
    epoch: the order of the rows, dropout, augmentation and what the objective looks at are drawn
    from streams keyed by (seed, epoch).

    Parameters
    ----------
    state, task, config
    on_batch : callable, optional
        Called with (batches done, batches in the epoch).

    Returns
    -------
    dict
        Means over the images of the epoch: "loss", "semantic_loss", "quantization_loss" (None
        before the first code update, where lambda counts as 0).

    Raises
    ------
    ValueError
        The loss is no longer finite.
    """
    generator = torch.Generator().manual_seed(_stream(config.seed, state.epoch, ROW_ORDER))
    order = torch.randperm(len(task.rows), generator=generator).numpy()
    # Batches of nearly equal size: a last batch of one image would break batch normalization.
    batches = np.array_split(order, math.ceil(len(order) / config.batch_size_for(len(order))))
    num_steps = config.epochs * len(batches)
    state.objective.begin_epoch(
        lambda: training_embeddings(state, task),
        state.epoch / config.epochs,
        np.random.default_rng([config.seed, state.epoch, OBJECTIVE]),
    )
    sums = {"loss": 0.0, "semantic_loss": 0.0, "quantization_loss": 0.0}

    state.network.train()
    with seeded(config.seed, state.epoch, TORCH_NOISE, device=task.device):
        for number, batch in enumerate(batches):
            step = state.epoch * len(batches) + number
            factor = rate_factor(config, step, num_steps)
            for group in state.optimizer.param_groups:
                group["lr"] = factor * group["base_rate"]
            losses = _losses(state, task, config, batch, generator, step / num_steps)
            total = losses["loss"]
            if not torch.isfinite(total):
                raise ValueError(
                    f"training diverged: the loss is {total.item()} in epoch {state.epoch + 1}, "
                    f"batch {number + 1}; a lower learning_rate may help"
                )
            state.optimizer.zero_grad()
            total.backward()
            state.optimizer.step()
            for name, value in losses.items():
                sums[name] += value.item() * len(batch)
            if on_batch is not None:
                on_batch(number + 1, len(batches))
    state.network.eval()

    means: dict[str, float | None] = {name: value / len(order) for name, value in sums.items()}
    if state.codes is None:
        means["quantization_loss"] = None
    state.epoch += 1
    return means


def _losses(
    state: TrainingState,
    task: TrainingTask,
    config: TrainConfig,
    batch: NDArray[np.int64],
    generator: torch.Generator,
    progress: float,
) -> dict[str, Tensor]:
    inputs = task.inputs.batch(task.rows[batch])
    if state.network.backbone is not None and config.augment:
        inputs = augment(inputs, generator, config.crop_size)
    elif state.network.backbone is not None and config.crop_size is not None:
        inputs = centre_crop(inputs, config.crop_size)
    embeddings = state.network(inputs.to(task.device))
    semantic = state.objective(embeddings, batch, progress)
    if state.codes is None:
        return {"loss": semantic, "semantic_loss": semantic}
    reconstructions = torch.from_numpy(state.quantizer.decode(state.codes[batch]))
    metric = torch.from_numpy(state.quantizer.metric).to(task.device)
    quantization = cosine_quantization(embeddings, reconstructions.to(task.device), metric)
    return {
        "loss": semantic + config.quantization_weight * quantization,
        "semantic_loss": semantic,
        "quantization_loss": quantization,
    }


def training_embeddings(state: TrainingState, task: TrainingTask) -> NDArray[np.float32]:
    """Embed the training rows as they are now, (n, D) float32, without gradient."""
    embeddings = np.empty((len(task.rows), state.network.head.dim), dtype=np.float32)
    step = state.network.evaluation_batch
    with evaluation_mode(state.network):
        for start in range(0, len(task.rows), step):
            block = slice(start, start + step)
            inputs = task.inputs.batch(task.rows[block]).to(task.device)
            embeddings[block] = state.network(inputs).cpu().numpy()
    return embeddings


def update_quantizer(state: TrainingState, task: TrainingTask, config: TrainConfig) -> float:
    """Update codebooks and codes to the current embeddings (method section 4, B and C).

    The first time codebooks are initialized; later both start from the codes there are.

    Returns
    -------
    float
        Mean distortion under the quantizer's metric.
    """
    embeddings = training_embeddings(state, task)
    follow_sphere(state, config)
    state.codes = fit_quantizer(state.quantizer, embeddings, state.codes)
    return float(state.quantizer.distortion(embeddings, state.codes))


def follow_sphere(state: TrainingState, config: TrainConfig) -> None:
    """Give the quantizer the metric of the tags where they are now, if they move and it counts."""
    if not state.objective.refines_sphere or config.quantizer_metric == "identity":
        return
    metric = quantizer_metric(config, state.objective.current_sphere().cpu().numpy())
    codebooks = None if state.codes is None else state.quantizer.codebooks
    state.quantizer = make_quantizer(config, metric, codebooks)


def _stream(*keys: int) -> int:
    return int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0] >> np.uint64(1))
