"""The rows of the tables: what each learns from, and how a cell of it is computed."""

from __future__ import annotations

import json
import logging
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsdhq._shared.files import write_json
from wsdhq.embed.config.variants import Variant
from wsdhq.evaluation import RankBatches, rank_by_index
from wsdhq.reproduce.cells import Cell
from wsdhq.reproduce.identity import noted
from wsdhq.reproduce.inputs.dataset import Materials
from wsdhq.reproduce.listener import Listener
from wsdhq.reproduce.paper import SOURCE

# Settings that do not change what a method is: where files are and what computes.
_NOT_OF_THE_METHOD = (
    "out", "features", "images", "tags", "word_vectors", "backbone_weights", "threads", "device",
)  # fmt: skip

_logger = logging.getLogger("wsdhq.embed")


@dataclass(frozen=True)
class Work:
    """How and where a cell is computed.

    Attributes
    ----------
    runs : Path
        Folder for run directories.
    threads : int or None
    device : str
    keep_runs : bool
        Leave run directories behind.
    listener : Listener
    """

    runs: Path
    threads: int | None = None
    device: str = "cpu"
    keep_runs: bool = False
    listener: Listener = field(default_factory=Listener)


@dataclass(frozen=True, eq=False)
class Ranked:
    """A method fitted: how it ranks the database for each query, and what that took.

    Attributes
    ----------
    rank : callable (start, stop) -> (scores, positions)
        As `wsdhq.evaluation` takes it: over the whole database, positions into
        `Materials.database`.
    seconds : dict of str to float
        "fit" and "encode".
    clean_up : callable
        Called when the figures are kept.
    """

    rank: RankBatches
    seconds: dict[str, float]
    clean_up: Callable[[], None] = lambda: None


class Method(ABC):
    """A row of a table.

    Attributes
    ----------
    name : str
        In tables and files.
    reference : str
        Who proposed it.
    in_paper : bool
        Whether it is a row of the paper's tables.
    description : str
        What is changed, of a variant; empty for others.
    """

    name: str
    reference: str
    in_paper: bool
    description: str = ""

    @property
    @abstractmethod
    def learns_from(self) -> str:
        """In words."""

    @property
    @abstractmethod
    def changes(self) -> Mapping[str, Any]:
        """Settings that make it what it is; empty for most."""

    @abstractmethod
    def identity(self, cell: Cell, materials: Materials) -> dict[str, Any]:
        """Everything that decides the outcome: inputs and settings, as JSON values.

        Computes nothing heavy.
        """

    @abstractmethod
    def compute(self, cell: Cell, materials: Materials, work: Work) -> Ranked:
        """Fit to the training rows and encode the database."""


class BaselineMethod(Method):
    """A method to compare with.

    Parameters
    ----------
    name : str
        In tables.
    make : callable (bits, *, seed, threads, **options)
        A class that is a `wsdhq.baselines.interface.Baseline`.
    options : mapping
        Options of the class that differ from its defaults.
    in_paper : bool
    """

    def __init__(
        self,
        name: str,
        make: Any,
        options: Mapping[str, Any] | None = None,
        in_paper: bool = True,
    ) -> None:
        self.name, self.in_paper = name, in_paper
        self.reference: str = make.reference
        self._make = make
        self._options = dict(options or {})

    @property
    def learns_from(self) -> str:
        """What it learns from, in words."""
        inputs = "features or images" if self._make.is_deep else "features"
        return f"{inputs}, tags" if self._make.uses_tags else inputs

    @property
    def changes(self) -> Mapping[str, Any]:
        """Settings that differ from the usual ones."""
        return {}

    def identity(self, cell: Cell, materials: Materials) -> dict[str, Any]:
        """As `Method.identity`."""
        deep = self._make.is_deep
        settings: dict[str, Any] = dict(self._options)
        if deep and materials.deep_from_images:
            settings |= {"image_size": materials.shown_size, **materials.describe_backbone()}
        identity = {"inputs": materials.describe_inputs(deep), "settings": settings}
        if self._make.uses_tags:
            identity["word vectors"] = materials.describe_word_vectors()
        return identity

    def compute(self, cell: Cell, materials: Materials, work: Work) -> Ranked:
        """As `Method.compute`."""
        # Imported here: a table that is only shown needs no method.
        from wsdhq.baselines.interface import TrainingData

        deep = self._make.is_deep
        inputs = materials.inputs(deep)
        options: dict[str, Any] = dict(self._options)
        if deep:
            options["device"] = work.device
            if materials.deep_from_images:
                options["backbone"] = materials.make_backbone(cell.seed)
                inputs = materials.inputs(deep, materials.shown_size)
        work.listener.stage(f"{cell.title}: training rows")
        data = TrainingData(
            inputs.take(materials.train),
            materials.tags(materials.train),
            materials.word_vectors if self._make.uses_tags else None,
        )
        work.listener.stage(f"{cell.title}: fit")
        baseline = self._make(cell.bits, seed=cell.seed, threads=work.threads, **options)
        begun = time.perf_counter()
        baseline.fit(data)
        fitted = time.perf_counter()
        work.listener.stage(f"{cell.title}: encode")
        codes = np.concatenate(
            [baseline.encode(each) for each in inputs.blocks(materials.database)]
        )
        rank = baseline.rank(inputs.take(materials.query), codes)
        seconds = {"fit": fitted - begun, "encode": time.perf_counter() - fitted}
        return Ranked(rank, seconds)


