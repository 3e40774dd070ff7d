import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

import wsdhq.data
from wsdhq.data.folder import load

NAMES = ["im1.png", "im2.png", "im10.png"]


def image(level):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (level, level, level)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def root(tmp_path):
    """Three images in a folder, with their tags."""
    (tmp_path / "images").mkdir()
    for level, name in enumerate(NAMES):
        (tmp_path / "images" / name).write_bytes(image(level))
    (tmp_path / "tags.txt").write_text("cat red\n\ndog\n")
    return tmp_path


def first_pixels(data):
    with data.open() as images:
        return [images.open(row).getpixel((0, 0))[0] for row in range(len(images))]


def into_archive(root, order):
    with zipfile.ZipFile(root / "images.zip", "w") as archive:
        for name in order:
            archive.write(root / "images" / name, name)
    for path in (root / "images").iterdir():
        path.unlink()
    (root / "images").rmdir()


def test_folder_without_labels(root):
    data = load(root)
    assert data.images == [root / "images" / name for name in NAMES]
    assert data.tags == [["cat", "red"], [], ["dog"]]
    assert data.labels.shape == (3, 0)
    assert data.labels.dtype == np.uint8
    assert data.label_names == ()
    assert len(data) == 3
    assert first_pixels(data) == [0, 1, 2]
    assert wsdhq.data.load("folder", root).images == data.images


def test_archive_keeps_its_order(root):
    into_archive(root, [NAMES[2], NAMES[0], NAMES[1]])
    data = load(root)
    assert data.images == [NAMES[2], NAMES[0], NAMES[1]]
    assert data.archive == root / "images.zip"
    assert first_pixels(data) == [2, 0, 1]


def test_list_orders_the_images_of_the_folder(root):
    (root / "images.txt").write_text("images/im10.png\nimages/im1.png\nimages/im2.png\n")
    data = load(root)
    assert data.images == [root / "images" / name for name in ("im10.png", "im1.png", "im2.png")]
    assert first_pixels(data) == [2, 0, 1]


def test_json_tags_and_labels_of_one_grouping(root):
    (root / "tags.txt").unlink()
    (root / "tags.jsonl").write_text('["Red Sofa"]\n[]\n["dog"]\n')
    (root / "labels.csv").write_text("image,cat,dog\nim1.png,1,0\nim2.png,0,0\nim10.png,0,1\n")
    data = load(root)
    assert data.tags == [["red sofa"], [], ["dog"]]
    np.testing.assert_array_equal(data.labels, [[1, 0], [0, 0], [0, 1]])
    assert data.label_names == ("cat", "dog")


def test_labels_from_an_array(root):
    np.save(root / "labels.npy", np.array([[1], [0], [1]]))
    data = load(root)
    np.testing.assert_array_equal(data.labels, [[1], [0], [1]])
    assert data.label_names == ("0",)


def test_several_groupings_are_joined_or_one_is_chosen(root):
    (root / "labels.csv").write_text("id,sub,hue\n1,pet,red\n2,tool,red\n10,pet,\n")
    data = load(root)
    assert data.label_names == ("sub: pet", "sub: tool", "hue: red")
    np.testing.assert_array_equal(data.labels, [[1, 0, 1], [0, 1, 1], [1, 0, 0]])
    data = load(root, grouping="hue")
    assert data.label_names == ("red",)
    np.testing.assert_array_equal(data.labels, [[1], [1], [0]])
    with pytest.raises(ValueError, match=r"labels\.csv: no grouping is called 'x': .*'sub', 'hue'"):
        load(root, grouping="x")


def test_split_follows_the_protocol(root):
    data = load(root, num_queries=1, seed=3)
    query, database = wsdhq.data.split_rows(3, 1, 3)
    np.testing.assert_array_equal(data.query, query)
    np.testing.assert_array_equal(data.database, database)
    np.testing.assert_array_equal(data.train, database)
    assert data.query.dtype == data.database.dtype == data.train.dtype == np.int64
    with pytest.raises(ValueError, match=r"num_queries: expected .* got 3"):
        load(root, num_queries=3)


def test_a_tenth_of_the_images_are_queries_by_default(root, monkeypatch):
    assert len(load(root).query) == 0
    for number in range(11, 47):
        (root / "images" / f"im{number}.png").write_bytes(image(number))
    (root / "tags.txt").write_text("tag\n" * 39)
    data = load(root)
    assert len(data.query) == 3
    assert len(data.database) == 36
    monkeypatch.setattr("wsdhq.data.folder._MAX_QUERIES", 2)
    assert len(load(root).query) == 2


@pytest.mark.parametrize("content", ["a\nb\n", "a\nb\nc\nd\n"])
def test_tags_of_another_length_are_refused(root, content):
    (root / "tags.txt").write_text(content)
    lines = content.count("\n")
    with pytest.raises(
        ValueError, match=rf"images holds 3 images, but .*tags\.txt has {lines} lines"
    ):
        load(root)


def test_labels_of_another_length_are_refused(root):
    (root / "labels.csv").write_text("cat\n1\n0\n")
    with pytest.raises(ValueError, match=r"labels\.csv: .*labels for 2 images, but 3 images"):
        load(root)


@pytest.mark.parametrize("rows", ["im1.png,1\nim10.png,0\nim2.png,1\n", "im1,1\nim10,0\nim2,1\n"])
def test_labels_in_another_order_are_refused(root, rows):
    (root / "labels.csv").write_text("image,cat\n" + rows)
    with pytest.raises(ValueError, match=r"labels\.csv: .*different orders: row 1 .* 'im10"):
        load(root)


