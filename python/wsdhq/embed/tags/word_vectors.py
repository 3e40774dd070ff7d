"""Word vectors of the tags: loaded from a file, or trained on the tag sets themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq._shared.arguments import as_integer
from wsdhq._shared.files import as_path, atomic_path
from wsdhq.embed.tags.sets import check_tag_sets, count_images
from wsdhq.embed.tags.word_vector_files import read_word_vectors

# Twice gensim's: the rate falls linearly to nearly 0, and tag collections are small.
_LEARNING_RATE = 0.05
# Tags several times more frequent than the average are thinned out at random. A fixed
# share, as is usual for running text, would thin every tag of a small vocabulary.
_THINNING = 2.0


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of str
        W different words, at least one, none empty.
    vectors : (W, D) array of float16, float32 or float64
        Their vectors, in the same order, of any norm. Kept as float32; a float32 array is
        not copied.

    Raises
    ------
    TypeError
        A word is not a string or `vectors` not of a floating type.
    ValueError
        Shapes disagree, a word is empty or repeated, or a vector holds NaN or infinity.
        The message names the word and its row.
    """

    words: tuple[str, ...]
    vectors: NDArray[np.float32]
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = tuple(self.words)
        rows: dict[str, int] = {}
        for row, word in enumerate(words):
            if not isinstance(word, str):
                raise TypeError(f"words[{row}]: expected a string, got {word!r}")
            if not word:
                raise ValueError(f"words[{row}] is empty")
            if rows.setdefault(word, row) != row:
                raise ValueError(f"words[{row}] repeats words[{rows[word]}], {word!r}")
        array = np.asarray(self.vectors)
        if array.dtype.kind != "f":
            raise TypeError(f"vectors: expected a floating type, got {array.dtype}")
        if not words:
            raise ValueError("words is empty: expected at least one word")
        if array.ndim != 2 or len(array) != len(words) or array.shape[1] == 0:
            raise ValueError(
                f"vectors: expected ({len(words)}, D), a row for each word, got {array.shape}"
            )
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=np.float32)
        finite = np.isfinite(array).all(axis=1)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            raise ValueError(f"vectors[{row}], of {words[row]!r}, holds NaN or infinity")
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "vectors", array)
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        """D, the dimension of the vectors."""
        return int(self.vectors.shape[1])

    def find(self, tag: str) -> int | None:
        """Find the word that stands for a tag.

        Parameters
        ----------
        tag : str
            A tag, possibly of several words.

        Returns
        -------
        int or None
            The row of the first of ``word_forms(tag)`` that is a word, None if none is.
        """
        for form in word_forms(tag):
            row = self._rows.get(form)
            if row is not None:
                return row
        return None


def word_forms(tag: str) -> tuple[str, ...]:
    """The words that may stand for a tag, in the order in which they are tried.

    Files of word vectors are case-sensitive and write several words as one. A tag is tried
    as given, then with its spaces as ``_``, then without its spaces; each of these as it
    is, in lower case, with each word capitalized, and in upper case. For "golden gate":
    ``golden gate``, ``Golden Gate``, ``GOLDEN GATE``, ``golden_gate``, ``Golden_Gate``, and
    so on to ``GOLDENGATE``.

    Parameters
    ----------
    tag : str
        A tag, possibly of several words separated by white space.

    Returns
    -------
    tuple of str
        The forms, without repetition, the tag itself first.
    """
    pieces = tag.split()
    forms = [tag]
    for joint in (" ", "_", "") if len(pieces) > 1 else ("",):
        forms += [
            joint.join(pieces),
            joint.join(pieces).lower(),
            joint.join(piece.capitalize() for piece in pieces),
            joint.join(pieces).upper(),
        ]
    return tuple(form for form in dict.fromkeys(forms) if form)


def load_word_vectors(
    path: str | os.PathLike[str], words: Iterable[str] | None = None
) -> WordVectors:
    """Load word vectors from a file.

    Parameters
    ----------
    path : str or PathLike
        ``.bin``: word2vec binary. ``.txt`` and ``.vec``: word2vec text, with its line of
        counts, or GloVe text, without. Each may be compressed, as in ``.bin.gz``. ``.kv``:
        gensim's ``KeyedVectors.save``, read without running code from the file.
    words : iterable of str or None
        The tags whose vectors are wanted: for each, the first of its `word_forms` that the
        file has is kept. Memory then grows with the tags, not with the file. None keeps
        every word.

    Returns
    -------
    WordVectors
        In file order. Of a word that occurs twice the first vector is kept, with a warning
        in the log "wsdhq"; words that are not UTF-8 are left out, with a warning too.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    TypeError
        `words` is one string, or holds something else than strings.
    ValueError
        The name's ending is unknown (the message lists the known ones); the file is
        truncated, of another format, empty or not finite; or it has none of `words`, of
        which and of whose words the message shows some.
    """
    path = as_path(path)
    if words is None:
        loaded = read_word_vectors(path, None)
        if not loaded.words:
            raise ValueError(f"{path} holds no words")
        return WordVectors(tuple(loaded.words), loaded.vectors)
    if isinstance(words, str):
        raise TypeError(f"words: expected an iterable of strings, got the string {words!r}")
    tags = list(dict.fromkeys(words))
    for tag in tags:
        if not isinstance(tag, str):
            raise TypeError(f"words: expected strings, got {tag!r}")
    wanted = frozenset(form for tag in tags for form in word_forms(tag))
    loaded = read_word_vectors(path, wanted)
    if not loaded.words:
        raise ValueError(
            f"{path} has a vector for none of the {len(tags)} words asked for, such as "
            f"{_quote(tags)}; its own words are such as {_quote(loaded.examples)}"
        )
    # Several forms of one tag may have been found; only the first counts.
    found = WordVectors(tuple(loaded.words), loaded.vectors)
    used = sorted({row for tag in tags if (row := found.find(tag)) is not None})
    if len(used) == len(found):
        return found
    return WordVectors(tuple(found.words[row] for row in used), found.vectors[used])


