"""Tags made worse: what a careless hand leaves out, or writes down wrongly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["AS_THEY_ARE", "CONDITIONS", "TagSets", "drop", "replace"]

TagSets = list[list[str]]

#: The condition without a change.
AS_THEY_ARE = "as they are"


def drop(tag_sets: TagSets, share: float, generator: np.random.Generator) -> TagSets:
    """Leave out each occurrence of a tag with probability `share`."""
    return [
        [tag for tag, chance in zip(tags, generator.random(len(tags))) if chance >= share]
        for tags in tag_sets
    ]


def replace(tag_sets: TagSets, share: float, generator: np.random.Generator) -> TagSets:
    """Put for each occurrence, with probability `share`, a tag drawn from all occurrences.

    An image that comes to carry a tag twice carries it once.
    """
    occurrences = [tag for tags in tag_sets for tag in tags]
    return [
        list(
            dict.fromkeys(
                occurrences[generator.integers(len(occurrences))] if chance < share else tag
                for tag, chance in zip(tags, generator.random(len(tags)))
            )
        )
        for tags in tag_sets
    ]


#: By name: from tags and a generator to worse ones.
CONDITIONS: dict[str, Callable[[TagSets, np.random.Generator], TagSets]] = {
    AS_THEY_ARE: lambda tags, generator: tags,
    "50 % dropped": lambda tags, generator: drop(tags, 0.5, generator),
    "80 % dropped": lambda tags, generator: drop(tags, 0.8, generator),
    "30 % replaced": lambda tags, generator: replace(tags, 0.3, generator),
}
