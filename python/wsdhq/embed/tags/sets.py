"""What the tag sets of a collection must look like, and how often each tag occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def check_tag_sets(tag_sets: Sequence[Sequence[str]]) -> list[list[str]]:
    """Check the tags of a collection, and drop repetitions within an image.

    Parameters
    ----------
    tag_sets : sequence of sequences of str
        The tags of each image, in row order; an image may have none.

    Returns
    -------
    list of list of str
        The same tags, each once per image, in the order of their first appearance.

    Raises
    ------
    TypeError
        A set is a single string or no sequence, or a tag is not a string.
    ValueError
        A tag is empty or only white space, or no image has any tag.
    """
    if isinstance(tag_sets, str):
        raise TypeError("tag_sets: expected a sequence of tag sets, got a single string")
    checked: list[list[str]] = []
    for row, tags in enumerate(tag_sets):
        if isinstance(tags, (str, bytes)):
            raise TypeError(f"tag_sets[{row}]: expected a sequence of strings, got {tags!r}")
        try:
            distinct = dict.fromkeys(tags)
        except TypeError:
            raise TypeError(
                f"tag_sets[{row}]: expected a sequence of strings, got {tags!r:.80}"
            ) from None
        for tag in distinct:
            if not isinstance(tag, str):
                raise TypeError(f"tag_sets[{row}] holds {tag!r}: expected only strings")
            if not tag.strip():
                raise ValueError(f"tag_sets[{row}] holds the empty tag {tag!r}")
        checked.append(list(distinct))
    if not any(checked):
        raise ValueError(
            f"every tag set is empty ({len(checked)} images): there are no tags to learn from"
        )
    return checked


def count_images(tag_sets: Sequence[Sequence[str]]) -> Counter[str]:
    """Count the images that carry each tag.

    Parameters
    ----------
    tag_sets : sequence of sequences of str
        As `check_tag_sets` returns them: a tag at most once per image.

    Returns
    -------
    Counter of str
        Images per tag, its keys in the order of the tags' first appearance.
    """
    return Counter(tag for tags in tag_sets for tag in tags)
