import numpy as np
import pytest

import wsdhq.data
from made_images import encoded
from wsdhq.data import decode_images, split_collection
from wsdhq.data.nuswide import load

N = 40
CONCEPTS = ["animal", "bear", "clouds", "dog", "sky", "zebra"]
# How often each is carried: the 3 most frequent are clouds, dog (before sky, which ties), bear.
PERIODS = {"animal": 9, "bear": 4, "clouds": 2, "dog": 5, "sky": 5, "zebra": 50}
OPTIONS = {"num_concepts": 3, "num_queries": 4, "num_train": None}


def photo(row):
    return 2_124_494_000 + 7 * row


def path_of(row):
    return f"{['actor', 'zoo'][row % 2]}/{row:04}_{photo(row)}.jpg"


def carries(row, concept):
    return int(row % PERIODS[concept] == 0 and row < 30)


def tags_of(row):
    return ["sky"] * (row % 2 == 0) + ["cat"] * (row % 3 == 0) + [f"rare{row}"]


def tag_line(row):
    return f"{photo(row)}      {' '.join(tags_of(row))} \r\n".encode()


def write_lines(path, lines, end="\r\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())


@pytest.fixture
def root(tmp_path):
    """The collection as its archives unpack into one folder, 40 images of it."""
    listed = [path_of(row).replace("/", "\\") for row in range(N)]
    write_lines(tmp_path / "ImageList" / "Imagelist.txt", listed)
    write_lines(tmp_path / "ConceptsList" / "Concepts81.txt", CONCEPTS)
    for concept in CONCEPTS:
        path = tmp_path / "Groundtruth" / "AllLabels" / f"Labels_{concept}.txt"
        write_lines(path, [carries(row, concept) for row in range(N)], "\n")
    tags = tmp_path / "NUS_WID_Tags"
    tags.mkdir()
    # In another order than the list: what counts is the number of the photo.
    (tags / "All_Tags.txt").write_bytes(b"".join(map(tag_line, reversed(range(N)))))
    write_lines(tags / "Final_Tag_List.txt", ["sky", "cat", "rare0"])
    write_lines(tags / "TagList1k.txt", ["cat"])
    for row in range(N):
        path = tmp_path / "Flickr" / path_of(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded((5 * row,) * 3))
    return tmp_path


ROWS = [row for row in range(30) if row % 2 == 0 or row % 4 == 0 or row % 5 == 0]


def labels_file(root, concept):
    return root / "Groundtruth" / "AllLabels" / f"Labels_{concept}.txt"


def levels(data):
    with data.open() as images:
        return decode_images(images, 2, threads=1).pixels[:, 0, 0, 0].astype(int)


def test_images_that_carry_one_of_the_most_frequent_concepts(root):
    data = load(root, **OPTIONS)
    assert data.label_names == ("bear", "clouds", "dog")
    assert data.images == [root / "Flickr" / path_of(row) for row in ROWS]
    expected = [[carries(row, name) for name in data.label_names] for row in ROWS]
    np.testing.assert_array_equal(data.labels, expected)
    assert data.labels.dtype == np.uint8
    assert data.labels.flags.c_contiguous
    kept = {"sky", "cat", "rare0"}
    assert data.tags == [[tag for tag in tags_of(row) if tag in kept] for row in ROWS]
    np.testing.assert_allclose(levels(data), [5 * row for row in ROWS], atol=2)
    for ours, theirs in zip(
        (data.query, data.database, data.train), split_collection(len(ROWS), 4, None, 0)
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_all_concepts_keep_all_images_that_carry_any(root):
    data = load(root, **OPTIONS | {"num_concepts": 6})
    assert data.label_names == tuple(CONCEPTS)
    rows = [row for row in range(N) if any(carries(row, concept) for concept in CONCEPTS)]
    assert data.images == [root / "Flickr" / path_of(row) for row in rows]
    assert "images of the data set: 20" in data.summary
    assert not any("193,752" in line for line in data.summary)


def test_vocabularies(root):
    assert load(root, vocabulary="1k", **OPTIONS).tags == [
        ["cat"] if row % 3 == 0 else [] for row in ROWS
    ]
    assert load(root, vocabulary="all", **OPTIONS).tags == [tags_of(row) for row in ROWS]
    with pytest.raises(
        ValueError, match="vocabulary: expected one of 'final', '1k', 'all', got '5k'"
    ):
        load(root, vocabulary="5k", **OPTIONS)


def test_split_is_the_papers_unless_told_otherwise(root):
    data = load(root, **OPTIONS | {"num_train": 5, "seed": 2})
    for ours, theirs in zip(
        (data.query, data.database, data.train), split_collection(len(ROWS), 4, 5, 2)
    ):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=rf"num_queries: expected .*\({len(ROWS)}\).* got 5000"):
        load(root, num_concepts=3, num_queries=5000)
    with pytest.raises(ValueError, match=r"num_train: expected 1 to .* got 10000"):
        load(root, num_concepts=3, num_queries=4, num_train=10_000)


def test_a_smaller_set_needs_no_options(root):
    data = load(root)
    assert len(data.query) == len(data) // 10
    assert set(data.label_names) == set(CONCEPTS)
    np.testing.assert_array_equal(data.train, data.database)


def test_without_the_final_list_all_tags_are_kept(root):
    (root / "NUS_WID_Tags" / "Final_Tag_List.txt").unlink()
    data = load(root, **OPTIONS)
    assert data.tags == load(root, vocabulary="all", **OPTIONS).tags
    assert any("all that users wrote" in line and "which differs" in line for line in data.summary)
    with pytest.raises(
        FileNotFoundError,
        match=r"no list of tags: looked for .*/Final_Tag_List\.txt, .*NUS_WID_Tags\.zip of lms",
    ):
        load(root, vocabulary="final", **OPTIONS)


def test_summary_goes_step_by_step_beside_the_paper(root):
    write_lines(root / "ConceptsList" / "Concepts81.txt", [f"c{i}" for i in range(15)] + CONCEPTS)
    for number in range(15):
        write_lines(labels_file(root, f"c{number}"), [0] * N)
    data = load(root, num_queries=4, num_train=None)
    assert data.label_names[-6:] == tuple(CONCEPTS)
    lines = iter(data.summary)
    for expected in [
        "images listed: 40; the paper: 269,648, which differs",
        "concepts with ground truth: 21; the paper: 81, which differs",
        "images with ground truth: any concept: 20",
        "images that carry one of the 21 most frequent concepts: 20; the paper: 193,752, which",
        "the concepts, with the images listed that carry them: c0 0, c1 0,",
        f"images of these found in {root / 'Flickr'}: 20",
        "images of the data set: 20; the paper: 193,752, which differs",
        "tags in the vocabulary: 3; the paper: 5,018, which differs",
        "images left with no tag: ",
        "split: 4 queries, 16 in the database, 16 to learn from; the paper: 5,000 / 188,752 / 10,0",
    ]:
        assert next(lines).startswith(expected)
    assert next(lines, None) is None


def test_absent_images_are_left_out_with_tags_and_labels(root):
    gone = ROWS[2:7]
    for row in gone:
        (root / "Flickr" / path_of(row)).unlink()
    data = load(root, **OPTIONS)
    rows = [row for row in ROWS if row not in gone]
    assert data.images == [root / "Flickr" / path_of(row) for row in rows]
    np.testing.assert_array_equal(
        data.labels, [[carries(row, name) for name in data.label_names] for row in rows]
    )
    assert [("cat" in tags) for tags in data.tags] == [row % 3 == 0 for row in rows]
    np.testing.assert_allclose(levels(data), [5 * row for row in rows], atol=2)
    named = ", ".join(path_of(row) for row in gone[:3])
    assert f"listed but absent, left out ({named}, ...): 5" in data.summary
    assert len(load(root, require_images=False, **OPTIONS)) == len(ROWS)


def test_no_image_at_all_is_an_error_unless_none_is_asked_for(root):
    (root / "Flickr").rename(root / "elsewhere")
    with pytest.raises(
        FileNotFoundError,
        match=rf"none of the {len(ROWS)} images .* such as actor/0000_\d+\.jpg in .*/Flickr, "
        r".*/images.*on request \(lms\.comp\.nus\.edu\.sg.*require_images=False",
    ):
        load(root, **OPTIONS)
    data = load(root, require_images=False, **OPTIONS)
    assert data.images == [root / "Flickr" / path_of(row) for row in ROWS]
    assert "images on disk: not looked for" in data.summary
    with pytest.raises(TypeError, match="require_images: expected True or False, got 'no'"):
        load(root, require_images="no", **OPTIONS)


def test_empty_image_keeps_its_row_and_is_counted_by_decoding(root):
    (root / "Flickr" / path_of(ROWS[3])).write_bytes(b"")
    data = load(root, **OPTIONS)
    assert len(data) == len(ROWS)
    with data.open() as images:
        decoded = decode_images(images, 2, threads=1)
    assert [image.row for image in decoded.skipped] == [3]
    np.testing.assert_allclose(decoded.pixels[3, 0, 0, 0], 5 * ROWS[4], atol=2)


@pytest.mark.parametrize(
    "rearrange",
    [
        lambda root: (root / "Flickr").rename(root / "images"),
        lambda root: [path.rename(root / path.name) for path in (root / "Flickr").iterdir()],
        lambda root: (root / "Groundtruth" / "AllLabels").rename(root / "AllLabels"),
        lambda root: [path.rename(root / path.name) for path in (root / "NUS_WID_Tags").iterdir()],
        lambda root: [path.rename(root / path.name) for path in (root / "ImageList").iterdir()],
    ],
)
def test_files_may_lie_in_the_usual_places(root, rearrange):
    before = load(root, **OPTIONS)
    rearrange(root)
    after = load(root, **OPTIONS)
    assert [path.name for path in after.images] == [path.name for path in before.images]
    assert after.tags == before.tags


def test_files_may_lie_in_a_folder_of_the_sets_name(root, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    root.rename(outer / "NUS-WIDE")
    assert len(load(outer, **OPTIONS)) == len(ROWS)


def test_list_may_have_slashes_and_line_feeds(root):
    before = load(root, **OPTIONS)
    path = root / "ImageList" / "Imagelist.txt"
    path.write_bytes(path.read_bytes().replace(b"\\", b"/").replace(b"\r\n", b"\n") + b"\n\n")
    assert load(root, **OPTIONS).images == before.images


def test_labels_may_have_line_ends_of_windows_and_no_last_one(root):
    before = load(root, **OPTIONS)
    for concept in CONCEPTS:
        path = labels_file(root, concept)
        path.write_bytes(path.read_bytes().replace(b"\n", b" \r\n").rstrip())
    np.testing.assert_array_equal(load(root, **OPTIONS).labels, before.labels)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("ImageList", r"no list of images: .*/ImageList/Imagelist\.txt, .*ImageList\.zip of lms"),
        ("ConceptsList", r"no list of concepts: .*Concepts81\.txt, .*ConceptsList\.zip of lms"),
        ("Groundtruth", r"no folder of labels .*/Groundtruth/AllLabels, .*Groundtruth\.zip of lms"),
        (
            "Groundtruth/AllLabels/Labels_zebra.txt",
            r"no file .*AllLabels/Labels_zebra\.txt: .* 'zebra', 0 or 1 .*Groundtruth\.zip of lms",
        ),
        (
            "NUS_WID_Tags/All_Tags.txt",
            r"no tags of all images: .*All_Tags\.txt, .*NUS_WID_Tags\.zip",
        ),
    ],
)
def test_what_is_missing_is_named_with_where_it_comes_from(root, missing, words):
    (root / missing).rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=words):
        load(root, **OPTIONS)


