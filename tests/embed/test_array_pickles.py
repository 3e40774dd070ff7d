"""Pickles that a stranger wrote may ask for what their own length allows, and for no more."""

from __future__ import annotations

import io
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsdhq.embed.array_pickles import ARRAY_NAMES, ArrayStandIn, StandIn, read_pickle
from wsdhq.embed.backbones.caffe_file import read_caffe_layers
from wsdhq.embed.tags.word_vector_files import read_word_vectors


def read(content: bytes) -> Any:
    return read_pickle(io.BytesIO(content), ARRAY_NAMES, {"gensim": StandIn})


def little(number: int, width: int) -> bytes:
    return number.to_bytes(width, "little")


HEAD = b"\x80\x04"
# What a file may claim in a few bytes, and what it is told.
CLAIMS = {
    "a place in memory": (b"Nr" + little(2**28, 4) + b".", "remembers object 268435456"),
    "a place in text": (b"Np99999999999\n.", "remembers object 99999999999"),
    "a place below zero": (b"Np-1\n.", "remembers object -1"),
    "bytes": (b"B" + little(2**32 - 9, 4) + b"x.", "cut short"),
    "many bytes": (b"\x8e" + little(2**40, 8) + b"x.", "cut short"),
    "text": (b"\x8d" + little(2**40, 8) + b"x.", "cut short"),
    "a frame": (b"\x95" + little(2**40, 8) + b"N.", "cut short"),
    "a number": (b"\x8b" + little(2**31 - 1, 4) + b"x.", "cut short"),
    "a negative number": (b"\x8b" + little(2**32 - 1, 4) + b"x.", "cut short"),
    "room": (b"\x96" + little(2**32, 8) + b".", "instruction 0x96"),
    "another buffer": (b"\x97.", "instruction 0x97"),
    "an object from elsewhere": (b"Pid\n.", "instruction 0x50"),
    "an extension": (b"\x82\x01.", "instruction 0x82"),
    "an instance": (b"(ios\nsystem\n.", "instruction 0x69"),
    "no end": (b"(((((", "no end"),
    "no line": (b"I12", "subsection not found"),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_beyond_the_file_are_refused_before_anything_is_made(claim: str) -> None:
    content, message = CLAIMS[claim]
    with pytest.raises(ValueError, match=message):
        read(HEAD + content)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("kind", ["word vectors", "weights"])
def test_readers_name_the_file(kind: str, claim: str, tmp_path: Path) -> None:
    content = HEAD + CLAIMS[claim][0]
    path = tmp_path / ("v.kv" if kind == "word vectors" else "v.npy")
    if kind == "weights":
        np.save(path, np.array({"a": 1}, dtype=object), allow_pickle=True)
        head = path.read_bytes()
        content = head[: head.index(b"\n") + 1] + content
    path.write_bytes(content)
    reader = read_caffe_layers if kind == "weights" else partial(read_word_vectors, wanted=None)
    with pytest.raises(ValueError, match="v\\."):
        reader(path)


def test_texts_do_not_become_more_bytes_than_the_file_has() -> None:
    # One text, turned to bytes again and again from where it is remembered.
    text = b"X" + little(10_000, 4) + b"a" * 10_000 + b"q\x01"
    once = b"c_codecs\nencode\nh\x01\x85R0"
    with pytest.raises(ValueError, match="more bytes of its texts"):
        read(b"\x80\x02" + text + once * 1000 + b".")
    assert read(b"\x80\x02" + text + once[:-1] + b".") == b"a" * 10_000


@pytest.mark.parametrize("levels", [100, 1000, 5_000, 1_000_000])
def test_deep_tuples_as_keys_do_not_exhaust_the_stack(levels: int) -> None:
    content = HEAD + b"}" + b")" + b"\x85" * levels + b"Ns."
    if levels <= 1000:
        assert len(read(content)) == 1
    else:
        with pytest.raises(ValueError, match="tuples within tuples"):
            read(content)


def test_many_flat_tuples_are_read() -> None:
    values = {("word", i): (i, i + 1) for i in range(5000)}
    assert read(pickle.dumps(values, 4)) == values


def test_no_object_of_numpy_is_made() -> None:
    # A state of numpy.dtype with object fields made Python follow a pointer from the file.
    state = (3, "|", None, ("f",), {"f": (np.dtype("O"), 0)}, 8, 8, 63)
    reduced = b"cnumpy\ndtype\n(X\x03\x00\x00\x00V16I0\nI1\ntR"
    found = read(b"\x80\x02" + reduced + pickle.dumps(state[:5], 2)[2:-1] + b"b.")
    assert type(found).__mro__[1] is StandIn
    array = ArrayStandIn()
    kind = read(b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00f4I0\nI1\ntR.")
    array.state = (1, ("x", 2), kind, False, b"12345678")
    with pytest.raises(ValueError, match="its shape is none"):
        array.as_array()


def test_classes_of_stand_ins_cannot_be_changed() -> None:
    # BUILD on the class itself would set attributes for every file that is read later.
    with pytest.raises(TypeError):
        read(HEAD + b"cgensim.models\nKeyedVectors\n}" + b"X\x01\x00\x00\x00aNsb.")
    assert not hasattr(StandIn, "a")


def old_key_vectors() -> bytes:
    """What gensim 3 wrote in Python 3 by protocol 2."""
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    words = ["one", "two", "three"]

    class Vocab:
        pass

    class KeyedVectors:
        pass

    kv = KeyedVectors()
    kv.__dict__.update(index2word=words, syn0=vectors, vector_size=2, vocab={})
    for index, word in enumerate(words):
        kv.vocab[word] = Vocab()
        kv.vocab[word].__dict__.update(index=index, count=np.int64(5))
    for kind in (KeyedVectors, Vocab):
        kind.__module__, kind.__qualname__ = __name__, kind.__name__
        globals()[kind.__name__] = kind
    try:
        content = pickle.dumps(kv, 2)
    finally:
        del globals()["KeyedVectors"], globals()["Vocab"]
    return content.replace(f"c{__name__}\n".encode(), b"cgensim.models.keyedvectors\n")


def test_files_of_gensim_3_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.kv"
    path.write_bytes(old_key_vectors())
    found = read_word_vectors(path, None)
    assert found.words == ["one", "two", "three"]
    np.testing.assert_array_equal(found.vectors, [[0, 1], [2, 3], [4, 5]])
