"""A data set in a folder: the names of its files, and writing them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.files import as_path, atomic_path, save_npy, write_json
from wsdhq.data.labels import Grouping
from wsdhq.data.tags import normalize_tags

IMAGE_LIST = "images.txt"
IMAGES = ("images", "images.zip", IMAGE_LIST)
TAGS = ("tags.txt", "tags.jsonl")
LABELS = ("labels.csv", "labels.npy")
FEATURES = "features.npy"


def write_folder(
    folder: str | os.PathLike[str],
    *,
    tags: Sequence[list[str]],
    images: Sequence[Path | str],
    archive: Path | None,
    labels: NDArray[np.uint8],
    groupings: Mapping[str, Grouping],
    features: Path | None,
) -> dict[str, Path]:
    """Write a data set to a folder; see `wsdhq.data.TaggedImages.write`."""
    folder = as_path(folder)
    written = {"tags": folder / "tags.jsonl"}
    if images:
        written["images"] = folder / (IMAGE_LIST if archive is None else "images.zip")
    if groupings:
        written["labels"] = folder / "labels.npy"
    if features is not None:
        written["features"] = folder / FEATURES
    # Found out before anything is written.
    listed = images if archive is None else []
    for _ in _image_lines(listed):
        pass
    for _ in _tag_lines(tags):
        pass
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_other_forms(folder, written)
    written["tags"].unlink(missing_ok=True)
    if groupings:
        names = {title: list(grouping.names) for title, grouping in groupings.items()}
        write_json(folder / "labels.json", names)
        save_npy(written["labels"], labels)
    if features is not None:
        _link(features, written["features"])
    if archive is not None:
        _link(archive, written["images"])
    elif images:
        _write_lines(written["images"], _image_lines(listed))
    _write_lines(written["tags"], _tag_lines(tags))
    return written


def _refuse_other_forms(folder: Path, written: dict[str, Path]) -> None:
    """Raise if something in the folder would be read though it is not of this data set."""
    ours = {path.name for path in written.values()}
    others = [name for name in (*TAGS, *LABELS, FEATURES) if name not in ours]
    if IMAGE_LIST not in ours:
        # A list goes before the other forms, so that these may stay beside one.
        others += [name for name in IMAGES if name not in ours]
    if "labels" not in written:
        others.append("labels.json")
    for name in others:
        if (folder / name).exists():
            raise FileExistsError(
                f"{folder / name} exists, and would be taken for a part of the data set to be "
                "written: expected an empty folder, or one written before from a set with the "
                "same parts"
            )


def _image_lines(images: Iterable[Path | str]) -> Iterator[str]:
    for row, image in enumerate(images):
        line = str(Path(image).absolute())
        if line.strip() != line or "\n" in line or not _is_text(line):
            raise ValueError(
                f"images[{row}] is {line!r}: a path in a list can neither begin or end with "
                "white space, nor hold a line break or bytes that are no UTF-8"
            )
        yield line


def _tag_lines(tag_sets: Iterable[list[str]]) -> Iterator[str]:
    for row, tags in enumerate(tag_sets):
        normalized = normalize_tags(tags)
        if normalized != list(tags):
            raise ValueError(
                f"tags[{row}] are {tags!r}, but would be read as {normalized!r}: expected tags "
                "in that form"
            )
        line = json.dumps(normalized, ensure_ascii=False)
        if not _is_text(line):
            raise ValueError(
                f"tags[{row}] are {tags!r}: one holds half of a surrogate pair, which is no "
                "character"
            )
        yield line


def _is_text(line: str) -> bool:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(line + "\n" for line in lines)


def _link(target: Path, place: Path) -> None:
    """Make `place` a symbolic link to `target`; leave it alone where it is that file already."""
    target = target.absolute()
    if place.exists() and place.samefile(target):
        return
    if place.exists() and not place.is_symlink():
        raise FileExistsError(
            f"{place} exists: expected nothing in the place of a link to {target}"
        )
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as beside:
        link = Path(beside, place.name)
        try:
            link.symlink_to(target)
        except OSError as error:
            raise OSError(
                f"{place} cannot be made a link to {target}: {error}; choose a folder on a file "
                "system that takes symbolic links"
            ) from error
        os.replace(link, place)