def test_missing_root(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*none: expected NUS-WIDE there"):
        load(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], r"Labels_sky\.txt has 39 lines: expected 40, .*Imagelist\.txt"),
        (lambda lines: [*lines, b"1"], r"Labels_sky\.txt has 41 lines: expected 40"),
        (lambda lines: [], r"Labels_sky\.txt has 0 lines: expected 40"),
        (lambda lines: [*lines[:4], b"2", *lines[5:]], r"Labels_sky\.txt, line 5: .* got '2'"),
        (lambda lines: [*lines[:4], b"", *lines[5:]], r"line 5: expected 0 or 1, got ''"),
        (lambda lines: [*lines[:4], b"0 1", *lines[5:]], r"line 5: expected 0 or 1, got '0 1'"),
        (lambda lines: [*lines[:-1], b"sky"], r"line 40: expected 0 or 1, got 'sky'"),
        (lambda lines: [b"-1", *lines[1:]], r"line 1: expected 0 or 1, got '-1'"),
        (lambda lines: [b"".join(lines)], r"line 1: expected 0 or 1, got '1000"),
    ],
)
def test_label_files_that_disagree_are_named(root, change, words):
    path = labels_file(root, "sky")
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    with pytest.raises(ValueError, match=words):
        load(root, **OPTIONS)


