import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import wsdhq.data
from made_images import grey, write_folder, write_zip
from wsdhq.data.labels import Grouping
from wsdhq.data.tagged_images import TaggedImages


def tagged(**changes):
    parts = {
        "images": ["a", "b"],
        "tags": [["x"], []],
        "labels": np.ones((2, 1), dtype=np.uint8),
        "label_names": ("x",),
        "query": np.array([0]),
        "database": np.array([1]),
        "train": np.array([1]),
    }
    return TaggedImages(**(parts | changes))


def test_consistent_parts_make_a_data_set():
    assert len(tagged()) == 2


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"tags": [[]]}, ValueError, "tags: expected those of 2 images, got 1"),
        ({"labels": np.ones((2, 1))}, TypeError, "labels: expected uint8, got float64"),
        ({"label_names": ()}, ValueError, r"here \(2, 0\), got \(2, 1\)"),
        ({"query": np.array([2])}, ValueError, r"query\[0\] is 2"),
        ({"database": np.array([-1])}, ValueError, r"database\[0\] is -1"),
        ({"train": np.array([0.5])}, TypeError, "train: expected integer"),
    ],
)
def test_inconsistent_data_sets_cannot_be_made(changes, error, words):
    with pytest.raises(error, match=words):
        tagged(**changes)


def test_labels_alone_are_one_grouping():
    data = tagged()
    assert list(data.groupings) == ["labels"]
    assert data.groupings["labels"].names == ("x",)
    assert data.groupings["labels"].matrix is data.labels
    assert tagged(label_names=(), labels=np.ones((2, 0), np.uint8)).groupings == {}


def grouping(*names, rows=2):
    return Grouping(names, np.ones((rows, len(names)), dtype=np.uint8))


@pytest.mark.parametrize(
    "groupings",
    [
        {"labels": grouping("y")},
        {"labels": Grouping(("x",), np.zeros((2, 1), np.uint8))},
        {"labels": grouping("x", rows=3)},
        {"a": grouping("x"), "b": grouping("x")},
    ],
)
def test_groupings_must_hold_the_labels(groupings):
    with pytest.raises(ValueError, match=r"groupings \(.*\): expected the labels, side by side"):
        tagged(groupings=groupings)


def test_several_groupings_are_joined():
    names = ("a: x", "b: x", "b: y")
    groupings = {"a": grouping("x"), "b": grouping("x", "y")}
    labels = np.ones((2, 3), dtype=np.uint8)
    data = tagged(labels=labels, label_names=names, groupings=groupings)
    assert data.groupings is groupings


def test_features_have_a_row_for_each_image(tmp_path):
    path = tmp_path / "f.npy"
    np.save(path, np.ones((2, 3)))
    assert len(tagged(features=path)) == 2
    assert len(tagged(features=path, images=[])) == 2
    with pytest.raises(ValueError, match="tags: expected those of 1 images, got 2"):
        tagged(features=path, images=["a"])
    with pytest.raises(ValueError, match="tags: expected those of 0 images, got 2"):
        tagged(images=[])
    np.save(path, np.ones(2))
    with pytest.raises(ValueError, match=r"f\.npy: expected a row .* of shape \(2,\)"):
        tagged(features=path)
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        tagged(features=tmp_path / "none.npy")


@pytest.fixture
def data(tmp_path):
    """Two images with tags of every kind and labels in two groupings."""
    write_folder(tmp_path / "made", {"b.png": grey(7), "sub/a ä.png": grey(3)})
    rng = np.random.default_rng(0)
    groupings = {
        "sub": Grouping(("pet | tool", "none"), rng.integers(0, 2, (2, 2), dtype=np.uint8)),
        "hue": Grouping(("réd",), rng.integers(0, 2, (2, 1), dtype=np.uint8)),
    }
    return tagged(
        images=[tmp_path / "made" / "sub" / "a ä.png", tmp_path / "made" / "b.png"],
        tags=[["red sofa", "nul\x00x", "back\\slash", 'quo"te', "ä"], []],
        labels=np.concatenate([each.matrix for each in groupings.values()], axis=1),
        label_names=("sub: pet | tool", "sub: none", "hue: réd"),
        groupings=groupings,
    )


