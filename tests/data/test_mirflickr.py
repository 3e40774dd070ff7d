import numpy as np
import pytest

import wsdhq.data
from made_images import encoded
from wsdhq.data import decode_images, split_collection
from wsdhq.data.mirflickr import load

# As the annotation archive names its files.
# fmt: off
POTENTIAL = [
    "animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor",
    "lake", "male", "night", "people", "plant_life", "portrait", "river", "sea", "sky",
    "structures", "sunset", "transport", "tree", "water",
]
RELEVANT = [
    "baby_r1", "bird_r1", "car_r1", "clouds_r1", "dog_r1", "female_r1", "flower_r1", "male_r1",
    "night_r1", "people_r1", "portrait_r1", "river_r1", "sea_r1", "tree_r1",
]
# fmt: on
CONCEPTS = sorted(POTENTIAL + RELEVANT)
N = 24
OPTIONS = {"expected_images": N, "num_queries": 6, "min_count": 20}


def tags_of(number):
    common = ["sky"] * (number % 2) + ["red sofa"] * (number % 3 == 0)
    return [*common, f"rare{number}"] if number % 5 else []


def images_of(column):
    return [number for number in range(1, N + 1) if number % (column + 2) == 0] or [column % N + 1]


def grey_level(number):
    return 10 * number


@pytest.fixture
def root(tmp_path):
    """The collection as its two archives unpack into one folder."""
    home = tmp_path / "mirflickr"
    (home / "meta" / "tags").mkdir(parents=True)
    (home / "meta" / "tags_raw").mkdir()
    (home / "doc").mkdir()
    for number in range(1, N + 1):
        (home / f"im{number}.jpg").write_bytes(encoded((grey_level(number),) * 3))
        lines = "".join(f"{tag}\r\n" for tag in tags_of(number))
        (home / "meta" / "tags" / f"tags{number}.txt").write_bytes(lines.encode())
    (home / "doc" / "common_tags.txt").write_bytes(b"sky 845\nred 600\nrare1 20\nrare2 19\n")
    (home / "doc" / "README.txt").write_text("of the images")
    annotations = tmp_path / "mirflickr25k_annotations_v080"
    annotations.mkdir()
    (annotations / "README.txt").write_text("of the annotations")
    for column, concept in enumerate(CONCEPTS):
        lines = "".join(f"{number}\r\n" for number in images_of(column))
        (annotations / f"{concept}.txt").write_bytes(lines.encode())
    return tmp_path


def expected_labels(names):
    matrix = np.zeros((N, len(names)), dtype=np.uint8)
    for column, name in enumerate(names):
        for number in images_of(CONCEPTS.index(name)):
            matrix[number - 1, column] = 1
    return matrix


def test_rows_are_the_numbers_of_the_images(root):
    data = load(root, **OPTIONS)
    assert data.images == [root / "mirflickr" / f"im{number}.jpg" for number in range(1, N + 1)]
    kept = {"sky", "rare1"}
    assert data.tags == [[t for t in tags_of(n) if t in kept] for n in range(1, N + 1)]
    assert data.labels.dtype == np.uint8
    np.testing.assert_array_equal(data.labels, expected_labels(CONCEPTS))
    assert data.label_names == tuple(CONCEPTS)
    assert list(data.groupings) == ["labels"]
    with data.open() as images:
        decoded = decode_images(images, 2, threads=1)
    levels = [grey_level(number) for number in range(1, N + 1)]
    np.testing.assert_allclose(decoded.pixels[:, 0, 0, 0], levels, atol=2)


def test_labels_are_all_files_or_those_without_r1(root):
    assert len(CONCEPTS) == 38
    assert len(POTENTIAL) == 24
    data = load(root, num_labels=24, **OPTIONS)
    assert data.label_names == tuple(POTENTIAL)
    np.testing.assert_array_equal(data.labels, expected_labels(POTENTIAL))
    assert "labels, annotation files without _r1: 24; the paper: 38, which differs" in data.summary
    data = load(root, num_labels=38, **OPTIONS)
    assert "labels, all annotation files: 38; the paper: 38" in data.summary
    with pytest.raises(ValueError, match="num_labels: expected 38 or 24, got 14"):
        load(root, num_labels=14, **OPTIONS)


