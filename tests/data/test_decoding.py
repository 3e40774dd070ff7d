import signal
import time

import numpy as np
import pytest
from PIL import Image

from made_images import damage_entry, grey, noisy_jpeg, pixel_bomb, write_folder, write_zip
from wsdhq.data.decoding import SkippedImage, decode_images
from wsdhq.data.images import ImageCollection, open_images


def test_pixels_are_those_of_the_rows(tmp_path):
    write_folder(tmp_path, {f"{level}.png": grey(level) for level in range(100)})
    decoded = decode_images(open_images(tmp_path), 5)
    assert decoded.pixels.shape == (100, 5, 5, 3)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.kept.dtype == np.int64
    np.testing.assert_array_equal(decoded.kept, np.arange(100))
    np.testing.assert_array_equal(decoded.pixels[:, 4, 0, 1], np.arange(100))
    assert decoded.skipped == []


def test_resize_is_anti_aliased_and_ignores_proportions(tmp_path):
    # Stripes one pixel wide average out; without anti-aliasing some would survive.
    pixels = np.zeros((90, 60, 3), dtype=np.uint8)
    pixels[:, ::2] = 254
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    decoded = decode_images(open_images(tmp_path), 6)
    np.testing.assert_allclose(decoded.pixels, 127, atol=6)

    halves = np.zeros((10, 100, 3), dtype=np.uint8)
    halves[:, 50:] = 255
    Image.fromarray(halves).save(tmp_path / "stripes.png")
    decoded = decode_images(open_images(tmp_path), 8)
    np.testing.assert_array_equal(decoded.pixels[0, :, [0, 1, 6, 7], 0].T, [[0, 0, 255, 255]] * 8)


BAD = {
    "03.png": b"",
    "17.png": b"this is text",
    "18.png": noisy_jpeg()[:1500],
    "39.png": pixel_bomb(),
}


@pytest.mark.parametrize("kind", ["folder", "zip", "list"])
@pytest.mark.parametrize("threads", [1, 4])
def test_unreadable_images_are_left_out_and_shift_nothing(tmp_path, kind, threads):
    files = {f"{level:02}.png": grey(level) for level in range(40)} | BAD
    if kind == "zip":
        source = write_zip(tmp_path / "images.zip", files)
        damage_entry(source, "25.png", b"PK\x03\x04", b"PK\x00\x00")
    else:
        source = write_folder(tmp_path / "images", files)
        (source / "25.png").unlink()
        (source / "list.txt").write_text("\n".join(files))
        if kind == "list":
            source = source / "list.txt"
        else:
            (source / "25.png").write_bytes(b"x")
    with open_images(source) as images:
        decoded = decode_images(images, 3, threads=threads)
    bad = [3, 17, 18, 25, 39]
    np.testing.assert_array_equal(decoded.kept, [row for row in range(40) if row not in bad])
    np.testing.assert_array_equal(decoded.pixels[:, 1, 1, 0], decoded.kept)
    assert [(image.row, image.name) for image in decoded.skipped] == [
        (row, f"{row:02}.png") for row in bad
    ]
    assert decoded.skipped[0] == SkippedImage(3, "03.png", "the file is empty (0 bytes)")
    assert all(image.reason for image in decoded.skipped)


def test_chosen_rows_keep_their_order_and_may_repeat(tmp_path):
    files = {f"{level:02}.png": grey(level) for level in range(40)} | BAD
    images = open_images(write_folder(tmp_path, files))
    decoded = decode_images(images, 2, rows=[30, 17, 2, 30, 3])
    assert decoded.kept.tolist() == [30, 2, 30]
    assert decoded.pixels[:, 0, 0, 0].tolist() == [30, 2, 30]
    assert [image.row for image in decoded.skipped] == [17, 3]


@pytest.mark.parametrize("threads", [1, 5])
def test_jpegs_are_decoded_at_twice_the_size_at_any_number_of_threads(tmp_path, threads):
    files = {f"{number:02}.jpg": noisy_jpeg(number, (96, 64)) for number in range(40)}
    images = open_images(write_folder(tmp_path, files))
    for row, pixels in enumerate(decode_images(images, 16, threads=threads).pixels):
        reduced = images.open(row, at_least=32)
        assert reduced.size == (48, 32)
        expected = reduced.resize((16, 16), Image.Resampling.BILINEAR, reducing_gap=2.0)
        np.testing.assert_array_equal(pixels, np.asarray(expected))


def test_no_rows_give_an_empty_result(tmp_path):
    images = open_images(write_folder(tmp_path, {"a.png": grey(1)}))
    decoded = decode_images(images, 4, rows=[])
    assert (decoded.pixels.shape, decoded.kept.shape) == ((0, 4, 4, 3), (0,))
    assert decoded.skipped == []