@pytest.mark.parametrize(
    "line",
    [
        b"actor",
        b"a/b/0001_12.jpg",
        b"actor\\0001_x.jpg",
        b"..\\0001_12.jpg",
        b"\xff",
        b"/0001_12.jpg",
    ],
)
def test_wrong_lines_of_the_image_list_are_named(root, line):
    path = root / "ImageList" / "Imagelist.txt"
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(ValueError, match=r"Imagelist\.txt, line 41: expected the path of an image"):
        load(root, **OPTIONS)
    path.write_bytes(b"actor\\1_12.jpg\n\nactor\\2_13.jpg\n")
    with pytest.raises(ValueError, match=r"Imagelist\.txt, line 2: .* the line is blank"):
        load(root, **OPTIONS)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"Imagelist\.txt is empty"):
        load(root, **OPTIONS)


def test_number_of_concepts(root):
    for number in (0, 7):
        with pytest.raises(
            ValueError, match=rf"num_concepts: expected 1 to 6, .*Concepts81\.txt, got {number}"
        ):
            load(root, **OPTIONS | {"num_concepts": number})
    with pytest.raises(TypeError, match="num_concepts: expected an integer"):
        load(root, **OPTIONS | {"num_concepts": "21"})
    write_lines(root / "ConceptsList" / "Concepts81.txt", [*CONCEPTS, "sky"])
    with pytest.raises(ValueError, match=r"Concepts81\.txt: the concept 'sky' comes twice"):
        load(root, **OPTIONS)