def test_database_is_the_training_set_unless_told_otherwise(root):
    data = load(root, seed=3, **OPTIONS)
    query, database, train = split_collection(N, 6, seed=3)
    for found, expected in [(data.query, query), (data.database, database), (data.train, train)]:
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(data.train, data.database)
    assert len(load(root, num_train=5, **OPTIONS).train) == 5
    with pytest.raises(ValueError, match=r"num_queries: expected .*\(24\).* got 2000"):
        load(root, num_queries=2000)


def test_a_smaller_set_needs_no_options(root):
    data = load(root)
    assert len(data) == N
    assert len(data.query) == N // 10
    assert "rare2" in data.tags[1]
    assert data.summary[0] == "images: 24; the paper: 25,000, which differs"


def test_few_annotation_files_are_those_of_ones_own(root):
    annotations = root / "mirflickr25k_annotations_v080"
    for concept in CONCEPTS:
        if concept not in ("sky", "sea", "sea_r1"):
            (annotations / f"{concept}.txt").unlink()
    (annotations / "my cats.txt").write_text("3\n5\n")
    assert load(root).label_names == ("my cats", "sea", "sea_r1", "sky")
    assert load(root, num_labels=24).label_names == ("my cats", "sea", "sky")
    assert "which differs" in load(root).summary[1]


def test_tags_of_the_vocabulary_or_all(root):
    data = load(root, vocabulary="all", **OPTIONS)
    assert data.tags == [tags_of(number) for number in range(1, N + 1)]
    assert data.tags[2] == ["sky", "red sofa", "rare3"]
    data = load(root, **OPTIONS | {"min_count": 601})
    assert {tag for tags in data.tags for tag in tags} == {"sky"}
    with pytest.raises(ValueError, match=r"common_tags\.txt: no tag is counted at least 900 times"):
        load(root, **OPTIONS | {"min_count": 900})
    with pytest.raises(ValueError, match="vocabulary: expected one of 'common', 'all', got 'some'"):
        load(root, vocabulary="some", **OPTIONS)
    with pytest.raises(ValueError, match="min_count: expected at least 1, got 0"):
        load(root, **OPTIONS | {"min_count": 0})


def test_summary_says_each_count_beside_the_papers(root):
    lines = load(root, **OPTIONS).summary
    assert lines[0] == "images: 24; the paper: 25,000, which differs"
    assert (
        "tags that common_tags.txt counts at least 20 times: 3; the paper: 1,386, which differs"
        in (lines)
    )
    without = sum(not tags for tags in load(root, **OPTIONS).tags)
    assert f"images left with no tag: {without}" in lines
    assert lines[-1] == (
        "split: 6 queries, 18 in the database, 18 to learn from; "
        "the paper: 2,000 / 23,000 / 23,000, which differs"
    )
    none = int((~expected_labels(CONCEPTS).any(axis=1)).sum())
    assert f"images that carry none of the labels: {none}" in lines


def test_tags_that_are_no_utf8_are_read_and_counted(root):
    path = root / "mirflickr" / "meta" / "tags" / "tags1.txt"
    path.write_bytes(b"M\xfcnchen\n" + "Zürich\n".encode() + b"  two  words \nSky\nsky\n\n")
    data = load(root, vocabulary="all", **OPTIONS)
    assert data.tags[0] == ["münchen", "zürich", "two words", "sky"]
    assert "tags not in UTF-8, read as Latin-1 (München): 1" in data.summary
    (root / "mirflickr" / "doc" / "common_tags.txt").write_bytes(b"m\xfcnchen 30\nsky 30\n")
    assert load(root, **OPTIONS).tags[0] == ["münchen", "sky"]


def test_empty_image_keeps_its_row_and_is_counted_by_decoding(root):
    (root / "mirflickr" / "im4.jpg").write_bytes(b"")
    data = load(root, **OPTIONS)
    assert len(data) == len(data.images) == N
    with data.open() as images:
        decoded = decode_images(images, 2, threads=1)
    assert [(image.row, image.reason) for image in decoded.skipped] == [
        (3, "the file is empty (0 bytes)")
    ]
    assert decoded.kept.tolist() == [row for row in range(N) if row != 3]
    np.testing.assert_allclose(decoded.pixels[3, 0, 0, 0], grey_level(5), atol=2)


def move(root, source, target):
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / source).rename(root / target)


def flatten(root, folder):
    for path in (root / folder).iterdir():
        path.rename(root / path.name)


