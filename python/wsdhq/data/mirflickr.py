"""MIR-FLICKR25K: 25,000 images from Flickr with their tags and 38 annotated concepts.

M. J. Huiskes, M. S. Lew: The MIR Flickr Retrieval Evaluation, 2008. press.liacs.nl/mirflickr
"""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.arguments import as_choice, as_integer
from wsdhq._shared.files import as_path
from wsdhq.data.labels import Grouping
from wsdhq.data.official import TagReader, find, read_lines, shown
from wsdhq.data.splits import default_queries, split_collection
from wsdhq.data.summary import count_line, few, split_line
from wsdhq.data.tagged_images import TaggedImages

__all__ = ["load"]

_SITE = "press.liacs.nl/mirflickr"
_IMAGE_ARCHIVE = f"the archive mirflickr25k.zip of {_SITE}"
_ANNOTATION_ARCHIVE = f"the archive mirflickr25k_annotations_v080.zip of {_SITE}"
_ANNOTATIONS = "mirflickr25k_annotations_v080"
_HOMES = ("", "mirflickr", "mirflickr25k", "mirflickr25k/mirflickr")
_IMAGE = re.compile(r"im([1-9][0-9]*)\.jpg")
_TAGS = re.compile(r"tags([1-9][0-9]*)\.txt")

# 24 concepts that an image may show in some part ("potential"), and 14 of them once more where
# they are what the image is about ("relevant").
# fmt: off
_POTENTIAL = (
    "animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor",
    "lake", "male", "night", "people", "plant_life", "portrait", "river", "sea", "sky",
    "structures", "sunset", "transport", "tree", "water",
)
_RELEVANT = (
    "baby", "bird", "car", "clouds", "dog", "female", "flower", "male", "night", "people",
    "portrait", "river", "sea", "tree",
)
# fmt: on
_CONCEPTS = {
    24: _POTENTIAL,
    38: tuple(sorted([*_POTENTIAL, *(f"{concept}_r1" for concept in _RELEVANT)])),
}

_PAPER_IMAGES = 25_000
_PAPER_TAGS = 1_386
_PAPER_LABELS = 38
_PAPER_SPLIT = (2_000, 23_000, 23_000)