class EmbeddingMethod(Method):
    """WSDHQ or a variant of it: `wsdhq.embed.train` with some settings changed.

    Parameters
    ----------
    name : str
        In tables.
    variant : Variant
        What makes it; its settings win over `settings`.
    settings : mapping
        What all of them are trained with, fields of `TrainConfig`.
    """

    def __init__(self, name: str, variant: Variant, settings: Mapping[str, Any]) -> None:
        self.name, self.in_paper = name, variant.in_paper
        self.reference = SOURCE if variant.in_paper else "of this project"
        self.description = variant.description
        self._changes = dict(variant.settings)
        self._settings = variant.over(settings)

    @property
    def learns_from(self) -> str:
        """What it learns from, in words."""
        return "features or images, tags"

    @property
    def changes(self) -> Mapping[str, Any]:
        """Settings that differ from the usual ones."""
        return self._changes

    def identity(self, cell: Cell, materials: Materials) -> dict[str, Any]:
        """As `Method.identity`."""
        inputs = materials.describe_inputs(deep=True)
        # Only settings are looked at: nothing is read or written.
        config = self._config(cell, {inputs["kind"]: "-", "tags": "-", "out": "-"})
        settings = {
            name: value for name, value in asdict(config).items() if name not in _NOT_OF_THE_METHOD
        }
        if materials.deep_from_images:
            settings |= materials.describe_backbone()
        return {
            "inputs": inputs,
            "word vectors": materials.describe_word_vectors(),
            "settings": settings,
        }

    def compute(self, cell: Cell, materials: Materials, work: Work) -> Ranked:
        """As `Method.compute`."""
        from wsdhq.embed import train
        from wsdhq.quant import AQDIndex

        files: dict[str, Any] = {
            **materials.training_files,
            "word_vectors": str(materials.word_vector_file),
            "out": str(work.runs / cell.file_stem),
        }
        weights = materials.source.backbone_weights
        if materials.deep_from_images and weights is not None:
            files["backbone_weights"] = str(weights)
        config = self._config(cell, files, threads=work.threads, device=work.device)
        run, note = Path(config.out), Path(f"{config.out}.json")
        work.runs.mkdir(parents=True, exist_ok=True)
        # An unfinished run is gone on with if it is of the very same, else begun anew.
        about = {**self.identity(cell, materials), "data": materials.content, "files": files}
        same = noted(note) == json.loads(json.dumps(about))
        write_json(note, about)

        def progress(record: dict[str, Any]) -> None:
            work.listener.stage(f"{cell.title}: epoch {record['epoch']} of {config.epochs}")
            work.listener.advance(record["epoch"], config.epochs)

        work.listener.stage(f"{cell.title}: reading")
        begun = time.perf_counter()
        with _warnings_only():
            model = train(config, resume=same, overwrite=not same, progress=progress)
        fitted = time.perf_counter()
        work.listener.stage(f"{cell.title}: encode")
        inputs = materials.inputs(deep=True)
        codes = np.concatenate(
            [model.encode(each, threads=work.threads) for each in inputs.blocks(materials.database)]
        )
        queries = np.concatenate(
            [model.embed(each, threads=work.threads) for each in inputs.blocks(materials.query)]
        )
        seconds = {"fit": fitted - begun, "encode": time.perf_counter() - fitted}
        index = AQDIndex(model.quantizer)
        index.add(codes)
        rank = rank_by_index(index, queries, threads=work.threads)

        def clean_up() -> None:
            if not work.keep_runs:
                shutil.rmtree(run)
                note.unlink(missing_ok=True)

        return Ranked(rank, seconds, clean_up)

    def _config(self, cell: Cell, files: Mapping[str, Any], **rest: Any) -> Any:
        from wsdhq.embed.config import TrainConfig

        settings = {**self._settings, **dict(cell.changes)}
        return TrainConfig(**{**settings, **files, **rest, "bits": cell.bits, "seed": cell.seed})


@contextmanager
def _warnings_only() -> Iterator[None]:
    """Within the block the log is silent below warnings: a hundred trainings say a lot."""

    def keep(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    _logger.addFilter(keep)
    try:
        yield
    finally:
        _logger.removeFilter(keep)
