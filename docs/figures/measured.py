"""Charts of what was measured, drawn from the files in benchmarks/results."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from canvas import Canvas

__all__ = ["CHARTS"]

_RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def search_speed() -> Canvas:
    """Nanoseconds per vector and query, a bar to a contestant, at 4 and at 8 bytes."""
    canvas = Canvas(760, 368)
    left, length, least, most = 258, 350, 0.03, 15
    for mark in (0.1, 1, 10):
        x = left + _log_length(mark, least, most, length)
        canvas.path([(x, 38), (x, 334)], "line", width=1, dashed=True)
        canvas.text(x, 354, f"{mark:g} ns", size=12, fill="faint")
    y = 16
    for width in (4, 8):
        found = _comparison("search", f"{width} bytes, k=10, 1 M vectors, 64 queries, 1 thread")
        canvas.text(10, y + 14, f"{width} bytes per vector", anchor="start", bold=True)
        canvas.text(748, y + 14, "recall@10", anchor="end", size=12, fill="faint")
        y += 26
        for entry in found["entries"]:
            ours = entry["ours"]
            nanoseconds = 1e9 * entry["median"]
            wide = _log_length(nanoseconds, least, most, length)
            canvas.text(
                248, y + 15, entry["name"], anchor="end", size=12, bold=ours,
                fill="ink" if ours else "faint",
            )  # fmt: skip
            canvas.rect(left, y, wide, 22, "orange" if ours else "line", radius=2)
            canvas.text(left + wide + 6, y + 15, _figures(nanoseconds), anchor="start", size=12)
            recall = entry["figures"]["recall@10"]
            canvas.text(748, y + 15, f"{recall:.2f}", anchor="end", size=12, mono=True)
            y += 30
        y += 22
    return canvas


def encoding() -> Canvas:
    """Rate of encoding against the error of the codes."""
    found = _comparison(
        "encode", "8 codebooks, D=128, 20 k vectors, everyone's own codebooks, 1 thread"
    )
    points = [
        (1 / e["median"], e["figures"]["MSE"], e["name"], e["ours"]) for e in found["entries"]
    ]
    points = [point for point in points if point[1] < 0.4]  # PQ, at .45, would flatten the rest
    canvas = Canvas(760, 400)
    plot = _Plot(canvas, (60, 20, 680, 320), (3000, 250_000), (0.21, 0.31))
    plot.axes(
        [(5000, "5,000"), (10_000, "10,000"), (20_000, "20,000"), (50_000, "50,000"),
         (100_000, "100,000"), (200_000, "200,000")],
        [(0.22, ".22"), (0.24, ".24"), (0.26, ".26"), (0.28, ".28"), (0.30, ".30")],
        "vectors per second, one thread", "mean squared error",
    )  # fmt: skip
    ours = sorted(point for point in points if point[3])
    plot.line([(rate, error) for rate, error, *_ in ours], "orange")
    for rate, error, name, is_ours in points:
        plot.dot(rate, error, "orange" if is_ours else "blue")
        label = name.removeprefix("wsdhq with own codebooks, ").removeprefix("faiss ")
        if not is_ours:
            plot.label(rate, error, label, "blue", below=False)
        elif label in ("beam 64", "default", "beam 8"):
            plot.label(rate, error, label, "orange", below=True)
        elif label == "beam 1":
            x, y = plot.place(rate, error)
            canvas.text(x - 12, y + 4, label, anchor="end", size=12, fill="orange")
    canvas.text(90, 306, "wsdhq, by beam width", anchor="start", size=13, fill="orange", bold=True)
    canvas.text(90, 326, "faiss LSQ and RQ", anchor="start", size=13, fill="blue", bold=True)
    return canvas


def training() -> Canvas:
    """Time to fit against the error of vectors that the fit did not see."""
    canvas = Canvas(760, 380)
    found = _comparison("train", "8 codebooks, D=128, 20 k vectors, 1 thread")
    plot = _Plot(canvas, (60, 20, 680, 300), (6, 150), (0.2, 0.32))
    plot.axes(
        [(7, "7 s"), (10, "10 s"), (20, "20 s"), (50, "50 s"), (100, "100 s")],
        [(0.22, ".22"), (0.24, ".24"), (0.26, ".26"), (0.28, ".28"), (0.30, ".30")],
        "time to fit 20,000 vectors, one thread", "error of other vectors",
    )  # fmt: skip
    for entry in found["entries"]:
        hue = "orange" if entry["ours"] else "blue"
        error = entry["figures"]["MSE of others"]
        plot.dot(entry["median"], error, hue)
        plot.label(entry["median"], error, entry["name"], hue, below=entry["ours"])
    return canvas


def table1() -> Canvas:
    """MAP of ten methods over the length of the code, by the 45 classes of the photos."""
    with (_RESULTS / "fashion44k" / "table1.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["labels"] == "sub"]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    canvas = Canvas(760, 420)
    plot = _Plot(canvas, (60, 20, 580, 350), (7, 33), (0.25, 0.87), log=False)
    plot.axes(
        [(8, "8"), (16, "16"), (24, "24"), (32, "32")],
        [(0.3, ".3"), (0.4, ".4"), (0.5, ".5"), (0.6, ".6"), (0.7, ".7"), (0.8, ".8")],
        "bits per image", "MAP@5000",
    )  # fmt: skip
    ends = []
    for method in methods:
        points = [(float(r["bits"]), float(r["map"])) for r in rows if r["method"] == method]
        ours = method == "WSDHQ"
        hue = "orange" if ours else "blue" if method in ("WMH", "WDH", "WDHT") else "faint"
        plot.line(points, hue, width=3 if ours else 1.5)
        for bits, value in points:
            plot.dot(bits, value, hue, radius=4 if ours else 2.5)
        ends.append((plot.place(*points[-1])[1], method, hue))
    y = -math.inf
    for place, method, hue in sorted(ends):
        y = max(place + 4, y + 15)
        canvas.text(660, y, method, anchor="start", size=12, fill=hue, bold=hue == "orange")
    return canvas


class _Plot:
    """Points of a chart on a canvas, the horizontal axis logarithmic unless said otherwise."""

    def __init__(
        self,
        canvas: Canvas,
        frame: tuple[float, float, float, float],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        log: bool = True,
    ) -> None:
        self.canvas = canvas
        self.left, self.top, self.width, self.height = frame
        self.scale: Callable[[float], float] = math.log if log else float
        self.x_range, self.y_range = x_range, y_range

    def place(self, x: float, y: float) -> tuple[float, float]:
        low, high = map(self.scale, self.x_range)
        across = (self.scale(x) - low) / (high - low)
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return self.left + across * self.width, self.top + (1 - up) * self.height

    def axes(
        self,
        x_marks: list[tuple[float, str]],
        y_marks: list[tuple[float, str]],
        x_title: str,
        y_title: str,
    ) -> None:
        bottom, right = self.top + self.height, self.left + self.width
        for value, name in y_marks:
            _, y = self.place(self.x_range[0], value)
            self.canvas.path([(self.left, y), (right, y)], "line", width=1)
            self.canvas.text(self.left - 8, y + 4, name, anchor="end", size=12, fill="faint")
        for value, name in x_marks:
            x, _ = self.place(value, self.y_range[0])
            self.canvas.path([(x, bottom), (x, bottom + 5)], "faint", width=1)
            self.canvas.text(x, bottom + 20, name, size=12, fill="faint")
        self.canvas.path([(self.left, bottom), (right, bottom)], "faint", width=1)
        self.canvas.text(self.left + self.width / 2, bottom + 42, x_title, size=12)
        self.canvas.text(16, self.top + self.height / 2, y_title, size=12, turned=True)

    def line(self, points: list[tuple[float, float]], hue: str, width: float = 2) -> None:
        self.canvas.path([self.place(*point) for point in points], hue, width=width)

    def dot(self, x: float, y: float, hue: str, radius: float = 5) -> None:
        self.canvas.circle(*self.place(x, y), radius, hue)

    def label(self, x: float, y: float, words: str, hue: str, *, below: bool) -> None:
        across, down = self.place(x, y)
        self.canvas.text(across, down + (20 if below else -11), words, size=12, fill=hue)


def _comparison(suite: str, setting: str) -> dict[str, Any]:
    report = json.loads((_RESULTS / f"{suite}.json").read_text("utf-8"))
    return next(found for found in report["comparisons"] if found["setting"] == setting)


def _figures(nanoseconds: float) -> str:
    return f"{nanoseconds:.{3 if nanoseconds < 0.2 else 2 if nanoseconds < 1 else 1}f} ns"


def _log_length(value: float, least: float, most: float, length: float) -> float:
    return length * math.log(value / least) / math.log(most / least)


CHARTS = {
    "search-speed": search_speed,
    "encoding": encoding,
    "training": training,
    "table1": table1,
}
