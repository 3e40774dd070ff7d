"""`benchmarks/exact_neighbours.py` and its contestants."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import contestants
import exact_neighbours
from tagged_clusters import write_kinds
from wsdhq.embed import TrainConfig, train

_SHARES = ["recall@10", "recall@100", "10 in 100", "1 in 10", "1 in 100"]


@pytest.fixture(scope="module")
def faiss():
    return pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of rows of which every tenth has no tag."""
    folder = tmp_path_factory.mktemp("neighbours")
    files = write_kinds(folder, 700)
    lines = (folder / "tags.txt").read_text().splitlines()
    lines[::10] = [""] * len(lines[::10])
    (folder / "tags.txt").write_text("".join(f"{line}\n" for line in lines))
    config = TrainConfig(
        out=str(folder / "run"), features=files.features, tags=files.tags, bits=16, epochs=2,
        num_queries=40, threads=1, hidden_dim=16, word_dim=15,
    )  # fmt: skip
    train(config, progress=False)
    return folder / "run"


def _parts(num_database: int = 500) -> contestants.Parts:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((num_database + 330, 15)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return contestants.Parts(vectors[:300], vectors[330:], vectors[300:330])


def _scores(way: str, queries, rebuilt):
    products = queries.astype(np.float64) @ rebuilt.T
    if way == "ip":
        return products
    if way == "l2":
        return 2 * products - (rebuilt.astype(np.float64) ** 2).sum(axis=1)
    return products / np.linalg.norm(rebuilt, axis=1)


def _check_searches(contestant: contestants.Contestant, queries) -> None:
    for way, (_, found) in contestant.searches.items():
        scores = _scores(way.split()[0], queries, contestant.rebuilt)
        best = -np.sort(-scores, axis=1)[:, :100]
        assert found.shape == best.shape
        assert all(len(set(row)) == len(row) for row in found.tolist())
        assert np.allclose(np.take_along_axis(scores, found, axis=1), best, atol=1e-5), way


@pytest.mark.parametrize("kind", ["LocalSearchQuantizer", "ResidualQuantizer"])
def test_additive_peers_find_what_their_reconstructions_say(faiss, kind):
    parts = _parts()
    peer = contestants.additive_peer(faiss, "peer", getattr(faiss, kind)(15, 2, 8), parts, 1)
    _check_searches(peer, parts.queries)
    assert {way: stored for way, (stored, _) in peer.searches.items()} == {
        "ip": 2, "l2": 6, "cosine by AQDIndex": 3,
    }  # fmt: skip
    assert ((parts.database - peer.rebuilt) ** 2).sum(axis=1).mean() < 0.6


def test_product_quantization_of_a_width_that_does_not_divide(faiss):
    parts = _parts()
    peer = contestants.product_peer(faiss, parts, 2)
    assert peer.rebuilt.shape == parts.database.shape
    _check_searches(peer, parts.queries)
    assert {way: stored for way, (stored, _) in peer.searches.items()} == {"ip": 2, "l2": 2}


def test_ours_finds_what_its_reconstructions_say():
    parts = _parts()
    ours = contestants.fit_ours(parts, 2, 0, 1)
    _check_searches(ours, parts.queries)
    stored = {way: number for way, (number, _) in ours.searches.items()}
    assert stored == {"ip": 2, "l2": 3, "cosine": 3}
    assert ours.train_seconds > 0
    assert ours.encode_seconds > 0


def test_exact_neighbours_are_those_by_cosine():
    parts = _parts()
    long = contestants.Parts(parts.train, parts.database * np.float32(3), parts.queries)
    long.database[7] *= 100
    found = exact_neighbours.exact_neighbours(long)
    expected = np.argsort(-(parts.queries.astype(np.float64) @ parts.database.T), axis=1)[:, :100]
    assert np.mean(found == expected) > 0.999


def test_shares_of_neighbours_found():
    # Found are the true neighbours two ranks late, behind two that are none.
    neighbours = np.arange(100)[None].repeat(3, axis=0)
    found = np.concatenate([[[200, 201]] * 3, neighbours[:, :98]], axis=1)
    database = np.zeros((300, 2), dtype=np.float32)
    contestant = contestants.Contestant("x", database + 0.5, {"ip": (2, found)}, 1.234)
    assert exact_neighbours.rows_of(contestant, database, neighbours) == [
        ["x: ip", "2", "0.5000", "1.23", "-", "0.800", "0.980", "1.000", "1.000", "1.000"]
    ]


def _main(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["exact_neighbours.py", *map(str, arguments)])
    exact_neighbours.main()


def test_the_table(faiss, run, monkeypatch, capsys):
    _main(monkeypatch, run)
    title, _, *lines = capsys.readouterr().out.splitlines()
    # Of 660 rows of the database a tenth or so has no tags.
    assert title.startswith("16 bits, D=15, 40 queries, 660 in the database, 59")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0] == ["codes, ranking", "bytes", "error", "train s", "encode s", *_SHARES]
    ours = ["wsdhq, the run", "wsdhq, identity"]
    assert [row[0] for row in rows[2:]] == [
        *(f"{name}: {way}" for name in ours for way in ("ip", "l2", "cosine")),
        *(
            f"faiss {name}: {way}"
            for name in ("LSQ", "RQ")
            for way in ("ip", "l2", "cosine by AQDIndex")
        ),
        "faiss PQ: ip",
        "faiss PQ: l2",
    ]
    # At random, a hundredth of the database is found among ten.
    assert all(0.2 < float(row[5]) <= 1 for row in rows[2:])


def test_without_faiss(run, monkeypatch):
    monkeypatch.setattr(exact_neighbours, "find_peer", lambda name: None)
    with pytest.raises(SystemExit, match=r"faiss is not installed: pip install 'wsdhq\[faiss\]'"):
        _main(monkeypatch, run)


def test_inputs_that_do_not_fit(faiss, run, tmp_path, monkeypatch):
    other = write_kinds(tmp_path, 90)
    with pytest.raises(SystemExit, match="codes of 700 images, but there are 90 rows of features"):
        _main(monkeypatch, run, "--features", other.features)
    config = TrainConfig(
        out=str(tmp_path / "whole"), features=other.features, tags=other.tags, bits=8, epochs=1,
        threads=1, hidden_dim=8, word_dim=8,
    )  # fmt: skip
    train(config, progress=False)
    with pytest.raises(SystemExit, match="expected a run on features, trained with --queries"):
        _main(monkeypatch, tmp_path / "whole")
