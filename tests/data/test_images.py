import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from wsdhq.data.images import (
    ImageCollection,
    SkippedImage,
    UnreadableImage,
    decode_images,
    open_images,
)


def encoded(colour=(200, 30, 60), size=(20, 30), extension="JPEG", mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, extension, **options)
    return file.getvalue()


def noisy_jpeg(seed=0, size=(64, 48)):
    pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0], 3))
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def grey(level):
    """Return a PNG of one grey level, by which rows can be told apart after decoding."""
    return encoded((level, level, level), extension="PNG")


def write_folder(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_folder_is_read_in_natural_order_of_relative_paths(tmp_path):
    names = ["b/im2.png", "im10.png", "im2.png", "im1.png", "a10/x.PNG", "a2/x.jpeg", "IM3.png"]
    write_folder(tmp_path, dict.fromkeys(names, grey(1)))
    assert open_images(tmp_path).names == [
        "a2/x.jpeg",
        "a10/x.PNG",
        "b/im2.png",
        "im1.png",
        "im2.png",
        "IM3.png",
        "im10.png",
    ]


def test_names_equal_but_for_zeros_and_case_have_a_fixed_order(tmp_path):
    names = ["im1.png", "im01.png", "IM1.png"]
    write_folder(tmp_path, dict.fromkeys(names, grey(1)))
    assert open_images(tmp_path).names == ["IM1.png", "im01.png", "im1.png"]


def test_folder_passes_over_what_is_no_image(tmp_path):
    names = ["a.png", "notes.txt", "b.png.txt", ".hidden.png", "._a.png", ".thumbs/a.png"]
    names += ["__MACOSX/a.png", "Thumbs.db", "png"]
    write_folder(tmp_path, dict.fromkeys(names, grey(1)))
    (tmp_path / "folder.png").mkdir()
    assert open_images(tmp_path).names == ["a.png"]


def test_folder_may_lie_below_a_hidden_one(tmp_path):
    write_folder(tmp_path, {".cache/images/a.png": grey(1)})
    assert open_images(tmp_path / ".cache" / "images").names == ["a.png"]


def test_links_are_followed_once_and_never_in_circles(tmp_path):
    write_folder(tmp_path, {"real/a.png": grey(1), "root/b/c.png": grey(2)})
    (tmp_path / "root" / "a_link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "root" / "z_link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "root" / "b" / "up").symlink_to(tmp_path / "root", target_is_directory=True)
    (tmp_path / "root" / "file.png").symlink_to(tmp_path / "real" / "a.png")
    names = open_images(tmp_path / "root").names
    assert names == ["a_link/a.png", "b/c.png", "file.png"]


def test_zip_keeps_the_order_of_the_archive(tmp_path):
    files = {"im10.png": grey(10), "x/im2.jpg": grey(2), "im1.PNG": grey(1)}
    others = {"x/": b"", "notes.txt": b"", "__MACOSX/im1.png": b"", "x/._im2.jpg": b""}
    path = write_zip(tmp_path / "images.zip", others | files)
    with open_images(path) as images:
        assert images.names == ["im10.png", "x/im2.jpg", "im1.PNG"]
        assert [images.open(row).getpixel((0, 0))[0] for row in range(3)] == [10, 2, 1]


def test_zip_may_hold_the_same_name_twice(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", grey(1))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", grey(2))
    with open_images(path) as images:
        assert images.names == ["a.png", "a.png"]
        assert [images.open(row).getpixel((0, 0))[0] for row in range(2)] == [1, 2]


def test_list_keeps_its_order_and_is_relative_to_its_folder(tmp_path, monkeypatch):
    write_folder(tmp_path, {"sets/a b.png": grey(1), "other/c.dat": grey(2), "d.png": grey(3)})
    path = tmp_path / "sets" / "list.txt"
    path.write_text(f"../other/c.dat\r\n  a b.png \n{tmp_path / 'd.png'}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "sets")
    images = open_images("list.txt")
    monkeypatch.chdir(tmp_path)
    assert images.names == ["../other/c.dat", "a b.png", str(tmp_path / "d.png")]
    assert [images.open(row).getpixel((0, 0))[0] for row in range(3)] == [2, 1, 3]


def test_sequence_of_paths(tmp_path):
    write_folder(tmp_path, {"a.png": grey(1), "b.png": grey(2)})
    images = open_images([tmp_path / "b.png", str(tmp_path / "a.png")])
    assert images.names == [str(tmp_path / "b.png"), str(tmp_path / "a.png")]
    assert [images.open(row).getpixel((0, 0))[0] for row in range(2)] == [2, 1]
    with pytest.raises(ValueError, match="expected at least one image, got an empty sequence"):
        open_images([])


def test_missing_collection(tmp_path):
    for name in ("none", "none.zip", "none.txt"):
        with pytest.raises(FileNotFoundError, match=f"no folder, ZIP archive or list .*{name}"):
            open_images(tmp_path / name)


def test_folder_or_zip_without_images(tmp_path):
    others = {"notes.txt": b"x", "__MACOSX/a.png": grey(1)}
    folder = write_folder(tmp_path / "images", others)
    for source in (folder, write_zip(tmp_path / "images.zip", others)):
        with pytest.raises(ValueError, match=r"holds no images: expected files ending in .*\.jpg"):
            open_images(source)


def test_folder_that_cannot_be_listed_is_no_silent_gap(tmp_path, monkeypatch):
    write_folder(tmp_path, {"a.png": grey(1), "locked/b.png": grey(2)})

    def scandir(path, listed=os.scandir):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="locked"):
        open_images(tmp_path)


def test_zip_that_is_no_zip_or_truncated(tmp_path):
    path = write_zip(tmp_path / "images.zip", {"a.png": grey(1), "b.png": grey(2)})
    for content in (b"", b"no archive", b"PK\x03\x04" + bytes(100), path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"images\.zip is not a readable ZIP archive"):
            open_images(path)


def test_damaged_zip_tables_never_raise_anything_else(tmp_path):
    path = write_zip(tmp_path / "images.zip", {"a.png": grey(1), "b.png": grey(2)})
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    start = content.index(b"PK\x01\x02")
    num_whole = num_refused = 0
    for _ in range(300):
        damaged = content.copy()
        damaged[random.integers(start, len(content))] = random.integers(256)
        path.write_bytes(damaged)
        # Some damage does no harm, and some only costs images.
        try:
            with open_images(path) as images:
                decoded = decode_images(images, 4, threads=1)
                assert len(decoded.kept) + len(decoded.skipped) == len(images)
                num_whole += len(decoded.kept) == 2
        except ValueError:
            num_refused += 1
    assert num_whole > 0
    assert num_refused > 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a.png\n\nb.png\n", r"list\.txt, line 2: expected the path of an image, .* blank"),
        (b"a.png\n  \n", "line 2: expected the path"),
        (b"a.png\nb\xff.png\n", "line 2: expected text in UTF-8"),
        (b"", r"list of images .*list\.txt is empty"),
    ],
)
def test_bad_lists_are_named_by_line(tmp_path, content, words):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        open_images(path)


