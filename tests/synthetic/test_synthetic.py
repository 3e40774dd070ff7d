import csv
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wsdhq.data import open_images, read_labels, read_tags
from wsdhq.synthetic import render_world
from wsdhq.synthetic.colours import COLOUR_NAMES, sample_colour
from wsdhq.synthetic.composition import STYLE_NAMES, compose
from wsdhq.synthetic.grid import Grid
from wsdhq.synthetic.objects import KIND_NAMES, KINDS, NUM_VARIANTS
from wsdhq.synthetic.pen import Paint, Pen
from wsdhq.synthetic.textures import SCENE_NAMES, SCENES
from wsdhq.synthetic.vocabulary import all_words, tag_image
from wsdhq.synthetic.words import COLOUR_WORDS, KIND_WORDS, SCENE_WORDS, STYLE_WORDS


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return render_world(tmp_path_factory.mktemp("synthetic") / "world", num_images=400, seed=3)


@pytest.fixture(scope="module")
def full_size():
    """What the default world shows and how it is tagged, without painting it."""
    compositions = [compose(0, index) for index in range(4000)]
    tags = [tag_image(0, index, item) for index, item in enumerate(compositions)]
    labels = np.zeros((4000, len(KINDS)), dtype=np.uint8)
    for row, item in enumerate(compositions):
        labels[row, list(item.kinds)] = 1
    return compositions, tags, labels


def contents(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def words_of(entry):
    return {entry.usual, entry.plural, *entry.synonyms, *entry.misspelt, *entry.related}


def average_precision(relevant):
    places = np.flatnonzero(relevant) + 1
    return np.mean(np.arange(1, len(places) + 1) / places)


# ---- files


def test_the_readers_of_the_library_agree_on_the_files(world):
    with open_images(world.images) as images:
        names = images.names
        pictures = [np.asarray(images.open(row)) for row in (0, 399)]
    assert names == [f"{index:06d}.jpg" for index in range(400)]
    assert {picture.shape for picture in pictures} == {(64, 64, 3)}
    tags = read_tags(world.tags)
    labels = read_labels(world.labels)
    assert len(tags) == len(labels) == 400
    assert labels.groupings.keys() == {"labels"}
    assert labels.groupings["labels"].names == KIND_NAMES == world.label_names
    with world.labels.open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == names


def test_every_row_of_the_files_is_of_its_own_image(world):
    tags = read_tags(world.tags)
    matrix = read_labels(world.labels).groupings["labels"].matrix
    for index in range(400):
        composition = compose(3, index)
        assert tags[index] == tag_image(3, index, composition)
        assert tuple(np.flatnonzero(matrix[index])) == composition.kinds


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first = render_world(tmp_path / "a", num_images=12, seed=5, size=32)
    second = render_world(tmp_path / "b", num_images=12, seed=5, size=32)
    assert contents(first.directory) == contents(second.directory)
    other = render_world(tmp_path / "c", num_images=12, seed=6, size=32)
    assert first.tags.read_bytes() != other.tags.read_bytes()
    differing = [
        path.read_bytes() != (other.images / path.name).read_bytes()
        for path in first.images.iterdir()
    ]
    assert all(differing)


def test_bytes_do_not_depend_on_the_hash_seed_of_the_process(tmp_path):
    script = "import sys; from wsdhq.synthetic import render_world as r; r(sys.argv[1], 8)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-c", script, str(tmp_path / hash_seed)]
        subprocess.run(command, check=True, env={**environment, "PYTHONHASHSEED": hash_seed})
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_longer_world_begins_with_the_shorter(tmp_path):
    short = render_world(tmp_path / "short", num_images=5, size=24)
    long = render_world(tmp_path / "long", num_images=9, size=24)
    for path in short.images.iterdir():
        assert path.read_bytes() == (long.images / path.name).read_bytes()
    for name in ("tags.txt", "labels.csv"):
        begun = (short.directory / name).read_text()
        assert (long.directory / name).read_text().startswith(begun)


