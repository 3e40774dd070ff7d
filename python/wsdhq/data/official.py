"""Reading the files of published data sets, laid out and written as their authors did."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wsdhq.data.tags import normalize_tags


def find(
    what: str,
    source: str,
    places: Iterable[Path],
    is_there: Callable[[Path], bool] = Path.is_file,
) -> Path:
    """Return the first of several places where something lies.

    Parameters
    ----------
    what : str
        What messages call it, and what it should hold.
    source : str
        Where it comes from: archive and site.
    places : iterable of Path
        Where to look, in this order.
    is_there : callable
        Tells whether a place is the one.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        It is in none of the places; the message names all of them.
    """
    looked = list(dict.fromkeys(places))
    for place in looked:
        if is_there(place):
            return place
    raise FileNotFoundError(
        f"found no {what}: looked for {', '.join(map(str, looked))}; it comes from {source}"
    )


def read_lines(path: str | os.PathLike[str], what: str) -> Iterator[tuple[int, bytes]]:
    """Give the lines of a file, in whatever encoding, without white space at their ends.

    Lines end at a line feed, a carriage return before it or not. A byte-order mark and blank
    lines at the end of the file are passed over.

    Parameters
    ----------
    path : str or PathLike
        The file, which exists.
    what : str
        What each line should be, for messages.

    Yields
    ------
    number : int
        Line number, from 1.
    line : bytes
        Its content, never empty.

    Raises
    ------
    ValueError
        The file is empty, or a line before the last is blank, which would shift those after.
    """
    blank = None
    number = 0
    with Path(path).open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.removeprefix(codecs.BOM_UTF8).strip() if number == 1 else raw.strip()
            if not line:
                blank = blank or number
                continue
            if blank is not None:
                raise ValueError(f"{path}, line {blank}: expected {what}, the line is blank")
            yield number, line
    if number == 0 or blank == 1:
        raise ValueError(f"{path} is empty: expected {what} on each line")


class TagReader:
    """Turns the bytes of tags into text, and counts those that are not in UTF-8.

    Tags that people wrote years ago come in encodings that no file states. What is not UTF-8
    is read as Latin-1, where each byte is a character: two tags that differ stay different,
    and nothing fails.

    Attributes
    ----------
    foreign : list of str
        The different tags that were no UTF-8, as they were read, in the order in which they
        came.
    """

    def __init__(self, vocabulary: Iterable[str] | None = None) -> None:
        self.foreign: list[str] = []
        self._vocabulary = None if vocabulary is None else frozenset(vocabulary)
        # The same words come again and again: each is decoded once, and is one string.
        self._known: dict[bytes, str | None] = {}

    def read(self, raw_tags: Iterable[bytes]) -> list[str]:
        """Return the tags of one image in the form of `normalize_tags`.

        Parameters
        ----------
        raw_tags : iterable of bytes
            Tags as written.

        Returns
        -------
        list of str
            Those that are in the vocabulary, if one was given.
        """
        tags = []
        for raw in raw_tags:
            if raw not in self._known:
                self._known[raw] = self._read_one(raw)
            tag = self._known[raw]
            if tag is not None:
                tags.append(tag)
        return list(dict.fromkeys(tags))

    def _read_one(self, raw: bytes) -> str | None:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
            self.foreign.append(text)
        tag = next(iter(normalize_tags([text])), None)
        return tag if self._vocabulary is None or tag in self._vocabulary else None


def shown(line: bytes) -> str:
    """Return how a message shows a line: quoted, and no longer than 40 bytes of it."""
    return repr(line[:40].decode("utf-8", errors="replace"))