def test_single_image_is_no_collection(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded())
    with pytest.raises(ValueError, match=r"folder, a \.zip archive or a \.txt list .* '\.jpg'"):
        open_images(tmp_path / "a.jpg")


def open_one(tmp_path, content, **options):
    (tmp_path / "image.jpg").write_bytes(content)
    return open_images([tmp_path / "image.jpg"]).open(0, **options)


@pytest.mark.parametrize("extension", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_every_format_is_known_by_its_content(tmp_path, extension):
    image = open_one(tmp_path, encoded((255, 0, 0), extension=extension))
    assert image.mode == "RGB"
    assert image.size == (20, 30)
    np.testing.assert_allclose(image.getpixel((5, 5)), (255, 0, 0), atol=3)


def test_orientation_of_the_camera_is_applied(tmp_path):
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("black", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", exif=exif, quality=95)
    image = open_one(tmp_path, file.getvalue())
    assert image.size == (40, 20)
    np.testing.assert_allclose(np.asarray(image), np.asarray(upright), atol=40)


def test_damaged_camera_data_does_not_make_an_image_unreadable(tmp_path):
    exif = b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff"
    with pytest.warns(UserWarning, match="Corrupt EXIF data"):
        image = open_one(tmp_path, encoded((0, 255, 0), exif=exif))
    np.testing.assert_allclose(image.getpixel((5, 5)), (0, 255, 0), atol=3)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (0, 0, 0, 127), (128, 128, 128)),
        ("LA", (40, 0), (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 0x8040, (0x80, 0x80, 0x80)),
    ],
)
def test_modes_of_png(tmp_path, mode, colour, expected):
    image = open_one(tmp_path, encoded(colour, extension="PNG", mode=mode))
    assert image.mode == "RGB"
    assert image.getpixel((3, 3)) == expected


def test_transparent_palette_is_shown_on_white(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30, 90, 90, 90])
    image.putpixel((0, 0), 2)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=b"\xff\x00\xff")
    decoded = open_one(tmp_path, file.getvalue())
    assert decoded.getpixel((3, 3)) == (255, 255, 255)
    assert decoded.getpixel((0, 0)) == (90, 90, 90)


def test_first_frame_of_an_animation(tmp_path):
    blue = Image.new("RGB", (20, 30), "blue")
    content = encoded((255, 0, 0), extension="GIF", save_all=True, append_images=[blue])
    assert open_one(tmp_path, content).getpixel((0, 0)) == (255, 0, 0)


def test_jpeg_may_be_decoded_smaller_but_never_below_at_least(tmp_path):
    content = noisy_jpeg(size=(640, 480))
    assert open_one(tmp_path, content).size == (640, 480)
    assert open_one(tmp_path, content, at_least=120).size == (160, 120)
    assert open_one(tmp_path, content, at_least=121).size == (320, 240)


