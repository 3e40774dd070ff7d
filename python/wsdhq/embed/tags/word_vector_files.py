"""Readers of word-vector files: word2vec binary and text, GloVe text, gensim's `.kv`.

These are gensim's formats, read here for three things its loaders do not offer: keeping
only the vectors that are asked for while a file of millions streams by; naming the file
and the word or line that is wrong; and opening `.kv`, which is a pickle, without running
code that a file may bring. Every reader takes `wanted`, a set of words or None for all,
and returns the words in file order and their (W, D) float32 vectors.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsdhq.embed.array_pickles import ARRAY_NAMES, ArrayStandIn, StandIn, read_pickle

_log = logging.getLogger("wsdhq.embed")

Wanted = frozenset[str] | None

_CHUNK_BYTES = 2**18
# No word, dimension or line is longer in a real file; a foreign file may ask for anything.
_MAX_WORD_BYTES = 2**16
_MAX_DIM = 2**16
_MAX_LINE_BYTES = 2**24
# Words shown of a file that holds none of those asked for.
_NUM_EXAMPLES = 5


class LoadedWords(NamedTuple):
    """What a file gave: words in file order, their (W, D) vectors, words it begins with."""

    words: list[str]
    vectors: NDArray[np.float32]
    examples: list[str]


class _Rows:
    """Vectors gathered one by one into a single growing buffer, with their words."""

    def __init__(self, path: Path, dim: int, wanted: Wanted) -> None:
        self.path, self.dim, self.wanted = path, dim, wanted
        self.words: dict[str, int] = {}
        self.buffer = bytearray()
        self.examples: list[str] = []
        self.repeated: list[str] = []
        self.undecodable = 0

    def select(self, raw: bytes) -> str | None:
        """The word to keep for these bytes, None where the vector is not asked for."""
        try:
            word = raw.decode("utf-8")
        except UnicodeDecodeError:
            # word2vec.c cuts long words inside a character; no tag can equal what is left.
            self.undecodable += 1
            return None
        if word and len(self.examples) < _NUM_EXAMPLES:
            self.examples.append(word)
        if not word or (self.wanted is not None and word not in self.wanted):
            return None
        if word in self.words:
            self.repeated.append(word)
            return None
        return word

    def add(self, word: str, vector: NDArray[np.float32], place: str) -> None:
        if not np.isfinite(vector).all():
            raise ValueError(
                f"{self.path}, {place}: the vector of {word!r} holds NaN or infinity "
                f"(or a number beyond float32)"
            )
        self.words[word] = len(self.words)
        self.buffer += vector.tobytes()

    def finish(self) -> LoadedWords:
        if self.repeated:
            _log.warning(
                "%s: %d words occur again, such as %r: the first vector of each is kept",
                self.path,
                len(self.repeated),
                self.repeated[0],
            )
        if self.undecodable:
            _log.warning("%s: %d words are not UTF-8 and left out", self.path, self.undecodable)
        vectors = np.frombuffer(self.buffer, dtype=np.float32, count=len(self.words) * self.dim)
        return LoadedWords(list(self.words), vectors.reshape(-1, self.dim), self.examples)


def read_word_vectors(path: Path, wanted: Wanted) -> LoadedWords:
    """Read the file by its name's ending, one of `FORMATS`.

    Parameters
    ----------
    path : pathlib.Path
        The file. A `.kv` may have its vectors beside it in `NAME.kv.vectors.npy`.
    wanted : frozenset of str or None
        The words whose vectors are kept; None keeps all. Working memory is that of the
        vectors kept.

    Returns
    -------
    LoadedWords
        The words found, without repetition and in file order, and their vectors; both may
        be empty. `examples` are the first words of the file, kept or not.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The ending is not known (the message lists those that are), or the content is
        truncated, of another format, or not finite. The message names the file and the
        word's place.
    """
    name = path.name.lower()
    read = next((read for ending, read in FORMATS.items() if name.endswith(ending)), None)
    if read is None:
        raise ValueError(
            f"{path}: the format of word vectors is told by the name's ending; known are "
            f"{', '.join(FORMATS)}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist (word vectors to load)")
    try:
        return read(path, wanted)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error


def _read_binary(path: Path, wanted: Wanted) -> LoadedWords:
    """word2vec binary: a line "W D", then each word, a space and D little-endian float32."""
    with _open(path) as stream:
        counts = _parse_header(stream.readline(_MAX_WORD_BYTES))
        if counts is None:
            raise ValueError(
                f"{path} is not a word2vec binary file: expected a first line with the number "
                f"of words and their dimension"
            )
        num_words, dim = counts
        _check_dim(path, dim)
        width = 4 * dim
        if path.suffix.lower() != ".gz" and path.stat().st_size < num_words * (width + 2):
            raise ValueError(
                f"{path} is truncated or not a word2vec binary file: its first line promises "
                f"{num_words} words of {dim} dimensions, at least {num_words * (width + 2)} "
                f"bytes, and it has {path.stat().st_size}"
            )
        rows = _Rows(path, dim, wanted)
        held, at = b"", 0
        for word_number in range(1, num_words + 1):
            space = held.find(b" ", at)
            while space < 0 or len(held) - space - 1 < width:
                if (len(held) - at if space < 0 else space - at) > _MAX_WORD_BYTES:
                    raise ValueError(f"{path}: no word is found at word {word_number}")
                chunk = stream.read(_CHUNK_BYTES)
                if not chunk:
                    raise ValueError(
                        f"{path} is truncated: it ends within word {word_number} of {num_words}"
                    )
                held, at = held[at:] + chunk, 0
                space = held.find(b" ")
            # Some writers end each vector with a line feed, others do not.
            word = rows.select(held[at:space].lstrip(b"\n"))
            if word is not None:
                vector = np.frombuffer(held, dtype="<f4", count=dim, offset=space + 1)
                rows.add(word, vector.astype(np.float32), f"word {word_number}")
            at = space + 1 + width
        if (held[at:] + stream.read(_CHUNK_BYTES)).strip():
            raise ValueError(
                f"{path} goes on after the {num_words} words of {dim} dimensions that its first "
                f"line promises"
            )
    return rows.finish()


def _read_text(path: Path, wanted: Wanted) -> LoadedWords:
    """word2vec text, or GloVe's, which has no header: a word and D numbers per line."""
    first_pieces = None
    if wanted is not None:
        first_pieces = {pieces[0] for word in wanted if (pieces := word.encode().split())}
    with _open(path) as stream:
        lines = enumerate(iter(partial(stream.readline, _MAX_LINE_BYTES), b""), 1)
        number, line = next(lines, (1, b""))
        promised = _parse_header(line)
        if promised is not None:
            dim = promised[1]
            number, line = next(lines, (2, b""))
        else:
            dim = len(line.split()) - 1
        if dim < 1:
            raise ValueError(
                f"{path}, line 1: expected 'number of words, dimension' or a word and its "
                f"numbers, got {_shorten(line)}"
            )
        _check_dim(path, dim)
        rows = _Rows(path, dim, wanted)
        found = 0
        while line:
            if line.strip():
                found += 1
                if line.count(b" ") + line.count(b"\t") < dim:
                    raise _line_error(path, number, line, dim)
                if first_pieces is None or line.split(None, 1)[0] in first_pieces:
                    _add_text_line(rows, line, number)
            number, line = next(lines, (number, b""))
    if promised is not None and found != promised[0]:
        trouble = "is truncated" if found < promised[0] else "goes on"
        raise ValueError(
            f"{path} {trouble}: its first line promises {promised[0]} words, it has {found}"
        )
    return rows.finish()


