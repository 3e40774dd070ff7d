"""Words that a user typed, cut into tags that training knew."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def known_tags(text: str, known: Collection[str]) -> list[str]:
    """Cut a text into tags that training knew: from the left, the longest that there is.

    Parameters
    ----------
    text : str
        Words between white space. A tag may hold several.
    known : collection of str
        The tags, in lower case.

    Returns
    -------
    list of str
        Tags of `known`, in the order of the text.

    Raises
    ------
    ValueError
        No tag begins with one of the words (the message names it), or there is none.
    """
    words = text.lower().split()
    if not words:
        raise ValueError("expected at least one word, got none")
    longest = max((len(tag.split()) for tag in known), default=1)
    tags: list[str] = []
    start = 0
    while start < len(words):
        for length in range(min(longest, len(words) - start), 0, -1):
            tag = " ".join(words[start : start + length])
            if tag in known:
                break
        else:
            raise ValueError(_unknown(words[start], known))
        tags.append(tag)
        start += length
    return tags


def _unknown(word: str, known: Collection[str]) -> str:
    message = f"{word!r} is not among the {len(known)} tags that training knew"
    similar = difflib.get_close_matches(word, known, n=3)
    return f"{message}; similar ones: {', '.join(map(repr, similar))}" if similar else message
