"""`benchmarks/held_out_tags.py`: images kept out of the training, found by and told their tags."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import held_out_tags
from tagged_clusters import write_kinds
from wsdhq.evaluation import rank_by_inner_product

# So little that some pairs find nothing.
_DEPTH = 20


def _random_world(seed: int):
    rng = np.random.default_rng(seed)
    # Some tags on fewer than 20 rows, one on all, rows without any.
    tags = [
        sorted({f"t{number}" for number in rng.geometric(0.15, size=rng.integers(0, 5))} | {"all"})
        if row % 7
        else []
        for row in range(400)
    ]
    vectors = rng.standard_normal((400, 6)).astype(np.float32)
    order = rng.permutation(400)
    return tags, vectors, np.sort(order[:300]), np.sort(order[300:])


def _by_hand(tags, vectors, trained, queries, rows) -> tuple[float, float]:
    counts = {}
    for row in trained:
        for tag in tags[row]:
            counts[tag] = counts.get(tag, 0) + 1
    judged = {tag: np.log(len(trained) / count) for tag, count in counts.items() if count >= 20}
    total = mass = 0.0
    precisions = []
    for query in queries:
        scores = [vectors[query] @ vectors[row] for row in rows]
        ranking = sorted(range(len(rows)), key=lambda place: -scores[place])[:_DEPTH]
        for tag in tags[query]:
            if tag not in judged:
                continue
            hits = precision = 0
            for rank, place in enumerate(ranking, 1):
                if tag in tags[rows[place]]:
                    hits += 1
                    precision += hits / rank
            precisions.append(precision / hits if hits else 0.0)
            total += judged[tag] * precisions[-1]
            mass += judged[tag]
    return sum(precisions) / len(precisions), total / mass


@pytest.mark.parametrize("seed", [0, 1])
def test_retrieval_by_tag_is_that_of_plain_loops(seed, monkeypatch):
    monkeypatch.setattr(held_out_tags, "DEPTH", _DEPTH)
    tags, vectors, trained, held_out = _random_world(seed)
    classes = held_out_tags.tag_classes(tags, trained, held_out, 30)
    assert set(classes.queries) < set(held_out)
    assert all(_has_judged_tag(tags, trained, row) for row in classes.queries)
    assert set(classes.unseen) == set(held_out) - set(classes.queries)
    for rows in (classes.unseen, trained):
        rank = rank_by_inner_product(vectors[classes.queries], vectors[rows], _DEPTH)
        found = held_out_tags.precision_by_tag(rank, classes, rows)
        assert np.allclose(found, _by_hand(tags, vectors, trained, classes.queries, rows))


def _has_judged_tag(tags, trained, row) -> bool:
    return any(sum(tag in tags[other] for other in trained) >= 20 for tag in tags[row])


def test_no_more_queries_than_asked_for():
    tags, _, trained, held_out = _random_world(0)
    few = held_out_tags.tag_classes(tags, trained, held_out, 9).queries
    assert len(set(few)) == 9
    assert set(few) <= set(held_out)


def test_no_tag_to_judge_by():
    tags = [["all", f"own{row}"] for row in range(100)]
    with pytest.raises(ValueError, match="none is on 20 or more of the 90 training rows"):
        held_out_tags.tag_classes(tags, np.arange(90), np.arange(90, 100), 10)


def test_average_precision_of_an_images_own_tags():
    scores = np.array([[0.9, 0.1, 0.5, 0.3], [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]])
    carried = np.array([[1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    # Ranks 1 and 3 of the first, rank 1 of the second; the third has no tag to find.
    expected = ((1 / 1 + 2 / 3) / 2 + 1) / 2
    assert np.isclose(held_out_tags._average_precision(scores, carried), expected)


def _run(monkeypatch, folder, *arguments: str) -> None:
    files = write_kinds(folder, 300)
    command = ["held_out_tags.py", "--features", files.features, "--tags", files.tags]
    monkeypatch.setattr(sys, "argv", [*command, "--queries", "20", "--threads", "1", *arguments])
    held_out_tags.main()


def test_a_line_for_each_variant_setting_and_width(tmp_path, monkeypatch, capsys):
    _run(
        monkeypatch, tmp_path, "--variant", "default", "--variant", "WSDHQ_2", "--bits", "8",
        "--set", "epochs=8", "--set", "epochs=8 relaxation=none", "--max-queries", "15",
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "default epochs=8, 8 bits",
        "default epochs=8 relaxation=none, 8 bits",
        "WSDHQ_2 epochs=8, 8 bits",
        "WSDHQ_2 epochs=8 relaxation=none, 8 bits",
    ]
    for line in lines:
        unseen, trained, own_tags, sizes = line.replace(" (", "; (").split("; ")
        # A quarter of the rows carry a tag; two of eight tags at random have a precision of .42.
        assert min(_figures(unseen.split("unseen: ")[1])) > 0.6
        assert min(_figures(trained.split("trained: ")[1])) > 0.8
        assert min(_figures(own_tags.split("tags: ")[1])) > 0.7
        assert sizes == "(15 queries, 13 unseen, 252 trained, 8 tags)"


def _figures(text: str) -> list[float]:
    parts = [part.split()[-1] for part in text.split(",")]
    return [float(figure) for part in parts for figure in part.split("/")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "epochs=1", "--set", "epoch=1"], "got 'epoch'; did you mean 'epochs'"),
        (["--set", "bits=8"], "bits is given twice"),
        (
            ["--set", "epochs=1", "--variant", "default", "--variant", "WSDQH"],
            "variant: expected one of 'WSDHQ_G', .*, got 'WSDQH'; did you mean 'WSDHQ'",
        ),
        (["--set", "dropout=1"], "dropout: expected 0 <= dropout < 1, got 1"),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(
    arguments, message, tmp_path, monkeypatch, capsys
):
    with pytest.raises(ValueError, match=message):
        _run(monkeypatch, tmp_path, *arguments)
    assert capsys.readouterr().out == ""