def pixel_bomb():
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + header + check + b"\x00\x00\x00\x09IDAT"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"hello, I am text", "no image in a known format .* starts with b'hello, I'"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image in a known format"),
        (noisy_jpeg()[:1500], "truncated"),
        (noisy_jpeg()[:100], "."),
        (encoded(extension="PNG")[:60], "."),
        (pixel_bomb(), r"\(3600000000 pixels\) exceeds limit"),
    ],
    ids=["empty", "text", "postscript", "half a JPEG", "header", "half a PNG", "bomb"],
)
def test_unreadable_images_say_why(tmp_path, content, words):
    (tmp_path / "image.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage, match=words) as raised:
        open_images(tmp_path).open(0)
    assert raised.value.name == "image.jpg"
    assert raised.value.reason
    assert str(raised.value) == f"image.jpg: {raised.value.reason}"


def test_limit_of_pixels_is_pillows_and_not_twice_that(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(encoded(size=(20, 30), extension="PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    assert open_images(tmp_path).open(0).size == (20, 30)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)
    # With warnings shown rather than raised, Pillow alone would go on.
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(UnreadableImage, match="20 x 30 pixels are more than Pillow's limit of 599"),
    ):
        open_images(tmp_path).open(0)


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    write_folder(tmp_path, {"a.png": grey(1)})
    os.mkfifo(tmp_path / "pipe.png")
    images = open_images(
        [tmp_path / "none.png", tmp_path, tmp_path / "pipe.png", tmp_path / "a.png"]
    )
    for row, words in enumerate(["there is no file", "not a regular file", "not a regular file"]):
        with pytest.raises(UnreadableImage, match=words):
            images.open(row)
    monkeypatch.setattr("wsdhq.data.images._LARGEST_FILE", 10)
    with pytest.raises(UnreadableImage, match="bytes are more than the 10 of the largest file"):
        images.open(3)


def damage_entry(path, name, find, replacement):
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset
    place = content.index(find, start)
    path.write_bytes(content[:place] + replacement + content[place + len(find) :])


def test_zip_entries_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in ("a.bmp", "b.bmp", "c.bmp"):
            archive.writestr(name, encoded((1, 2, 3), extension="BMP"))
    pixels = bytes((3, 2, 1)) * 3
    damage_entry(path, "a.bmp", pixels, bytes(9))
    damage_entry(path, "c.bmp", b"PK\x03\x04", b"PK\x00\x00")
    with open_images(path) as images:
        with pytest.raises(UnreadableImage, match="Bad CRC-32"):
            images.open(0)
        assert images.open(1).getpixel((0, 0)) == (1, 2, 3)
        with pytest.raises(UnreadableImage, match="Bad magic number"):
            images.open(2)
        monkeypatch.setattr("wsdhq.data.images._LARGEST_FILE", 10)
        with pytest.raises(UnreadableImage, match="more than the 10 of the largest file"):
            images.open(1)


@pytest.mark.parametrize(
    ("row", "error"), [(1, ValueError), (-1, ValueError), ("0", TypeError), (0.0, TypeError)]
)
def test_rows_outside_the_collection(tmp_path, row, error):
    write_folder(tmp_path, {"a.png": grey(1)})
    with pytest.raises(error, match="row must be"):
        open_images(tmp_path).open(row)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_closed_collection_is_an_error_and_no_unreadable_image(tmp_path, kind):
    if kind == "folder":
        images = open_images(write_folder(tmp_path / "images", {"a.png": grey(1)}))
    else:
        images = open_images(write_zip(tmp_path / "images.zip", {"a.png": grey(1)}))
    with images as entered:
        assert entered is images
        images.open(0)
    for use in (lambda: images.open(0), lambda: decode_images(images, 4)):
        with pytest.raises(ValueError, match="has been closed"):
            use()


def test_zip_is_read_from_several_threads(tmp_path):
    files = {f"{number}.jpg": noisy_jpeg(number) for number in range(60)}
    path = write_zip(tmp_path / "images.zip", files)
    with open_images(path) as images, ThreadPoolExecutor(8) as executor:
        alone = [np.asarray(images.open(row)) for row in range(60)]
        together = list(executor.map(lambda row: np.asarray(images.open(row)), range(60)))
    assert all(map(np.array_equal, alone, together))


def test_zip_is_read_in_a_forked_process_too(tmp_path):
    program = """
import os, sys
import numpy as np
from wsdhq.data.images import open_images
images = open_images(sys.argv[1])
def read():
    return b"".join(images.open(row).tobytes() for row in list(range(len(images))) * 3)
expected = read()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if read() == expected else 1)
    children.append(child)
assert read() == expected
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""
    files = {f"{number}.jpg": noisy_jpeg(number) for number in range(40)}
    path = write_zip(tmp_path / "images.zip", files)
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)


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
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"size": 4.0}, TypeError, "size must be an integer, got 4.0"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"threads": "2"}, TypeError, "threads must be an integer"),
        ({"rows": [1]}, ValueError, r"rows\[0\] is 1: expected a row number from 0 to 0"),
        ({"rows": [0.5]}, TypeError, "rows must hold integer"),
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
    images = SlowImages(2000, 0.02)
    main = threading.main_thread().ident
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    start = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        decode_images(images, 4, threads=2)
    assert time.monotonic() - start < 5
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
