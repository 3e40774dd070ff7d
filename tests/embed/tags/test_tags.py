"""From tag sets to the semantic sphere, against a version written with plain loops."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tag_oracle import brute_graph, brute_groups, clustered
from wsdhq.embed.tags import SemanticSphere, TagReport, build_semantic_sphere
from wsdhq.embed.tags.word_vectors import WordVectors


def small_world(seed: int) -> tuple[list[list[str]], WordVectors]:
    """Tag sets over clustered word vectors; some tags have no vector, some images no tags."""
    rng = np.random.default_rng(seed)
    num_words = int(rng.integers(3, 70))
    words = [f"word{i}" for i in range(num_words)]
    word_vectors = WordVectors(words, clustered(rng, num_words, 12, 0.25))
    vocabulary = [*words, "unknown", "other unknown"]
    weights = rng.dirichlet(np.ones(len(vocabulary)))
    tag_sets = [
        rng.choice(vocabulary, size=int(rng.integers(0, 6)), p=weights).tolist() for _ in range(150)
    ]
    return [*tag_sets, ["unknown"], [words[0]]], word_vectors


@pytest.mark.parametrize("seed", range(8))
def test_equals_plain_loops(seed: int) -> None:
    tag_sets, word_vectors = small_world(seed)
    settings = {"num_neighbours": 4, "threshold": 0.8, "radius": 0.6}
    built = build_semantic_sphere(tag_sets, word_vectors, **settings)

    tags: list[str] = []
    for image in tag_sets:
        for tag in image:
            if tag in word_vectors.words and tag not in tags:
                tags.append(tag)
    vectors = np.stack([word_vectors.vectors[word_vectors.words.index(tag)] for tag in tags])
    adjacency = brute_graph(vectors, settings["num_neighbours"], settings["threshold"])
    enhanced = np.stack([vectors[row > 0].astype(float).mean(axis=0) for row in adjacency])
    group_of = brute_groups(enhanced, settings["radius"])
    num_groups = int(group_of.max()) + 1

    assert built.group_of_tag == {tag: int(group) for tag, group in zip(tags, group_of)}
    assert built.members == tuple(
        tuple(tag for tag, of in zip(tags, group_of) if of == group) for group in range(num_groups)
    )
    means = np.stack([enhanced[group_of == group].mean(axis=0) for group in range(num_groups)])
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    assert built.sphere.dtype == np.float32
    assert np.allclose(built.sphere, expected, atol=1e-6)
    for row, image in enumerate(tag_sets):
        carried = {built.group_of_tag[tag] for tag in image if tag in built.group_of_tag}
        assert set(built.positives[[row]].indices.tolist()) == carried

    report = built.report
    images_without = [image for image in tag_sets if not set(image) & set(tags)]
    merged = [group for group in built.members if len(group) > 1]
    assert report.num_images == len(tag_sets)
    assert report.num_untagged == sum(not image for image in tag_sets)
    assert report.num_left_without_tags == sum(bool(image) for image in images_without)
    assert report.num_distinct == len({tag for image in tag_sets for tag in image})
    assert report.num_occurrences == sum(len(set(image)) for image in tag_sets)
    assert report.unknown_occurrences == sum(
        len({"unknown", "other unknown"} & set(image)) for image in tag_sets
    )
    assert report.num_unknown == report.num_distinct - len(tags)
    assert report.num_tags == len(tags)
    assert report.num_edges == adjacency.sum() - len(tags)
    assert report.num_isolated == (adjacency.sum(axis=1) == 1).sum()
    assert report.num_groups == num_groups
    assert report.num_merged_groups == len(merged)
    assert report.num_merged_tags == sum(map(len, merged))
    assert [len(group) for group in report.largest_groups] == sorted(map(len, merged))[::-1][:10]


def axes_and_synonyms() -> tuple[list[list[str]], WordVectors]:
    """Words of known geometry: tree/trees point one way, sea and sky stand alone."""
    vectors = np.array([[4, 0, 0], [5, 0.5, 0], [0, 3, 0], [0, 0, 2], [0, 0, 0]], dtype=np.float32)
    tag_sets = [["tree", "sea"], ["trees"], ["trees", "tree", "tree"], [], ["sky", "what"], ["hm"]]
    return tag_sets, WordVectors(("tree", "trees", "sea", "sky", "nothing"), vectors)


class TestBuilding:
    def test_synonyms_share_a_group_at_their_mean(self) -> None:
        built = build_semantic_sphere(*axes_and_synonyms())
        assert built.members == (("tree", "trees"), ("sea",), ("sky",))
        direction = np.array([4.5, 0.25, 0.0]) / np.hypot(4.5, 0.25)
        assert np.allclose(built.sphere, [direction, [0, 1, 0], [0, 0, 1]], atol=1e-7)
        assert built.positives.dtype == bool
        assert built.positives.toarray().tolist() == [
            [True, True, False],
            [True, False, False],
            [True, False, False],
            [False, False, False],
            [False, False, True],
            [False, False, False],
        ]

    def test_without_neighbours_and_radius_tags_keep_their_vectors(self) -> None:
        tag_sets, word_vectors = axes_and_synonyms()
        built = build_semantic_sphere(tag_sets, word_vectors, num_neighbours=0, radius=0.0)
        assert built.members == (("tree",), ("sea",), ("trees",), ("sky",))
        assert built.report.num_edges == 0
        assert np.allclose(built.sphere[2], np.array([5, 0.5, 0]) / np.hypot(5, 0.5), atol=1e-7)

    def test_tags_are_found_by_their_other_forms(self) -> None:
        vectors = WordVectors(("Golden_Gate", "sea"), np.eye(2, dtype=np.float32))
        built = build_semantic_sphere([["golden gate"], ["Sea"]], vectors)
        assert built.group_of_tag == {"golden gate": 0, "Sea": 1}
        assert np.array_equal(built.sphere, np.eye(2))

    def test_two_forms_of_a_word_become_one_group(self) -> None:
        vectors = WordVectors(("golden_gate", "sea"), np.eye(2, dtype=np.float32))
        built = build_semantic_sphere([["golden_gate", "sea"], ["golden gate"]], vectors)
        assert built.members == (("golden_gate", "golden gate"), ("sea",))

    def test_rare_tags_are_dropped(self) -> None:
        tag_sets, word_vectors = axes_and_synonyms()
        built = build_semantic_sphere(tag_sets, word_vectors, min_count=2)
        assert built.members == (("tree", "trees"),)
        assert built.report.num_rare == 4
        assert built.report.rare_occurrences == 4
        assert built.report.num_unknown == 0
        assert built.report.num_left_without_tags == 2

    def test_tags_carried_by_nobody_are_not_on_the_sphere(self) -> None:
        # "nothing" has a zero vector, which matters only where a tag asks for it.
        tag_sets, word_vectors = axes_and_synonyms()
        assert "nothing" not in build_semantic_sphere(tag_sets, word_vectors).group_of_tag
        with pytest.raises(ValueError, match="word vector of the tag 'nothing' is zero"):
            build_semantic_sphere([*tag_sets, ["nothing"]], word_vectors)

    def test_tags_that_cancel_out(self) -> None:
        vectors = WordVectors(
            ("yes", "no", "red"), np.array([[0.01, 0.02], [-0.01, -0.02], [3, 1]], np.float32)
        )
        with pytest.raises(ValueError, match=r"merged tags yes, no cancel out"):
            build_semantic_sphere([["red", "yes", "no"]], vectors)

    def test_no_tag_has_a_vector(self) -> None:
        vectors = WordVectors(("sky", "sea"), np.eye(2, dtype=np.float32))
        with pytest.raises(
            ValueError,
            match=r"none of the 3 tags .* such as 'cat', 'dog', 'cow'.* such as 'sky', 'sea'",
        ):
            build_semantic_sphere([["dog", "cat"], ["cat", "cow"]], vectors)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"tag_sets": [[], []]}, ValueError, r"every tag set is empty \(2 images\)"),
            ({"tag_sets": [["sky"], [""]]}, ValueError, r"tag_sets\[1\] holds the empty tag ''"),
            ({"tag_sets": [["sky"], [None]]}, TypeError, r"tag_sets\[1\] holds None"),
            ({"tag_sets": ["sky"]}, TypeError, r"tag_sets\[0\]: expected a sequence.*'sky'"),
            ({"word_vectors": {"sky": [1.0]}}, TypeError, "expected a WordVectors, got dict"),
            ({"min_count": 0}, ValueError, "min_count: expected at least 1, got 0"),
            ({"min_count": 99}, ValueError, "min_count = 99 images: .*'sky', by 2"),
            ({"min_count": 1.0}, TypeError, r"min_count: expected an integer, got float"),
            ({"num_neighbours": -1}, ValueError, "num_neighbours: expected at least 0"),
            ({"threshold": 2}, ValueError, "threshold: expected -1 to 1"),
            ({"radius": -1.0}, ValueError, "radius: expected at least 0"),
        ],
    )
    def test_bad_input(self, change: dict, error: type[Exception], message: str) -> None:
        vectors = WordVectors(("sky", "sea"), np.eye(2, dtype=np.float32))
        arguments = {"tag_sets": [["sky"], ["sky", "sea"]], "word_vectors": vectors} | change
        with pytest.raises(error, match=message):
            build_semantic_sphere(**arguments)


class TestReport:
    def test_summary_tells_what_happened(self) -> None:
        tag_sets, word_vectors = axes_and_synonyms()
        assert str(build_semantic_sphere(tag_sets, word_vectors).report).splitlines() == [
            "tags            6 different, 8 in all on 6 images",
            "no word vector  2 tags dropped (2 occurrences): what, hm",
            "graph           4 tags, 2 links (cosine at least 0.75 among the 20 nearest), "
            "2 tags without any",
            "merged          2 tags into 1 groups (within 0.1): 3 points on the sphere",
            "             2  tree, trees",
            "images          4 have tags to learn from, 1 had none, 1 lost all theirs",
        ]
        rare = build_semantic_sphere(tag_sets, word_vectors, min_count=2).report.summary_lines()
        assert rare[1:3] == [
            "too rare        4 tags on fewer than 2 images dropped (4 occurrences)",
            "no word vector  0 tags dropped (0 occurrences)",
        ]

    def test_largest_groups_come_first_and_long_ones_are_cut(self) -> None:
        names = [f"cat{i}" for i in range(12)]
        words = (*names, "dog", "dogs", "cow", "cows", "sky")
        angles = [0.0] * 12 + [1.0, 1.0, 2.0, 2.0, 3.0]
        vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        tag_sets = [["dog", "dogs"], ["cow", "cows"], ["cow"], names, ["cat7", "sky"]]
        report = build_semantic_sphere(tag_sets, WordVectors(words, vectors)).report
        assert report.largest_groups == (
            ("cat7", *names[:7], *names[8:]),
            ("cow", "cows"),
            ("dog", "dogs"),
        )
        assert "cat7, cat0, cat1, cat2, cat3, cat4, cat5, cat6, …" in str(report)


class TestSemanticSphere:
    def test_maps_other_tag_sets(self) -> None:
        built = build_semantic_sphere(*axes_and_synonyms())
        found = built.positives_of([["sky", "trees", "tree"], ["foreign"], []])
        assert found.toarray().tolist() == [[True, False, True], [False] * 3, [False] * 3]
        assert built.positives_of([]).shape == (0, 3)

    def test_comes_back_from_json(self) -> None:
        built = build_semantic_sphere(*axes_and_synonyms())
        value = json.loads(json.dumps(built.to_json()))
        read = SemanticSphere.from_json(value, built.sphere)
        assert read.members == built.members
        assert read.group_of_tag == built.group_of_tag
        assert read.report == built.report
        assert isinstance(read.report, TagReport)
        assert read.positives is None

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda value: value.pop("groups"), "expected an object with the keys"),
            (lambda value: value.update(groups=[["tree"], "sea"]), "list of lists of strings"),
            (lambda value: value.update(groups=[["tree"]]), r"sphere: expected \(1, D\)"),
            (lambda value: value.update(groups=[["a"], ["b"], ["a"]]), "'a' is in groups 0 and 2"),
            (lambda value: value.update(groups=[["a"], [], ["c"]]), r"members\[1\] is empty"),
            (lambda value: value["report"].pop("num_images"), "'report': expected an object"),
            (lambda value: value["report"].update(num_tags="4"), "'num_tags' .* expected a number"),
            (lambda value: value["report"].update(unknown_examples=[1]), "lists of strings"),
        ],
    )
    def test_damaged_json(self, damage, message: str) -> None:
        built = build_semantic_sphere(*axes_and_synonyms())
        value = json.loads(json.dumps(built.to_json()))
        damage(value)
        with pytest.raises(ValueError, match=message):
            SemanticSphere.from_json(value, built.sphere)
        with pytest.raises(ValueError, match="expected an object"):
            SemanticSphere.from_json([], built.sphere)

    def test_checks_its_parts(self) -> None:
        built = build_semantic_sphere(*axes_and_synonyms())
        with pytest.raises(TypeError, match="sphere: expected a NumPy array of float32"):
            SemanticSphere(built.sphere.astype(float), built.members, built.report)
        with pytest.raises(ValueError, match=r"sphere\[0\]: expected norm 1, got 2"):
            SemanticSphere(2 * built.sphere, built.members, built.report)
        damaged = built.sphere.copy()
        damaged[1, 0] = np.nan
        with pytest.raises(ValueError, match=r"sphere\[1\]: expected norm 1, got nan"):
            SemanticSphere(damaged, built.members, built.report)
        with pytest.raises(ValueError, match=r"positives: expected \(N, 3\), got \(6, 2\)"):
            SemanticSphere(built.sphere, built.members, built.report, built.positives[:, :2])