def test_missing_parts_are_named(root):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load(root / "none")
    with pytest.raises(FileNotFoundError, match=r"no labels to take the grouping 'x' from"):
        load(root, grouping="x")
    (root / "tags.txt").rename(root / "words.txt")
    with pytest.raises(
        FileNotFoundError, match=r"holds no tags: expected tags\.txt or tags\.jsonl"
    ):
        load(root)
    (root / "words.txt").rename(root / "tags.txt")
    (root / "images").rename(root / "pictures")
    with pytest.raises(
        FileNotFoundError, match=r"holds no images: expected images, images\.zip or images\.txt"
    ):
        load(root)


def test_parts_in_two_forms_are_refused(root):
    (root / "tags.jsonl").write_text("[]\n[]\n[]\n")
    with pytest.raises(ValueError, match=r"both tags\.txt and tags\.jsonl: expected one"):
        load(root)
    (root / "tags.jsonl").unlink()
    (root / "labels.csv").write_text("cat\n1\n0\n1\n")
    np.save(root / "labels.npy", np.ones((3, 1), dtype=int))
    with pytest.raises(ValueError, match=r"both labels\.csv and labels\.npy"):
        load(root)
    (root / "labels.npy").unlink()
    (root / "images.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"both images and images\.zip"):
        load(root)


def test_errors_of_the_parts_come_through(root):
    (root / "tags.txt").write_bytes(b"a\n\xff\nb\n")
    with pytest.raises(ValueError, match=r"tags\.txt, line 2: expected text in UTF-8"):
        load(root)


def test_unknown_layouts_list_the_known_ones(root):
    with pytest.raises(
        ValueError,
        match="no data set layout is called 'cifar': known are 'mirflickr25k', 'nuswide', 'folder'",
    ):
        wsdhq.data.load("cifar", root)


def test_data_needs_neither_pillow_nor_the_other_halves(root):
    program = """
import sys
sys.modules["PIL"] = None
import wsdhq.data
for name in ("torch", "gensim", "sklearn", "wsdhq.embed", "wsdhq.quant", "wsdhq.metrics"):
    assert name not in sys.modules, name
images = wsdhq.data.open_images(sys.argv[1])
try:
    images.open(0)
except ImportError as error:
    from wsdhq._shared.extras import install_command
    assert install_command("train") in str(error), error
else:
    raise AssertionError("an image was decoded without Pillow")
"""
    subprocess.run([sys.executable, "-c", program, str(root / "images")], check=True, timeout=60)


def test_groupings_are_kept_beside_their_join(root):
    assert load(root).groupings == {}
    (root / "labels.csv").write_text("id,sub,hue\n1,pet,red\n2,tool,red\n10,pet,\n")
    groupings = load(root).groupings
    assert {name: grouping.names for name, grouping in groupings.items()} == {
        "sub": ("pet", "tool"),
        "hue": ("red",),
    }
    np.testing.assert_array_equal(groupings["hue"].matrix, [[1], [1], [0]])
    assert list(load(root, grouping="hue").groupings) == ["hue"]


def test_labels_that_join_to_equal_names_are_refused(root):
    (root / "labels.csv").write_text("a,a: b\nb: c,c\nb: c,c\nb: c,c\n")
    with pytest.raises(
        ValueError, match=r"labels\.csv: names: expected different ones, .*'a: b: c'"
    ):
        load(root)


def test_training_rows_may_be_part_of_the_database(root):
    data = load(root, num_queries=1, num_train=1, seed=3)
    query, database, train = wsdhq.data.split_collection(3, 1, 1, 3)
    np.testing.assert_array_equal(data.query, query)
    np.testing.assert_array_equal(data.database, database)
    np.testing.assert_array_equal(data.train, train)
    with pytest.raises(ValueError, match=r"num_train: expected 1 to .* got 3"):
        load(root, num_queries=1, num_train=3)


def test_features_lie_beside_the_images(root):
    assert load(root).features is None
    np.save(root / "features.npy", np.ones((3, 5), dtype=np.float32))
    data = load(root)
    assert data.features == root / "features.npy"
    assert len(data.images) == 3
    np.save(root / "features.npy", np.ones((2, 5), dtype=np.float32))
    with pytest.raises(ValueError, match=r"features\.npy: .* each of the 3 images .* \(2, 5\)"):
        load(root)


def test_images_may_be_left_out_where_features_are(root):
    np.save(root / "features.npy", np.ones((3, 5), dtype=np.float32))
    (root / "labels.csv").write_text("image,cat\nim1.png,1\nim2.png,0\nim10.png,1\n")
    (root / "images").rename(root / "pictures")
    data = load(root, num_queries=1)
    assert data.images == []
    assert len(data) == len(data.tags) == 3
    assert data.labels.tolist() == [[1], [0], [1]]
    assert len(data.database) == 2
    assert data.summary[0] == f"images of {root / 'features.npy'}: 3"
    with pytest.raises(ValueError, match="no images to open, only features"):
        data.open()
    (root / "labels.csv").write_text("cat\n1\n0\n")
    with pytest.raises(ValueError, match=r"labels\.csv: .*labels for 2 images, but tags for 3"):
        load(root)


def test_summary_counts_what_was_read(root):
    (root / "labels.csv").write_text("id,sub,hue\n1,pet,red\n2,tool,red\n10,pet,\n")
    assert load(root, num_queries=1).summary == (
        f"images of {root / 'images'}: 3",
        "images without a tag: 1",
        "labels (by sub, hue): 3",
        "split: 1 queries, 2 in the database, 2 to learn from",
    )


def test_options_are_those_of_the_layout(root):
    assert len(wsdhq.data.load("folder", root, num_queries=2).query) == 2
    with pytest.raises(
        TypeError,
        match="'folder' has no option 'num_labels': known are grouping, num_queries, num_train, s",
    ):
        wsdhq.data.load("folder", root, num_labels=24)
