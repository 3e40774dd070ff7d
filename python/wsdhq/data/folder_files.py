"""A data set in a folder: the names of its files, and writing them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wsdhq._files import atomic_path, save_npy, write_json
from wsdhq.data.tags import normalise_tags

if TYPE_CHECKING:
    from wsdhq.data.tagged_images import TaggedImages

__all__ = ["FEATURES", "IMAGES", "IMAGE_LIST", "LABELS", "TAGS", "write_folder"]

IMAGE_LIST = "images.txt"
IMAGES = ("images", "images.zip", IMAGE_LIST)
TAGS = ("tags.txt", "tags.jsonl")
LABELS = ("labels.csv", "labels.npy")
FEATURES = "features.npy"


def write_folder(data: TaggedImages, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write a data set to a folder; see `wsdhq.data.TaggedImages.write`."""
    folder = Path(folder)
    written = {"tags": folder / "tags.jsonl"}
    if data.images:
        written["images"] = folder / (IMAGE_LIST if data.archive is None else "images.zip")
    if data.label_names:
        written["labels"] = folder / "labels.npy"
    if data.features is not None:
        written["features"] = folder / FEATURES
    # Found out before anything is written.
    if data.archive is not None:
        data.open().close()
    for _ in _image_lines(data):
        pass
    for _ in _tag_lines(data.tags):
        pass
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_other_forms(folder, written)
    written["tags"].unlink(missing_ok=True)
    if data.label_names:
        names = {title: list(grouping.names) for title, grouping in data.groupings.items()}
        write_json(folder / "labels.json", names)
        save_npy(written["labels"], data.labels)
    if data.features is not None:
        _link(data.features, written["features"])
    if data.archive is not None:
        _link(data.archive, written["images"])
    elif data.images:
        _write_lines(written["images"], _image_lines(data))
    _write_lines(written["tags"], _tag_lines(data.tags))
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


def _image_lines(data: TaggedImages) -> Iterator[str]:
    if data.archive is not None:
        return
    for row, image in enumerate(data.images):
        line = str(Path(image).absolute())
        if line.strip() != line or "\n" in line or not _is_text(line):
            raise ValueError(
                f"images[{row}] is {line!r}: a path in a list can neither begin or end with "
                "white space, nor hold a line break or bytes that are no UTF-8"
            )
        yield line


def _tag_lines(tag_sets: Iterable[list[str]]) -> Iterator[str]:
    for row, tags in enumerate(tag_sets):
        normalised = normalise_tags(tags)
        if normalised != list(tags):
            raise ValueError(
                f"tags[{row}] are {tags!r}, but would be read as {normalised!r}: expected tags "
                "in that form"
            )
        line = json.dumps(normalised, ensure_ascii=False)
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