def test_size_changes_the_pixels_alone(tmp_path):
    small = render_world(tmp_path / "small", num_images=6, size=32)
    large = render_world(tmp_path / "large", num_images=6, size=128)
    assert small.tags.read_bytes() == large.tags.read_bytes()
    assert small.labels.read_bytes() == large.labels.read_bytes()
    for path in small.images.iterdir():
        coarse = Image.open(path)
        fine = Image.open(large.images / path.name)
        assert (coarse.size, fine.size) == ((32, 32), (128, 128))
        # The same objects stand at the same places, so that the reduced pictures resemble.
        pair = [
            np.asarray(image.convert("L").resize((8, 8), 4)).ravel() for image in (coarse, fine)
        ]
        assert np.corrcoef(pair)[0, 1] > 0.6


def test_no_global_random_state_is_touched(tmp_path):
    before = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    render_world(tmp_path / "world", num_images=2, size=16)
    assert before == (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002


def test_progress_counts_every_image(tmp_path):
    calls = []
    render_world(tmp_path / "w", num_images=3, size=16, progress=lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]


# ---- re-use, interruption, other people's files


def test_a_complete_world_is_used_as_it_is(tmp_path):
    world = render_world(tmp_path / "w", num_images=4, size=16)
    before = {path: path.stat().st_mtime_ns for path in world.directory.rglob("*")}
    again = render_world(str(tmp_path / "w"), 4, size=16, progress=lambda *_: pytest.fail("drawn"))
    assert again == world
    assert {path: path.stat().st_mtime_ns for path in world.directory.rglob("*")} == before


class Stopped(Exception):  # noqa: N818
    pass


def test_an_interrupted_rendering_is_done_anew(tmp_path):
    def stop(done, total):
        if done == 7:
            raise Stopped

    with pytest.raises(Stopped):
        render_world(tmp_path / "w", num_images=9, size=16, progress=stop)
    assert len(list((tmp_path / "w" / "images").iterdir())) == 7
    assert not (tmp_path / "w" / "world.json").exists()
    # Fewer images than were already drawn: none of those may stay behind.
    render_world(tmp_path / "w", num_images=5, seed=1, size=16)
    render_world(tmp_path / "fresh", num_images=5, seed=1, size=16)
    assert contents(tmp_path / "w") == contents(tmp_path / "fresh")


def test_a_world_without_its_record_counts_as_interrupted(tmp_path):
    world = render_world(tmp_path / "w", num_images=4, size=16)
    whole = contents(world.directory)
    (world.directory / "world.json").unlink()
    world.tags.write_text("half a li")
    render_world(tmp_path / "w", num_images=4, size=16)
    assert contents(world.directory) == whole


@pytest.mark.parametrize("name", ["notes.txt", "images/000000.jpg", "tags.txt", "images"])
def test_files_that_are_not_of_a_world_are_left_alone(tmp_path, name):
    mine = tmp_path / "w" / name
    if name == "images":
        mine.mkdir(parents=True)
    else:
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
    before = contents(tmp_path / "w")
    with pytest.raises(ValueError, match=f"already holds {name.split('/')[0]}"):
        render_world(tmp_path / "w", num_images=2, size=16)
    assert contents(tmp_path / "w") == before


@pytest.mark.parametrize("name", ["diary.txt", "images/holiday.jpg"])
def test_files_added_to_an_interrupted_rendering_are_left_alone(tmp_path, name):
    world = render_world(tmp_path / "w", num_images=2, size=16)
    (world.directory / "world.json").unlink()
    (world.directory / name).write_text("mine")
    before = contents(world.directory)
    with pytest.raises(ValueError, match=name):
        render_world(tmp_path / "w", num_images=2, size=16)
    assert contents(world.directory) == before


@pytest.mark.parametrize("settings", [{"num_images": 3}, {"seed": 1}, {"size": 17}])
def test_a_world_of_other_settings_is_refused(tmp_path, settings):
    asked = {"num_images": 2, "seed": 0, "size": 16}
    render_world(tmp_path / "w", **asked)
    with pytest.raises(ValueError, match="other settings") as error:
        render_world(tmp_path / "w", **{**asked, **settings})
    ((name, value),) = settings.items()
    assert f"'{name}': {value}" in str(error.value)
    assert f"'{name}': {asked[name]}" in str(error.value)


def drop_image(world):
    (world.images / "000001.jpg").unlink()
    return "000001.jpg"


def truncate_image(world):
    path = world.images / "000001.jpg"
    path.write_bytes(path.read_bytes()[:-9])
    return "images was changed"


def add_image(world):
    (world.images / "000009.jpg").write_bytes(b"")
    return "000009.jpg"


def edit_tags(world):
    world.tags.write_text("sunset\n\n")
    return "tags.txt was changed"


def drop_labels(world):
    world.labels.unlink()
    return "labels.csv of a rendered world is missing"


def spoil_record(world):
    (world.directory / "world.json").write_text("[1, 2")
    return "world.json: expected the record"


def replace_record(world):
    (world.directory / "world.json").write_text(json.dumps({"planet": "earth"}))
    return "world.json: expected the record"


@pytest.mark.parametrize(
    "damage",
    [drop_image, truncate_image, add_image, edit_tags, drop_labels, spoil_record, replace_record],
)
def test_a_damaged_world_is_refused_and_kept(tmp_path, damage):
    world = render_world(tmp_path / "w", num_images=2, size=16)
    message = damage(world)
    before = contents(world.directory)
    with pytest.raises(ValueError, match=message):
        render_world(tmp_path / "w", num_images=2, size=16)
    assert contents(world.directory) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "w").write_text("mine")
    with pytest.raises(ValueError, match="is a file, expected a folder"):
        render_world(tmp_path / "w")
    assert (tmp_path / "w").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_images": 0}, ValueError, "num_images: expected 1 to 1000000, got 0"),
        ({"num_images": 1_000_001}, ValueError, "num_images: .* got 1000001"),
        ({"num_images": 10.0}, TypeError, "num_images: expected an integer, got float"),
        ({"num_images": True}, TypeError, "num_images: expected an integer, got bool"),
        ({"seed": -1}, ValueError, "seed: expected at least 0, got -1"),
        ({"seed": None}, TypeError, "seed: expected an integer, got NoneType"),
        ({"size": 15}, ValueError, "size: expected 16 to 1024, got 15"),
        ({"size": 1025}, ValueError, "size: expected 16 to 1024, got 1025"),
        ({"size": "64"}, TypeError, "size: expected an integer, got str"),
        ({"progress": 3}, TypeError, "progress: expected a callable or None, got int"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_written(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        render_world(tmp_path / "w", **arguments)
    assert not (tmp_path / "w").exists()


def test_numpy_integers_are_integers(tmp_path):
    world = render_world(tmp_path / "w", np.int64(1), np.uint8(2), np.int32(16))
    assert (world.num_images, world.seed, world.size) == (1, 2, 16)
    assert {type(value) for value in (world.num_images, world.seed, world.size)} == {int}


# ---- what is shown


def test_kinds_are_many_and_each_is_common_enough_to_learn(full_size):
    _, _, labels = full_size
    assert len(KINDS) >= 16
    assert list(KIND_NAMES) == sorted(set(KIND_NAMES))
    assert labels.sum(axis=0).min() >= 150
    assert set(labels.sum(axis=1)) == {1, 2, 3}


def test_a_random_ranking_is_poor(full_size):
    _, _, labels = full_size
    rng = np.random.default_rng(1)
    precisions = []
    for query in range(200):
        order = rng.permutation(np.delete(np.arange(len(labels)), query))
        precisions.append(average_precision((labels[order] @ labels[query]) > 0))
    assert 0.10 < np.mean(precisions) < 0.25


def test_raw_pixels_rank_hardly_better_than_chance(world):
    labels = read_labels(world.labels).groupings["labels"].matrix
    pixels = np.stack(
        [np.asarray(Image.open(path), dtype=np.float64) for path in sorted(world.images.iterdir())]
    ).reshape(len(labels), -1)
    pixels -= pixels.mean(axis=0)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    by_pixels, by_chance = [], []
    rng = np.random.default_rng(0)
    for query in range(200):
        order = np.argsort(-(pixels @ pixels[query]), kind="stable")[1:]
        relevant = (labels @ labels[query]) > 0
        by_pixels.append(average_precision(relevant[order]))
        by_chance.append(average_precision(relevant[rng.permutation(order)]))
    assert np.mean(by_pixels) < np.mean(by_chance) + 0.04


def test_objects_lie_inside_the_image_and_keep_apart(full_size):
    compositions, _, _ = full_size
    overlapping = 0
    for composition in compositions:
        for item in composition.objects:
            assert 0.17 < item.radius < 0.45
            for centre in (item.x, item.y):
                assert 0.9 * item.radius < centre < 1 - 0.9 * item.radius
        first, *others = composition.objects
        overlapping += any(
            np.hypot(first.x - item.x, first.y - item.y) < 0.6 * (first.radius + item.radius)
            for item in others
        )
    assert overlapping < 0.1 * len(compositions)


def test_scenes_styles_and_colours_all_occur(full_size):
    compositions, _, _ = full_size
    assert {SCENE_NAMES[item.scene] for item in compositions} == set(SCENE_NAMES)
    assert {item.style for item in compositions} == set(STYLE_NAMES)
    colours = {placed.colour for item in compositions for placed in item.objects}
    assert colours == set(COLOUR_NAMES)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_NAMES)
def test_each_kind_fills_its_circle_and_stays_on_its_layer(kind):
    drawings = set()
    for variant in range(NUM_VARIANTS):
        layer = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
        pen = Pen(ImageDraw.Draw(layer), (200.0, 200.0), 100.0)
        kind.draw(pen, Paint((200, 60, 40), (40, 90, 200)), variant)
        opaque = np.asarray(layer.getchannel("A")) == 255
        rows, columns = np.nonzero(opaque)
        reach = np.hypot(rows - 199.5, columns - 199.5).max() / 100
        assert 0.9 < reach < 1.16
        assert opaque.sum() > 0.12 * np.pi * 100**2
        drawings.add(hashlib.sha256(layer.tobytes()).hexdigest())
    assert len(drawings) >= 2


def test_a_turned_and_mirrored_object_is_the_same_object():
    def corner(angle, mirror):
        layer = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
        pen = Pen(ImageDraw.Draw(layer), (50.0, 50.0), 50.0, angle=angle, mirror=mirror)
        pen.polygon([(0.2, -0.9), (0.8, -0.9), (0.8, -0.3), (0.2, -0.3)], (255, 0, 0))
        rows, columns = np.nonzero(np.asarray(layer.getchannel("A")))
        return bool(columns.mean() > 50), bool(rows.mean() > 50)

    assert corner(0.0, False) == (True, False)
    assert corner(0.0, True) == (False, False)
    assert corner(np.pi / 2, False) == (True, True)
    assert corner(np.pi / 2, True) == (True, False)


@pytest.mark.parametrize("scene", SCENES, ids=SCENE_NAMES)
@pytest.mark.parametrize("size", [16, 33])
def test_each_scene_is_a_picture_of_its_own(scene, size):
    first, second = (scene.paint(np.random.default_rng(seed), Grid(size)) for seed in (0, 1))
    assert first.shape == second.shape == (3, size, size)
    assert np.isfinite(first).all()
    assert first.min() > -40
    assert first.max() < 330
    assert first.std() > 3
    assert np.abs(first - second).mean() > 2


@pytest.mark.parametrize("name", COLOUR_NAMES)
def test_shades_of_a_colour_are_nearest_to_their_own_name(name):
    typical = {
        other: np.mean([sample_colour(np.random.default_rng(i), other) for i in range(60)], axis=0)
        for other in COLOUR_NAMES
    }
    right = 0
    for seed in range(100, 140):
        shade = np.array(sample_colour(np.random.default_rng(seed), name))
        nearest = min(typical, key=lambda other: np.abs(typical[other] - shade).sum())
        right += nearest == name
    assert right >= 34


# ---- how it is tagged


def test_statistics_of_the_tags(full_size):
    _, tags, _ = full_size
    counts = Counter(word for words in tags for word in words)
    tagged = [len(words) for words in tags if words]
    assert 200 <= len(counts) <= 600
    assert 3 <= np.mean(tagged) <= 7
    assert 0.03 < 1 - len(tagged) / len(tags) < 0.08
    # A long tail: many words are rare, and few words are much of what is written.
    frequencies = np.sort(list(counts.values()))[::-1]
    assert np.mean(frequencies <= 5) > 0.15
    assert frequencies[:40].sum() > 0.3 * frequencies.sum()


def test_tags_are_single_lower_case_words_without_repetition(full_size):
    _, tags, _ = full_size
    known = all_words()
    assert 200 <= len(known) <= 600
    for words in tags:
        assert len(set(words)) == len(words)
        assert known.issuperset(words)
    for word in known:
        assert word.split() == [word]
        assert word == word.lower()


def test_every_thing_has_words():
    assert KIND_WORDS.keys() == set(KIND_NAMES)
    assert SCENE_WORDS.keys() == set(SCENE_NAMES)
    assert COLOUR_WORDS.keys() == set(COLOUR_NAMES)
    assert STYLE_WORDS.keys() == set(STYLE_NAMES) - {"plain"}
    for entry in (*KIND_WORDS.values(), *SCENE_WORDS.values()):
        assert entry.plural
        assert entry.synonyms
        assert entry.misspelt
        assert entry.related


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KIND_NAMES)
def test_users_tag_what_is_shown(full_size, kind):
    _, tags, labels = full_size
    words = words_of(KIND_WORDS[KIND_NAMES[kind]])
    told = np.array([not words.isdisjoint(tags_of_image) for tags_of_image in tags])
    shown = labels[:, kind] == 1
    assert 0.6 < told[shown].mean() < 0.95  # tags are missing too
    assert 0 < told[~shown].mean() < 0.08  # and wrong ones given
    assert told[shown].mean() > 8 * told[~shown].mean()