def assert_same(back, data):
    assert back.images == data.images
    assert back.tags == data.tags
    assert back.label_names == data.label_names
    assert back.labels.dtype == np.uint8
    np.testing.assert_array_equal(back.labels, data.labels)
    assert list(back.groupings) == list(data.groupings)
    for name, each in data.groupings.items():
        assert back.groupings[name].names == each.names
        np.testing.assert_array_equal(back.groupings[name].matrix, each.matrix)


def levels(data):
    with data.open() as images:
        return [images.open(row).getpixel((0, 0))[0] for row in range(len(images))]


def test_written_set_comes_back(data, tmp_path):
    folder = tmp_path / "new" / "written"
    written = data.write(folder)
    assert written == {
        "images": folder / "images.txt",
        "tags": folder / "tags.jsonl",
        "labels": folder / "labels.npy",
    }
    assert sorted(os.listdir(folder)) == ["images.txt", "labels.json", "labels.npy", "tags.jsonl"]
    back = wsdhq.data.load("folder", folder)
    assert_same(back, data)
    assert levels(back) == [3, 7]
    assert_same(wsdhq.data.load("folder", folder, grouping="hue"), hue_of(data))


def hue_of(data):
    hue = data.groupings["hue"]
    return replace(data, labels=hue.matrix, label_names=hue.names, groupings={"hue": hue})


def test_set_without_labels_comes_back(data, tmp_path):
    none = replace(data, labels=np.empty((2, 0), np.uint8), label_names=(), groupings={})
    assert list(none.write(tmp_path / "written")) == ["tags", "images"]
    assert_same(wsdhq.data.load("folder", tmp_path / "written"), none)


def test_relative_paths_are_written_as_absolute_ones(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "made")
    relative = replace(data, images=[Path("sub/a ä.png"), "b.png"])
    relative.write("../written")
    monkeypatch.chdir(tmp_path)
    assert_same(wsdhq.data.load("folder", "written"), data)


def test_writing_again_replaces_what_was_written(data, tmp_path):
    data.write(tmp_path / "written")
    other = replace(data, tags=[["one"], ["two"]], images=data.images[::-1])
    other.write(tmp_path / "written")
    assert_same(wsdhq.data.load("folder", tmp_path / "written"), other)


def test_archive_is_linked_to(data, tmp_path, monkeypatch):
    path = write_zip(tmp_path / "Photos.ZIP", {"z.png": grey(9), "a.png": grey(4)})
    monkeypatch.chdir(tmp_path)
    zipped = replace(data, images=["z.png", "a.png"], archive=Path("Photos.ZIP"))
    for _ in range(2):
        written = zipped.write("written")
        assert written["images"] == Path("written", "images.zip")
        assert written["images"].readlink() == path
        back = wsdhq.data.load("folder", "written")
        assert_same(back, zipped)
        assert levels(back) == [9, 4]
    back.write("written")
    assert levels(back) == [9, 4]


def test_archive_of_other_images_is_noticed(data, tmp_path):
    path = write_zip(tmp_path / "images.zip", {"z.png": grey(9), "a.png": grey(4)})
    for names in (["a.png", "z.png"], ["z.png", "b.png"]):
        zipped = replace(data, images=names, archive=path)
        with pytest.raises(ValueError, match=r"images\.zip holds other images .* 2 there, 2"):
            zipped.open()
        with pytest.raises(ValueError, match=r"images\.zip holds other images"):
            zipped.write(tmp_path / "written")
    assert not (tmp_path / "written").exists()


def test_features_are_linked_to(data, tmp_path):
    path = tmp_path / "F.npy"
    np.save(path, np.arange(6.0).reshape(2, 3))
    for images in (data.images, []):
        folder = tmp_path / f"written {len(images)}"
        with_features = replace(data, images=images, features=path)
        written = with_features.write(folder)
        assert ("images" in written) == bool(images)
        back = wsdhq.data.load("folder", folder)
        assert_same(back, with_features)
        np.testing.assert_array_equal(np.load(back.features), np.load(path))
        back.write(folder)
        assert (folder / "features.npy").readlink() == path