@pytest.mark.parametrize(
    "rearrange",
    [
        lambda root: root / "mirflickr",
        lambda root: move(root, "mirflickr25k_annotations_v080", "annotations"),
        lambda root: move(root, "mirflickr25k_annotations_v080", "mirflickr/annotations"),
        lambda root: flatten(root, "mirflickr25k_annotations_v080"),
        lambda root: move(root, "mirflickr", "mirflickr25k"),
        lambda root: move(root, "mirflickr", "mirflickr25k/mirflickr"),
        lambda root: move(root, "mirflickr/meta", "meta"),
        lambda root: move(root, "mirflickr/doc", "doc"),
        lambda root: flatten(root, "mirflickr"),
    ],
)
def test_folders_may_lie_in_the_usual_places(root, rearrange):
    before = load(root, **OPTIONS)
    after = load(rearrange(root) or root, **OPTIONS)
    assert [path.name for path in after.images] == [path.name for path in before.images]
    assert after.tags == before.tags
    np.testing.assert_array_equal(after.labels, before.labels)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (
            "mirflickr/meta/tags",
            r"no folder of tags .*mirflickr/meta/tags, .* mirflickr25k\.zip of",
        ),
        ("mirflickr/doc", r"no list of common tags: .*doc/common_tags\.txt.*mirflickr25k\.zip"),
        (
            "mirflickr25k_annotations_v080",
            r"no folder of annotations \(such as animals\.txt\): looked for .*/"
            r"mirflickr25k_annotations_v080, .*/annotations.*annotations_v080\.zip of press\.liacs",
        ),
        (
            "mirflickr25k_annotations_v080/sea_r1.txt",
            r"no file .*/sea_r1\.txt: .* 'sea_r1'.*annotations_v080\.zip of press\.liacs\.nl",
        ),
        (
            "mirflickr/meta/tags/tags7.txt",
            r"no file .*meta/tags/tags7\.txt: .*im7\.jpg.*mirflickr25k\.zip of press\.liacs\.nl",
        ),
        (
            "mirflickr",
            r"no folder with the images im1\.jpg .*: looked for .*/mirflickr, .*mirflickr25k\.zip",
        ),
    ],
)
def test_what_is_missing_is_named_with_where_it_comes_from(root, missing, words):
    (root / missing).rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=words):
        load(root, **OPTIONS)


def test_missing_root(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*none.* press\.liacs\.nl/mirflickr"):
        load(tmp_path / "none")


def test_common_tags_are_not_needed_for_all_tags(root):
    (root / "mirflickr" / "doc").rename(root / "elsewhere")
    assert load(root, vocabulary="all", **OPTIONS).tags[0] == tags_of(1)


def test_number_of_images_is_as_expected(root):
    with pytest.raises(
        ValueError,
        match=r"expected 25,000 images, .*, found 24; the first missing one is im25\.jpg",
    ):
        load(root, expected_images=25_000)
    with pytest.raises(ValueError, match=r"expected 20 images, .* found 24; im21\.jpg is beyond"):
        load(root, expected_images=20, num_queries=6)
    assert len(load(root, expected_images=None, num_queries=6)) == N
    for missing in (24, 9):
        (root / "mirflickr" / f"im{missing}.jpg").unlink()
        with pytest.raises(ValueError, match=rf"the first missing one is im{missing}\.jpg"):
            load(root, expected_images=N, num_queries=6)
        with pytest.raises(
            FileNotFoundError,
            match=rf"no file .*im{missing}\.jpg: expected the images im1\.jpg to im24\.jpg, "
            "from the archive mirflickr25k",
        ):
            load(root, num_queries=6)
    with pytest.raises(TypeError, match=r"expected_images: expected an integer, got float"):
        load(root, expected_images=9.5)
    with pytest.raises(ValueError, match="expected_images: expected at least 1, got 0"):
        load(root, expected_images=0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"3\n25\n", r"sky\.txt, line 2: .* from 1 to 24, got '25'"),
        (b"0\n", r"sky\.txt, line 1: expected the number of an image, from 1 to 24, got '0'"),
        (b"3\n4\nim5.jpg\n", r"sky\.txt, line 3: .* got 'im5\.jpg'"),
        (b"3.0\n", "line 1: .* got '3.0'"),
        (b"-3\n", "line 1: .* got '-3'"),
        (b"3 4\n", "line 1: .* got '3 4'"),
        (b"\xff\n", "line 1: .* got '\ufffd'"),
        (b"9" * 5000, "line 1: .* got '9999"),
        (b"3\n\n4\n", "line 2: expected the number of an image, the line is blank"),
        (b"\r\n", r"sky\.txt is empty: expected the number of an image"),
    ],
)
def test_wrong_lines_of_annotations_are_named(root, content, words):
    (root / "mirflickr25k_annotations_v080" / "sky.txt").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(root, **OPTIONS)


