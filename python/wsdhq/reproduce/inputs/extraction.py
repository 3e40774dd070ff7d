"""Features of images where none are given, and which images can be read; both computed once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.files import save_npy, write_json
from wsdhq.data import (
    ImageCollection,
    SkippedImage,
    TaggedImages,
    UnreadableImage,
    decode_images,
    read_features,
)
from wsdhq.reproduce.identity import checksum, noted
from wsdhq.reproduce.inputs.inputs import SelectedImages
from wsdhq.reproduce.listener import Listener

if TYPE_CHECKING:
    from wsdhq.embed.extraction import FeatureRows

_SCANNED_AT_ONCE = 1024


#: As `extract_with_backbone`.
Extract = Callable[..., "FeatureRows"]


class Extracted(NamedTuple):
    """Features of rows of a data set.

    Attributes
    ----------
    features : (n, F) float32
    kept : (n,) int64
        The row of the data set that each is of, ascending.
    skipped : list of SkippedImage
        Images that cannot be read, by their rows in the data set.
    """

    features: NDArray[np.floating[Any]]
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]


def load_or_extract(
    dataset: TaggedImages,
    rows: NDArray[np.int64],
    folder: Path,
    identity: dict[str, Any],
    extract: Extract,
    listener: Listener,
    **options: Any,
) -> Extracted:
    """Features of images: those kept in `folder` from before, else computed and kept there.

    Parameters
    ----------
    dataset : TaggedImages
    rows : (n,) int64
        Rows whose images are needed, ascending.
    folder : Path
        Gets `features-NAME.npy` and, written last, `features-NAME.json`; the name is the
        checksum of `identity` and `rows`.
    identity : dict
        What the features are of.
    extract : callable (collection, **options)
        Computes them, as `extract_with_backbone`.
    listener : Listener
    **options
        Handed to `extract`.

    Returns
    -------
    Extracted
        Features as a memory map.
    """
    about = {**identity, "rows": checksum([rows])}
    name = checksum([repr(sorted(about.items())).encode()])
    path, note = folder / f"features-{name}.npy", folder / f"features-{name}.json"
    known = noted(note)
    if (
        known is None
        or known["of"] != about
        or not path.is_file()
        or not _are_unreadable(dataset, [SkippedImage(**image) for image in known["skipped"]])
    ):
        listener.stage(f"features of {len(rows)} images")
        begun = time.perf_counter()
        with dataset.open() as collection:
            found = extract(SelectedImages(collection, rows), **options)
        skipped = [_in_dataset(image, rows) for image in found.skipped]
        save_npy(path, np.asarray(found.features))
        write_json(note, {"of": about, "skipped": [asdict(image) for image in skipped]})
        listener.log(
            f"computed the features of {len(found.kept)} images and kept them in {path} "
            f"({time.perf_counter() - begun:.0f} s)"
        )
        known = noted(note)
    skipped = [SkippedImage(**image) for image in known["skipped"]]
    kept = np.setdiff1d(rows, np.array([image.row for image in skipped], dtype=np.int64))
    return Extracted(read_features(path), kept, skipped)


def extract_with_backbone(
    collection: ImageCollection,
    *,
    backbone: str,
    backbone_weights: Path | None,
    image_size: int,
    crop_size: int | None,
    evaluation_crops: str,
    threads: int | None = None,
    device: str = "cpu",
    progress: Callable[[float, float], None] | None = None,
) -> FeatureRows:
    """The output of a backbone for each image that can be read.

    Parameters
    ----------
    collection : ImageCollection
    backbone : str
        Its name.
    backbone_weights : Path or None
        Weights; None draws random ones, the same each time.
    image_size, crop_size, evaluation_crops, threads, device
        As in `TrainConfig`.
    progress : callable (done, total), optional
        Called after every batch.
    """
    # Imported here: features that are given need no torch.
    from wsdhq.embed.extraction import extract_features

    module = make_seeded_backbone(backbone, backbone_weights, seed=0).to(device)
    return extract_features(
        collection,
        module,
        image_size=image_size,
        crop_size=crop_size,
        evaluation_crops=evaluation_crops,
        threads=threads,
        progress=progress,
    )


def make_seeded_backbone(name: str, weights: Path | None, seed: int) -> Any:
    """A backbone by its name; without weights they are random, and those of the seed."""
    import torch

    from wsdhq.embed.backbones import make_backbone
    from wsdhq.embed.training.loop import INITIAL_WEIGHTS, seeded

    with seeded(seed, INITIAL_WEIGHTS, device=torch.device("cpu")):
        return make_backbone(name, weights)


def find_unreadable(
    dataset: TaggedImages,
    rows: NDArray[np.int64],
    folder: Path,
    size: int,
    threads: int | None,
    listener: Listener,
) -> list[SkippedImage]:
    """Which images cannot be read: as kept in `folder` from before, else found by decoding all.

    Parameters
    ----------
    dataset : TaggedImages
    rows : (n,) int64
        Rows whose images are needed, ascending.
    folder : Path
        Gets `unreadable-NAME.json`; the name is a checksum of names, rows and size.
    size : int
        Side in pixels that methods will decode them to.
    threads : int or None
    listener : Listener

    Returns
    -------
    list of SkippedImage
        By their rows in the data set.
    """
    names = [str(dataset.images[row]).encode() for row in rows]
    path = folder / f"unreadable-{checksum([*names, rows, str(size).encode()])}.json"
    known = noted(path)
    if known is None or not _are_unreadable(dataset, [SkippedImage(**each) for each in known]):
        listener.stage(f"looking at {len(rows)} images")
        found = []
        with dataset.open() as collection:
            for start in range(0, len(rows), _SCANNED_AT_ONCE):
                listener.advance(start, len(rows))
                part = rows[start : start + _SCANNED_AT_ONCE]
                found += _unreadable_of(collection, part, size, threads)
        write_json(path, [asdict(image) for image in found])
        known = noted(path)
    return [SkippedImage(**image) for image in known]


def _unreadable_of(
    collection: ImageCollection, rows: NDArray[np.int64], size: int, threads: int | None
) -> list[SkippedImage]:
    try:
        return decode_images(collection, size, rows, threads=threads).skipped
    except ValueError:
        # None of this part can be read, or something else is wrong.
        skipped = []
        for row in rows.tolist():
            try:
                collection.open(row)
            except UnreadableImage as error:
                skipped.append(SkippedImage(row, error.name, error.reason))
            else:
                raise
        return skipped


def _are_unreadable(dataset: TaggedImages, images: list[SkippedImage]) -> bool:
    """Tell whether images that could not be read still cannot: their files may be mended."""
    if not images:
        return True
    with dataset.open() as collection:
        for image in images:
            try:
                collection.open(image.row)
            except UnreadableImage:
                continue
            return False
    return True


def _in_dataset(image: SkippedImage, rows: NDArray[np.int64]) -> SkippedImage:
    return SkippedImage(int(rows[image.row]), image.name, image.reason)
