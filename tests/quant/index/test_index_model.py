"""Random edits of an index of several blocks, against plain lists and NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex

DIM, NUM_CODEBOOKS, CODEBOOK_SIZE = 6, 3, 11
# Whole numbers: inner products and distances are exact, ties are many.
PROBLEM = oracle.integer_problem(5, 4, DIM, NUM_CODEBOOKS, CODEBOOK_SIZE)
# Norms from 0 to far beyond those of the first codes, so that bins are outgrown.
CODEBOOKS = PROBLEM.codebooks.copy()
CODEBOOKS[:, 0] = 0
CODEBOOKS[:, CODEBOOK_SIZE - 1] *= 64
QUANTIZER = AdditiveQuantizer.from_codebooks(CODEBOOKS)
QUERIES = np.concatenate([PROBLEM.X, np.zeros((1, DIM), np.float32)])


class Model:
    """What an index must hold, as arrays in the order of positions."""

    def __init__(self) -> None:
        self.codes = np.empty((0, NUM_CODEBOOKS), np.uint8)
        self.ids = np.empty(0, np.int64)
        self.next_id = 0

    def add(self, codes: NDArray[np.uint8], ids: NDArray[np.int64]) -> None:
        self.codes = np.concatenate([self.codes, codes])
        self.ids = np.concatenate([self.ids, ids])
        if len(ids):
            self.next_id = max(self.next_id, int(ids.max()) + 1)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self.codes, self.ids = self.codes[kept], self.ids[kept]


def filters(model: Model, rng: np.random.Generator) -> list[tuple[object, NDArray[np.bool_]]]:
    """Filters of each kind, and the mask over positions that each stands for."""
    size = len(model.ids)
    mask = rng.random(size) < rng.choice([0.01, 0.2, 0.5, 1.0])
    low, high = sorted(int(end) for end in rng.integers(-5, model.next_id + 5, 2))
    inside = (model.ids >= low) & (model.ids < high)
    return [
        (None, np.ones(size, bool)),
        (mask, mask),
        (rng.permutation(np.repeat(model.ids[mask], 2)), mask),
        (range(low, high), inside),
    ]


def check(index: AQDIndex, model: Model, rng: np.random.Generator) -> None:
    size = len(model.ids)
    assert len(index) == size
    np.testing.assert_array_equal(index.ids, model.ids)
    np.testing.assert_array_equal(index.codes, model.codes)
    table = oracle.scores(QUERIES, CODEBOOKS, model.codes, index.similarity)
    for allowed, mask in filters(model, rng):
        part = np.where(mask, table, -np.inf)
        everything = int(mask.sum())
        check_search(index, model, part, allowed, everything)
        if allowed is not None:
            some = index.subset(allowed)
            np.testing.assert_array_equal(some.ids, model.ids[mask])
            np.testing.assert_array_equal(some.codes, model.codes[mask])
            check_search(some, model, part, None, everything)
        if everything and index.similarity != "cosine":
            check_range_search(index, model, part, allowed, rng)
    for infinite, count in ((-np.inf, size), (np.inf, 0)):
        limits, _, _ = index.range_search(QUERIES, infinite)
        np.testing.assert_array_equal(np.diff(limits), count)


def check_search(
    index: AQDIndex, model: Model, table: NDArray[np.float64], allowed: object, everything: int
) -> None:
    for k in {1, min(17, everything + 1), everything + 2}:
        scores, ids = index.search(QUERIES, k, allowed=allowed)
        if index.similarity == "cosine":
            compare_rounded(table, model, scores, ids, min(k, everything))
            continue
        expected_scores, expected_ids = oracle.top_k(table, k, ids=model.ids)
        expected_ids[np.isneginf(expected_scores)] = -1
        np.testing.assert_array_equal(scores, expected_scores)
        np.testing.assert_array_equal(ids, expected_ids)


def check_range_search(
    index: AQDIndex,
    model: Model,
    table: NDArray[np.float64],
    allowed: object,
    rng: np.random.Generator,
) -> None:
    # A threshold that is a score: equal ones belong to the answer.
    threshold = float(rng.choice(table[0][np.isfinite(table[0])]))
    for least in (threshold, float(np.nextafter(np.float32(threshold), np.float32(np.inf)))):
        limits, scores, ids = index.range_search(QUERIES, least, allowed=allowed)
        for q, row in enumerate(table):
            found = slice(limits[q], limits[q + 1])
            order = np.argsort(-row, kind="stable")
            order = order[row[order] >= least]
            np.testing.assert_array_equal(ids[found], model.ids[order])
            np.testing.assert_array_equal(scores[found], row[order])


def compare_rounded(
    table: NDArray[np.float64],
    model: Model,
    scores: NDArray[np.float32],
    ids: NDArray[np.int64],
    count: int,
) -> None:
    """Cosines are no whole numbers: the scores of what was found must be the best, but rounded."""
    best = -np.sort(-table, axis=1)[:, :count]
    np.testing.assert_allclose(scores[:, :count], best, atol=1e-5)
    place = {int(name): n for n, name in enumerate(model.ids)}
    for row, (found, own) in enumerate(zip(ids[:, :count], scores[:, :count], strict=True)):
        assert len(set(found.tolist())) == count
        exact = table[row, [place[int(name)] for name in found]]
        np.testing.assert_allclose(own, exact, atol=1e-5)
        positions = np.array([place[int(name)] for name in found])
        assert np.all((np.diff(own) < 0) | (np.diff(positions) > 0))
    assert np.all(ids[:, count:] == -1)
    assert np.all(np.isneginf(scores[:, count:]))


@pytest.fixture(params=["as it is", "cut up small"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with limits so low that ids are in many spans, and filters in many parts."""
    if request.param == "cut up small":
        monkeypatch.setattr("wsdhq.quant.index.ids.LONGEST_LIST", 200)
        monkeypatch.setattr("wsdhq.quant.index.ids.SHORTEST_RUN", 30)
        monkeypatch.setattr("wsdhq.quant.index.filters.MAX_BYTES", 4096)


