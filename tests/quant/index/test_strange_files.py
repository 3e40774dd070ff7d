"""Files that are whole and say what no index of ours says; files replaced while they are read."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex, persistence
from wsdhq.quant.arrays import foreign as arrays
from wsdhq.quant.index import ids

PROBLEM = oracle.float_problem(17, 700, 4, 2, 256)
QUANTIZER = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)
LAST_ID = 2**63 - 2

Header = dict[str, Any]


def make(given: object = None) -> AQDIndex:
    index = AQDIndex(QUANTIZER, "l2")
    index.add(PROBLEM.codes, given)
    return index


def rewrite(path: Path, change: Callable[[Header], bytes | None]) -> None:
    """Change the header of a file; what `change` gives comes behind its arrays."""
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    more = change(header) or b""
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size :] + more)


def about(**values: object) -> Callable[[Header], None]:
    return lambda header: header["__metadata__"].update(values)


def setting(**values: object) -> Callable[[Header], None]:
    def change(header: Header) -> None:
        metadata = header["__metadata__"]
        metadata["settings"] = json.dumps({**json.loads(metadata["settings"]), **values})

    return change


def array(shape: list[int], count: int) -> Callable[[Header], bytes]:
    def change(header: Header) -> bytes:
        end = max(v["data_offsets"][1] for k, v in header.items() if k != "__metadata__")
        header["more"] = {"dtype": "U8", "shape": shape, "data_offsets": [end, end + count]}
        return bytes(count)

    return change


def without(name: str) -> Callable[[Header], None]:
    def change(header: Header) -> None:
        header["other"] = header.pop(name)

    return change


def entry(name: str, **values: object) -> Callable[[Header], None]:
    return lambda header: header[name].update(values)


def at(name: str, change: Callable[[list[int]], list[int]]) -> Callable[[Header], None]:
    """Moves an array."""
    return lambda header: header[name].update(data_offsets=change(header[name]["data_offsets"]))


STRANGE: dict[str, tuple[Callable[[Header], bytes | None], str]] = {
    "a version in other digits": (about(version="²"), "other origin"),
    "a version of many digits": (about(version="9" * 5000), "other origin"),
    "no version": (about(version="0"), "other origin"),
    "settings within settings": (about(settings="[" * 100_000), "settings are missing or damaged"),
    "a huge setting": (about(settings='{"a":' + "9" * 5000 + "}"), "settings are missing or"),
    "a huge array of no bytes": (array([0, 2**40, 2**40], 0), r"more .* shape \(0, 1099511627776"),
    "many dimensions": (array([1] * 70, 1), r"more is of the unexpected shape"),
    "both ways to tell ids": (setting(first_id=7), "ids: expected none beside first_id"),
    "no ids": (without("ids"), "ids missing"),
    "no blocks": (without("blocks"), "blocks missing"),
    "no edges": (without("norm_edges"), "norm_edges missing"),
    "an array of another type": (
        entry("ids", dtype="BF16"),
        "ids is of the unexpected type 'BF16'",
    ),
    "an array of no type": (entry("ids", dtype=["F32"]), "ids is of the unexpected type"),
    "a length below zero": (entry("ids", shape=[-700]), "ids is of the unexpected shape"),
    "a length that is true": (entry("ids", shape=[True]), "ids is of the unexpected shape"),
    "a length in fractions": (entry("ids", shape=[700.0]), "ids is of the unexpected shape"),
    "a shape that is longer": (entry("ids", shape=[701]), "ids takes 5608 bytes"),
    "a huge shape": (entry("ids", shape=[2**61]), "ids is of the unexpected shape"),
    "more to an array": (entry("ids", other=1), "ids has no dtype, shape and data_offsets"),
    "a place before the arrays": (at("ids", lambda o: [-8, o[1] - o[0] - 8]), "at no place"),
    "an array over another": (at("ids", lambda o: [0, o[1] - o[0]]), "begins at byte"),
    "an array behind the end": (at("ids", lambda o: [n + 2**40 for n in o]), "begins at byte"),
    "bytes that are no array's": (lambda header: b"12345678", "its arrays end at byte"),
    "metadata that are numbers": (about(version=3), "its metadata are not all text"),
}


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("what", STRANGE)
def test_a_strange_file_is_refused_by_name(what: str, mmap: bool, tmp_path: Path) -> None:
    path = tmp_path / "strange.wsdhq"
    make(np.random.default_rng(0).permutation(5000)[:700]).save(path)
    change, message = STRANGE[what]
    rewrite(path, change)
    with pytest.raises(ValueError, match=rf"(?s)strange\.wsdhq: .*{message}"):
        AQDIndex.load(path, mmap=mmap)


def test_checksums_within_checksums_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "strange.wsdhq"
    make().save(path)
    rewrite(path, about(checksums="[" * 100_000))
    with pytest.raises(ValueError, match=r"strange\.wsdhq: its checksums are damaged"):
        AQDIndex.load(path, verify=True)


def test_damaged_codebooks_warn_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "strange.wsdhq"
    make().save(path)
    whole = path.read_bytes()
    # A signalling NaN, whose conversion the processor reports.
    broken = PROBLEM.codebooks.copy()
    broken.view(np.uint32)[0, 0, 0] = 0x7F800001
    path.write_bytes(whole.replace(PROBLEM.codebooks.tobytes(), broken.tobytes()))
    with pytest.raises(ValueError, match="row 0, column 0 is nan"):
        AQDIndex.load(path)


def test_ids_up_to_the_largest_are_loaded(tmp_path: Path) -> None:
    quantizer = AdditiveQuantizer.from_codebooks(np.zeros((1, 2, 1), np.float32))
    index = AQDIndex(quantizer)
    count = ids.SHORTEST_RUN
    index.add(np.zeros((count, 1), np.uint8), np.arange(LAST_ID - count + 1, LAST_ID + 1))
    assert index._rows.ids.first is not None
    index.save(tmp_path / "db")
    loaded = AQDIndex.load(tmp_path / "db")
    np.testing.assert_array_equal(loaded.ids, index.ids)
    assert LAST_ID in loaded


def test_the_next_id_of_a_small_file_is_checked(tmp_path: Path) -> None:
    # Fewer vectors than a block: nothing but the ids is mapped.
    index = AQDIndex(QUANTIZER)
    index.add(PROBLEM.codes[:3], [9, 5, 7])
    index.save(tmp_path / "db")
    rewrite(tmp_path / "db", setting(next_id=7))
    with pytest.raises(ValueError, match="next_id: expected more than 9, got 7"):
        AQDIndex.load(tmp_path / "db").add(PROBLEM.codes[:3])


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_that_is_replaced_while_it_is_opened_is_the_old_or_the_new(
    mmap: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, newer = tmp_path / "db", tmp_path / "newer"
    make().save(path)
    other = AQDIndex(QUANTIZER, "l2")
    other.add(PROBLEM.codes[::-1], np.arange(700) + 10_000)
    other.save(newer)
    read_header = persistence.read_header

    def replaced_behind(file: Any, *more: Any) -> Any:
        found = read_header(file, *more)
        os.replace(newer, path)
        return found

    monkeypatch.setattr(persistence, "read_header", replaced_behind)
    loaded = AQDIndex.load(path, mmap=mmap)
    expected = make() if 0 in loaded else other
    np.testing.assert_array_equal(loaded.ids, expected.ids)
    np.testing.assert_array_equal(loaded.codes, expected.codes)


def test_mapped_ids_are_saved_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = AQDIndex(AdditiveQuantizer.from_codebooks(np.zeros((1, 256, 1), np.float32)))
    index.add(np.zeros((400_000, 1), np.uint8), np.arange(400_000)[::-1])
    monkeypatch.setattr(ids, "LONGEST_LIST", 50_000)
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 2**16)
    index.save(tmp_path / "db")
    mapped = AQDIndex.load(tmp_path / "db")
    tracemalloc.start()
    mapped.save(tmp_path / "again")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "again").read_bytes() == (tmp_path / "db").read_bytes()
    assert peak < 1_500_000


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header of 0 bytes does not fit in 0"),
        (b"1234567", "does not fit in 7"),
        ((2**63).to_bytes(8, "little") + b"{}", "does not fit in 10"),
        ((3).to_bytes(8, "little") + b"{}", "does not fit in 10"),
        ((2).to_bytes(8, "little") + b"[]", "no JSON object"),
        ((2).to_bytes(8, "little") + b"\xff\xff", "codec can't decode"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "nested too deeply"),
        ((17).to_bytes(8, "little") + b'{"a": 1, "a": 2 }', "says something twice"),
        ((8).to_bytes(8, "little") + b'{"a": 1}', "a has no dtype"),
    ],
)
def test_a_file_that_is_none_is_refused(
    content: bytes, message: str, mmap: bool, tmp_path: Path
) -> None:
    path = tmp_path / "strange.wsdhq"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"strange\.wsdhq: expected a wsdhq index .*{message}"):
        AQDIndex.load(path, mmap=mmap)
