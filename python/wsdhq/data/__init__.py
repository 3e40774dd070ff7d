"""Reading of data: images, their tags, their labels, and vectors computed elsewhere.

Everything is matched by row: line i of a tag file, row i of a label table and of a feature
array belong to image i of a collection. NumPy and the standard library suffice, but for
decoding images, which needs Pillow.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

from wsdhq.data import folder, mirflickr, nuswide
from wsdhq.data.decoding import DecodedImages, SkippedImage, decode_images
from wsdhq.data.features import read_features
from wsdhq.data.images import ImageCollection, UnreadableImage, open_images
from wsdhq.data.labels import Grouping, Labels, read_labels
from wsdhq.data.splits import split_collection, split_rows
from wsdhq.data.tagged_images import TaggedImages
from wsdhq.data.tags import read_tags

__all__ = [
    "DecodedImages",
    "Grouping",
    "ImageCollection",
    "Labels",
    "SkippedImage",
    "TaggedImages",
    "UnreadableImage",
    "decode_images",
    "load",
    "open_images",
    "read_features",
    "read_labels",
    "read_tags",
    "split_collection",
    "split_rows",
]

_LOADERS: dict[str, Callable[..., TaggedImages]] = {
    "mirflickr25k": mirflickr.load,
    "nuswide": nuswide.load,
    "folder": folder.load,
}


def load(name: str, root: str | os.PathLike[str], **options: Any) -> TaggedImages:
    """Load a data set whose layout is known.

    Parameters
    ----------
    name : str
        The layout: ``"mirflickr25k"`` (see `wsdhq.data.mirflickr.load`), ``"nuswide"`` (see
        `wsdhq.data.nuswide.load`) or ``"folder"`` (see `wsdhq.data.folder.load`).
    root : str or PathLike
        Where the data set lies.
    **options
        Handed to the loader of the layout.

    Returns
    -------
    TaggedImages

    Raises
    ------
    FileNotFoundError
        The folder or something in it is missing.
    TypeError
        The loader has no such option, or an option is of another type.
    ValueError
        `name` is unknown, or the data set is not as described.
    """
    if name not in _LOADERS:
        known = ", ".join(map(repr, _LOADERS))
        raise ValueError(f"no data set layout is called {name!r}: known are {known}")
    loader = _LOADERS[name]
    parameters = inspect.signature(loader).parameters.values()
    accepted = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    for option in options:
        if option not in accepted:
            raise TypeError(
                f"the data set {name!r} has no option {option!r}: known are {', '.join(accepted)}"
            )
    return loader(root, **options)