def load(
    root: str | os.PathLike[str],
    *,
    num_labels: int | None = None,
    vocabulary: str = "common",
    min_count: int = 1,
    expected_images: int | None = None,
    num_queries: int | None = None,
    num_train: int | None = None,
    seed: int = 0,
) -> TaggedImages:
    """Load MIR-FLICKR25K from the folders that its archives unpack to.

    Parameters
    ----------
    root : str or PathLike
        The folder that holds, or is, ``mirflickr``: the images ``im1.jpg`` and so on, their
        tags ``meta/tags/tags1.txt`` and so on (a tag a line, perhaps none), and
        ``doc/common_tags.txt`` (a tag and its count a line). The annotations, ``sky.txt`` and
        37 more (the number of an image a line), lie in ``mirflickr25k_annotations_v080`` or
        another folder with "annotation" in its name, within `root` or ``mirflickr``, or
        directly there.
    num_labels : {38, 24}, optional
        38 takes all annotation files, as the paper does; 24 leaves out those that end in
        ``_r1``, the concepts an image is not only annotated with but about. If most of the
        official files are there, one that is not is missing; a folder with few of them, or
        with other concepts, is a collection of one's own. Default: 38, or 24 where no file
        ends in ``_r1``; the summary says which.
    vocabulary : {"common", "all"}
        Tags to keep: those of ``common_tags.txt``, 1,386 in the paper, or all.
    min_count : int
        With the vocabulary "common": least count there, at least 1. (The official file lists
        the tags of at least 20 images.)
    expected_images : int, optional
        Number of images there must be. Default: any, as long as none is missing between and
        none that has a file of tags; the summary says whether it is the official 25,000.
    num_queries, num_train, seed : int or None, int or None, int
        The split, drawn by `split_collection`. By default the paper's: 2,000 queries (a tenth
        of a set of fewer than 10,000 images); the rest is database and training set.

    Returns
    -------
    TaggedImages
        Row i is image ``im{i + 1}.jpg``; labels in the order of the names of their files. Images
        that are empty or damaged keep their row: decoding finds them. Tags are in the form of
        `read_tags`; those that are not in UTF-8 are read as Latin-1, and counted. In a set of
        fewer images than the official one a concept may be that of none: its file is empty,
        and named in the summary.

    Raises
    ------
    FileNotFoundError
        A folder or file is missing; the message says which, and which archive it is from.
    TypeError
        An option is of another type.
    ValueError
        An option is out of its range, images are missing or too many, or a line of a file is
        not as described; the message names file and line.
    """
    root = as_path(root)
    if num_labels is not None and as_integer(num_labels, "num_labels") not in _CONCEPTS:
        raise ValueError(f"num_labels: expected 38 or 24, got {num_labels}")
    as_choice(vocabulary, "vocabulary", ("common", "all"))
    as_integer(min_count, "min_count", 1)
    if not root.is_dir():
        raise FileNotFoundError(
            f"there is no folder {root}: expected MIR-FLICKR25K there, from {_IMAGE_ARCHIVE}"
        )
    homes = [root / home for home in _HOMES]
    folder = find("folder with the images im1.jpg and so on", _IMAGE_ARCHIVE, homes, _holds_images)
    num_images = _count_images(folder, homes, expected_images)
    homes = [folder, *homes]
    common = _read_common_tags(homes, min_count) if vocabulary == "common" else None
    tag_reader = TagReader(common)
    tags = _read_tags(homes, num_images, tag_reader)
    folder_of_labels, num_labels = _find_annotations(root, homes, num_labels)
    names, labels, unused = _read_annotations(folder_of_labels, num_labels, num_images)
    if num_queries is None:
        num_queries = default_queries(num_images, _PAPER_SPLIT[0])
    query, database, train = split_collection(num_images, num_queries, num_train, seed)

    summary = [
        count_line("images", num_images, _PAPER_IMAGES),
        count_line("labels, " + _describe(num_labels), len(names), _PAPER_LABELS),
    ]
    if unused:
        text = f"concepts of none of the images, their files are empty ({few(unused)})"
        summary.append(count_line(text, len(unused)))
    without = int((~labels.any(axis=1)).sum())
    summary.append(count_line("images that carry none of the labels", without))
    if common is None:
        used = len({tag for each in tags for tag in each})
        summary.append(f"different tags, all that users wrote: {used:,}")
    else:
        least = f" at least {min_count} times" if min_count > 1 else ""
        text = f"tags that common_tags.txt counts{least}"
        summary.append(count_line(text, len(common), _PAPER_TAGS))
    summary.append(count_line("images left with no tag", sum(not each for each in tags)))
    if tag_reader.foreign:
        text = f"tags not in UTF-8, read as Latin-1 ({few(tag_reader.foreign)})"
        summary.append(count_line(text, len(tag_reader.foreign)))
    summary.append(split_line(query, database, train, _PAPER_SPLIT))
    return TaggedImages(
        images=[folder / f"im{number}.jpg" for number in range(1, num_images + 1)],
        tags=tags,
        labels=labels,
        label_names=names,
        query=query,
        database=database,
        train=train,
        groupings={"labels": Grouping(names, labels)},
        summary=tuple(summary),
    )


def _describe(num_labels: int) -> str:
    return "all annotation files" if num_labels == 38 else "annotation files without _r1"


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and any(_IMAGE.fullmatch(name) for name in os.listdir(folder))


def _numbers(folder: Path, pattern: re.Pattern[str]) -> set[int]:
    if not folder.is_dir():
        return set()
    matches = (pattern.fullmatch(name) for name in os.listdir(folder))
    return {int(match[1]) for match in matches if match}


def _count_images(folder: Path, homes: list[Path], expected: int | None) -> int:
    numbers = _numbers(folder, _IMAGE)
    missing = next(number for number in range(1, len(numbers) + 2) if number not in numbers)
    if expected is None:
        # The images at the end can only be missed by what else is there of them.
        tagged = set().union(*(_numbers(home / "meta" / "tags", _TAGS) for home in homes))
        last = max(numbers | tagged)
        if missing <= last:
            raise FileNotFoundError(
                f"there is no file {folder / f'im{missing}.jpg'}: expected the images im1.jpg to "
                f"im{last}.jpg, from {_IMAGE_ARCHIVE}, found {len(numbers):,} of them"
            )
        return len(numbers)
    expected = as_integer(expected, "expected_images", 1)
    if numbers != set(range(1, expected + 1)):
        if missing <= expected:
            wrong = f"the first missing one is im{missing}.jpg"
        else:
            first = min(number for number in numbers if number > expected)
            wrong = f"im{first}.jpg is beyond them"
        raise ValueError(
            f"{folder}: expected {expected:,} images, im1.jpg to im{expected}.jpg, found "
            f"{len(numbers):,}; {wrong} (expected_images is another number to expect, or None)"
        )
    return expected


def _read_common_tags(homes: list[Path], min_count: int) -> list[str]:
    places = [home / "doc" / "common_tags.txt" for home in homes]
    path = find("list of common tags", _IMAGE_ARCHIVE, places)
    reader = TagReader()
    common: dict[str, None] = {}
    for number, line in read_lines(path, "a tag and its count"):
        # A tag may be of several words: the last one is the count.
        words = line.rsplit(maxsplit=1)
        if len(words) != 2 or not words[1].isdigit() or len(words[1]) > 18:
            raise ValueError(
                f"{path}, line {number}: expected a tag and its count, got {shown(line)}"
            )
        if int(words[1]) >= min_count:
            common.update(dict.fromkeys(reader.read(words[:1])))
    if not common:
        raise ValueError(f"{path}: no tag is counted at least {min_count} times (min_count)")
    return list(common)


