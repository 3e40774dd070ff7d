"""A data set: tagged images, the labels to judge rankings by, and its split."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq.data.features import map_npy
from wsdhq.data.folder_files import write_folder
from wsdhq.data.images import ImageCollection, open_images
from wsdhq.data.labels import Grouping, join_groupings
from wsdhq.data.splits import check_rows


@dataclass(frozen=True, eq=False)
class TaggedImages:
    """A data set: N tagged images, labels to judge rankings by, and its split.

    Attributes
    ----------
    images : list of (Path or str)
        Paths of the images; names within `archive` if there is one. May be empty where there
        are `features`.
    tags : list of list of str
        The tags of each of the N images, possibly none.
    labels : (N, L) uint8
        1 where the image carries the label. L may be 0.
    label_names : tuple of str
        Names of the L labels, all different.
    query, database, train : (n,) int64
        Rows of the images: queries, those that are searched, and those that are learnt from.
    archive : Path, optional
        The ZIP archive that holds the images: all of them, in the order of the archive.
    groupings : dict of str to Grouping
        The labels by grouping. If there is one, `labels` are its matrix; if there are several,
        their join, with names of the form ``grouping: label``. Default: all labels, called
        ``labels``; nothing where L is 0.
    features : Path, optional
        A .npy file with a row of features for each image (`read_features`).
    summary : tuple of str
        How the set was reached, step by step, in lines to print.

    Raises
    ------
    FileNotFoundError
        There is no file `features`.
    TypeError
        `labels` is not uint8, or an index array does not hold integers.
    ValueError
        Lengths disagree, `groupings` are other labels than `labels`, or an index array names
        a row that does not exist.
    """

    images: list[Path | str]
    tags: list[list[str]]
    labels: NDArray[np.uint8]
    label_names: tuple[str, ...]
    query: NDArray[np.int64]
    database: NDArray[np.int64]
    train: NDArray[np.int64]
    archive: Path | None = None
    groupings: dict[str, Grouping] = field(default_factory=dict)
    features: Path | None = None
    summary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        num_rows = len(self.tags)
        if len(self.images) != num_rows and (self.images or self.features is None):
            raise ValueError(f"tags: expected those of {len(self.images)} images, got {num_rows}")
        if self.labels.dtype != np.uint8:
            raise TypeError(f"labels: expected uint8, got {self.labels.dtype}")
        if self.labels.shape != (num_rows, len(self.label_names)):
            raise ValueError(
                f"labels: expected the shape (images, label names), here "
                f"{(num_rows, len(self.label_names))}, got {self.labels.shape}"
            )
        self._check_groupings()
        self._check_features()
        for name in ("query", "database", "train"):
            check_rows(getattr(self, name), num_rows, name)

    def _check_groupings(self) -> None:
        if not self.groupings:
            if self.label_names:
                only = {"labels": Grouping(self.label_names, self.labels)}
                object.__setattr__(self, "groupings", only)
            return
        joined = join_groupings(self.groupings)
        if joined.names != self.label_names or not np.array_equal(joined.matrix, self.labels):
            raise ValueError(
                f"groupings ({', '.join(map(repr, self.groupings))}): expected the labels, side "
                "by side, but their names or values differ"
            )

    def _check_features(self) -> None:
        if self.features is None:
            return
        shape = map_npy(self.features).shape
        if len(shape) != 2 or shape[0] != len(self.tags):
            raise ValueError(
                f"{self.features}: expected a row of features for each of the {len(self.tags)} "
                f"images that have tags, got an array of shape {shape}"
            )

    def __len__(self) -> int:
        """Return the number of images, N: the number of tag lists where `images` is empty."""
        return len(self.tags)

    def open(self) -> ImageCollection:
        """Open the images, in their row order; to be closed by the caller.

        Raises
        ------
        FileNotFoundError
            There is no file `archive`.
        ValueError
            There are no images, only features; or the archive holds others than `images`.
        """
        if not self.images:
            raise ValueError("this data set has no images to open, only features")
        if self.archive is None:
            return open_images(self.images)
        collection = open_images(self.archive)
        if collection.names != [str(name) for name in self.images]:
            collection.close()
            raise ValueError(
                f"{self.archive} holds other images than this data set, or in another order: "
                f"{len(collection)} there, {len(self.images)} here"
            )
        return collection

    def write(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write the set in the form that ``load("folder", ...)`` reads.

        What comes back is the same images (with absolute paths), tags, labels with their
        names and groupings, and features. Images and features stay where they are: of image
        files the absolute paths are listed, and an archive or a file of features is linked
        to (a symbolic link to its absolute path). The split is not written: it is that of
        the number of queries, of training rows and the seed given to `load`.

        Parameters
        ----------
        folder : str or PathLike
            Made if it does not exist. Files of an earlier `write` are replaced, each whole or
            not at all; the tags come last, so that a folder without them is known to be
            unfinished.

        Returns
        -------
        dict of str to Path
            What was written: ``tags`` (tags.jsonl), ``images`` (images.txt, or images.zip for
            an archive), ``labels`` (labels.npy, names beside it in labels.json) and
            ``features`` (features.npy), as far as the set has them.

        Raises
        ------
        FileExistsError
            The folder holds a file that would be read instead or as well, or one in the place
            of a link.
        OSError
            The file system takes no links where one is needed.
        ValueError
            The path of an image or a tag cannot be written so that it comes back (a line break
            in a path; a tag in capital letters); or the archive is not that of the images.
        """
        if self.archive is not None:
            self.open().close()
        return write_folder(
            folder,
            tags=self.tags,
            images=self.images,
            archive=self.archive,
            labels=self.labels,
            groupings=self.groupings,
            features=self.features,
        )