def test_no_readable_image_at_all_is_an_error(tmp_path):
    images = open_images(write_folder(tmp_path, {"a.png": b"", "b.png": b"text"}))
    with pytest.raises(
        ValueError, match=r"none of the 2 images can be read; the first, a\.png: .*empty"
    ):
        decode_images(images, 4)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"size": 0}, ValueError, "size: expected at least 1, got 0"),
        ({"size": 4.0}, TypeError, "size: expected an integer, got float"),
        ({"threads": 0}, ValueError, "threads: expected at least 1, got 0"),
        ({"threads": "2"}, TypeError, "threads: expected an integer"),
        ({"rows": [1]}, ValueError, r"rows\[0\] is 1: expected a row number from 0 to 0"),
        ({"rows": [0.5]}, TypeError, "rows: expected integer"),
    ],
)
def test_bad_arguments_are_named(tmp_path, options, error, words):
    images = open_images(write_folder(tmp_path, {"a.png": grey(1)}))
    with pytest.raises(error, match=words):
        decode_images(images, **{"size": 4, **options})


def test_progress_counts_up_to_the_total(tmp_path):
    files = {f"{level:02}.png": grey(level) for level in range(40)} | BAD
    calls = []
    decode_images(
        open_images(write_folder(tmp_path, files)),
        4,
        progress=lambda done, total: calls.append((done, total)),
    )
    done = [call[0] for call in calls]
    assert done == sorted(set(done))
    assert len(done) > 1
    assert calls[-1] == (40, 40)
    assert {total for _, total in calls} == {40}


class SlowImages(ImageCollection):
    """Images that each take a while, and count how often they were read."""

    def __init__(self, number, seconds):
        super().__init__([str(row) for row in range(number)])
        self.seconds = seconds
        self.reads = 0

    def _read(self, row):
        self.reads += 1
        time.sleep(self.seconds)
        return grey(row % 256)


def test_interrupt_stops_the_work_promptly():
    images = SlowImages(2000, 0.002)

    def interrupt(done, total):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        decode_images(images, 4, threads=2, progress=interrupt)
    reads = images.reads
    assert reads < 1000
    time.sleep(0.1)
    assert images.reads == reads, "threads went on after the call had ended"


def test_exception_of_progress_stops_the_work():
    def progress(done, total):
        raise LookupError("enough")

    images = SlowImages(2000, 0.02)
    with pytest.raises(LookupError, match="enough"):
        decode_images(images, 4, threads=1, progress=progress)
    assert images.reads < 32, "the second task was not broken off"


def test_lack_of_memory_is_no_unreadable_image():
    class Hungry(SlowImages):
        def _read(self, row):
            raise MemoryError

    with pytest.raises(MemoryError):
        decode_images(Hungry(3, 0), 4)


@pytest.mark.parametrize("mapped", [False, True])
def test_pixels_fill_a_given_array(tmp_path, mapped):
    files = {f"{level:02}.png": grey(level) for level in range(40)} | BAD
    images = open_images(write_folder(tmp_path / "images", files))
    expected = decode_images(images, 3)
    if mapped:
        path = tmp_path / "pixels.npy"
        out = np.lib.format.open_memmap(path, "w+", np.uint8, (40, 3, 3, 3))
    else:
        out = np.zeros((40, 3, 3, 3), dtype=np.uint8)
    decoded = decode_images(images, 3, threads=2, out=out)
    assert np.shares_memory(decoded.pixels, out)
    np.testing.assert_array_equal(decoded.pixels, expected.pixels)
    np.testing.assert_array_equal(decoded.kept, expected.kept)
    if mapped:
        out.flush()
        np.testing.assert_array_equal(np.load(path)[:36], expected.pixels)


def test_given_array_may_be_for_chosen_rows(tmp_path):
    images = open_images(
        write_folder(tmp_path, {f"{level}.png": grey(level) for level in range(9)})
    )
    whole = np.zeros((9, 2, 2, 3), dtype=np.uint8)
    decode_images(images, 2, rows=[7, 1], out=whole[4:6])
    assert whole[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 7, 1, 0, 0, 0]


def read_only(shape):
    array = np.zeros(shape, dtype=np.uint8)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (np.zeros((2, 4, 4, 3)), TypeError, "out: expected an array of uint8, got float64"),
        ([[0]], TypeError, "out: expected an array of uint8, got list"),
        (np.zeros((1, 4, 4, 3), np.uint8), ValueError, r"here \(2, 4, 4, 3\), got \(1, 4, 4, 3\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), ValueError, r"here \(2, 4, 4, 3\), got \(2, 4, 4, 1\)"),
        (
            read_only((2, 4, 4, 3)),
            ValueError,
            "out: expected a writable array, got a read-only one",
        ),
    ],
)
def test_arrays_that_cannot_be_filled_are_refused(tmp_path, out, error, words):
    images = open_images(write_folder(tmp_path, {"a.png": grey(1), "b.png": grey(2)}))
    with pytest.raises(error, match=words):
        decode_images(images, 4, out=out)
