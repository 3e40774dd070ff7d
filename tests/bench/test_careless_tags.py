"""`benchmarks/careless_tags.py`: tags made worse, and the ridge regression beside it."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest

import careless_tags
import carelessness
from ridge import ridge_embeddings
from tagged_clusters import draw, write_kinds

_TAGS = [[f"t{number}" for number in range(row % 6)] for row in range(4000)]


def _generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_dropping(share):
    dropped = carelessness.drop(_TAGS, share, _generator())
    assert len(dropped) == len(_TAGS)
    for before, after in zip(_TAGS, dropped):
        assert [tag for tag in before if tag in after] == after
    kept = sum(map(len, dropped)) / sum(map(len, _TAGS))
    assert abs(kept - (1 - share)) < 0.02
    # Images differ in what they lose, and some of them lose all.
    assert len({tuple(tags) for before, tags in zip(_TAGS, dropped) if len(before) == 5}) > 5
    assert any(before and not after for before, after in zip(_TAGS, dropped))
    assert dropped == carelessness.drop(_TAGS, share, _generator())
    assert dropped != carelessness.drop(_TAGS, share, np.random.default_rng(4))


def test_replacing():
    tags = [["common", f"own{row}"] for row in range(4000)]
    replaced = carelessness.replace(tags, 0.3, _generator())
    assert all(len(set(after)) == len(after) > 0 for after in replaced)
    own = sum(f"own{row}" in after for row, after in enumerate(replaced)) / 4000
    assert abs(own - 0.7) < 0.03
    # Half of all occurrences are of one tag, so half of what replaces another is: it is on those
    # that keep it (.7), get it for itself (.15), or else get it for the other (.15 * .15).
    counts = Counter(tag for after in replaced for tag in after)
    assert abs(counts["common"] / 4000 - (0.85 + 0.15 * 0.15)) < 0.03
    assert replaced == carelessness.replace(tags, 0.3, _generator())


def test_nothing_is_changed_in_place():
    before = [list(tags) for tags in _TAGS]
    for change in carelessness.CONDITIONS.values():
        change(_TAGS, _generator())
    assert before == _TAGS


def test_the_ridge_finds_what_tags_name():
    world = draw(2.0, 800)
    database = np.arange(40, 800)
    embeddings, trained = ridge_embeddings(world.features, world.tags, database, dim=16)
    assert embeddings.shape == (800, 16)
    assert embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert trained.tolist() == [row for row in database if world.tags[row]]
    # The first 40 took no part: their nearest images are of their cluster all the same.
    nearest = database[(embeddings[:40] @ embeddings[database].T).argmax(axis=1)]
    found = np.mean(world.clusters[nearest] == world.clusters[:40])
    assert found > 0.9
    raw = world.features - world.features.mean(axis=0)
    near_raw = database[(raw[:40] @ raw[database].T).argmax(axis=1)]
    # The noise dimensions do not count any more.
    assert found > np.mean(world.clusters[near_raw] == world.clusters[:40])


def test_the_ridge_is_the_least_squares_map_where_it_fits_exactly():
    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=200)
    tags = [[("a", "b", "c")[kind]] for kind in kinds]
    # One feature does not vary, and the others tell the kind without any noise.
    features = np.concatenate([np.eye(3)[kinds], np.full((200, 1), 7.0)], axis=1)
    embeddings, _ = ridge_embeddings(features, tags, np.arange(200))
    assert embeddings.shape == (200, 3)
    assert np.allclose(embeddings @ embeddings.T, kinds[:, None] == kinds, atol=0.01)


def test_the_ridge_without_tags():
    with pytest.raises(ValueError, match="no tag is on 5 of the 9 rows"):
        ridge_embeddings(np.eye(9), [[f"own{row}"] for row in range(9)], np.arange(9))


def test_tables_of_all_methods_and_conditions(tmp_path, monkeypatch, capsys):
    files = write_kinds(tmp_path, 320)
    monkeypatch.setattr(careless_tags, "variant_settings", _small)
    arguments = [
        "--features", files.features, "--tags", files.tags, "--labels", files.labels,
        "--by", "kind", "--by", "half", "--queries", "20", "--bits", "8", "--threads", "1",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["careless_tags.py", *arguments])
    careless_tags.main()
    said = capsys.readouterr()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in said.out.splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == ["tags, method", "by kind", "points lost", "by half", "points lost"]
    conditions = ("as they are", "50 % dropped", "80 % dropped", "30 % replaced")
    assert [row[0] for row in rows[2:]] == [
        f"{condition}, {method}"
        for condition in conditions
        for method in ("default", "WSDHQ", "ridge")
    ]
    whole = {row[0].split(", ")[1]: float(row[1]) for row in rows[2:5]}
    for cells in rows[2:]:
        condition, method = cells[0].split(", ")
        # A random ranking has about .25.
        assert float(cells[1]) > 0.7
        lost = "" if condition == "as they are" else 100 * (whole[method] - float(cells[1]))
        assert cells[2] == lost or abs(float(cells[2]) - lost) < 0.011
    assert len(said.err.splitlines()) == 12


def _small(name: str) -> dict:
    from wsdhq.embed.config.variants import variant_settings

    return {**variant_settings(name), "epochs": 6, "batch_size": 64, "word_epochs": 5}
