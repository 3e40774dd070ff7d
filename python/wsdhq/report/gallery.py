"""The gallery: queries and what came back, hits and misses marked by sign, edge and colour."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from statistics import median

from wsdhq.report.markup import escape
from wsdhq.report.model import GalleryItem, GalleryQuery, ReportData
from wsdhq.report.pictures import aspect_ratio, data_uri

# More than these are counted, not shown; the full list is in the tooltip.
MAX_TAGS = 8

# Results side by side on a wide screen, where pictures are narrower than words; more results
# are spread over even rows.
MAX_COLUMNS = 10
MAX_CARD_COLUMNS = 5

_TICK = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3.2 8.6l3.1 3.1 6.5-7"/></svg>'
_CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 4l8 8M12 4l-8 8"/></svg>'


def gallery(report: ReportData) -> str:
    """The section, or nothing without queries."""
    if not report.gallery:
        return ""
    shown = [item for entry in report.gallery for item in (entry.query, *entry.results)]
    ratios = [aspect_ratio(item.image) for item in shown if item.image is not None]
    # One shape for all tiles, that of the typical picture, keeps the rows even.
    ratio = min(max(median(ratios), 0.7), 1.4) if ratios else 1.4
    max_columns = MAX_COLUMNS if ratios else MAX_CARD_COLUMNS
    note = f"<p>{escape(report.gallery_note)}</p>" if report.gallery_note else ""
    entries = "".join(
        _query(number, entry, max_columns) for number, entry in enumerate(report.gallery, start=1)
    )
    return (
        '<section id="gallery" aria-labelledby="gallery-h"><h2 id="gallery-h">Gallery</h2>'
        f"{note}{_key(shown)}"
        f'<div class="gallery{"" if ratios else " words"}" style="--tile:{ratio:.3f}">'
        f"{entries}</div></section>"
    )


def _key(shown: Sequence[GalleryItem]) -> str:
    """What the marks mean, of those that occur."""
    entries = []
    if any(item.relevant is not None for item in shown):
        entries += [
            f'<span class="sign hit">{_TICK}</span> relevant: shares a label with the query',
            f'<span class="sign miss">{_CROSS}</span> not relevant',
        ]
    if any(item.labels for item in shown):
        entries.append(
            '<span class="labels"><span>label</span></span> true label, only used to measure'
        )
    if any(item.tags for item in shown):
        entries.append('<span class="tags"><b>tag</b></span> in bold: also a tag of the query')
    return f'<ul class="key">{"".join(f"<li>{entry}</li>" for entry in entries)}</ul>'


def _query(number: int, entry: GalleryQuery, max_columns: int) -> str:
    judged = [item for item in entry.results if item.relevant is not None]
    hits = sum(bool(item.relevant) for item in judged)
    score = f'<p class="score"><b>{hits} of {len(judged)}</b> relevant</p>' if judged else ""
    note = f'<p class="note">{escape(entry.note)}</p>' if entry.note else ""
    common = set(entry.query.tags)
    results = "".join(
        f'<li class="{_kind(item)}">{_tile(item, f"Result {rank}", rank, common)}'
        f"{_words(item, common)}</li>"
        for rank, item in enumerate(entry.results, start=1)
    )
    if not entry.results:
        results = '<li class="none">No results.</li>'
    rows = -(-len(entry.results) // max_columns)
    columns = -(-len(entry.results) // max(rows, 1))
    return (
        f'<article aria-labelledby="query-{number}"><div class="asked">'
        f'<h3 id="query-{number}">Query {number}</h3>{_tile(entry.query, "Query", None, ())}'
        f"<div>{score}{note}{_words(entry.query, ())}</div></div>"
        f'<ol class="found" style="--columns:{columns or 1}" '
        f'aria-label="Results of query {number}">{results}</ol></article>'
    )


def _kind(item: GalleryItem) -> str:
    return "unknown" if item.relevant is None else "hit" if item.relevant else "miss"


def _tile(item: GalleryItem, role: str, rank: int | None, common: Collection[str]) -> str:
    badge = ""
    if item.relevant is not None:
        word = "relevant" if item.relevant else "not relevant"
        sign = _TICK if item.relevant else _CROSS
        badge = (
            f'<span class="sign {_kind(item)}" title="{word}">{sign}'
            f'<span class="spoken">{word}</span></span>'
        )
    place = f'<span class="rank">{rank}</span>' if rank is not None else ""
    if item.image is not None:
        inside = (
            f'<img src="{data_uri(item.image)}" alt="{escape(role)}: {escape(item.name)}" '
            f'title="{escape(item.name)}">'
        )
    else:
        inside = _card(item, common)
    return f'<div class="frame">{inside}{place}{badge}</div>'


def _card(item: GalleryItem, common: Collection[str]) -> str:
    """What stands for a picture that is not there: its tags, on a colour of their own."""
    hue = zlib.crc32(" ".join(item.tags or [item.name]).encode("utf-8", "replace")) % 360
    return (
        f'<div class="card" style="--hue:{hue}" title="{escape(item.name)}">'
        f"<p>{_tags(item.tags, common)}</p></div>"
    )


def _words(item: GalleryItem, common: Collection[str]) -> str:
    # Two groupings may use one name for the same image; once is enough.
    labels = "".join(f"<span>{escape(label)}</span>" for label in dict.fromkeys(item.labels))
    short = item.name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return (
        (f'<p class="labels">{labels}</p>' if labels else "")
        # A card without a picture holds the tags already.
        + (f'<p class="tags">{_tags(item.tags, common)}</p>' if item.image is not None else "")
        + f'<p class="name" title="{escape(item.name)}">{escape(short)}</p>'
    )


def _tags(tags: Sequence[str], common: Collection[str]) -> str:
    if not tags:
        return "<i>no tags</i>"
    shown = []
    for tag in tags[:MAX_TAGS]:
        element = "b" if tag in common else "span"
        shown.append(f"<{element}>{escape(tag)}</{element}>")
    if len(tags) > MAX_TAGS:
        rest = escape(", ".join(tags[MAX_TAGS:]))
        shown.append(f'<span class="more" title="{rest}">+{len(tags) - MAX_TAGS}</span>')
    return ", ".join(shown)