def test_link_never_replaces_a_file(data, tmp_path):
    np.save(tmp_path / "F.npy", np.ones((2, 3)))
    (tmp_path / "written").mkdir()
    np.save(tmp_path / "written" / "features.npy", np.zeros((2, 3)))
    with pytest.raises(FileExistsError, match=r"features\.npy exists: expected nothing in"):
        replace(data, features=tmp_path / "F.npy").write(tmp_path / "written")
    assert np.load(tmp_path / "written" / "features.npy").sum() == 0


def test_file_system_without_links_is_named(data, tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError("not here")

    np.save(tmp_path / "F.npy", np.ones((2, 3)))
    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(OSError, match=r"features\.npy cannot be made a link to .*F\.npy: not here"):
        replace(data, features=tmp_path / "F.npy").write(tmp_path / "written")
    assert sorted(os.listdir(tmp_path / "written")) == ["labels.json", "labels.npy"]


@pytest.mark.parametrize("name", ["tags.txt", "labels.csv", "features.npy"])
def test_other_forms_in_the_folder_are_refused(data, tmp_path, name):
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / name).write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=rf"{name} exists, and would be taken for a part"):
        data.write(tmp_path / "written")
    assert (tmp_path / "written" / name).read_bytes() == b"mine"
    assert os.listdir(tmp_path / "written") == [name]


def test_stale_parts_are_refused(data, tmp_path):
    data.write(tmp_path / "written")
    none = replace(data, labels=np.empty((2, 0), np.uint8), label_names=(), groupings={})
    with pytest.raises(FileExistsError, match=r"labels\.npy exists"):
        none.write(tmp_path / "written")
    path = write_zip(tmp_path / "x.zip", {"z.png": grey(9), "a.png": grey(4)})
    zipped = replace(data, images=["z.png", "a.png"], archive=path)
    with pytest.raises(FileExistsError, match=r"images\.txt exists"):
        zipped.write(tmp_path / "written")
    assert_same(wsdhq.data.load("folder", tmp_path / "written"), data)


def test_failure_leaves_no_tags_and_so_no_data_set(data, tmp_path, monkeypatch):
    def fail(path, array):
        raise OSError("disk full")

    data.write(tmp_path / "written")
    monkeypatch.setattr("wsdhq.data.folder_files.save_npy", fail)
    with pytest.raises(OSError, match="disk full"):
        data.write(tmp_path / "written")
    with pytest.raises(FileNotFoundError, match="holds no tags"):
        wsdhq.data.load("folder", tmp_path / "written")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tags": [[], ["Red"]]}, r"tags\[1\] are \['Red'\], but would be read as \['red'\]"),
        ({"tags": [["a", "a"], []]}, r"tags\[0\] are \['a', 'a'\], but would be read as \['a'\]"),
        ({"tags": [[" a"], []]}, r"tags\[0\] are \[' a'\]"),
        ({"tags": [["\ud83d"], []]}, r"tags\[0\] .*half of a surrogate pair"),
        ({"images": ["/a/b.png", "/a/b\nc.png"]}, r"images\[1\] is '/a/b\\nc\.png': a path in a"),
        ({"images": ["/a/b.png ", "/a"]}, r"images\[0\] is '/a/b\.png '"),
        ({"images": ["/a/\udcff.png", "/a"]}, r"images\[0\] is .*no UTF-8"),
    ],
)
def test_what_would_not_come_back_is_not_written(data, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        replace(data, **changes).write(tmp_path / "written")
    assert not (tmp_path / "written").exists()


def test_names_of_columns_are_plain_json(data, tmp_path):
    data.write(tmp_path)
    names = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    assert names == {"sub": ["pet | tool", "none"], "hue": ["réd"]}
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(ValueError, match="holds no images"):
        replace(data, archive=tmp_path / "empty.zip").open()