def test_images_without_any_concept_make_no_data_set(root):
    for concept in CONCEPTS:
        write_lines(labels_file(root, concept), [0] * N)
    words = r"Imagelist\.txt: none of the 40 images carries a concept: the files in .*AllLabels"
    for require_images in (True, False):
        with pytest.raises(ValueError, match=words):
            load(root, require_images=require_images, **OPTIONS)


@pytest.mark.parametrize("prefix", ["Flickr\\", "Flickr/", ".\\", "./Flickr/"])
def test_listed_paths_may_begin_with_the_folder_of_the_images(root, prefix):
    before = load(root, **OPTIONS)
    listed = [prefix + path_of(row).replace("/", "\\") for row in range(N)]
    write_lines(root / "ImageList" / "Imagelist.txt", listed)
    assert load(root, **OPTIONS).images == before.images


def test_what_is_missing_was_looked_for_only_where_something_is(root):
    (root / "NUS_WID_Tags" / "All_Tags.txt").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load(root, **OPTIONS)
    assert str(root / "NUS_WID_Tags" / "All_Tags.txt") in str(caught.value)
    assert str(root / "nuswide") not in str(caught.value)
    (root / "nuswide").mkdir()
    with pytest.raises(FileNotFoundError, match=r"nuswide/NUS_WID_Tags/All_Tags\.txt"):
        load(root, **OPTIONS)


