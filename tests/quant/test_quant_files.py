"""Files of quantizers and indexes: whole round trips, and every way a file can be wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex

PROBLEM = oracle.float_problem(31, 90, 6, 3, 11)


def quantizer(with_metric: bool = True) -> AdditiveQuantizer:
    return AdditiveQuantizer.from_codebooks(
        PROBLEM.codebooks, metric=PROBLEM.metric if with_metric else None
    )


def make_index(similarity: str = "ip") -> AQDIndex:
    index = AQDIndex(quantizer(), similarity=similarity)
    index.add(PROBLEM.codes, ids=np.arange(90)[::-1] + 1000)
    return index


SAVERS: dict[str, Callable[[Path], None]] = {
    "quantizer": lambda path: quantizer().save(path),
    "index": lambda path: make_index().save(path),
}
LOADERS: dict[str, Callable[[Path], object]] = {
    "quantizer": AdditiveQuantizer.load,
    "index": AQDIndex.load,
}


@pytest.mark.parametrize("with_metric", [False, True])
def test_a_loaded_quantizer_is_the_same(tmp_path: Path, with_metric: bool) -> None:
    q = quantizer(with_metric)
    q.save(tmp_path / "q.safetensors")
    loaded = AdditiveQuantizer.load(tmp_path / "q.safetensors")
    np.testing.assert_array_equal(loaded.codebooks, q.codebooks)
    np.testing.assert_array_equal(loaded.encode(PROBLEM.X), q.encode(PROBLEM.X))
    assert loaded.distortion(PROBLEM.X, PROBLEM.codes) == q.distortion(PROBLEM.X, PROBLEM.codes)


def test_a_loaded_quantizer_keeps_its_settings(tmp_path: Path) -> None:
    settings = {"num_codebooks": 2, "codebook_size": 5, "iterations": 3, "seed": 8}
    for relaxation in ("data", None):
        q = AdditiveQuantizer(**settings, relaxation=relaxation).fit(PROBLEM.X)
        q.save(str(tmp_path / "q"))
        loaded = AdditiveQuantizer.load(str(tmp_path / "q"))
        np.testing.assert_array_equal(loaded.encode(PROBLEM.X), q.encode(PROBLEM.X))
        again = loaded.fit(PROBLEM.X)
        np.testing.assert_array_equal(again.codebooks, q.codebooks)


def test_the_file_holds_codebooks_that_others_can_read(tmp_path: Path) -> None:
    quantizer().save(tmp_path / "model.safetensors")
    stored = load_file(tmp_path / "model.safetensors")["codebooks"]
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, PROBLEM.codebooks)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("similarity", ["ip", "l2", "cosine"])
def test_a_loaded_index_is_the_same(tmp_path: Path, mmap: bool, similarity: str) -> None:
    index = make_index(similarity)
    path = tmp_path / "db.wsdhq"
    index.save(path)
    loaded = AQDIndex.load(path, mmap=mmap)
    assert len(loaded) == 90
    for mine, other in zip(
        loaded.search(PROBLEM.X[:7], k=95), index.search(PROBLEM.X[:7], k=95), strict=True
    ):
        np.testing.assert_array_equal(mine, other)
    stored = path.read_bytes()
    # Editing what was loaded works and leaves the file as it was.
    loaded.add(PROBLEM.codes[:2])
    loaded.remove([1000, 1001])
    loaded.add_vectors(PROBLEM.X[:1])
    assert len(loaded) == 91
    assert path.read_bytes() == stored
    loaded.save(path)
    assert len(AQDIndex.load(path, mmap=mmap)) == 91


@pytest.mark.parametrize("mmap", [True, False])
def test_an_empty_index_is_loaded(tmp_path: Path, mmap: bool) -> None:
    AQDIndex(quantizer()).save(tmp_path / "empty")
    loaded = AQDIndex.load(tmp_path / "empty", mmap=mmap)
    assert len(loaded) == 0
    loaded.add(PROBLEM.codes[:1])
    assert loaded.search(PROBLEM.X[:1], k=1)[1].tolist() == [[0]]


def test_a_mapped_index_outlives_the_replacement_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    make_index().save(path)
    loaded = AQDIndex.load(path, mmap=True)
    before = loaded.search(PROBLEM.X[:5], k=9)[1]
    other = AQDIndex(quantizer())
    other.add(PROBLEM.codes[::-1][:40])
    other.save(path)
    np.testing.assert_array_equal(loaded.search(PROBLEM.X[:5], k=9)[1], before)
    path.unlink()
    np.testing.assert_array_equal(loaded.search(PROBLEM.X[:5], k=9)[1], before)


@pytest.mark.parametrize("kind", SAVERS)
def test_saving_replaces_the_file_whole_or_not_at_all(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"what was there before")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(OSError, match="no space"):
        SAVERS[kind](path)
    monkeypatch.undo()
    assert path.read_bytes() == b"what was there before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    SAVERS[kind](path)
    LOADERS[kind](path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", LOADERS)
def test_a_missing_file_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.wsdhq"):
        LOADERS[kind](tmp_path / "absent.wsdhq")


@pytest.mark.parametrize("kind", LOADERS)
def test_a_folder_is_no_file(tmp_path: Path, kind: str) -> None:
    with pytest.raises(IsADirectoryError, match=r"is a folder: expected a wsdhq \w+ file"):
        LOADERS[kind](tmp_path)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path_is_refused(kind: str, path: object) -> None:
    message = f"path: expected a str or PathLike, got {type(path).__name__}"
    for call in (LOADERS[kind], SAVERS[kind]):
        with pytest.raises(TypeError, match=message):
            call(path)


@pytest.mark.parametrize("kind", SAVERS)
def test_saving_into_a_missing_folder_names_it(tmp_path: Path, kind: str) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        SAVERS[kind](tmp_path / "nowhere" / "file")


FOREIGN = {
    "empty": b"",
    "one byte": b"\x93",
    "text": b"image,sunset\n1,0\n" * 40,
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "json": b'{"codebooks": [1, 2, 3]}',
    "numpy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    + b" " * 60
    + b"\n"
    + bytes(8),
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07dropped\x94.",
}


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_file_is_refused_by_name(tmp_path: Path, kind: str, foreign: str) -> None:
    path = tmp_path / "foreign.bin"
    path.write_bytes(FOREIGN[foreign])
    with pytest.raises(ValueError, match=r"foreign\.bin"):
        LOADERS[kind](path)


@pytest.mark.parametrize("mmap", [True, False])
def test_files_of_one_kind_are_foreign_to_the_other(tmp_path: Path, mmap: bool) -> None:
    SAVERS["quantizer"](tmp_path / "a.quantizer")
    with pytest.raises(ValueError, match=r"a\.quantizer"):
        AQDIndex.load(tmp_path / "a.quantizer", mmap=mmap)
    SAVERS["index"](tmp_path / "an.index")
    with pytest.raises(ValueError, match=r"an\.index"):
        AdditiveQuantizer.load(tmp_path / "an.index")


@pytest.mark.parametrize("kind", SAVERS)
@pytest.mark.parametrize("mmap", [True, False])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, kind: str, mmap: bool) -> None:
    if kind == "quantizer" and mmap:
        pytest.skip("quantizers are not mapped")
    SAVERS[kind](tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / "cut.wsdhq"
    lengths = {0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 8, len(whole) - 1}
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.wsdhq"):
            AQDIndex.load(path, mmap=mmap) if kind == "index" else AdditiveQuantizer.load(path)


@pytest.mark.parametrize("kind", SAVERS)
def test_a_lengthened_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "long.wsdhq"
    SAVERS[kind](path)
    path.write_bytes(path.read_bytes() + b"more than was written")
    with pytest.raises(ValueError, match=r"long\.wsdhq"):
        LOADERS[kind](path)


@pytest.mark.parametrize("kind", SAVERS)
def test_a_damaged_file_is_refused_or_usable(tmp_path: Path, kind: str) -> None:
    """A changed byte is either noticed or changes a number: it never crashes a search."""
    path = tmp_path / "damaged.wsdhq"
    SAVERS[kind](path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    num_refused = num_used = 0
    for trial in range(150):
        # The first kilobyte holds the header, where damage is most dangerous.
        place = int(rng.integers(len(whole) if trial % 2 else min(1024, len(whole))))
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            loaded = LOADERS[kind](path)
            if isinstance(loaded, AQDIndex):
                scores, _ = loaded.search(np.ones((2, 6), np.float32), k=200)
                assert scores.shape == (2, 200)
            else:
                decoded = loaded.decode(loaded.encode(PROBLEM.X[:4]))
                assert decoded.shape == (4, loaded.dim)
            num_used += 1
        except ValueError:
            num_refused += 1
    assert num_refused > 0
    assert num_used > 0


@pytest.mark.parametrize("mmap", [True, False])
def test_codes_in_the_file_beyond_the_codebook_are_refused(tmp_path: Path, mmap: bool) -> None:
    path = tmp_path / "codes.wsdhq"
    make_index().save(path)
    whole = path.read_bytes()
    stored = next(
        (order.tobytes() for order in (PROBLEM.codes, PROBLEM.codes.T) if order.tobytes() in whole),
        None,
    )
    assert stored is not None, "the codes are not stored as plain bytes"
    place = whole.index(stored)
    for offset in (0, len(stored) // 2, len(stored) - 1):
        damaged = bytearray(whole)
        damaged[place + offset] = 200
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"codes"):
            AQDIndex.load(path, mmap=mmap).search(PROBLEM.X, k=90)


def test_infinite_codebooks_in_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "books.wsdhq"
    for kind in SAVERS:
        SAVERS[kind](path)
        whole = path.read_bytes()
        stored = PROBLEM.codebooks.tobytes()
        assert whole.count(stored) == 1
        broken = PROBLEM.codebooks.copy()
        broken[1, 2, 3] = np.inf
        path.write_bytes(whole.replace(stored, broken.tobytes()))
        with pytest.raises(ValueError, match=r"books\.wsdhq"):
            LOADERS[kind](path)


@pytest.mark.parametrize("kind", SAVERS)
def test_a_file_of_a_newer_version_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "newer.wsdhq"
    SAVERS[kind](path)
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    metadata = header["__metadata__"]
    key = next(name for name in metadata if "version" in name)
    metadata[key] = "999"
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size :])
    with pytest.raises(ValueError, match=r"(?s)newer\.wsdhq.*999|999.*newer\.wsdhq"):
        LOADERS[kind](path)


def test_loading_executes_nothing(tmp_path: Path) -> None:
    # A pickled object array in NumPy's format is the usual carrier of code in a data file.
    path = tmp_path / "object.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for load in LOADERS.values():
        with pytest.raises(ValueError, match=r"object\.npy"):
            load(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAVERS)
def test_every_flipped_bit_is_found_when_asked_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    SAVERS[kind](path)
    whole = path.read_bytes()
    load = {
        "quantizer": lambda: AdditiveQuantizer.load(path, verify=True),
        "index": lambda: AQDIndex.load(path, mmap=False, verify=True),
    }[kind]
    load()
    header = int.from_bytes(whole[:8], "little")
    generator = np.random.default_rng(0)
    inside = 8 + header + generator.integers(0, len(whole) - 8 - header, 150)
    for place in [*range(0, 8 + header), *inside.tolist()]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(bytes(damaged))
        with pytest.raises(ValueError, match=r"file\b"):
            load()


def test_verification_maps_or_copies(tmp_path: Path) -> None:
    path = tmp_path / "db"
    make_index("cosine").save(path)
    for mmap in (True, False):
        assert len(AQDIndex.load(path, mmap=mmap, verify=True)) == 90
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(bytes(damaged))
    assert len(AQDIndex.load(path)) == 90
    for mmap in (True, False):
        with pytest.raises(ValueError, match=r"db: .* is damaged: expected the checksum"):
            AQDIndex.load(path, mmap=mmap, verify=True)


def test_a_file_without_checksums_cannot_be_verified(tmp_path: Path) -> None:
    import safetensors.numpy
    from safetensors import safe_open

    path = tmp_path / "q"
    quantizer().save(path)
    with safe_open(path, framework="numpy") as opened:
        metadata = opened.metadata()
    del metadata["checksums"]
    safetensors.numpy.save_file(load_file(path), path, metadata)
    AdditiveQuantizer.load(path)
    with pytest.raises(ValueError, match="q: holds no checksums to verify it by"):
        AdditiveQuantizer.load(path, verify=True)