def test_empty_annotations_are_damaged_in_the_whole_set_and_named_in_a_part(root, monkeypatch):
    (root / "mirflickr25k_annotations_v080" / "sky.txt").write_bytes(b"")
    data = load(root, **OPTIONS)
    assert not data.labels[:, data.label_names.index("sky")].any()
    assert len(data.label_names) == 38
    line = "concepts of none of the images, their files are empty (sky.txt): 1"
    assert line in data.summary
    monkeypatch.setattr("wsdhq.data.mirflickr._PAPER_IMAGES", N)
    with pytest.raises(ValueError, match=r"sky\.txt is empty: expected the number of an image"):
        load(root, **OPTIONS)


def test_common_tags_may_be_of_several_words(root):
    common = root / "mirflickr" / "doc" / "common_tags.txt"
    common.write_bytes(b"red sofa\t20\r\nsky 20\r\n")
    (root / "mirflickr" / "meta" / "tags" / "tags3.txt").write_bytes(b"Red  Sofa\nred\n")
    assert load(root, **OPTIONS).tags[2] == ["red sofa"]


def test_without_files_of_r1_there_are_24_labels(root):
    annotations = root / "mirflickr25k_annotations_v080"
    for concept in RELEVANT:
        (annotations / f"{concept}.txt").unlink()
    data = load(root, **OPTIONS)
    assert data.label_names == tuple(POTENTIAL)
    assert (
        data.summary[1] == "labels, annotation files without _r1: 24; the paper: 38, which differs"
    )
    with pytest.raises(FileNotFoundError, match=r"baby_r1\.txt.*num_labels=24 does without it"):
        load(root, num_labels=38, **OPTIONS)
    (annotations / "sea_r1.txt").write_text("3\n")
    with pytest.raises(FileNotFoundError, match=r"baby_r1\.txt"):
        load(root, **OPTIONS)


@pytest.mark.parametrize("name", ["mirflickr25k_annotations", "my Annotations", "."])
def test_annotations_of_ones_own_may_lie_in_folders_called_so_or_directly(root, name):
    before = root / "mirflickr25k_annotations_v080"
    for path in before.iterdir():
        if path.name not in ("sky.txt", "README.txt"):
            path.unlink()
    (before / "my cats.txt").write_text("3\n5\n")
    (root / name).mkdir(exist_ok=True)
    for path in before.iterdir():
        path.rename(root / name / path.name)
    before.rmdir()
    data = load(root, **OPTIONS)
    assert data.label_names == ("my cats", "sky")
    assert np.flatnonzero(data.labels[:, 0]).tolist() == [2, 4]


def test_annotations_of_r1_alone_are_not_left_out_without_a_word(root):
    annotations = root / "mirflickr25k_annotations_v080"
    for path in annotations.iterdir():
        if path.name != "sea_r1.txt":
            path.unlink()
    assert load(root, **OPTIONS).label_names == ("sea_r1",)
    with pytest.raises(FileNotFoundError, match=r"annotations_v080: expected .*only those of _r1"):
        load(root, num_labels=24, **OPTIONS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"sky 20\nred\n", r"common_tags\.txt, line 2: expected a tag and its count, got 'red'"),
        (b"sky many\n", "line 1: expected a tag and its count, got 'sky many'"),
        (b"20\n", "line 1: expected a tag and its count, got '20'"),
        (b"", r"common_tags\.txt is empty: expected a tag and its count"),
    ],
)
def test_wrong_lines_of_common_tags_are_named(root, content, words):
    (root / "mirflickr" / "doc" / "common_tags.txt").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(root, **OPTIONS)


def test_set_is_known_by_name_and_comes_back_from_a_folder(root):
    data = wsdhq.data.load("mirflickr25k", root, num_labels=24, **OPTIONS)
    data.write(root / "written")
    back = wsdhq.data.load("folder", root / "written", num_queries=6)
    assert (back.images, back.tags, back.label_names) == (data.images, data.tags, data.label_names)
    np.testing.assert_array_equal(back.labels, data.labels)
    np.testing.assert_array_equal(back.query, data.query)
    with pytest.raises(
        TypeError, match="'mirflickr25k' has no option 'labels': known are num_labels, vocabulary,"
    ):
        wsdhq.data.load("mirflickr25k", root, labels=24)
