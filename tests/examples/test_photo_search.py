"""The photo search as a user runs it: pictures, a model, an index, and a page of results."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wsdhq.data import read_tags
from wsdhq.embed import TrainedModel
from wsdhq.quant import AQDIndex

SCRIPT = Path(__file__).resolve().parents[2] / "examples/photo_search/photo_search.py"
NUM_PICTURES, DAMAGED, QUERY = 120, 20, 40
MARKUP = "<script>alert(1)</script>"


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of which one is damaged, and a query that is none of them by name."""
    folder = tmp_path_factory.mktemp("photo search")
    drawn = run(folder, "--make-pictures", "pictures", "--num-pictures", NUM_PICTURES)
    assert drawn.returncode == 0, drawn.stderr
    (folder / f"pictures/images/{DAMAGED:06d}.jpg").write_bytes(b"no picture")
    shutil.copy(folder / f"pictures/images/{QUERY:06d}.jpg", folder / "outside.jpg")
    tags = folder / "pictures/tags.txt"
    lines = tags.read_text("utf-8").splitlines()
    lines[QUERY + 1] += f" {MARKUP}"
    tags.write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def searched(folder):
    """The first search of all, which learns and indexes: every photo is asked for."""
    photos = ("pictures/images", "--tags", "pictures/tags.txt")
    query = ("--query", f"pictures/images/{QUERY:06d}.jpg", "outside.jpg")
    done = run(folder, *photos, *query, "--words", "photo", "-k", 1000, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    return done


def sections_of(page: str) -> list[list[tuple[str, list[str]]]]:
    """Of each query the results: name and tags."""
    found = []
    for section in page.split("<section>")[1:]:
        cards = re.findall(r"<li><figure>.*?(?=<li><figure>|</ol>)", section, re.DOTALL)
        found.append(
            [
                (
                    re.search(r'alt="Result \d+: (.*?)"', card)[1],
                    re.findall(r"<li(?: class=\"common\")?>(?!<figure>)(.*?)</li>", card),
                )
                for card in cards
            ]
        )
    return found


def test_every_photo_is_found_with_its_own_tags(folder, searched):
    page = (folder / "results.html").read_text("utf-8")
    tags = read_tags(folder / "pictures/tags.txt")
    names = [f"{row:06d}.jpg" for row in range(NUM_PICTURES)]
    of_the_folder, of_a_copy, of_words = sections_of(page)
    readable = {name for name in names if name != names[DAMAGED]}
    assert {name for name, _ in of_a_copy} == readable
    assert {name for name, _ in of_words} == readable
    # A photo of the folder is not shown as what looks like itself.
    assert {name for name, _ in of_the_folder} == readable - {names[QUERY]}
    for name, shown in of_a_copy:
        wanted = [tag.replace("<", "&lt;").replace(">", "&gt;") for tag in tags[int(name[:6])]]
        assert shown == wanted, name
    assert f"left out, as it cannot be read: {names[DAMAGED]}" in searched.stdout
    assert "1 photos could not be read" in page


def test_ids_of_the_index_are_the_rows_of_the_photos(folder, searched):
    index = AQDIndex.load(folder / "photo-search/photos.wsdhq")
    model = TrainedModel.load(folder / "photo-search/run")
    assert index.ids.tolist() == [row for row in range(NUM_PICTURES) if row != DAMAGED]
    codes = model.encode([folder / f"pictures/images/{row:06d}.jpg" for row in index.ids])
    # Sums of torch may round differently in other batches, and decide between two codewords.
    assert np.mean((codes == index.codes).all(axis=1)) > 0.95


def test_the_page_stands_alone(folder, searched):
    page = (folder / "results.html").read_text("utf-8")
    assert MARKUP not in page
    assert "<script" not in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) > NUM_PICTURES
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "://" not in page
    assert "prefers-color-scheme: dark" in page
    assert (folder / "results.html").as_uri() in searched.stdout


def test_a_second_search_learns_and_indexes_nothing(folder, searched):
    kept = {path: path.stat().st_mtime_ns for path in (folder / "photo-search").rglob("*")}
    arguments = ("pictures/images", "--tags", "pictures/tags.txt", "--query", "outside.jpg")
    again = run(folder, *arguments, "-k", 3, "--out", "again.html")
    assert again.returncode == 0, again.stderr
    assert "once" not in again.stdout
    assert {path: path.stat().st_mtime_ns for path in (folder / "photo-search").rglob("*")} == kept
    first = sections_of((folder / "results.html").read_text("utf-8"))[1]
    assert sections_of((folder / "again.html").read_text("utf-8")) == [first[:3]]


def test_the_folder_is_indexed_anew_when_photos_go(folder, searched, tmp_path):
    images = tmp_path / "pictures/images"
    shutil.copytree(folder / "pictures/images", images)
    shutil.copytree(folder / "photo-search", tmp_path / "photo-search")
    (images / "000000.jpg").unlink()
    lines = (folder / "pictures/tags.txt").read_text("utf-8").splitlines()[1:]
    (tmp_path / "tags.txt").write_text("\n".join(lines) + "\n", "utf-8")
    done = run(tmp_path, images, "--tags", "tags.txt", "--query", images / "000001.jpg", "-k", 500)
    assert done.returncode == 0, done.stderr
    assert "learning" not in done.stdout
    assert f"indexing {NUM_PICTURES - 1} photos" in done.stdout
    (found,) = sections_of((tmp_path / "results.html").read_text("utf-8"))
    assert len(found) == NUM_PICTURES - 3
    tags = read_tags(folder / "pictures/tags.txt")
    assert all(len(shown) == len(tags[int(name[:6])]) for name, shown in found)


PHOTOS = ["pictures/images", "--tags", "pictures/tags.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected photos and --tags, or --make-pictures"),
        (PHOTOS, "expected something to search with: --query or --words"),
        ([*PHOTOS, "--words", "photo", "-k", "0"], "-k: expected at least 1, got 0"),
        ([*PHOTOS, "--query", "nowhere.jpg"], "nowhere.jpg: there is no file nowhere.jpg"),
        ([*PHOTOS, "--words", "qwerty"], "'qwerty' is not among the"),
        (["nowhere", *PHOTOS[1:], "--words", "photo"], "there is no folder, ZIP archive or list"),
        (
            ["pictures/images", "--tags", "short.txt", "--words", "photo"],
            f"short.txt: expected a line of tags for each of {NUM_PICTURES} photos, got 1 lines",
        ),
    ],
)
def test_mistakes_are_told_in_a_line(
    folder, searched, monkeypatch, capsys, photo_search, arguments, message
):
    (folder / "short.txt").write_text("photo\n", "utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["photo_search.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        photo_search.main()
    told = f"{stopped.value.code}{capsys.readouterr().err}".splitlines()[-1]
    assert message in told
    assert "photo_search" in told


def test_a_photo_that_went_leaves_its_place(photo_search, tmp_path):
    # Only a list may name a file that is not there.
    (tmp_path / "list.txt").write_text("gone.jpg\n", "utf-8")
    with photo_search.open_images(tmp_path / "list.txt") as photos:
        picture = photo_search.picture_of(photos, 0)
    assert picture is None
    found = [photo_search.Photo("gone.jpg", [], picture, 0.5)]
    photo_search.write_page(
        tmp_path / "page.html", [photo_search.Query("w", [], results=found)], ""
    )
    assert "cannot be read any more" in (tmp_path / "page.html").read_text("utf-8")