def _add_text_line(rows: _Rows, line: bytes, number: int) -> None:
    # Split from the right: some words of GloVe hold spaces.
    pieces = line.rsplit(None, rows.dim)
    head = pieces[0].split()
    if len(pieces) != rows.dim + 1 or (len(head) > 1 and _is_number(head[-1])):
        raise _line_error(rows.path, number, line, rows.dim)
    word = rows.select(pieces[0].strip())
    if word is None:
        return
    try:
        values = [float(piece) for piece in pieces[1:]]
    except ValueError as error:
        raise _line_error(rows.path, number, line, rows.dim) from error
    with np.errstate(over="ignore"):
        rows.add(word, np.array(values).astype(np.float32), f"line {number}")


def _read_keyed_vectors(path: Path, wanted: Wanted) -> LoadedWords:
    """Gensim's own format: a pickled KeyedVectors, large arrays beside it as `.npy`."""
    with path.open("rb") as stream:
        try:
            state = read_pickle(stream, _KEYED_VECTORS_NAMES, {"gensim": StandIn}).state
        # A damaged pickle can raise nearly anything; none of it says which file it was.
        except Exception as error:
            raise ValueError(
                f"{path} is not a readable KeyedVectors file of gensim: {error}"
            ) from error
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds no KeyedVectors of gensim")
    words = state.get("index_to_key", state.get("index2word"))
    vectors = state.get("vectors", state.get("syn0"))
    if isinstance(vectors, ArrayStandIn):
        try:
            vectors = vectors.as_array()
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: its vectors are damaged: {error}") from None
    for attribute in ("vectors", "syn0"):
        separate = state.get("__numpys")
        if isinstance(separate, list) and attribute in separate:
            beside = path.with_name(f"{path.name}.{attribute}.npy")
            if not beside.is_file():
                raise FileNotFoundError(f"{beside} does not exist: it holds the vectors of {path}")
            try:
                vectors = np.load(beside, mmap_mode="r", allow_pickle=False)
            except (ValueError, EOFError) as error:
                raise ValueError(f"{beside} is not a whole .npy file: {error}") from error
    if (
        not isinstance(words, list)
        or not all(isinstance(word, str) for word in words)
        or not isinstance(vectors, np.ndarray)
        or vectors.dtype.kind != "f"
        or vectors.ndim != 2
        or len(words) != len(vectors)
    ):
        raise ValueError(f"{path} holds no words with a matrix of vectors, one row each")
    rows = _Rows(path, vectors.shape[1], wanted)
    for row, name in enumerate(words):
        if (word := rows.select(name.encode("utf-8", "surrogatepass"))) is not None:
            rows.add(word, np.asarray(vectors[row], dtype=np.float32), f"word {row + 1}")
    return rows.finish()


