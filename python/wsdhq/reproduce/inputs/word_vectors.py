"""Word vectors of one split: the same file for every method that uses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsdhq._shared.files import write_json
from wsdhq.embed.tags.word_vectors import load_word_vectors, save_word_vectors, train_word_vectors
from wsdhq.reproduce.identity import checksum, noted
from wsdhq.reproduce.listener import Listener


def keep_word_vectors(
    path: Path,
    tag_sets: Sequence[Sequence[str]],
    described: dict[str, Any],
    given: Path | None,
    listener: Listener,
    **training: Any,
) -> Path:
    """Have the word vectors of some tags in a file: those there, if they are of the same.

    Parameters
    ----------
    path : Path
        A `.txt`; a `.json` beside it, written last, says what it is of.
    tag_sets : sequence of sequences of str
        Tags of the training rows.
    described : dict
        What the vectors are read from or trained with, JSON values.
    given : Path or None
        A file of word vectors, of which those of the tags are kept: a file of millions is
        read once and not for every training. None trains them.
    listener : Listener
    **training
        Parameters of `train_word_vectors`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_word_vectors` and `train_word_vectors`.
    """
    about = {
        "of": described,
        "tags": checksum("\t".join(tags).encode() for tags in tag_sets),
        "seed": training["seed"],
    }
    note = path.with_suffix(".json")
    if path.is_file() and noted(note) == about:
        return path
    listener.stage("word vectors")
    if given is None:
        vectors = train_word_vectors(tag_sets, **training)
    else:
        vectors = load_word_vectors(given, words={tag for tags in tag_sets for tag in tags})
    # Nothing is left that an interruption could make look like this.
    note.unlink(missing_ok=True)
    save_word_vectors(path, vectors)
    write_json(note, about)
    return path
