"""A data set in a folder: images, their tags, and optionally their labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq.data.images import ImageCollection, open_images
from wsdhq.data.labels import Labels, read_labels
from wsdhq.data.splits import check_rows, split_rows
from wsdhq.data.tags import read_tags

__all__ = ["TaggedImages", "load"]

_IMAGES = ("images", "images.zip", "images.txt")
_TAGS = ("tags.txt", "tags.jsonl")
_LABELS = ("labels.csv", "labels.npy")
_MOST_QUERIES = 2000


@dataclass(frozen=True, eq=False)
class TaggedImages:
    """A data set: N tagged images, labels to judge rankings by, and its split.

    Attributes
    ----------
    images : list of (Path or str)
        Paths of the images; names within `archive` if there is one.
    tags : list of list of str
        The tags of each image, possibly none.
    labels : (N, L) uint8
        1 where the image carries the label. L may be 0.
    label_names : tuple of str
        Names of the L labels.
    query, database, train : (n,) int64
        Rows of the images that ask, that are searched, and that are learnt from.
    archive : Path, optional
        The ZIP archive that holds the images.

    Raises
    ------
    TypeError
        `labels` is not uint8, or an index array does not hold integers.
    ValueError
        Lengths disagree, or an index array names a row that does not exist.
    """

    images: list[Path | str]
    tags: list[list[str]]
    labels: NDArray[np.uint8]
    label_names: tuple[str, ...]
    query: NDArray[np.int64]
    database: NDArray[np.int64]
    train: NDArray[np.int64]
    archive: Path | None = None

    def __post_init__(self) -> None:
        num_images = len(self.images)
        if len(self.tags) != num_images:
            raise ValueError(f"tags must be of {num_images} images, got {len(self.tags)}")
        if self.labels.dtype != np.uint8:
            raise TypeError(f"labels must be uint8, got {self.labels.dtype}")
        if self.labels.shape != (num_images, len(self.label_names)):
            raise ValueError(
                f"labels must have the shape (images, label names), here "
                f"{(num_images, len(self.label_names))}, got {self.labels.shape}"
            )
        for name in ("query", "database", "train"):
            check_rows(getattr(self, name), num_images, name)

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self.images)

    def open(self) -> ImageCollection:
        """Open the images, in their row order; to be closed by the caller."""
        return open_images(self.images if self.archive is None else self.archive)


def load(
    root: str | os.PathLike[str],
    *,
    grouping: str | None = None,
    num_queries: int | None = None,
    seed: int = 0,
) -> TaggedImages:
    """Load a data set from a folder of one's own.

    Parameters
    ----------
    root : str or PathLike
        A folder that holds

        - the images: a folder ``images``, an archive ``images.zip``, or a list ``images.txt``
          (which says in which order the images of a folder come); see `open_images`;
        - their tags, in the order of the images: ``tags.txt`` or ``tags.jsonl``; see
          `read_tags`;
        - optionally their labels, in the same order: ``labels.csv`` or ``labels.npy``; see
          `read_labels`.
    grouping : str, optional
        The grouping of labels to use. Default: all; if there are several, their labels are
        joined, and called ``grouping: label``.
    num_queries : int, optional
        Number of query rows, drawn by `split_rows`. Default: a tenth of the images, at most
        2000. All others are both database and training set.
    seed : int
        Seed of the split.

    Returns
    -------
    TaggedImages

    Raises
    ------
    FileNotFoundError
        The folder, its images or its tags are missing.
    ValueError
        One of them comes in two forms or cannot be read, their numbers of images disagree,
        the labels show that the orders do, or `grouping` does not exist.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
    images_path = _images_of(root)
    tags_path = _only(root, _TAGS, "tags")
    tags = read_tags(tags_path)
    with open_images(images_path) as collection:
        names = collection.names
    if len(tags) != len(names):
        raise ValueError(
            f"{images_path} holds {len(names)} images, but {tags_path} has {len(tags)} lines: "
            "expected a line of tags for each image"
        )
    labels, label_names = _labels_of(root, names, grouping)
    if num_queries is None:
        num_queries = min(_MOST_QUERIES, len(names) // 10)
    query, database = split_rows(len(names), num_queries, seed)
    archive = images_path if images_path.suffix == ".zip" else None
    folder = images_path if images_path.is_dir() else root
    images: list[Path | str] = [name if archive else folder / name for name in names]
    return TaggedImages(images, tags, labels, label_names, query, database, database, archive)


def _images_of(root: Path) -> Path:
    # A list beside a folder orders that folder: it is no second form of the images.
    listed = root / "images.txt"
    return listed if listed.is_file() else _only(root, _IMAGES, "images")


def _only(root: Path, names: tuple[str, ...], kind: str) -> Path:
    present = [root / name for name in names if (root / name).exists()]
    if not present:
        raise FileNotFoundError(f"the folder {root} holds no {kind}: expected {_either(names)}")
    if len(present) > 1:
        both = " and ".join(path.name for path in present)
        raise ValueError(f"the folder {root} holds both {both}: expected one of them")
    return present[0]


def _labels_of(
    root: Path, names: list[str], chosen: str | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    if not any((root / name).exists() for name in _LABELS):
        if chosen is not None:
            raise FileNotFoundError(
                f"the folder {root} holds no labels to take the grouping {chosen!r} from: "
                f"expected {_either(_LABELS)}"
            )
        return np.empty((len(names), 0), dtype=np.uint8), ()
    path = _only(root, _LABELS, "labels")
    labels = read_labels(path)
    try:
        labels.check_order(names)
        if chosen is None and len(labels.groupings) > 1:
            return _joined(labels)
        grouping = labels.grouping(chosen or next(iter(labels.groupings)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return grouping.matrix, grouping.names


def _joined(labels: Labels) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    matrix = np.concatenate([grouping.matrix for grouping in labels.groupings.values()], axis=1)
    names = tuple(
        f"{title}: {name}"
        for title, grouping in labels.groupings.items()
        for name in grouping.names
    )
    return matrix, names


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
