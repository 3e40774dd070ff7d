"""Materials: rows by seed, inputs by row, word vectors kept, unreadable images left out."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from reproduction import small_set, write_images
from wsdhq.data import open_images, read_tags
from wsdhq.embed.tags.word_vectors import load_word_vectors
from wsdhq.reproduce import Listener
from wsdhq.reproduce.inputs.inputs import ImageInputs
from wsdhq.reproduce.results.rows import QUICK_DATABASE, QUICK_QUERIES, Rows, quick_rows

BROKEN = (4, 17)


def from_images(source, loader):
    """The same data set without features."""
    write_images(source.root)
    source.features, source.extract = None, mean_colours
    source.settings = {**source.settings, "image_size": 16}
    return source


def mean_colours(collection, **options):
    """Stands in for a backbone: the mean colour of each image that can be read."""
    mean_colours.calls.append(options)
    features, kept, skipped = [], [], []
    for row, name in enumerate(collection.names):
        try:
            features.append(np.asarray(collection.open(row), np.float32).mean(axis=(0, 1)))
            kept.append(row)
        except Exception as error:
            skipped.append(SimpleNamespace(row=row, name=name, reason=str(error)))
    return SimpleNamespace(features=np.array(features), kept=np.array(kept), skipped=skipped)


@pytest.fixture(autouse=True)
def _fresh():
    mean_colours.calls = []


def test_the_split_follows_the_seed(source, loader):
    first, second = source.materials(0), source.materials(1)
    assert loader.calls == [("folder", 0), ("folder", 1)]
    assert not np.array_equal(first.query, second.query)
    expected = small_set(source.root, 1)
    for name in ("query", "database", "train"):
        assert np.array_equal(getattr(second, name), getattr(expected, name))
    assert first.content["split"] != second.content["split"]
    assert first.content["labels"] == second.content["labels"]
    pairs = second.label_pairs()
    assert list(pairs) == ["kind", "parity"]
    matrix = expected.groupings["kind"].matrix
    assert np.array_equal(pairs["kind"][0], matrix[expected.query])
    assert np.array_equal(pairs["kind"][1], matrix[expected.database])


def test_features_are_taken_by_row(source):
    values = np.load(source.features)
    inputs = source.materials(0).inputs(deep=True)
    rows = np.array([7, 3, 140])
    assert np.array_equal(inputs.take(rows), values[rows])
    inputs.rows_at_once = 2
    assert [len(block) for block in inputs.blocks(rows)] == [2, 1]
    assert np.array_equal(np.concatenate(list(inputs.blocks(rows))), values[rows])


def test_training_files_that_another_process_removed_are_written_again(source):
    materials = source.materials(0)
    files = materials.training_files
    content = {name: Path(path).read_bytes() for name, path in files.items()}
    shutil.rmtree(materials.training_folder)
    assert materials.training_files == files
    assert {name: Path(path).read_bytes() for name, path in files.items()} == content


def test_training_files_hold_training_rows_and_no_others(source):
    materials = source.materials(0)
    files = materials.training_files
    assert set(files) == {"features", "tags"}
    values = np.load(source.features)
    assert np.array_equal(np.load(files["features"]), values[materials.train])
    tags = [materials.dataset.tags[row] for row in materials.train]
    assert read_tags(files["tags"]) == tags
    assert not np.isin(materials.query, materials.train).any()


def test_features_of_the_folder_are_used_unless_others_are_given(source, loader):
    own = source.root / "own.npy"
    np.save(own, np.zeros((150, 3), np.float32))
    loader.changes["features"] = own
    assert source.materials(0).inputs(False).take(np.array([0])).shape == (1, 10)
    source.features = None
    materials = source.materials(0)
    assert materials.inputs(False).take(np.array([0])).shape == (1, 3)
    assert not materials.deep_from_images


def test_mistakes_of_data_are_named(source, loader):
    loader.changes["groupings"] = {}
    with pytest.raises(ValueError, match="the data set has no labels, so there is nothing to ev"):
        source.materials(0)
    loader.changes.clear()
    np.save(source.features, np.zeros((149, 3), np.float32))
    with pytest.raises(ValueError, match=r"features\.npy has features of 149 images, but .* 150"):
        source.materials(0).inputs(False)
    loader.changes["query"] = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="the data set has no query rows"):
        source.materials(0)
    loader.changes = {"images": []}
    source.backbone = "small"
    with pytest.raises(ValueError, match="no images to learn from through 'small'"):
        source.materials(0)


def test_values_beyond_float32_name_their_row(source):
    values = np.load(source.features).astype(np.float64)
    values[11, 2] = 1e300
    np.save(source.features, values)
    with pytest.raises(ValueError, match="row 11 is not"):
        source.materials(0).inputs(False).take(np.array([3, 11]))


def test_word_vectors_are_trained_once_and_kept(source):
    stages = []
    source.listener = Listener(stage=stages.append)
    materials = source.materials(0)
    path = materials.word_vector_file
    assert path == source.out / "word_vectors-seed0.txt"
    assert stages == ["word vectors"]
    assert materials.word_vectors.dim == 8
    words = {tag for row in materials.train for tag in materials.dataset.tags[row]}
    assert {word.replace("_", " ") for word in materials.word_vectors.words} == words
    content = path.read_bytes()
    assert source.materials(0).word_vector_file == path
    assert stages == ["word vectors"]
    source.settings = {**source.settings, "word_dim": 5}
    assert source.materials(0).word_vectors.dim == 5
    assert path.read_bytes() != content
    assert source.materials(1).word_vector_file != path


def test_word_vectors_that_are_given_are_read_for_the_tags_alone(source):
    given = source.root / "words.vec"
    lines = [f"{word} {place} 1 2" for place, word in enumerate(("boat", "my_boat", "zebra"))]
    given.write_text("\n".join(["3 3", *lines]) + "\n")
    source.word_vectors = given
    materials = source.materials(0)
    assert set(materials.word_vectors.words) == {"boat", "my_boat"}
    before = materials.describe_word_vectors()
    given.write_text("1 3\nboat 5 5 5\n")
    again = replace(source, _checksums={}).materials(0)
    assert again.describe_word_vectors() != before
    assert load_word_vectors(again.word_vector_file).words == ("boat",)


def test_a_quick_run_takes_a_part_of_each(source):
    source.quick = True
    rows = Rows(np.arange(500), np.arange(500, 9000), np.arange(500, 9000))
    quick = quick_rows(rows, 0)
    assert [len(each) for each in quick] == [QUICK_QUERIES, QUICK_DATABASE, QUICK_DATABASE]
    assert np.isin(quick.query, rows.query).all()
    assert np.array_equal(quick.train, quick.database)
    # A training set that is a part of the database stays in it, with others beside.
    apart = quick_rows(rows._replace(train=np.arange(600, 4600)), 0)
    assert [len(each) for each in apart] == [400, 3600, 1800]
    assert np.isin(apart.train, apart.database).all()
    assert len(np.unique(apart.database)) == 3600
    assert np.array_equal(quick_rows(rows, 0).query, quick.query)
    assert not np.array_equal(quick_rows(rows, 1).query, quick.query)
    small = source.materials(0)
    assert sorted(small.database) == sorted(small.dataset.database)


def test_images_are_decoded_by_row(source, loader):
    materials = from_images(source, loader).materials(0)
    assert materials.deep_from_images
    inputs = materials.inputs(deep=True)
    rows = np.array([5, 2])
    pixels = inputs.take(rows)
    assert pixels.shape == (2, 16, 16, 3)
    with open_images(source.root / "images") as collection:
        assert np.array_equal(pixels[1], np.asarray(collection.open(2)))
    assert materials.inputs(True, 8).take(rows).shape == (2, 8, 8, 3)
    files = materials.training_files
    with open_images(files["images"]) as collection:
        assert len(collection) == len(materials.train)
        first = np.asarray(collection.open(0))
    assert np.array_equal(first, inputs.take(materials.train[:1])[0])


def test_images_of_an_archive_are_unpacked_for_training(source, loader):
    from_images(source, loader)
    names = [path.name for path in small_set(source.root).images]
    with zipfile.ZipFile(source.root / "images.zip", "w") as archive:
        for name in names:
            archive.write(source.root / "images" / name, name)
    loader.changes |= {"images": names, "archive": source.root / "images.zip"}
    materials = source.materials(0)
    with open_images(materials.training_files["images"]) as collection:
        assert len(collection) == len(materials.train)
        last = np.asarray(collection.open(len(collection) - 1))
    assert np.array_equal(last, materials.inputs(True).take(materials.train[-1:])[0])


@pytest.mark.parametrize("name", ["images/000.png ", "images/\n000.png"])
def test_paths_that_a_list_cannot_hold_are_refused(name, source):
    data = replace(small_set(source.root), images=[source.root / name])
    inputs = ImageInputs(data, 16, 1, Listener())
    with pytest.raises(ValueError, match="a list of images cannot hold a path with"):
        inputs.write(np.array([0]), source.out)


@pytest.mark.parametrize("features", ["given", "computed"])
def test_unreadable_images_are_left_out_and_never_shift_others(source, loader, features):
    given = source.features
    from_images(source, loader)
    for row in BROKEN:
        small_set(source.root).images[row].write_bytes(b"no image")
    if features == "given":
        source.features, source.backbone = given, "small"
    told = []
    source.listener = Listener(skipped=lambda images, total: told.append((images, total)))
    materials = source.materials(0)
    data = small_set(source.root)
    for name in ("query", "database", "train"):
        rows = getattr(data, name)
        assert np.array_equal(getattr(materials, name), rows[~np.isin(rows, BROKEN)])
    ((skipped, total),) = told
    assert [image.row for image in skipped] == list(BROKEN)
    assert total == 150
    assert materials.counts["unreadable"] == 2
    values = materials.inputs(False).take(materials.database)
    if features == "given":
        assert np.array_equal(values, np.load(given)[materials.database])
    else:
        pixels = materials.inputs(True).take(materials.database)
        assert values == pytest.approx(pixels.astype(np.float32).mean(axis=(1, 2)))
    # What was found is kept: the images are not looked at again.
    for path in (source.root / "images").iterdir():
        path.unlink()
    again = source.materials(0)
    assert np.array_equal(again.query, materials.query)
    assert len(mean_colours.calls) == (features == "computed")


@pytest.mark.parametrize("features", ["given", "computed"])
def test_an_image_that_has_been_mended_is_looked_at_again(source, loader, features):
    given = source.features
    from_images(source, loader)
    image = small_set(source.root).images[BROKEN[0]]
    whole = image.read_bytes()
    image.write_bytes(b"")
    if features == "given":
        source.features, source.backbone = given, "small"
    assert source.materials(0).counts["unreadable"] == 1
    image.write_bytes(whole)
    assert source.materials(0).counts["unreadable"] == 0
    assert source.materials(0).counts["database"] == 120


def test_labels_that_no_image_carries_are_an_error(source, loader):
    groupings = small_set(source.root).groupings
    none = {name: replace(each, matrix=0 * each.matrix) for name, each in groupings.items()}
    loader.changes["groupings"] = {**groupings, "kind": none["kind"]}
    source.materials(0)
    loader.changes["groupings"] = none
    with pytest.raises(ValueError, match="none of the 150 images carries a label, so there is no"):
        source.materials(0)


def test_features_are_computed_once_for_all_seeds(source, loader):
    lines = []
    from_images(source, loader)
    source.listener = Listener(log=lines.append)
    source.settings = {**source.settings, "crop_size": 16, "evaluation_crops": "ten"}
    first, second = source.materials(0), source.materials(1)
    rows = np.arange(150)
    assert np.array_equal(first.inputs(False).take(rows), second.inputs(False).take(rows))
    (options,) = mean_colours.calls
    assert (options["backbone"], options["crop_size"]) == ("small", 16)
    assert (options["image_size"], options["evaluation_crops"]) == (16, "ten")
    assert len(lines) == 1
    assert lines[0].startswith("computed the features of 150 images")
    described = first.describe_inputs(deep=False)
    source.settings = {**source.settings, "evaluation_crops": "centre"}
    assert source.materials(0).describe_inputs(deep=False) != described
    source.materials(0).inputs(False)
    assert len(mean_colours.calls) == 2


def test_what_is_learnt_from_is_said(source, loader):
    words = "word vectors: trained on the tags of the training rows, 8 dimensions"
    assert source.materials(0).lines == ("features: features.npy, for all methods", words)
    source.backbone, source.backbone_weights = "small", source.root / "w.pt"
    source.word_vectors = source.root / "words.bin"
    assert source.materials(0).lines == (
        "features: features.npy; deep methods learn from the images through small with weights of "
        "w.pt",
        "word vectors: words.bin",
    )
    source.features = source.backbone_weights = None
    assert source.materials(0).lines[0] == (
        "features: the output of small with random weights; deep methods learn from the images"
    )


def test_no_readable_query_is_an_error(source, loader):
    from_images(source, loader)
    data = small_set(source.root)
    for row in data.query:
        data.images[row].write_bytes(b"no image")
    with pytest.raises(ValueError, match="none of the query images can be read"):
        _ = source.materials(0).query