def save_word_vectors(path: str | os.PathLike[str], vectors: WordVectors) -> None:
    """Write word vectors as word2vec text, whole or not at all.

    Parameters
    ----------
    path : str or PathLike
        A name that `load_word_vectors` takes for text: `.txt` or `.vec`.
    vectors : WordVectors
        White space within a word is written as ``_``, which `WordVectors.find` tries too;
        of words that are then equal the first is kept. Values are read back to the bit.

    Raises
    ------
    ValueError
        The name ends otherwise.
    """
    if Path(path).suffix.lower() not in (".txt", ".vec"):
        raise ValueError(f"{path}: word vectors are written as .txt or .vec")
    rows: dict[str, int] = {}
    for row, word in enumerate(vectors.words):
        rows.setdefault("_".join(word.split()) or "_", row)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"{len(rows)} {vectors.dim}\n")
        for word, row in rows.items():
            # Nine digits tell all float32 values apart.
            values = " ".join(f"{value:.9g}" for value in vectors.vectors[row])
            file.write(f"{word} {values}\n")


def train_word_vectors(
    tag_sets: Sequence[Sequence[str]],
    dim: int = 128,
    min_count: int = 5,
    epochs: int = 20,
    *,
    negative: int = 5,
    seed: int = 0,
) -> WordVectors:
    """Train word vectors on the tag sets themselves.

    Skip-gram with negative sampling (gensim): each tag learns to predict every other tag of
    its image, so tags used in the same company come to lie near each other. The order of an
    image's tags plays no part.

    Parameters
    ----------
    tag_sets : sequence of sequences of str
        The tags of each image. A tag is one word, even if it holds spaces.
    dim : int
        D, at least 1.
    min_count : int
        Tags carried by fewer images get no vector: what so few show is mostly chance.
    epochs : int
        Passes over the tag sets, at least 1. Of too few, rare tags keep lying together
        where training started.
    negative : int
        Random tags told apart from each true one, at least 1.
    seed : int
        0 .. 2**32 - 1.

    Returns
    -------
    WordVectors
        Words in order of falling image count, then of first appearance. Skip-gram vectors
        share a direction, which makes all tags look alike, and their norms grow with
        training and frequency. Their mean is therefore subtracted (as in Mu & Viswanath,
        "All-but-the-Top", 2018) and each is brought to unit norm, so that `threshold` and
        `radius` of `build_semantic_sphere` mean the same for every collection. A tag that
        is never beside another keeps a random direction.

    Raises
    ------
    TypeError
        A tag is not a string, or a parameter not an integer.
    ValueError
        No tag is carried by `min_count` images, a tag is empty, or a parameter is out of
        its range.

    Notes
    -----
    The result is the same to the bit for a seed on one machine, whatever runs beside it:
    one worker, generators of its own, and no use of Python's string hashes.
    """
    for name, value, minimum, maximum in (
        ("dim", dim, 1, 2**16),
        ("min_count", min_count, 1, None),
        ("epochs", epochs, 1, None),
        ("negative", negative, 1, None),
        ("seed", seed, 0, 2**32 - 1),
    ):
        as_integer(value, name, minimum, maximum)
    checked = check_tag_sets(tag_sets)
    counts = count_images(checked)
    # most_common keeps the order of first appearance among equal counts.
    frequencies = {tag: count for tag, count in counts.most_common() if count >= min_count}
    if not frequencies:
        tag, count = counts.most_common(1)[0]
        raise ValueError(
            f"no tag is carried by min_count = {min_count} images: the most frequent, {tag!r}, "
            f"by {count}"
        )
    sentences = [[tag for tag in tags if tag in frequencies] for tags in checked]
    sentences = [tags for tags in sentences if len(tags) > 1]

    # gensim takes a second to import, and nothing else needs it.
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=int(dim),
        min_count=1,
        sg=1,
        hs=0,
        negative=int(negative),
        alpha=_LEARNING_RATE,
        sample=min(0.5, _THINNING / len(frequencies)),
        window=max(map(len, sentences), default=1),
        shrink_windows=False,
        sorted_vocab=0,
        seed=int(seed),
        workers=1,
    )
    model.build_vocab_from_freq(frequencies, corpus_count=len(sentences))
    if sentences:
        model.train(sentences, total_examples=len(sentences), epochs=int(epochs))
    vectors = model.wv.vectors.astype(np.float64)
    if len(vectors) > 1:
        vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return WordVectors(tuple(model.wv.index_to_key), vectors)


def _quote(words: Sequence[str]) -> str:
    return ", ".join(repr(word) for word in words[:5]) or "(none)"