def test_users_tag_scenes_colours_and_styles(full_size):
    compositions, tags, _ = full_size

    def share_told(words, chosen):
        return np.mean([not words.isdisjoint(tags[row]) for row in np.flatnonzero(chosen)])

    scenes = np.array([item.scene for item in compositions])
    for place, name in enumerate(SCENE_NAMES):
        words = words_of(SCENE_WORDS[name])
        assert share_told(words, scenes == place) > 4 * share_told(words, scenes != place)
    colours = [{placed.colour for placed in item.objects} for item in compositions]
    for name in COLOUR_NAMES:
        words = words_of(COLOUR_WORDS[name])
        has = np.array([name in seen for seen in colours])
        assert share_told(words, has) > 3 * share_told(words, ~has)
    styles = np.array([item.style for item in compositions])
    for name, entry in STYLE_WORDS.items():
        words = words_of(entry)
        assert share_told(words, styles == name) > 4 * share_told(words, styles != name)


def test_users_write_plurals_of_groups(full_size):
    compositions, tags, _ = full_size
    plurals = {True: [], False: []}
    for composition, words in zip(compositions, tags, strict=True):
        if len(composition.kinds) == 1:
            entry = KIND_WORDS[KIND_NAMES[composition.kinds[0]]]
            if entry.usual in words or entry.plural in words:
                plurals[len(composition.objects) > 1].append(entry.plural in words)
    assert np.mean(plurals[True]) > 0.5
    assert 0.02 < np.mean(plurals[False]) < 0.3


def test_users_use_synonyms_and_slip(full_size):
    _, tags, _ = full_size
    counts = Counter(word for words in tags for word in words)
    for entry in KIND_WORDS.values():
        assert counts[entry.usual] > max(counts[word] for word in entry.synonyms)
        assert all(counts[word] > 0 for word in entry.synonyms)
        assert sum(counts[word] for word in entry.misspelt) > 0