class _Reconstructed(StandIn):
    """How classes of old were made: by their name and that of their base."""

    def __new__(cls, kind: Any, base: Any, state: Any) -> Any:
        if not (isinstance(kind, type) and issubclass(kind, StandIn)):
            raise ValueError("it makes an object of what is no class")
        return kind()


_KEYED_VECTORS_NAMES = {
    **ARRAY_NAMES,
    ("copyreg", "_reconstructor"): _Reconstructed,
    ("builtins", "object"): StandIn,
}


FORMATS: dict[str, Callable[[Path, Wanted], LoadedWords]] = {
    ".bin": _read_binary,
    ".bin.gz": _read_binary,
    ".txt": _read_text,
    ".txt.gz": _read_text,
    ".vec": _read_text,
    ".vec.gz": _read_text,
    ".kv": _read_keyed_vectors,
}


def _open(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _parse_header(line: bytes) -> tuple[int, int] | None:
    """(words, dimension) of a first line that has just two whole numbers, else None."""
    pieces = line.split()
    if len(pieces) == 2 and all(piece.isdigit() and len(piece) < 19 for piece in pieces):
        return int(pieces[0]), int(pieces[1])
    return None


def _check_dim(path: Path, dim: int) -> None:
    if not 1 <= dim <= _MAX_DIM:
        raise ValueError(f"{path}: expected vectors of 1 .. {_MAX_DIM} dimensions, got {dim}")


def _is_number(piece: bytes) -> bool:
    try:
        float(piece)
    except ValueError:
        return False
    return True


def _line_error(path: Path, number: int, line: bytes, dim: int) -> ValueError:
    return ValueError(
        f"{path}, line {number}: expected a word and {dim} numbers, got {_shorten(line)}"
    )


def _shorten(line: bytes) -> str:
    text = line[:60].decode("utf-8", "replace").rstrip()
    return repr(text + ("…" if len(line) > 60 else "")) if text else "an empty line"
