"""Training from files to a run directory (method section 4)."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsdhq._shared.files import save_npy, write_json
from wsdhq._shared.progress import Progress
from wsdhq.data import SkippedImage, open_images
from wsdhq.data.skipped import list_skipped
from wsdhq.data.splits import split_collection
from wsdhq.embed.config import TrainConfig
from wsdhq.embed.devices import usable_device
from wsdhq.embed.model import TrainedModel
from wsdhq.embed.model_files import build_network
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.embed.tags import SemanticSphere, build_semantic_sphere
from wsdhq.embed.tags.word_vectors import load_word_vectors, train_word_vectors
from wsdhq.embed.threads import training_threads
from wsdhq.embed.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from wsdhq.embed.training.inputs import TrainingInputs, read_inputs
from wsdhq.embed.training.loop import (
    INITIAL_WEIGHTS,
    TrainingState,
    TrainingTask,
    follow_sphere,
    make_optimizer,
    seeded,
    train_epoch,
    training_embeddings,
    update_quantizer,
)
from wsdhq.embed.training.objectives import make_objective
from wsdhq.embed.training.quantization import fit_quantizer, make_quantizer, quantizer_metric

_logger = logging.getLogger("wsdhq.embed")
# Images shown to the backbone to find the scale of its features.
_SCALING_SAMPLE = 1024

ProgressCallback = Callable[[dict[str, Any]], None]


def train(
    config: TrainConfig,
    *,
    backbone: nn.Module | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | bool | None = None,
) -> TrainedModel:
    """Learn an embedding and its quantizer from tags, and encode all rows.

    Epochs of Adam on the loss that `config.loss` names, after which codes (ICM) and codebooks
    (closed form) are learnt. With `config.quantization_weight` above 0 the two alternate: the
    quantization loss joins the first, and codes and codebooks are updated every
    `config.update_every` epochs (method section 4). The same settings, inputs, thread count and
    machine give the same bytes of weights and codes, whether or not the training was interrupted
    and resumed. No global seed, thread count or default dtype is changed.

    Queries (`config.num_queries`) and other rows outside the training set take no part in the
    training of word vectors, sphere, network and quantizer, nor do rows without tags or with
    an image that cannot be read; all that can be read are embedded and encoded in the end.
    Memory: the embeddings of the training rows, (n, D) float32, and in images mode their
    pixels, are held.

    Parameters
    ----------
    config : TrainConfig
    backbone : torch.nn.Module, optional
        Images mode: from (B, 3, H, W) float32 images, normalized with the channel
        statistics of ImageNet (or as its attribute `pixel_format` says), to (B, F) features.
        Trained in place; parameters that need no gradient stay as they are. By default the
        one that `config.backbone` names.
    resume : bool
        Continue an interrupted training in `config.out` of equal settings. A finished one
        is loaded; an empty or missing directory is begun.
    overwrite : bool
        Replace the run in `config.out`, once the new inputs have been read and found good.
    progress : callable, bool or None
        A callable is called after each epoch, its checkpoint written, with the epoch's line
        of log.jsonl; what it raises ends the training, which can be resumed. Otherwise a bar
        is shown where standard error is a terminal, unless False is given.

    Returns
    -------
    TrainedModel
        Also in `config.out`: config.toml, model.safetensors, tags.json, codes.npy, log.jsonl,
        and rows.npy and skipped.json if images could not be read. A line of the log holds
        "epoch", "loss", "semantic_loss" (the semantics-preserving loss that `config.loss`
        names), "quantization_loss" (null before the first code update), "distortion" (mean,
        under the quantizer's metric; null in epochs without an update), "learning_rate" (of the
        head, at the end of the epoch) and "seconds".

    Raises
    ------
    FileNotFoundError
        An input file is missing.
    ImportError
        The library of the backbone, torchvision or timm, is not installed.
    NotADirectoryError
        `config.out` is a file.
    TypeError, ValueError
        An input holds something else than it should, the inputs do not fit each other, no
        tagged row is left to train on, the backbone, its weights or the device cannot be had,
        `config.out` is not empty or its training was begun with other settings or inputs, a
        checkpoint is damaged, or the loss diverged.
    """
    if not isinstance(config, TrainConfig):
        raise TypeError(f"config: expected a TrainConfig, got {type(config).__name__}")
    run = RunDirectory(config.out)
    run.check(config, resume=resume, overwrite=overwrite)
    if resume and run.is_finished:
        _logger.info("the training in %s has ended: nothing to resume", run.path)
        return TrainedModel.load(run.path, backbone, config.device)

    checkpoint_path = run.file("checkpoint.safetensors")
    checkpoint = read_checkpoint(checkpoint_path) if resume and checkpoint_path.exists() else None
    stored = None if checkpoint is None else checkpoint.weights
    _check_network(config, backbone, stored)
    with (
        Progress(False if callable(progress) or progress is False else None) as bar,
        training_threads(config.threads),
    ):
        inputs = _read(config, bar)
        tags, task = _prepare_task(config, inputs, bar)
        with seeded(config.seed, INITIAL_WEIGHTS, device=task.device):
            state = _initial_state(config, inputs, task, tags, backbone, stored)
        fingerprint = _fingerprint(inputs, task, tags)
        if checkpoint is not None:
            _resume(checkpoint, state, task, config, run, fingerprint)
        else:
            run.begin(config)

        while state.epoch < config.epochs:
            record = _epoch(state, task, config, bar)
            run.append_log(record)
            write_checkpoint(
                checkpoint_path,
                epoch=state.epoch,
                fingerprint=fingerprint,
                network=state.network,
                objective=state.objective,
                optimizer=state.optimizer,
                codes=state.codes,
                quantizer=state.quantizer,
            )
            _logger.info("%s", _readable(record, config.epochs))
            if callable(progress):
                progress(record)

        bar.stage("codes")
        return _finish(state, task, config, inputs, tags, run)


def _check_network(
    config: TrainConfig, backbone: nn.Module | None, stored: dict[str, Tensor] | None
) -> None:
    """Build the network once for nothing: what is wrong with it is known before hours of reading.

    An unknown backbone, weights that do not fit, a size of images that it cannot take, a GPU
    that is not there.
    """
    device = usable_device(config.device)
    in_dim = 1 if config.images is None else None
    with seeded(config.seed, INITIAL_WEIGHTS, device=device):
        build_network(config, in_dim, 1, backbone, stored=stored)


def _read(config: TrainConfig, bar: Progress) -> TrainingInputs:
    bar.stage("reading")

    def training_rows(num_rows: int) -> NDArray[np.int64]:
        return _split(config, num_rows)

    return read_inputs(
        config, training_rows, progress=lambda done, total: bar.advance_to(done, total)
    )


def _split(config: TrainConfig, num_rows: int) -> NDArray[np.int64]:
    """The rows to train on, by number: whether an image can be read moves no other row."""
    if config.num_queries >= num_rows:
        raise ValueError(
            f"num_queries: expected less than the number of rows, {num_rows}, "
            f"got {config.num_queries}"
        )
    _, _, train = split_collection(
        num_rows, config.num_queries, config.num_train, config.split_seed
    )
    return train


def _prepare_task(
    config: TrainConfig, inputs: TrainingInputs, bar: Progress
) -> tuple[SemanticSphere, TrainingTask]:
    candidates = inputs.readable(_split(config, len(inputs)))
    tag_sets = [inputs.tags[row] for row in candidates]
    if not any(tag_sets):
        raise ValueError(f"{config.tags}: none of the {len(candidates)} rows to train on has a tag")
    bar.stage("word vectors")
    if config.word_vectors is None:
        vectors = train_word_vectors(
            tag_sets,
            dim=config.word_dim,
            min_count=config.min_count,
            epochs=config.word_epochs,
            seed=config.seed,
        )
    else:
        vectors = load_word_vectors(
            config.word_vectors, words={tag for tag_set in tag_sets for tag in tag_set}
        )
    bar.stage("semantic sphere")
    tags = build_semantic_sphere(
        tag_sets,
        vectors,
        num_neighbours=config.graph_neighbours,
        threshold=config.threshold,
        radius=config.merge_radius,
        min_count=config.min_count,
        normalize=config.normalize,
    )
    for line in tags.report.summary_lines():
        _logger.info("%s", line)
    positives = tags.positives_of(tag_sets)
    tagged = np.diff(positives.indptr) > 0
    device = usable_device(config.device)
    task = TrainingTask(
        inputs=inputs,
        rows=candidates[tagged],
        positives=positives[tagged],
        device=device,
    )
    _logger.info("training on %d of %d rows", len(task.rows), len(inputs))
    return tags, task


def _initial_state(
    config: TrainConfig,
    inputs: TrainingInputs,
    task: TrainingTask,
    tags: SemanticSphere,
    backbone: nn.Module | None,
    stored: dict[str, Tensor] | None,
) -> TrainingState:
    features_mode = config.images is None
    in_dim = inputs.array.shape[1] if features_mode else None
    network = build_network(config, in_dim, tags.sphere.shape[1], backbone, stored=stored).to(
        task.device
    )
    if features_mode:
        network.head.fit_scaling(inputs.array, task.rows, config.whitening)
    else:
        every = max(1, len(task.rows) // _SCALING_SAMPLE)
        sample = inputs.batch(task.rows[::every][:_SCALING_SAMPLE])
        network.fit_scaling(sample, config.whitening)
    tags_per_image = task.positives.nnz / len(task.rows)
    network.head.dropout.p = config.dropout_for(tags_per_image)
    _logger.info("%.1f tags an image, dropout %.2f", tags_per_image, network.head.dropout.p)
    objective = make_objective(
        config, torch.from_numpy(tags.sphere).to(task.device), task.positives
    )
    quantizer = make_quantizer(config, quantizer_metric(config, tags.sphere))
    optimizer = make_optimizer(network, config, config.learning_rates, objective)
    return TrainingState(network, objective, optimizer, quantizer)


def _fingerprint(inputs: TrainingInputs, task: TrainingTask, tags: SemanticSphere) -> str:
    """Names the inputs by checksums, part by part, so that a message can tell which changed."""
    carried = zlib.crc32(task.positives.indices.tobytes(), zlib.crc32(task.rows.tobytes()))
    sphere = zlib.crc32(tags.sphere.tobytes())
    return f"inputs {inputs.checksum():08x}, tags {carried:08x}, semantic sphere {sphere:08x}"


def _resume(
    checkpoint: Checkpoint,
    state: TrainingState,
    task: TrainingTask,
    config: TrainConfig,
    run: RunDirectory,
    fingerprint: str,
) -> None:
    path = run.file("checkpoint.safetensors")
    for was, now in zip(checkpoint.fingerprint.split(", "), fingerprint.split(", ")):
        if was != now:
            what = now.rpartition(" ")[0]
            raise ValueError(
                f"{path}: the {what} have another content than when the training was begun: "
                "expected the same files"
            )
    checkpoint.restore(state.network, state.objective, state.optimizer, str(path))
    state.epoch, state.codes = checkpoint.epoch, checkpoint.codes
    if checkpoint.codebooks is not None and checkpoint.metric is not None:
        state.quantizer = make_quantizer(config, checkpoint.metric, checkpoint.codebooks)
    run.trim_log(state.epoch)
    _logger.info("resuming after epoch %d", state.epoch)


def _epoch(
    state: TrainingState, task: TrainingTask, config: TrainConfig, bar: Progress
) -> dict[str, Any]:
    begun = time.perf_counter()
    done = state.epoch

    def show(batch: int, num_batches: int) -> None:
        label = f"epoch {done + 1}/{config.epochs}"
        bar.advance_to(done * num_batches + batch, config.epochs * num_batches, label)

    means = train_epoch(state, task, config, show)
    distortion = None
    # With no weight on it the quantizer teaches the network nothing: it can wait for the end.
    if config.quantization_weight > 0 and state.epoch % config.update_every == 0:
        distortion = update_quantizer(state, task, config)
    return {
        "epoch": state.epoch,
        **means,
        "distortion": distortion,
        "learning_rate": state.optimizer.param_groups[0]["lr"],
        "seconds": round(time.perf_counter() - begun, 3),
    }


def _readable(record: dict[str, Any], num_epochs: int) -> str:
    parts = [f"epoch {record['epoch']}/{num_epochs}"]
    # Until the quantization loss joins, the two are one.
    joined = record["quantization_loss"] is not None
    for name in ("loss", *(["semantic_loss"] if joined else []), "quantization_loss", "distortion"):
        if record[name] is not None:
            parts.append(f"{name.replace('_', ' ')} {record[name]:.5g}")
    return "  ".join([*parts, f"{record['seconds']:.1f} s"])


def _finish(
    state: TrainingState,
    task: TrainingTask,
    config: TrainConfig,
    inputs: TrainingInputs,
    tags: SemanticSphere,
    run: RunDirectory,
) -> TrainedModel:
    embeddings = training_embeddings(state, task)
    follow_sphere(state, config)
    fit_quantizer(state.quantizer, embeddings, state.codes, last=True)
    if state.objective.refines_sphere:
        tags = replace(tags, sphere=state.objective.current_sphere().cpu().numpy())
    model = TrainedModel(config, state.network, state.quantizer, tags)
    codes, kept, skipped = _encode_all(model, config, inputs)
    save_npy(run.file("codes.npy"), codes)
    if skipped:
        save_npy(run.file("rows.npy"), kept)
        write_json(run.file("skipped.json"), [asdict(image) for image in skipped])
    model.save(run.path)
    run.file("checkpoint.safetensors").unlink(missing_ok=True)
    return model


def _encode_all(
    model: TrainedModel, config: TrainConfig, inputs: TrainingInputs
) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[SkippedImage]]:
    """Codes of all rows that can be read, those rows, and the images that cannot."""
    if config.images is None:
        codes = model.encode(inputs.array, threads=config.threads)
        return codes, np.arange(len(codes)), []
    with open_images(config.images) as collection:
        embedded = model.embed_images(collection, threads=config.threads)
    if embedded.skipped:
        _logger.warning(
            "%d of %d images could not be read and have no code: %s",
            len(embedded.skipped),
            len(inputs),
            list_skipped(embedded.skipped),
        )
    codes = model.quantizer.encode(embedded.embeddings, threads=config.threads)
    return codes, embedded.kept, embedded.skipped
