"""How careless users tag: synonyms, plurals, slips, vague words, wrong words, no words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from wsdhq.synthetic.composition import Composition, stream
from wsdhq.synthetic.objects import KIND_NAMES
from wsdhq.synthetic.textures import SCENE_NAMES
from wsdhq.synthetic.words import (
    COLOUR_WORDS,
    KIND_WORDS,
    RARE,
    SCENE_WORDS,
    STYLE_WORDS,
    VAGUE,
    Words,
)

_Thing = TypeVar("_Thing")

_NUM_USERS = 120
_UNTAGGED_SHARE = 0.05
_KIND_SHARE = 0.92
_KIND_WORDINESS = 0.55  # chance of one more word for the same thing
_SCENE_SHARE = 0.50
_WORDINESS = 0.25
_COLOUR_SHARE = 0.18
_STYLE_SHARE = 0.60
_VAGUE_MEAN = 0.55
_WRONG_SHARE = 0.08
_RARE_SHARE = 0.09


@dataclass(frozen=True)
class _User:
    """The habits of one user.

    Attributes
    ----------
    diligence : float
        Factor on how readily anything shown is tagged.
    plural : float
        Chance of a plural where one thing is shown.
    signature : str or None
        A word put on most images, whatever they show.
    """

    diligence: float
    plural: float
    signature: str | None


@lru_cache(maxsize=8)
def _users(seed: int) -> tuple[_User, ...]:
    rng = stream(seed, 0, "users")
    signatures = VAGUE[:24] + RARE[:24]
    users = []
    for _ in range(_NUM_USERS):
        diligence, plural, habit = rng.random(3).tolist()
        signature = signatures[int(rng.integers(len(signatures)))]
        users.append(
            _User(0.75 + 0.4 * diligence, 0.3 * plural**2, signature if habit < 0.2 else None)
        )
    return tuple(users)


@lru_cache(maxsize=64)
def _falling(count: int) -> tuple[float, ...]:
    """Cumulative shares of `count` words whose frequency falls as 1 / rank."""
    weights = [1.0 / rank for rank in range(1, count + 1)]
    total = math.fsum(weights)
    shares, running = [], 0.0
    for weight in weights:
        running += weight / total
        shares.append(running)
    shares[-1] = 1.0
    return tuple(shares)


class _Dice:
    """Random choices from one generator, its numbers drawn in blocks because that is faster."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._numbers: list[float] = []

    def share(self) -> float:
        if not self._numbers:
            self._numbers = self._rng.random(64).tolist()
        return self._numbers.pop()

    def chance(self, share: float) -> bool:
        return self.share() < share

    def any_of(self, things: Sequence[_Thing]) -> _Thing:
        return things[int(self.share() * len(things))]

    def early_of(self, words: Sequence[str]) -> str:
        mark = self.share()
        for word, limit in zip(words, _falling(len(words)), strict=True):
            if mark < limit:
                return word
        return words[-1]

    def count(self, mean: float) -> int:
        """A Poisson number (Knuth's product of uniforms)."""
        limit, product, count = math.exp(-mean), self.share(), 0
        while product > limit:
            product *= self.share()
            count += 1
        return count


def _name(dice: _Dice, words: Words, plural: float, wordiness: float) -> list[str]:
    """Say it once, and perhaps again in other words; a repeated word is said once."""
    mark = dice.share()
    if mark < 0.80:
        said = [words.plural if dice.chance(plural) else words.usual]
    elif mark < 0.95 or not words.misspelt:
        said = [dice.early_of(words.synonyms)]
    else:
        said = [dice.any_of(words.misspelt)]
    while len(said) < 4 and dice.chance(wordiness):
        pool = dice.any_of((words.synonyms, words.synonyms, words.related, words.broader))
        said.append(dice.early_of(pool) if pool else words.usual)
    return said


def tag_image(seed: int, index: int, composition: Composition) -> list[str]:
    """Write the tags of one image as a careless user would.

    Parameters
    ----------
    seed : int
        Seed of the world, at least 0.
    index : int
        Number of the image, at least 0.
    composition : Composition
        What the image shows.

    Returns
    -------
    list of str
        Distinct lower-case words without white space, in the order they were written;
        none for about one image in twenty. A function of the arguments alone.
    """
    dice = _Dice(stream(seed, index, "tags"))
    users = _users(seed)
    user = users[int(dice.share() * len(users))]
    if dice.chance(_UNTAGGED_SHARE):
        return []
    shown = [item.kind for item in composition.objects]
    tags: list[str] = []
    for kind in composition.kinds:
        if dice.chance(_KIND_SHARE * user.diligence):
            plural = 0.75 if shown.count(kind) > 1 else user.plural
            tags += _name(dice, KIND_WORDS[KIND_NAMES[kind]], plural, _KIND_WORDINESS)
    if dice.chance(_SCENE_SHARE * user.diligence):
        tags += _name(dice, SCENE_WORDS[SCENE_NAMES[composition.scene]], 0.3, _WORDINESS)
    if composition.style in STYLE_WORDS and dice.chance(_STYLE_SHARE):
        tags += _name(dice, STYLE_WORDS[composition.style], 0.3, _WORDINESS)
    if composition.style not in ("monochrome", "vintage"):
        for item in composition.objects:
            if dice.chance(_COLOUR_SHARE):
                words = COLOUR_WORDS[item.colour]
                tags.append(words.usual if dice.chance(0.7) else dice.any_of(
                    words.synonyms + words.misspelt))  # fmt: skip
    if dice.chance(_WRONG_SHARE):
        table = (KIND_WORDS, SCENE_WORDS, COLOUR_WORDS)[int(dice.share() * 3)]
        tags.append(table[dice.any_of(tuple(table))].usual)
    tags += [dice.early_of(VAGUE) for _ in range(dice.count(_VAGUE_MEAN))]
    if user.signature is not None and dice.chance(0.7):
        tags.append(user.signature)
    if dice.chance(_RARE_SHARE) or not tags:
        tags.append(dice.early_of(RARE))
    # What is seen first is not always written first.
    keys = {tag: dice.share() for tag in tags}
    return sorted(keys, key=keys.__getitem__)


def all_words() -> frozenset[str]:
    """Every word a user may write."""
    words = {*VAGUE, *RARE}
    for table in (KIND_WORDS, SCENE_WORDS, COLOUR_WORDS, STYLE_WORDS):
        for entry in table.values():
            words |= {entry.usual, entry.plural, *entry.synonyms, *entry.misspelt}
            words |= {*entry.related, *entry.broader}
    return frozenset(words)
