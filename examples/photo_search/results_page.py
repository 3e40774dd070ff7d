"""What a search found, as one HTML file that needs nothing else: no network, no other files."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template

from wsdhq.data import ImageCollection

__all__ = ["Photo", "Query", "thumbnail", "write_page"]

TEMPLATE = Path(__file__).with_name("results_page.html")


@dataclass
class Photo:
    """A photo that was found: its name and tags, a thumbnail (None if it is gone), its score."""

    name: str
    tags: list[str]
    picture: str | None
    score: float


@dataclass
class Query:
    """What was asked: a photo, of `row` if it is in the folder, or words (then `tags` alone)."""

    title: str
    tags: list[str]
    picture: str | None = None
    row: int | None = None
    results: list[Photo] = field(default_factory=list)


def thumbnail(photos: ImageCollection, row: int, side: int = 320) -> str:
    """Shrink a photo to a `data:` URI; raises `UnreadableImage`."""
    picture = photos.open(row, at_least=side)
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def write_page(path: Path, queries: list[Query], done: str) -> None:
    """Write the page: `done` says what was done to find the results."""
    template = Template(TEMPLATE.read_text("utf-8"))
    title = ", ".join(query.title for query in queries)
    sections = "\n".join(_section(query) for query in queries)
    page = template.substitute(title=escape(title), done=escape(done), sections=sections)
    path.write_text(page, "utf-8")


def _section(query: Query) -> str:
    if query.picture is None:
        picture, kind, tags = "", "What these words mean", ""
    else:
        picture = f'<img src="{query.picture}" alt="The query: {escape(query.title)}">'
        kind, tags = "What looks like this photo", '<p class="none">not one of the folder</p>'
        if query.row is not None:
            tags = _tags(query.tags, ())
    found = "".join(_card(rank, photo, query.tags) for rank, photo in enumerate(query.results, 1))
    return (
        f'<section><header class="asked">{picture}<div><p class="kind">{kind}</p>'
        f"<h2>{escape(query.title)}</h2>{tags}</div></header>"
        f'<ol class="found">{found}</ol></section>'
    )


def _card(rank: int, photo: Photo, wanted: Collection[str]) -> str:
    name = escape(photo.name)
    picture = '<span class="gone">cannot be read any more</span>'
    if photo.picture is not None:
        picture = f'<img src="{photo.picture}" alt="Result {rank}: {name}">'
    width = 100 * min(max(photo.score, 0.0), 1.0)
    return (
        f'<li><figure>{picture}<span class="rank">{rank}</span></figure>'
        f'<div class="score"><i style="width:{width:.0f}%"></i></div>'
        f'<p class="name"><b title="cosine similarity">{photo.score:.2f}</b>'
        f'<span title="{name}">{escape(Path(photo.name).name)}</span></p>'
        f"{_tags(photo.tags, wanted)}</li>"
    )


def _tags(tags: list[str], wanted: Collection[str]) -> str:
    if not tags:
        return '<p class="none">no tags</p>'
    shown = "".join(
        f'<li class="common">{escape(tag)}</li>' if tag in wanted else f"<li>{escape(tag)}</li>"
        for tag in tags
    )
    return f'<ul class="tags">{shown}</ul>'
