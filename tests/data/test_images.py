import io
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from made_images import (
    damage_entry,
    encoded,
    grey,
    noisy_jpeg,
    pixel_bomb,
    write_folder,
    write_zip,
)
from wsdhq.data.decoding import decode_images
from wsdhq.data.images import UnreadableImage, open_images


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
    monkeypatch.setattr("wsdhq.data.images._MAX_FILE", 10)
    with pytest.raises(UnreadableImage, match="bytes are more than the 10 of the largest file"):
        images.open(3)


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
        monkeypatch.setattr("wsdhq.data.images._MAX_FILE", 10)
        with pytest.raises(UnreadableImage, match="more than the 10 of the largest file"):
            images.open(1)


@pytest.mark.parametrize(
    ("row", "error"), [(1, ValueError), (-1, ValueError), ("0", TypeError), (0.0, TypeError)]
)
def test_rows_outside_the_collection(tmp_path, row, error):
    write_folder(tmp_path, {"a.png": grey(1)})
    with pytest.raises(error, match="row: expected"):
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
