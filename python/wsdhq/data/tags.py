"""Reading tags: what users wrote under their images, one line for each image."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterable, Iterator

from wsdhq._shared.files import as_path


def read_tags(path: str | os.PathLike[str]) -> list[list[str]]:
    """Read the tags of a collection of images.

    Parameters
    ----------
    path : str or PathLike
        A UTF-8 file with one line for each image, in the order of the images.

        ``.txt``: tags separated by white space; an empty line is an image without tags.

        ``.jsonl``: one JSON value a line, either a list of strings or an object whose
        ``"tags"`` is such a list (its other keys are ignored). Tags may be of several
        words. An image without tags is ``[]``.

    Returns
    -------
    list of list of str
        The tags of each image: lower-cased, stripped, inner runs of white space made one
        space, empty ones dropped, each once, in the order of their first appearance.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The extension is unknown, the file is empty, or a line is not what it should be;
        the message names the file and the line, counted from 1.
    """
    path = as_path(path)
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        known = " or ".join(_PARSERS)
        raise ValueError(
            f"{path}: tags are read from {known} files, got the extension {path.suffix!r}"
        )
    tag_sets: list[list[str]] = []
    # The same few thousand words come again and again: one string object for each.
    vocabulary: dict[str, str] = {}
    for number, line in numbered_lines(path, "tag file"):
        try:
            tags = parse(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        tag_sets.append([vocabulary.setdefault(tag, tag) for tag in normalize_tags(tags)])
    return tag_sets


def normalize_tags(tags: Iterable[str]) -> list[str]:
    """Bring the tags of one image into the form that `read_tags` describes.

    Parameters
    ----------
    tags : iterable of str
        Tags as written.

    Returns
    -------
    list of str
        Lower-cased, stripped, inner runs of white space made one space; empty ones dropped,
        each once, in the order of their first appearance.
    """
    distinct = dict.fromkeys(" ".join(tag.lower().split()) for tag in tags)
    return [tag for tag in distinct if tag]


def numbered_lines(path: str | os.PathLike[str], kind: str) -> Iterator[tuple[int, str]]:
    """Give the lines of a UTF-8 text file with their numbers, one at a time.

    Lines end at a line feed, or a carriage return and a line feed, and nowhere else: the
    further line ends that Unicode knows are characters which a careless tag may hold, and
    to split there would shift all later rows. A byte-order mark is skipped.

    Parameters
    ----------
    path : str or PathLike
        The file.
    kind : str
        What messages call it, for example "tag file".

    Yields
    ------
    number : int
        Line number, from 1.
    line : str
        The line without its end.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    IsADirectoryError
        It is a folder.
    ValueError
        The file is empty or a line is not UTF-8 text.
    """
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: expected a {kind}")
    if not path.exists():
        raise FileNotFoundError(f"the {kind} {path} does not exist")
    number = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            raw = raw.removesuffix(b"\n").removesuffix(b"\r")
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: expected text in UTF-8, but byte "
                    f"{error.start + 1} of the line is 0x{raw[error.start]:02x} "
                    f"({error.reason}); save the file as UTF-8"
                ) from None
            if "\0" in line:
                raise ValueError(
                    f"{path}, line {number}: expected text in UTF-8, but the line holds zero "
                    "bytes, as binary files and text in UTF-16 do"
                )
            yield number, line
    if number == 0:
        raise ValueError(f"the {kind} {path} is empty: expected one line for each image")


def _parse_json_line(line: str) -> list[str]:
    if not line.strip():
        raise ValueError("the line is blank: write [] for an image without tags")
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, but at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("expected a list of tags, but the JSON is nested too deeply") from None
    if isinstance(value, dict):
        if "tags" not in value:
            keys = ", ".join(map(repr, value)) or "none"
            raise ValueError(f'expected the key "tags" in the object, found the keys: {keys}')
        value, place = value["tags"], 'the value of "tags"'
    else:
        place = "the line"
    if not isinstance(value, list):
        raise ValueError(
            f'{place}: expected a list of tags such as ["cat", "red sofa"], '
            f"got {_shortened(json.dumps(value, ensure_ascii=False))}"
        )
    for position, tag in enumerate(value):
        if not isinstance(tag, str):
            raise ValueError(
                f"expected strings as tags, but tag {position + 1} is {_shortened(json.dumps(tag))}"
            )
        # Half of a surrogate pair can be escaped in JSON but never be written again as UTF-8.
        if any("\ud800" <= character <= "\udfff" for character in tag):
            raise ValueError(
                f"tag {position + 1} ({json.dumps(tag)}) holds half of a surrogate pair, "
                "which is no character"
            )
    return value


def _shortened(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


_PARSERS: dict[str, Callable[[str], Iterable[str]]] = {
    ".txt": str.split,
    ".jsonl": _parse_json_line,
}