def test_photo_without_a_line_of_tags_keeps_its_row(root):
    gone = ROWS[1:6]
    lines = [tag_line(row) for row in range(N) if row not in gone]
    (root / "NUS_WID_Tags" / "All_Tags.txt").write_bytes(b"".join(lines))
    data = load(root, vocabulary="all", **OPTIONS)
    assert data.tags == [[] if row in gone else tags_of(row) for row in ROWS]
    named = ", ".join(str(photo(row)) for row in gone[:3])
    text = f"photos without a line in All_Tags.txt, kept without tags ({named}, ...): 5"
    assert text in data.summary
    assert "images left with no tag: 5" in data.summary


def test_first_line_of_a_repeated_photo_counts(root):
    path = root / "NUS_WID_Tags" / "All_Tags.txt"
    path.write_bytes(path.read_bytes() + f"{photo(0)} other\n{photo(1)} other\n".encode())
    data = load(root, vocabulary="all", **OPTIONS)
    assert data.tags[0] == tags_of(0)
    text = f"further lines of a photo in All_Tags.txt, passed over ({photo(0)}, {photo(1)}): 2"
    assert text in data.summary


def test_photo_that_is_listed_twice_keeps_both_rows(root):
    path = root / "ImageList" / "Imagelist.txt"
    again = f"zoo\\9999_{photo(0)}.jpg"
    path.write_bytes(
        path.read_bytes().replace(path_of(2).replace("/", "\\").encode(), again.encode())
    )
    (root / "Flickr" / path_of(2)).rename(root / "Flickr" / again.replace("\\", "/"))
    data = load(root, vocabulary="all", **OPTIONS)
    assert data.tags[:2] == [tags_of(0), tags_of(0)]
    assert data.tags[0] is not data.tags[1]
    assert "images whose photo is listed once more before them, kept: 1" in data.summary


def test_tags_that_are_no_utf8_are_read_and_counted(root):
    line = b"%d M\xfcnchen Z\xc3\xbcrich a\xa0b sky sky SKY \x85 \n" % photo(0)
    lines = [line, *(tag_line(row) for row in range(1, N))]
    (root / "NUS_WID_Tags" / "All_Tags.txt").write_bytes(b"".join(lines))
    data = load(root, vocabulary="all", **OPTIONS)
    # Read as Latin-1, \xa0 and \x85 are white space of Unicode, which a tag does not keep.
    assert data.tags[0] == ["münchen", "zürich", "a b", "sky"]
    assert data.summary[-2].startswith("tags not in UTF-8, read as Latin-1 (München, ")
    assert data.summary[-2].endswith("): 3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"%d cat\ncat sky\n",
            r"All_Tags\.txt, line 2: expected the number of a photo .*'cat sky'",
        ),
        (b"%d cat\n\n12 sky\n", r"All_Tags\.txt, line 2: .* the line is blank"),
        (b"", r"All_Tags\.txt is empty"),
        (b"12 sky\n", rf"All_Tags\.txt: none of the {len(ROWS)} photos .* has a line"),
        (b"9" * 5000 + b" sky\n", "line 1: expected the number of a photo"),
    ],
)
def test_wrong_lines_of_tags_are_named(root, content, words):
    content = content.replace(b"%d", str(photo(0)).encode())
    (root / "NUS_WID_Tags" / "All_Tags.txt").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(root, **OPTIONS)


def test_set_is_known_by_name_and_comes_back_from_a_folder(root):
    data = wsdhq.data.load("nuswide", root, **OPTIONS)
    data.write(root / "written")
    back = wsdhq.data.load("folder", root / "written", num_queries=4)
    assert (back.images, back.tags, back.label_names) == (data.images, data.tags, data.label_names)
    np.testing.assert_array_equal(back.labels, data.labels)
    np.testing.assert_array_equal(back.query, data.query)
    with pytest.raises(TypeError, match="'nuswide' has no option 'num_labels': known are num_conc"):
        wsdhq.data.load("nuswide", root, num_labels=24)
