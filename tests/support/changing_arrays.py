"""Calls on arrays that another thread changes all the while, run by `test_changing_arrays.py`.

Usage: changing_arrays.py OPERATION CALLS. Each call either gives what is valid, or raises a
ValueError that names the argument. Prints how many did which.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics

RNG = np.random.default_rng(0)
NUM, DIM = 20_000, 16


def quantizer(codebook_size: int, dim: int = DIM) -> AdditiveQuantizer:
    return AdditiveQuantizer.from_codebooks(RNG.standard_normal((4, codebook_size, dim)))


FULL, SMALL = quantizer(256), quantizer(50)
X = RNG.standard_normal((NUM, DIM)).astype(np.float32)
CODES = RNG.integers(0, 50, (NUM, 4), dtype=np.uint8)
PATH = Path(tempfile.mkdtemp())


def codes_in_a_file() -> np.ndarray:
    """Codes in a file that is mapped twice: by the one who reads and by the one who writes."""
    CODES.tofile(PATH / "codes")
    return np.memmap(PATH / "codes", np.uint8, "r", shape=CODES.shape)


def writer_of(array: np.ndarray) -> np.ndarray:
    if isinstance(array, np.memmap):
        return np.memmap(PATH / "codes", np.uint8, "r+", shape=array.shape)
    return array


def expect_codes(codes: np.ndarray, codebook_size: int) -> None:
    assert codes.max() < codebook_size, codes.max()


def encoding(codebook_size: int, **arguments: object) -> Callable[[np.ndarray], None]:
    q = FULL if codebook_size == 256 else SMALL

    def encode(vectors: np.ndarray) -> None:
        expect_codes(q.encode(vectors, **arguments), codebook_size)

    return encode


def warm(codes: np.ndarray) -> None:
    expect_codes(SMALL.encode(X, codes, iterations=0), 50)


DECODED = SMALL.decode(CODES)


def decoding(codes: np.ndarray) -> None:
    # No other codes than these are valid.
    np.testing.assert_array_equal(SMALL.decode(codes), DECODED)


def fitting(codes: np.ndarray) -> None:
    q = AdditiveQuantizer(4, 50, iterations=0).fit(X, codes=codes)
    assert np.isfinite(q.codebooks).all()


def counting(codebook_size: int) -> Callable[[np.ndarray], None]:
    def count(codes: np.ndarray) -> None:
        s = CodeStatistics(4, codebook_size, DIM).update(X, codes)
        assert s.count == NUM
        # Each codeword's vectors are counted as often as they are summed.
        ones = CodeStatistics(4, codebook_size, 1).update(np.ones((NUM, 1), np.float32), codes)
        uses = np.diagonal(ones.histogram.reshape((4 * codebook_size,) * 2))
        np.testing.assert_array_equal(ones.sums.reshape(-1), uses)

    return count


def summing(vectors: np.ndarray) -> None:
    assert np.isfinite(CodeStatistics(4, 50, DIM).update(vectors, CODES).sums).all()


def adding(similarity: str) -> Callable[[np.ndarray], None]:
    def add(codes: np.ndarray) -> None:
        index = AQDIndex(SMALL, similarity)
        for _ in range(2):
            index.add(codes)
        index.update(codes, np.arange(NUM))
        expect_codes(index.codes, 50)
        index.save(PATH / "index")
        loaded = AQDIndex.load(PATH / "index", verify=True)
        # The bins of norms belong to the codes: the filter by bins loses nothing.
        scores, ids = loaded.search(X[:3], k=10)
        fresh = AQDIndex(SMALL, similarity)
        fresh.add(loaded.codes)
        expected = fresh.search(X[:3], k=10)
        np.testing.assert_array_equal(scores, expected[0])
        np.testing.assert_array_equal(ids, expected[1])

    return add


INDEX = AQDIndex(SMALL, "cosine")
INDEX.add(CODES)
LISTED = AQDIndex(SMALL, "l2")
LISTED.add(CODES, RNG.permutation(NUM) * 3)


def asking(queries: np.ndarray) -> None:
    scores, ids = INDEX.search(queries, k=20)
    assert np.isfinite(scores).all()
    assert (ids >= 0).all()
    assert (ids < NUM).all()


def filtering(allowed: np.ndarray) -> None:
    for index in (INDEX, LISTED):
        _, ids = index.search(X[:5], k=20, allowed=allowed)
        found = ids[ids >= 0]
        assert not len(found) or bool((index.ids[:, None] == found[:3]).any(axis=0).all())


# What is called, the array to change, and what is written to it in turns.
NAN, HUGE = np.float32("nan"), np.float32(3e38)
OPERATIONS: dict[str, tuple[Callable[[np.ndarray], None], Callable[[], np.ndarray], list]] = {
    "encode": (encoding(50), X.copy, [X, NAN, -HUGE]),
    "encode, 256 codewords": (encoding(256), X.copy, [X, NAN, HUGE]),
    "encode with noise on the codebooks": (encoding(50, iterations=3), X.copy, [X, NAN, HUGE]),
    "encode from codes": (warm, codes_in_a_file, [CODES, 255]),
    "decode": (decoding, codes_in_a_file, [CODES, 255]),
    "fit from codes": (fitting, CODES.copy, [CODES, 255]),
    "statistics": (counting(50), codes_in_a_file, [CODES, 255]),
    "statistics, 256 codewords": (counting(256), codes_in_a_file, [CODES, 255, 3]),
    "statistics of vectors": (summing, X.copy, [X, NAN]),
    "add": (adding("ip"), codes_in_a_file, [CODES, 255, 7]),
    "add with norms": (adding("cosine"), CODES.copy, [CODES, 255, 7, 49]),
    "search": (asking, lambda: X[:200].copy(), [X[:200], NAN, HUGE]),
    "filter by ids": (filtering, lambda: np.arange(0, NUM, 30), [np.arange(0, NUM, 30), -5, 2**62]),
    "filter by mask": (filtering, lambda: np.zeros(NUM, bool), [np.zeros(NUM, bool), True]),
}


def main(operation: str, calls: int) -> None:
    call, make, written = OPERATIONS[operation]
    array = make()
    target = writer_of(array)
    over = threading.Event()

    good, *others = written
    half = slice(len(target) // 2, None)

    def write() -> None:
        while not over.is_set():
            for other in others:
                # Seldom wrong, and seldom for long: a check that looks once is deceived most often.
                for rows in (slice(-1, None), half):
                    target[rows] = other
                    for _ in range(30):
                        target[rows] = good[rows]

    threading.Thread(target=write, daemon=True).start()
    refused = 0
    try:
        for _ in range(calls):
            try:
                call(array)
            except ValueError as error:
                if str(error).split(":")[0] not in ("X", "Q", "codes", "allowed"):
                    raise
                refused += 1
    finally:
        over.set()
    print(f"{calls - refused} answered, {refused} refused")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
