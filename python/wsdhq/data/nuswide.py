"""NUS-WIDE: 269,648 images from Flickr with their tags and 81 annotated concepts.

T.-S. Chua, J. Tang, R. Hong, H. Li, Z. Luo, Y. Zheng: NUS-WIDE: A Real-World Web Image Database
from National University of Singapore, 2009.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
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

_SITE = "lms.comp.nus.edu.sg/research/NUS-WIDE.htm"
_HOMES = ("", "NUS-WIDE", "NUS_WIDE", "nuswide")
_IMAGE_FOLDERS = ("Flickr", "flickr", "images", "Images", "Image", "")
# A folder, and a file whose name ends in the number of the photo; some write where both lie.
_LISTED = re.compile(
    r"(?:\./)?(?:Flickr/)?(?!\.\.?/)([^/]+)/((?:[^/]*_)?([0-9]{1,18})\.jpe?g)", re.IGNORECASE
)
_VOCABULARIES = {"final": "Final_Tag_List.txt", "1k": "TagList1k.txt", "all": None}

_PAPER_LISTED = 269_648
_PAPER_CONCEPTS = 81
_PAPER_LABELS = 21
_PAPER_IMAGES = 193_752
_PAPER_TAGS = 5_018
_PAPER_SPLIT = (5_000, 188_752, 10_000)


def load(
    root: str | os.PathLike[str],
    *,
    num_concepts: int | None = None,
    vocabulary: str | None = None,
    require_images: bool = True,
    num_queries: int | None = None,
    num_train: int | None = None,
    seed: int = 0,
) -> TaggedImages:
    r"""Load the images of NUS-WIDE that carry one of its most frequent concepts.

    Which images these are is counted from the labels, and said in the summary beside the
    paper's count: many papers count 195,834 for 21 concepts, this one 193,752.

    Parameters
    ----------
    root : str or PathLike
        The folder that holds what the archives of NUS-WIDE unpack to, or ``NUS-WIDE`` with it:

        - ``ImageList/Imagelist.txt``: a path a line, such as ``actor\0001_2124494179.jpg``
          (with slashes or backslashes), which ends in the number of the photo;
        - ``ConceptsList/Concepts81.txt``: a concept a line;
        - ``Groundtruth/AllLabels/Labels_sky.txt`` and so on: 0 or 1 for each listed image;
        - ``NUS_WID_Tags/All_Tags.txt``: the number of a photo and its tags a line, in any
          order; and the vocabularies ``Final_Tag_List.txt`` and ``TagList1k.txt``;
        - the images, as they are listed, in ``Flickr`` or ``images``.

        Files may also lie in `root` without the first folder of their path.
    num_concepts : int, optional
        How many concepts to take as labels: those that most of the listed images carry (among
        equals, those listed first). Images that carry none of them are left out. With 81, all
        images that carry any concept stay. Default: 21, as the paper, or all where there are
        fewer.
    vocabulary : {"final", "1k", "all"}, optional
        Tags to keep: those of ``Final_Tag_List.txt`` (5,018, as the paper has), those of
        ``TagList1k.txt``, or all. Default: "final" where that file is there, else "all"; the
        summary says which.
    require_images : bool
        Whether to leave out images that are not on disk, with their tags and labels. False does
        not look for them: for use with features.
    num_queries, num_train, seed : int or None, int or None, int
        The split, drawn by `split_collection`. By default the paper's: 5,000 queries; the rest
        is the database, 10,000 of it the training set. A set of fewer than 25,000 images has a
        tenth of them as queries, and one of fewer than 10,000 in the database trains on all.

    Returns
    -------
    TaggedImages
        Images in the order of the list; labels in that of the concepts. An image whose photo
        number is missing in ``All_Tags.txt`` keeps its row, without tags; of several lines of
        one photo the first counts. Both are counted in the summary. Tags are in the form of
        `read_tags`; those that are not in UTF-8 are read as Latin-1, and counted. Besides what
        it returns, it holds one byte for each listed image and concept, and the different tags.

    Raises
    ------
    FileNotFoundError
        A file is missing, or none of the images is there; the message says where it was looked
        for, and where it comes from.
    TypeError
        An option is of another type.
    ValueError
        An option is out of its range, files disagree in length, or a line is not as described;
        the message names file and line.
    """
    root = as_path(root)
    if num_concepts is not None:
        num_concepts = as_integer(num_concepts, "num_concepts")
    if vocabulary is not None:
        as_choice(vocabulary, "vocabulary", _VOCABULARIES)
    if not isinstance(require_images, bool):
        raise TypeError(f"require_images: expected True or False, got {require_images!r}")
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: expected NUS-WIDE there, from {_SITE}")

    list_path = _find(root, "ImageList/Imagelist.txt", "list of images", "ImageList.zip")
    listed = _read_image_list(list_path)
    truth = _read_truth(root, list_path, len(listed), num_concepts)
    rows = np.flatnonzero(truth.labels.any(axis=0))
    num_labelled = len(rows)
    base = None
    absent: list[str] = []
    if num_labelled == 0:
        raise ValueError(
            f"{list_path}: none of the {len(listed):,} images carries a concept: the files in "
            f"{truth.folder} hold nothing but 0"
        )
    if require_images:
        base, present = _present(root, [listed[row].path for row in rows])
        absent = [listed[row].path for row in rows[~present]]
        rows = rows[present]
    kept = [listed[row] for row in rows]
    all_tags = _read_all_tags(root, [image.photo for image in kept], vocabulary)
    labels = np.ascontiguousarray(truth.labels[:, rows].T)
    if num_queries is None:
        num_queries = default_queries(len(kept), _PAPER_SPLIT[0])
    if num_train is None and len(kept) - num_queries >= _PAPER_SPLIT[2]:
        num_train = _PAPER_SPLIT[2]
    query, database, train = split_collection(len(kept), num_queries, num_train, seed)

    num_concepts = len(truth.names)
    is_paper = num_concepts == _PAPER_LABELS
    paper_images = _PAPER_IMAGES if is_paper else None
    summary = [
        count_line("images listed", len(listed), _PAPER_LISTED),
        count_line("concepts with ground truth", truth.num_concepts, _PAPER_CONCEPTS),
        count_line("images with ground truth: any concept", truth.num_with_any),
        count_line(
            f"images that carry one of the {num_concepts} most frequent concepts",
            num_labelled,
            paper_images,
        ),
        "the concepts, with the images listed that carry them: "
        + ", ".join(f"{name} {count:,}" for name, count in zip(truth.names, truth.counts)),
    ]
    if require_images:
        summary.append(count_line(f"images of these found in {base}", len(kept)))
        if absent:
            summary.append(count_line(f"listed but absent, left out ({few(absent)})", len(absent)))
    else:
        summary.append("images on disk: not looked for")
    summary.append(count_line("images of the data set", len(kept), paper_images))
    summary += all_tags.summary
    summary.append(split_line(query, database, train, _PAPER_SPLIT if is_paper else None))
    place = base or root / _IMAGE_FOLDERS[0]
    return TaggedImages(
        images=[place / image.path for image in kept],
        tags=all_tags.tags,
        labels=labels,
        label_names=truth.names,
        query=query,
        database=database,
        train=train,
        groupings={"labels": Grouping(truth.names, labels)},
        summary=tuple(summary),
    )


def _places(root: Path, relative: str) -> list[Path]:
    shorter = relative.partition("/")[2]
    return [home / path for home in _homes(root) for path in (relative, shorter)]


def _homes(root: Path) -> list[Path]:
    """Where the first folders of the set may lie: only what is there, for short messages."""
    return [root / home for home in _HOMES if (root / home).is_dir()]


def _find(root: Path, relative: str, what: str, archive: str) -> Path:
    return find(what, f"the archive {archive} of {_SITE}", _places(root, relative))


@dataclass(frozen=True, slots=True)
class _ListedImage:
    path: str
    photo: int


def _read_image_list(path: Path) -> list[_ListedImage]:
    listed = []
    for number, line in read_lines(path, "the path of an image"):
        text = line.decode("utf-8", errors="replace").replace("\\", "/")
        match = _LISTED.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{path}, line {number}: expected the path of an image, such as "
                f"actor\0001_2124494179.jpg, got {shown(line)}"
            )
        listed.append(_ListedImage(f"{match[1]}/{match[2]}", int(match[3])))
    return listed


@dataclass(frozen=True, slots=True)
class _Truth:
    """The chosen concepts: names and counts, (chosen, listed) labels, and what they are of."""

    names: tuple[str, ...]
    counts: list[int]
    labels: NDArray[np.uint8]
    num_concepts: int
    num_with_any: int
    folder: Path


def _read_truth(root: Path, list_path: Path, num_listed: int, num_chosen: int | None) -> _Truth:
    concepts_path = _find(
        root, "ConceptsList/Concepts81.txt", "list of concepts", "ConceptsList.zip"
    )
    concepts = [
        line.decode("utf-8", errors="replace")
        for _, line in read_lines(concepts_path, "the name of a concept")
    ]
    if len(set(concepts)) < len(concepts):
        repeated = next(name for name in concepts if concepts.count(name) > 1)
        raise ValueError(f"{concepts_path}: the concept {repeated!r} comes twice")
    if num_chosen is None:
        num_chosen = min(_PAPER_LABELS, len(concepts))
    if not 1 <= num_chosen <= len(concepts):
        raise ValueError(
            f"num_concepts: expected 1 to {len(concepts)}, the concepts of {concepts_path}, "
            f"got {num_chosen}"
        )
    folder = find(
        "folder of labels (Labels_sky.txt and so on)",
        f"the archive Groundtruth.zip of {_SITE}",
        _places(root, "Groundtruth/AllLabels"),
        Path.is_dir,
    )
    flags = np.empty((len(concepts), num_listed), dtype=np.uint8)
    for row, concept in enumerate(concepts):
        path = folder / f"Labels_{concept}.txt"
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no file {path}: expected the labels of the concept {concept!r}, 0 or "
                f"1 for each listed image, from the archive Groundtruth.zip of {_SITE}"
            )
        flags[row] = _read_flags(path, list_path, num_listed)
    counts = flags.sum(axis=1, dtype=np.int64)
    # Stable, so that among equals the first of the list is chosen.
    chosen = np.sort(np.argsort(-counts, kind="stable")[:num_chosen])
    names = tuple(concepts[row] for row in chosen)
    num_with_any = int(flags.any(axis=0).sum())
    return _Truth(
        names, counts[chosen].tolist(), flags[chosen], len(concepts), num_with_any, folder
    )


def _read_flags(path: Path, list_path: Path, num_listed: int) -> NDArray[np.uint8]:
    """Read a file of 0 and 1, one a line, as arrays: a loop over 81 files would take a minute."""
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    data = data[(data != ord("\r")) & (data != ord(" ")) & (data != ord("\t"))]
    used = np.flatnonzero(data != ord("\n"))
    data = data[: used[-1] + 1] if len(used) else data[:0]
    values: NDArray[np.uint8] = data[::2] - np.uint8(ord("0"))
    ends = data[1::2]
    if (values > 1).any() or (ends != ord("\n")).any():
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
            if line.strip() not in (b"0", b"1"):
                raise ValueError(f"{path}, line {number}: expected 0 or 1, got {shown(line)}")
    if len(values) != num_listed:
        raise ValueError(
            f"{path} has {len(values):,} lines: expected {num_listed:,}, one for each image of "
            f"{list_path}"
        )
    return values


def _present(root: Path, paths: list[str]) -> tuple[Path, NDArray[np.bool_]]:
    """Return the folder of the images, and which of `paths` are in it."""
    bases = dict.fromkeys(home / folder for home in _homes(root) for folder in _IMAGE_FOLDERS)
    for base in bases:
        if base.is_dir():
            # A listing of each folder is far quicker than a look at each file.
            folders = {path.partition("/")[0] for path in paths}
            files = {f"{folder}/{name}" for folder in folders for name in _names(base / folder)}
            present = np.array([path in files for path in paths], dtype=bool)
            if present.any():
                return base, present
    raise FileNotFoundError(
        f"none of the {len(paths):,} images listed with these concepts is on disk: looked for "
        f"images such as {paths[0]} in {', '.join(map(str, bases))}; their authors give them on "
        f"request ({_SITE}). To work with features alone, say require_images=False"
    )


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


@dataclass(frozen=True, slots=True)
class _AllTags:
    tags: list[list[str]]
    summary: list[str]


def _read_all_tags(root: Path, photos: list[int], vocabulary: str | None) -> _AllTags:
    """Read the tags of `photos`, in that order."""
    if vocabulary is None:
        final = _places(root, f"NUS_WID_Tags/{_VOCABULARIES['final']}")
        vocabulary = "final" if any(place.is_file() for place in final) else "all"
    path = _find(root, "NUS_WID_Tags/All_Tags.txt", "tags of all images", "NUS_WID_Tags.zip")
    words = _read_vocabulary(root, vocabulary)
    reader = TagReader(words)
    wanted = set(photos)
    seen: set[int] = set()
    repeated: list[int] = []
    found: dict[int, list[str]] = {}
    for number, line in read_lines(path, "the number of a photo and its tags"):
        fields = line.split()
        if not fields[0].isdigit() or len(fields[0]) > 18:
            raise ValueError(
                f"{path}, line {number}: expected the number of a photo and its tags, got "
                f"{shown(line)}"
            )
        photo = int(fields[0])
        if photo in seen:
            repeated.append(photo)
            continue
        seen.add(photo)
        if photo in wanted:
            found[photo] = reader.read(fields[1:])
    if not found:
        raise ValueError(
            f"{path}: none of the {len(photos):,} photos of the data set has a line there"
        )
    missing = [photo for photo in photos if photo not in found]
    tags = [list(found.get(photo, ())) for photo in photos]
    return _AllTags(tags, list(_tag_summary(photos, tags, words, missing, repeated, reader)))


def _read_vocabulary(root: Path, vocabulary: str) -> list[str] | None:
    name = _VOCABULARIES[vocabulary]
    if name is None:
        return None
    path = _find(root, f"NUS_WID_Tags/{name}", "list of tags", "NUS_WID_Tags.zip")
    reader = TagReader()
    words = [tag for _, line in read_lines(path, "a tag") for tag in reader.read([line])]
    return list(dict.fromkeys(words))


def _tag_summary(
    photos: list[int],
    tags: list[list[str]],
    words: list[str] | None,
    missing: list[int],
    repeated: list[int],
    reader: TagReader,
) -> Iterable[str]:
    if words is None:
        used = len({tag for each in tags for tag in each})
        yield count_line("different tags, all that users wrote", used, _PAPER_TAGS)
    else:
        yield count_line("tags in the vocabulary", len(words), _PAPER_TAGS)
    yield count_line("images left with no tag", sum(not each for each in tags))
    if missing:
        text = f"photos without a line in All_Tags.txt, kept without tags ({few(missing)})"
        yield count_line(text, len(missing))
    if repeated:
        text = f"further lines of a photo in All_Tags.txt, passed over ({few(repeated)})"
        yield count_line(text, len(repeated))
    if twice := len(photos) - len(set(photos)):
        yield count_line("images whose photo is listed once more before them, kept", twice)
    if reader.foreign:
        text = f"tags not in UTF-8, read as Latin-1 ({few(reader.foreign)})"
        yield count_line(text, len(reader.foreign))
