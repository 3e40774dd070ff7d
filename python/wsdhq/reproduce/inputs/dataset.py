"""A data set made ready for the methods: its rows by seed, inputs, word vectors, what it is.

Nothing heavy is done before it is asked for: what a finished cell is of can be compared
without decoding an image or training a vector.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.files import write_text
from wsdhq.data import SkippedImage, TaggedImages, read_features
from wsdhq.embed.config import TrainConfig
from wsdhq.embed.tags.word_vectors import WordVectors, load_word_vectors
from wsdhq.reproduce.identity import checksum, file_checksum
from wsdhq.reproduce.inputs.extraction import (
    Extract,
    Extracted,
    extract_with_backbone,
    find_unreadable,
    load_or_extract,
    make_seeded_backbone,
)
from wsdhq.reproduce.inputs.inputs import FeatureInputs, ImageInputs, Inputs
from wsdhq.reproduce.inputs.word_vectors import keep_word_vectors
from wsdhq.reproduce.listener import Listener
from wsdhq.reproduce.results.rows import Rows, quick_rows

Load = Callable[..., TaggedImages]


@dataclass(kw_only=True)
class Source:
    """Where the data set is and what is made of it.

    Attributes
    ----------
    name : str
        Its layout, as `wsdhq.data.load` knows it.
    root : Path
        Where it lies.
    out : Path
        Folder for what is computed once and kept: features, word vectors.
    load : callable
        As `wsdhq.data.load`.
    options : mapping
        Further options of the layout's loader.
    settings : mapping
        Settings of `TrainConfig` that the embeddings begin with; sizes of images and of word
        vectors are taken from it.
    features : Path or None
        (N, F) `.npy`, one row per image; None takes the data set's own, else a backbone's.
    word_vectors : Path or None
        File of word vectors; None trains them on the tags of the training rows.
    backbone : str or None
        Name of a backbone that deep methods learn from images through. None: that of
        `settings`, but only where no features are given.
    backbone_weights : Path or None
        Weights for it.
    quick : bool
        Take a random part of the rows.
    threads : int or None
        All cores by default.
    device : str
        Where networks compute.
    listener : Listener
    extract : callable
        Computes features where none are given; `wsdhq.reproduce.inputs.extraction`.
    """

    name: str
    root: Path
    out: Path
    load: Load
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    features: Path | None = None
    word_vectors: Path | None = None
    backbone: str | None = None
    backbone_weights: Path | None = None
    quick: bool = False
    threads: int | None = None
    device: str = "cpu"
    listener: Listener = field(default_factory=Listener)
    extract: Extract = extract_with_backbone
    _checksums: dict[Path, str] = field(default_factory=dict, repr=False)

    def materials(self, seed: int) -> Materials:
        """The data set as it is split with a seed.

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            The data set is not as its layout says, has no labels, or its features are not
            one row per image; the message names the file.
        """
        return Materials(self, seed, self.load(self.name, self.root, seed=seed, **self.options))

    def checksum_of(self, path: Path) -> str:
        """CRC-32 of a file, which is read once: word vectors can be gigabytes."""
        if path not in self._checksums:
            self._checksums[path] = file_checksum(path)
        return self._checksums[path]

    @property
    def backbone_name(self) -> str:
        """The backbone that images pass through."""
        return self.backbone or str(setting(self.settings, "backbone"))


class Materials:
    """One split of the data set, and what methods need of it.

    Parameters
    ----------
    source : Source
    seed : int
        Of the split, and of the choice of rows in a quick run.
    dataset : TaggedImages

    Attributes
    ----------
    feature_file : Path or None
        Features that were given.
    deep_from_images : bool
        Whether deep methods learn from images; otherwise from the features.
    """

    def __init__(self, source: Source, seed: int, dataset: TaggedImages) -> None:
        self.source, self.seed, self.dataset = source, seed, dataset
        self._written: dict[str, str] = {}
        if not dataset.groupings:
            raise ValueError(
                f"{source.root}: the data set has no labels, so there is nothing to evaluate by"
            )
        if not any(grouping.matrix.any() for grouping in dataset.groupings.values()):
            raise ValueError(
                f"{source.root}: none of the {len(dataset)} images carries a label, so there is "
                "nothing to evaluate by"
            )
        self.feature_file = source.features or dataset.features
        self.deep_from_images = self.feature_file is None or source.backbone is not None
        if self.deep_from_images and not dataset.images:
            raise ValueError(
                f"{source.root}: the data set has no images to learn from"
                + ("" if self.feature_file is None else f" through {source.backbone!r}")
            )
        rows = Rows(dataset.query, dataset.database, dataset.train)
        self._chosen = quick_rows(rows, seed) if source.quick else rows
        for name, chosen in zip(Rows._fields, self._chosen):
            if len(chosen) == 0:
                raise ValueError(f"{source.root}: the data set has no {name} rows")

    @property
    def query(self) -> NDArray[np.int64]:
        """The query rows that can be read."""
        return self._readable.query

    @property
    def database(self) -> NDArray[np.int64]:
        """Readable rows that are searched."""
        return self._readable.database

    @property
    def train(self) -> NDArray[np.int64]:
        """Readable rows that are learnt from."""
        return self._readable.train

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of images and of rows, for tables."""
        return {
            "images": len(self.dataset),
            "unreadable": len(self.skipped),
            **{name: len(rows) for name, rows in zip(Rows._fields, self._readable)},
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """What methods learn from, in sentences."""
        source = self.source
        weights = (
            "random weights"
            if source.backbone_weights is None
            else (f"weights of {source.backbone_weights.name}")
        )
        backbone = f"{source.backbone_name} with {weights}"
        if self.feature_file is None:
            inputs = f"features: the output of {backbone}; deep methods learn from the images"
        elif self.deep_from_images:
            inputs = f"features: {self.feature_file.name}; deep methods learn from the images"
        else:
            inputs = f"features: {self.feature_file.name}, for all methods"
        if self.feature_file is not None and self.deep_from_images:
            inputs += f" through {backbone}"
        if source.word_vectors is not None:
            return inputs, f"word vectors: {source.word_vectors.name}"
        dim = setting(source.settings, "word_dim")
        return inputs, f"word vectors: trained on the tags of the training rows, {dim} dimensions"

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the data are, in checksums: equal where figures may be compared."""
        groupings = self.dataset.groupings
        return {
            "name": self.source.name,
            "options": dict(self.source.options),
            "quick": self.source.quick,
            "images": len(self.dataset),
            "tags": checksum("\t".join(tags).encode() for tags in self.dataset.tags),
            "labels": checksum(
                part
                for name, grouping in groupings.items()
                for part in (name.encode(), grouping.matrix)
            ),
            "split": checksum(self._chosen),
        }

    def describe_inputs(self, deep: bool) -> dict[str, Any]:
        """What a method learns from, for the identity of its cells."""
        if deep and self.deep_from_images:
            return {"kind": "images", "names": self._image_names}
        if self.feature_file is not None:
            return {"kind": "features", "file": self.source.checksum_of(self.feature_file)}
        return {"kind": "features", **self._extraction}

    def describe_word_vectors(self) -> dict[str, Any]:
        """What word vectors are given to a method, for the identity of its cells."""
        if self.source.word_vectors is not None:
            return {"file": self.source.checksum_of(self.source.word_vectors)}
        names = ("word_dim", "word_epochs", "min_count")
        return {name: setting(self.source.settings, name) for name in names}

    def describe_backbone(self) -> dict[str, Any]:
        """The backbone that images pass through, for the identity of cells."""
        weights = self.source.backbone_weights
        checked = None if weights is None else self.source.checksum_of(weights)
        return {"backbone": self.source.backbone_name, "backbone weights": checked}

    def make_backbone(self, seed: int) -> Any:
        """That backbone, a fresh one; random weights are drawn from the seed."""
        return make_seeded_backbone(self.source.backbone_name, self.source.backbone_weights, seed)

    @property
    def shown_size(self) -> int:
        """Side in pixels of what a backbone sees of an image."""
        crop = setting(self.source.settings, "crop_size")
        return int(crop or setting(self.source.settings, "image_size"))

    def inputs(self, deep: bool, size: int | None = None) -> Inputs:
        """Features, or for deep methods that learn from images their pixels.

        Parameters
        ----------
        deep : bool
        size : int, optional
            Side in pixels that images are resized to; that of the settings by default.
        """
        if deep and self.deep_from_images:
            size = size or setting(self.source.settings, "image_size")
            return ImageInputs(self.dataset, size, self.source.threads, self.source.listener)
        return self._features

    def tags(self, rows: NDArray[np.int64]) -> list[list[str]]:
        """The tags of rows."""
        return [self.dataset.tags[row] for row in rows]

    def label_pairs(self) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """Labels of queries and database by grouping, as `evaluate_groupings` takes them."""
        return {
            name: (grouping.matrix[self.query], grouping.matrix[self.database])
            for name, grouping in self.dataset.groupings.items()
        }

    @cached_property
    def word_vector_file(self) -> Path:
        """Word vectors of the tags of training rows, the same for all methods.

        Read from the file that is given, or trained; kept beside the results.
        """
        names = {"word_dim": "dim", "min_count": "min_count", "word_epochs": "epochs"}
        return keep_word_vectors(
            self.source.out / f"word_vectors-seed{self.seed}.txt",
            self.tags(self.train),
            self.describe_word_vectors(),
            self.source.word_vectors,
            self.source.listener,
            seed=self.seed,
            **{name: setting(self.source.settings, field) for field, name in names.items()},
        )

    @cached_property
    def word_vectors(self) -> WordVectors:
        """The same, loaded."""
        return load_word_vectors(self.word_vector_file)

    @property
    def training_folder(self) -> Path:
        """Where `training_files` are written."""
        return self.source.out / "inputs" / f"seed{self.seed}"

    @property
    def training_files(self) -> dict[str, str]:
        """Training rows as files, by field of `TrainConfig`; written when they are not there.

        Nothing but these rows is there: no method can learn from a query by mistake. Another
        process that is done with the same folder removes them.
        """
        if not self._written or not all(map(os.path.exists, self._written.values())):
            self._written = self._write_training_rows()
        return self._written

    def _write_training_rows(self) -> dict[str, str]:
        folder = self.training_folder
        folder.mkdir(parents=True, exist_ok=True)
        self.source.listener.stage("training rows to files")
        inputs = self.inputs(deep=True)
        lines = (json.dumps(tags, ensure_ascii=False) for tags in self.tags(self.train))
        write_text(folder / "tags.jsonl", "".join(f"{line}\n" for line in lines))
        path = inputs.write(self.train, folder)
        return {inputs.kind: str(path), "tags": str(folder / "tags.jsonl")}

    @cached_property
    def skipped(self) -> list[SkippedImage]:
        """Images that cannot be read; none where images are not needed."""
        if self.feature_file is None:
            return self._extracted.skipped
        if not self.deep_from_images:
            return []
        size = setting(self.source.settings, "image_size")
        return find_unreadable(
            self.dataset, self.used, self.source.out, size, self.source.threads,
            self.source.listener,
        )  # fmt: skip

    @cached_property
    def used(self) -> NDArray[np.int64]:
        """Rows that are asked, searched or learnt from, ascending."""
        return np.unique(np.concatenate(self._chosen))

    @cached_property
    def _readable(self) -> Rows:
        if not self.skipped:
            return self._chosen
        self.source.listener.skipped(self.skipped, len(self.used))
        lost = [image.row for image in self.skipped]
        left = Rows(*(rows[~np.isin(rows, lost)] for rows in self._chosen))
        for name, rows in zip(Rows._fields, left):
            if len(rows) == 0:
                raise ValueError(f"{self.source.root}: none of the {name} images can be read")
        return left

    @cached_property
    def _image_names(self) -> str:
        return checksum(Path(image).name.encode() for image in self.dataset.images)

    @cached_property
    def _extraction(self) -> dict[str, Any]:
        return {**self.describe_backbone(), **self._sizes, "names": self._image_names}

    @property
    def _sizes(self) -> dict[str, Any]:
        names = ("image_size", "crop_size", "evaluation_crops")
        return {name: setting(self.source.settings, name) for name in names}

    @cached_property
    def _extracted(self) -> Extracted:
        source = self.source
        return load_or_extract(
            self.dataset,
            self.used,
            source.out,
            self._extraction,
            source.extract,
            source.listener,
            backbone=source.backbone_name,
            backbone_weights=source.backbone_weights,
            threads=source.threads,
            device=source.device,
            progress=source.listener.advance,
            **self._sizes,
        )

    @cached_property
    def _features(self) -> FeatureInputs:
        if self.feature_file is None:
            return FeatureInputs(self._extracted.features, self._extracted.kept)
        array = read_features(self.feature_file)
        if len(array) != len(self.dataset):
            raise ValueError(
                f"{self.feature_file} has features of {len(array)} images, but the data set in "
                f"{self.source.root} has {len(self.dataset)}: expected one row per image"
            )
        return FeatureInputs(array)


def setting(settings: Mapping[str, Any], name: str) -> Any:
    """A setting of `TrainConfig`: as given, else its default."""
    return settings.get(name, TrainConfig.__dataclass_fields__[name].default)
