"""`wsdhq search`: the right images, under the right ids, with their own tags."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wsdhq.data import read_tags
from wsdhq.embed import TrainedModel
from wsdhq.embed.tags.text_query import known_tags
from wsdhq.quant import AQDIndex


def _parsed(outcome):
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_features_find_what_the_index_finds(features, wsdhq, tmp_path):
    values = np.load(features / "features.npy")[[3, 200]]
    np.save(tmp_path / "query.npy", values)
    query = tmp_path / "query.npy"
    found = _parsed(
        wsdhq.done(
            "search", features.run, "--index", features / "db", "--query", query, "-k", 7, "--json"
        )
    )
    embeddings = TrainedModel.load(features.run).embed(values)
    scores, ids = AQDIndex.load(features / "db").search(embeddings, 7)
    assert [each["query"] for each in found] == [f"{query}, row 0", f"{query}, row 1"]
    for each, expected_ids, expected_scores in zip(found, ids, scores):
        assert [result["id"] for result in each["results"]] == expected_ids.tolist()
        np.testing.assert_allclose(
            [result["score"] for result in each["results"]], expected_scores, rtol=1e-5
        )


def test_more_results_than_images_are_all_images(features, wsdhq):
    found = _parsed(
        wsdhq.done(
            "search", features.run, "--index", features / "db", "--words", "boat",
            "-k", 10**9, "--json",
        )
    )  # fmt: skip
    assert sorted(result["id"] for result in found[0]["results"]) == list(range(240))


def test_words_find_images_of_their_kind(features, wsdhq):
    outcome = wsdhq.done(
        "search", features.run, "--index", features / "db", "--words", "My Boat fish", "--json"
    )
    (found,) = _parsed(outcome)
    kinds = {wsdhq.kinds[features.kinds[result["id"]]] for result in found["results"]}
    assert found["query"] == "My Boat fish"
    assert kinds <= {"boat", "fish"}


def test_results_carry_the_tags_of_their_input_row_past_unreadable_images(images, wsdhq):
    arguments = (
        "search", images.run, "--index", images / "db", "--words", "tree", "-k", 200,
        "--tags", images / "tags.jsonl",
    )  # fmt: skip
    (found,) = _parsed(wsdhq.done(*arguments, "--json"))
    tags = read_tags(images / "tags.jsonl")
    ids = [result["id"] for result in found["results"]]
    assert sorted(ids) == np.setdiff1d(np.arange(120), wsdhq.broken).tolist()
    assert [result["tags"] for result in found["results"]] == [tags[i] for i in ids]
    table = wsdhq.done(*arguments).out.splitlines()
    assert table[0] == "tree"
    rows = [line for line in table if line.startswith("│")]
    for rank, (row, i) in enumerate(zip(rows, ids), start=1):
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells[:2] == [str(rank), str(i)]
        assert cells[3] == ", ".join(tags[i])


def test_an_image_finds_itself(images, wsdhq):
    outcome = wsdhq.done(
        "search", images.run, "--index", images / "db", "--json",
        "--query", images / "images/007.png", "--query", images / "images/051.png",
    )  # fmt: skip
    for found, row in zip(_parsed(outcome), (7, 51)):
        kinds = images.kinds[[result["id"] for result in found["results"]]]
        assert found["query"] == str(images / f"images/{row:03d}.png")
        assert (kinds == images.kinds[row]).mean() > 0.5


def test_a_folder_of_queries_names_each_and_skips_the_unreadable(images, wsdhq):
    outcome = wsdhq.done(
        "search", images.run, "--index", images / "db", "--query", images / "images", "--json",
        "-k", 1,
    )  # fmt: skip
    kept = np.setdiff1d(np.arange(120), wsdhq.broken)
    assert [each["query"] for each in _parsed(outcome)] == [f"{row:03d}.png" for row in kept]
    assert "3 of 120 images could not be read" in outcome.err


def test_control_characters_in_tags_do_not_reach_the_terminal(features, wsdhq, tmp_path):
    path = tmp_path / "tags.jsonl"
    path.write_text('["\\u001b[2Jevil", "[bold]x"]\n' * 240)
    outcome = wsdhq.done(
        "search", features.run, "--index", features / "db", "--words", "boat", "--tags", path
    )
    assert "\x1b" not in outcome.out
    assert "\N{REPLACEMENT CHARACTER}[2jevil, [bold]x" in outcome.out


def test_quiet_prints_results_only(features, wsdhq):
    arguments = ("search", features.run, "--index", features / "db", "--words", "boat", "--json")
    outcome = wsdhq("--quiet", *arguments, "--threads", 1)
    assert outcome.status == 0
    assert outcome.err == ""
    assert outcome.out == wsdhq.done(*arguments).out


def test_words_are_cut_into_the_longest_known_tags():
    known = {"red": 0, "shoes": 1, "red shoes": 2, "red shoes sale now": 3}
    assert known_tags("RED shoes  red", known) == ["red shoes", "red"]
    assert known_tags("red shoes sale now", known) == ["red shoes sale now"]
    assert known_tags("shoes red", known) == ["shoes", "red"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red sale", "'sale' is not among the 3 tags that training knew"),
        ("shoe", "'shoe' is not among the 3 tags that training knew; similar ones: 'shoes'"),
        (" ", "expected at least one word"),
    ],
)
def test_an_unknown_word_is_named_with_similar_ones(text, expected):
    with pytest.raises(ValueError, match=expected):
        known_tags(text, {"red": 0, "shoes": 1, "red shoes": 2})
