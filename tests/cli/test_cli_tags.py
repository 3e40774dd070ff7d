"""`wsdhq tags`, and the presets and variants of `wsdhq train`."""

from __future__ import annotations

import json

import pytest

from wsdhq.embed import TrainConfig

WORDS = {
    "dog": (1.0, 0.0, 0.0),
    "dogs": (0.99, 0.05, 0.0),
    "sea": (0.0, 1.0, 0.0),
    "ocean": (0.0, 0.9, 0.4),
    "car": (0.0, 0.0, 1.0),
}


@pytest.fixture
def words(tmp_path):
    """A folder with `tags.txt` and `words.vec`."""
    lines = [f"{word} {' '.join(map(str, vector))}" for word, vector in WORDS.items()]
    (tmp_path / "words.vec").write_text("\n".join([f"{len(lines)} 3", *lines]) + "\n")
    (tmp_path / "tags.txt").write_text("dog sea\ndogs ocean\nzebra car\n\n")
    return tmp_path


def test_groups_edges_and_counts_are_printed(words, wsdhq):
    outcome = wsdhq.done(
        "tags", "--tags", words / "tags.txt", "--word-vectors", words / "words.vec",
        "--min-count", 1, "--out", words / "groups.json",
    )  # fmt: skip
    assert "5 tags, 4 links (cosine at least 0.75 among the 20 nearest), 1 tags without any" in (
        outcome.out
    )
    assert "1 tags dropped (1 occurrences): zebra" in outcome.out
    assert "merged          4 tags into 2 groups (within 0.1): 3 points" in outcome.out
    assert "2  dog, dogs\n" in outcome.out
    assert "2  sea, ocean\n" in outcome.out
    groups = json.loads((words / "groups.json").read_text())["groups"]
    assert groups == [["dog", "dogs"], ["sea", "ocean"], ["car"]]


def test_without_neighbours_and_radius_nothing_is_linked_or_merged(words, wsdhq):
    outcome = wsdhq.done(
        "tags", "--tags", words / "tags.txt", "--word-vectors", words / "words.vec",
        "--min-count", 1, "--num-neighbours", 0, "--radius", 0,
    )  # fmt: skip
    assert "5 tags, 0 links" in outcome.out
    assert "0 tags into 0 groups" in outcome.out


def test_more_groups_than_shown_are_counted(words, wsdhq):
    outcome = wsdhq.done(
        "tags", "--tags", words / "tags.txt", "--word-vectors", words / "words.vec",
        "--min-count", 1, "--show", 1,
    )  # fmt: skip
    assert "and 1 more groups of several tags" in outcome.out


def test_mistakes_name_the_file(words, wsdhq):
    outcome = wsdhq("tags", "--tags", words / "tags.txt", "--word-vectors", words / "words.vec")
    assert outcome.status == 2
    assert "tags.txt: no tag is carried by min_count = 5 images" in outcome.err


def test_presets_and_variants_give_way_to_what_is_asked_for(features, wsdhq, tmp_path):
    wsdhq.done(
        "train", *features.train, "--preset", "mirflickr25k", "--variant", "WSDHQ_L",
        "--epochs", 1, "--out", tmp_path / "run",
    )  # fmt: skip
    config = TrainConfig.load(tmp_path / "run/config.toml")
    assert (config.loss, config.margin) == ("batch_hinge", 0.2)
    assert (config.schedule, config.halve_every, config.dropout) == ("halving", 300, 0.0)
    assert (config.epochs, config.num_queries, config.radius) == (1, 40, 0.2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--preset mirflickr25k", {"loss": "adaptive_margin", "normalize": True, "gamma": 1.0}),
        (
            "--preset mirflickr25k --variant WSDHQ_N",
            {"loss": "adaptive_margin", "normalize": False, "schedule": "halving", "dropout": 0.0},
        ),
        (
            "--preset nuswide --variant wsdhq-2 --set num_train=60",
            {"quantization_weight": 0.0, "num_train": 60, "schedule": "halving"},
        ),
        ("--variant WSDHQ", {"loss": "adaptive_margin", "quantizer_metric": "semantic"}),
        ("--variant WSDHQ --set whitening=0.25", {"loss": "adaptive_margin", "whitening": 0.25}),
        ("--variant no-neighbours", {"loss": "tag_softmax", "neighbour_weight": 0.0}),
        # Of a preset, the default takes what the data is, and not the paper's objective.
        ("--preset mirflickr25k --variant default", {"loss": "tag_softmax", "word_dim": 300}),
        ("", {"loss": "tag_softmax"}),
    ],
)
def test_a_variant_stands_above_a_preset_and_options_above_both(
    options, expected, features, wsdhq, tmp_path
):
    own = ("--epochs", 1, "--hidden-dim", 8)
    wsdhq.done("train", *features.train, *own, *options.split(), "--out", tmp_path / "run")
    config = TrainConfig.load(tmp_path / "run/config.toml")
    assert {name: getattr(config, name) for name in expected} == expected
    assert (config.epochs, config.hidden_dim, config.batch_size) == (1, 8, 32)
    assert config.num_queries == 40


@pytest.mark.parametrize(
    ("option", "known"), [("--preset", "'mirflickr25k', 'nuswide'"), ("--variant", "'WSDHQ_G'")]
)
def test_unknown_presets_and_variants_list_the_known_ones(features, wsdhq, option, known, tmp_path):
    outcome = wsdhq("train", *features.train, option, "nonsense", "--out", tmp_path / "run")
    assert outcome.status == 2
    assert f"error: {option}: expected one of {known}" in outcome.err
    assert "got 'nonsense'" in outcome.err
    assert not (tmp_path / "run").exists()
