"""A data set in a folder of one's own: images, their tags, and optionally labels and features."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from wsdhq._shared.files import as_path
from wsdhq.data.folder_files import FEATURES, IMAGE_LIST, IMAGES, LABELS, TAGS
from wsdhq.data.images import open_images
from wsdhq.data.labels import Grouping, join_groupings, read_labels
from wsdhq.data.splits import split_collection
from wsdhq.data.summary import count_line, split_line
from wsdhq.data.tagged_images import TaggedImages
from wsdhq.data.tags import read_tags

__all__ = ["load"]

_MAX_QUERIES = 2000


def load(
    root: str | os.PathLike[str],
    *,
    grouping: str | None = None,
    num_queries: int | None = None,
    num_train: int | None = None,
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
          `read_labels`;
        - optionally their features, in the same order: ``features.npy``; see
          `read_features`. Where there are features, the images may be left out.
    grouping : str, optional
        The grouping of labels to use. Default: all; if there are several, their labels are
        joined, and called ``grouping: label``.
    num_queries : int, optional
        Number of query rows, drawn by `split_collection`. Default: a tenth of the images, at
        most 2000. All others are the database.
    num_train : int, optional
        Number of rows of the database to learn from. Default: all of them.
    seed : int
        Seed of the split.

    Returns
    -------
    TaggedImages
        N rows, as many as there are lines of tags; `images` is empty where only features are.

    Raises
    ------
    FileNotFoundError
        The folder or its tags are missing, or both images and features are.
    ValueError
        One of them comes in two forms or cannot be read, their numbers of images disagree,
        the labels show that the orders do, or `grouping` does not exist.
    """
    root = as_path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}")
    features = root / FEATURES if (root / FEATURES).exists() else None
    images_path = _images_of(root, features)
    tags_path = _only(root, TAGS, "tags")
    tags = read_tags(tags_path)
    names = None
    if images_path is not None:
        with open_images(images_path) as collection:
            names = collection.names
        if len(tags) != len(names):
            raise ValueError(
                f"{images_path} holds {len(names)} images, but {tags_path} has {len(tags)} "
                "lines: expected a line of tags for each image"
            )
    groupings = _groupings_of(root, names, len(tags), grouping)
    joined = (
        join_groupings(groupings) if groupings else Grouping((), np.empty((len(tags), 0), np.uint8))
    )
    if num_queries is None:
        num_queries = min(_MAX_QUERIES, len(tags) // 10)
    query, database, train = split_collection(len(tags), num_queries, num_train, seed)
    archive = images_path if images_path and images_path.suffix == ".zip" else None
    folder = images_path if images_path and images_path.is_dir() else root
    images: list[Path | str] = [name if archive else folder / name for name in names or []]
    without_tags = sum(not each for each in tags)
    summary = (
        count_line(f"images of {images_path or features}", len(tags)),
        count_line("images without a tag", without_tags),
        count_line(f"labels ({_titles(groupings)})", len(joined.names)),
        split_line(query, database, train),
    )
    return TaggedImages(
        images,
        tags,
        joined.matrix,
        joined.names,
        query,
        database,
        train,
        archive,
        groupings,
        features,
        summary,
    )


def _images_of(root: Path, features: Path | None) -> Path | None:
    # A list beside a folder orders that folder: it is no second form of the images.
    listed = root / IMAGE_LIST
    if listed.is_file():
        return listed
    if features is not None and not any((root / name).exists() for name in IMAGES):
        return None
    return _only(root, IMAGES, "images")


def _only(root: Path, names: tuple[str, ...], kind: str) -> Path:
    present = [root / name for name in names if (root / name).exists()]
    if not present:
        raise FileNotFoundError(f"the folder {root} holds no {kind}: expected {_either(names)}")
    if len(present) > 1:
        both = " and ".join(path.name for path in present)
        raise ValueError(f"the folder {root} holds both {both}: expected one of them")
    return present[0]


def _groupings_of(
    root: Path, names: list[str] | None, num_rows: int, chosen: str | None
) -> dict[str, Grouping]:
    if not any((root / name).exists() for name in LABELS):
        if chosen is not None:
            raise FileNotFoundError(
                f"the folder {root} holds no labels to take the grouping {chosen!r} from: "
                f"expected {_either(LABELS)}"
            )
        return {}
    path = _only(root, LABELS, "labels")
    labels = read_labels(path)
    try:
        if names is not None:
            labels.check_order(names)
        elif len(labels) != num_rows:
            raise ValueError(f"there are labels for {len(labels)} images, but tags for {num_rows}")
        if chosen is not None:
            return {chosen: labels.grouping(chosen)}
        # Names that become equal when joined are found here, where the file can be named.
        join_groupings(labels.groupings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return dict(labels.groupings)


def _titles(groupings: dict[str, Grouping]) -> str:
    return "by " + ", ".join(groupings) if groupings else "none given"


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
