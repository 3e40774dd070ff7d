"""What a report is made of: plain dataclasses that the caller fills."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wsdhq.evaluation import EvaluationResult


@dataclass(frozen=True)
class Method:
    """One way of ranking, as a row of the results table and a line in the curves.

    Attributes
    ----------
    name : str
        Short, unique in the report: "codes, 32 bits".
    results : mapping of grouping to EvaluationResult
        One result per grouping of labels, the same groupings in each method. The row of the
        random ranking is added by the report itself, from `map_random` and `chance`.
    note : str
        What it is, in a few words, for someone who has not met it.
    bytes_per_image : float, optional
        Memory of one database image.
    main : bool
        The method the report is about (at most one). Without one, the last method is.
    """

    name: str
    results: Mapping[str, EvaluationResult]
    note: str = ""
    bytes_per_image: float | None = None
    main: bool = False


@dataclass(frozen=True)
class TrainingCurve:
    """One quantity over the course of training; each is drawn in its own small chart.

    Attributes
    ----------
    name : str
        "quantization loss".
    x, y : sequences of float, of equal length
        Finite numbers; x increasing.
    x_name : str
        What x counts.
    note : str
        One sentence on what to look for.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    x_name: str = "epoch"
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(
                f"x and y of the curve {self.name!r}: expected equal lengths, got "
                f"{len(self.x)} and {len(self.y)}"
            )
        if not all(math.isfinite(value) for value in (*self.x, *self.y)):
            raise ValueError(f"x and y of the curve {self.name!r}: expected finite values")


@dataclass(frozen=True)
class GalleryItem:
    """One image of the gallery.

    Attributes
    ----------
    name : str
        File name or number.
    tags, labels : sequences of str
        As the user wrote them.
    image : PIL.Image.Image, (H, W, 3) or (H, W) uint8 array, or None
        Reduced to a small JPEG. Without one, a card with the tags takes its place.
    relevant : bool or None
        Whether it shares a label with the query; None when that is not known (no labels), and
        for the query itself.
    """

    name: str
    tags: Sequence[str] = ()
    labels: Sequence[str] = ()
    image: Any = None
    relevant: bool | None = None


@dataclass(frozen=True)
class GalleryQuery:
    """A query with its top results, best first.

    Attributes
    ----------
    query : GalleryItem
        What was searched for.
    results : sequence of GalleryItem
        What came back, in the order of the ranking.
    note : str
        A short remark such as "average precision 0.71".
    """

    query: GalleryItem
    results: Sequence[GalleryItem]
    note: str = ""


@dataclass(frozen=True)
class ReportData:
    """Everything on the page, in the order in which it is shown. Only the title is required.

    Attributes
    ----------
    title : str
        Heading and window title.
    summary : str
        One or two sentences under the title.
    facts : mapping of str to str
        Sizes worth a glance: {"images": "44,072", "tags": "7,089"}.
    steps : sequence of (heading, text)
        What was done, in order.
    methods : sequence of Method
        From the weakest to the strongest, or in order of the pipeline.
    gallery : sequence of GalleryQuery
        Queries and their results.
    gallery_note : str
        How these queries were chosen, and what counts as relevant if not "shares a label".
    training : sequence of TrainingCurve
        See `curves_from_log`.
    settings : mapping of section to mapping of name to value
        The configuration, folded away at the end.
    notes : sequence of str
        What a reader should know: skipped images, dropped tags, limits of the figures.
    footer : str
        Last line: version, command.
    """

    title: str
    summary: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[tuple[str, str]] = ()
    methods: Sequence[Method] = ()
    gallery: Sequence[GalleryQuery] = ()
    gallery_note: str = ""
    training: Sequence[TrainingCurve] = ()
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    footer: str = ""

    def __post_init__(self) -> None:
        names = [method.name for method in self.methods]
        if len(set(names)) < len(names):
            raise ValueError(f"methods: expected different names, got {names}")
        if sum(method.main for method in self.methods) > 1:
            raise ValueError("at most one of the methods may be the main one")
        for method in self.methods:
            if set(method.results) != set(self.methods[0].results) or not method.results:
                raise ValueError(
                    f"methods: expected results for the same groupings: {names[0]!r} has "
                    f"{sorted(self.methods[0].results)}, {method.name!r} has "
                    f"{sorted(method.results)}"
                )
            for grouping, result in method.results.items():
                first = self.methods[0].results[grouping]
                sizes = result.num_queries, result.num_database, result.R
                expected = first.num_queries, first.num_database, first.R
                if sizes != expected:
                    raise ValueError(
                        "methods: expected results on the same queries, database and R: "
                        f"{names[0]!r} has {expected}, {method.name!r} has {sizes}"
                    )

    @property
    def groupings(self) -> list[str]:
        """Names of the groupings of labels that the methods were measured by."""
        return list(self.methods[0].results) if self.methods else []

    @property
    def main_method(self) -> Method | None:
        """The method the report is about: the one marked, else the last; None without any."""
        for method in self.methods:
            if method.main:
                return method
        return self.methods[-1] if self.methods else None


def curves_from_log(
    rows: Iterable[Mapping[str, Any]], names: Mapping[str, str], x: str = "epoch"
) -> list[TrainingCurve]:
    """Make training curves from the rows of a log.

    Parameters
    ----------
    rows : iterable of mappings
        Rows as read from `log.jsonl`. A row without a key, or whose value is not a finite
        number, gives no point.
    names : mapping of key to str
        Which keys to draw, and the names to draw them under.
    x : str
        The key that counts; a row that repeats an earlier x (training was resumed) replaces it.

    Returns
    -------
    list of TrainingCurve
        In the order of `names`; keys without any point are left out.
    """
    kept = list(rows)
    curves = []
    for key, name in names.items():
        points: dict[float, float] = {}
        for row in kept:
            if _is_finite(row.get(x)) and _is_finite(row.get(key)):
                points[float(row[x])] = float(row[key])
        if points:
            places = sorted(points)
            curves.append(TrainingCurve(name, places, [points[at] for at in places], x_name=x))
    return curves


def _is_finite(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]