@pytest.mark.slow
@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("similarity", ["ip", "l2", "cosine"])
@pytest.mark.parametrize("seed", range(3))
def test_random_edits(similarity: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([seed, 7])
    index, model = AQDIndex(QUANTIZER, similarity), Model()
    largest = 1  # codewords in use: later codes have norms that earlier ones had not

    def draw(count: int) -> NDArray[np.uint8]:
        return rng.integers(0, largest, (count, NUM_CODEBOOKS), dtype=np.uint8)

    for step in range(14):
        largest = min(CODEBOOK_SIZE, largest + 1)
        count = int(rng.choice([0, 1, 3, 511, 512, 513, 700, 1025]))
        match rng.choice(["add", "add", "add ids", "remove", "update", "merge", "file", "subset"]):
            case "add":
                codes = draw(count)
                index.add(codes)
                model.add(codes, model.next_id + np.arange(count))
            case "add ids":
                codes = draw(count)
                ids = np.setdiff1d(rng.permutation(20_000)[:count], model.ids)
                ids = rng.permutation(ids)
                index.add(codes[: len(ids)], ids)
                model.add(codes[: len(ids)], ids)
            case "remove":
                kept = rng.random(len(model.ids)) < rng.choice([0.0, 0.3, 0.99])
                index.remove(rng.permutation(model.ids[~kept]))
                model.keep(kept)
            case "update":
                changed = rng.permutation(len(model.ids))[:count]
                codes = draw(len(changed))
                index.update(codes, model.ids[changed])
                model.codes = model.codes.copy()
                model.codes[changed] = codes
            case "subset":
                kept = rng.random(len(model.ids)) < 0.9
                index = index.subset(kept)
                model.keep(kept)
            case "merge":
                codes = draw(count)
                other = AQDIndex(QUANTIZER, similarity)
                ids = 100_000 * (step + 1) + rng.permutation(count)
                other.add(codes, ids)
                index.merge(other)
                model.add(codes, ids)
            case "file":
                index.save(tmp_path / "index")
                index = AQDIndex.load(tmp_path / "index", mmap=bool(rng.integers(2)))
        check(index, model, rng)


def test_readers_keep_what_they_began_with() -> None:
    # Additions write behind what was handed out; norms that outgrow their bins change copies.
    rng = np.random.default_rng(0)
    index = AQDIndex(QUANTIZER, "l2")
    index.add(rng.integers(0, 2, (600, NUM_CODEBOOKS), dtype=np.uint8))
    readers = []
    for _ in range(30):
        rows = index._rows
        columns = rows.blocks.columns(0, len(rows))
        readers.append((rows, columns, rows.blocks.edges.copy(), index.ids.copy()))
        index.add(rng.integers(0, CODEBOOK_SIZE, (100, NUM_CODEBOOKS), dtype=np.uint8))
    index.remove(index.ids[::2])
    assert len({rows.blocks.edges.tobytes() for rows, *_ in readers}) > 1
    for rows, columns, edges, ids in readers:
        np.testing.assert_array_equal(rows.blocks.columns(0, len(rows)), columns)
        np.testing.assert_array_equal(rows.blocks.edges, edges)
        np.testing.assert_array_equal(rows.ids.between(0, len(rows)), ids)