def _read_tags(homes: list[Path], num_images: int, reader: TagReader) -> list[list[str]]:
    places = [home / "meta" / "tags" for home in homes]
    folder = find("folder of tags (tags1.txt and so on)", _IMAGE_ARCHIVE, places, Path.is_dir)
    tags = []
    for number in range(1, num_images + 1):
        path = folder / f"tags{number}.txt"
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise FileNotFoundError(
                f"there is no file {path}: expected the tags of im{number}.jpg, one a line (an "
                f"empty file where there are none), from {_IMAGE_ARCHIVE}"
            ) from None
        tags.append(reader.read(line.strip() for line in raw.split(b"\n")))
    return tags


def _find_annotations(root: Path, homes: list[Path], num_labels: int | None) -> tuple[Path, int]:
    """Return the folder of the annotations, and which of the official sets of them to take."""
    own = [home / name for home in homes for name in (_ANNOTATIONS, "annotations")]
    own += [place for home in homes for place in _called_annotations(home)]
    own.append(root.absolute().parent / _ANNOTATIONS)
    # What is there of the larger set tells a folder of annotations from another.
    folder = find(
        f"folder of annotations (such as {_POTENTIAL[0]}.txt)",
        _ANNOTATION_ARCHIVE,
        [*own, *homes],
        lambda place: len(_annotated_in(place)) > 0,
    )
    if num_labels is None:
        present = _annotated_in(folder)
        found = present.intersection(_POTENTIAL)
        is_official = 2 * len(found) >= len(_POTENTIAL)
        has_relevant = any(name.endswith("_r1") for name in present)
        num_labels = 24 if is_official and not has_relevant else 38
    return folder, num_labels


def _called_annotations(home: Path) -> list[Path]:
    if not home.is_dir():
        return []
    return sorted(path for path in home.iterdir() if "annotation" in path.name.lower())


def _annotated_in(folder: Path) -> set[str]:
    """The names of the files in a folder that are of a concept."""
    if not folder.is_dir():
        return set()
    files = [path for path in folder.glob("*.txt") if path.is_file()]
    return {path.stem for path in files if path.stem in _CONCEPTS[38] or _holds_numbers(path)}


def _holds_numbers(path: Path) -> bool:
    """Tell whether a file begins with the number of an image: other text lies there, too."""
    with path.open("rb") as file:
        return file.readline(40).removeprefix(codecs.BOM_UTF8).strip().isdigit()


def _read_annotations(
    folder: Path, num_labels: int, num_images: int
) -> tuple[tuple[str, ...], NDArray[np.uint8], list[str]]:
    """Return names and labels of the concepts, and the names of those that no image has."""
    names = _concepts_in(folder, num_labels)
    if not names:
        raise FileNotFoundError(
            f"{folder}: expected annotations such as {_POTENTIAL[0]}.txt, found only those of "
            f"_r1, which num_labels={num_labels} leaves out; they come from {_ANNOTATION_ARCHIVE}"
        )
    labels = np.zeros((num_images, len(names)), dtype=np.uint8)
    unused = []
    for column, name in enumerate(names):
        path = folder / f"{name}.txt"
        if not path.is_file():
            advice = "; num_labels=24 does without it" if name not in _POTENTIAL else ""
            raise FileNotFoundError(
                f"there is no file {path}: expected the numbers of the images annotated with "
                f"{name!r}, one a line, from {_ANNOTATION_ARCHIVE}{advice}"
            )
        # Each official concept is that of many images; a part of them may have none.
        if num_images < _PAPER_IMAGES and path.stat().st_size == 0:
            unused.append(f"{name}.txt")
            continue
        for number, line in read_lines(path, "the number of an image"):
            if not line.isdigit() or len(line) > 18 or not 1 <= int(line) <= num_images:
                raise ValueError(
                    f"{path}, line {number}: expected the number of an image, from 1 to "
                    f"{num_images}, got {shown(line)}"
                )
            labels[int(line) - 1, column] = 1
    return names, labels, unused


def _concepts_in(folder: Path, num_labels: int) -> tuple[str, ...]:
    """The concepts annotated in a folder, or all official ones if most of these are there."""
    official = _CONCEPTS[num_labels]
    present = _annotated_in(folder)
    if 2 * len(present.intersection(official)) >= len(official):
        return official
    if num_labels == 24:
        present = {name for name in present if not name.endswith("_r1")}
    return tuple(sorted(present))
