"""Drawings of ideas: what a code is, how codes lie in memory, what a search does."""

from __future__ import annotations

import math
import random

from canvas import Canvas

__all__ = ["DRAWINGS"]

_CODE = (17, 203, 5, 96)
_HUES = ("blue", "orange", "green", "purple")


def additive_code() -> Canvas:
    """A vector as the sum of a codeword from each codebook; the code is which ones."""
    canvas = Canvas(760, 330)
    generator = random.Random(3)
    scales = (1.0, 0.8, 0.65, 0.5)
    words = [[scale * generator.uniform(-1, 1) for _ in range(8)] for scale in scales]
    total = [sum(column) for column in zip(*words)]
    left, step = 30, 112
    canvas.text(left, 24, "four codebooks of 256 codewords", anchor="start", fill="faint")
    for place, (word, hue, number) in enumerate(zip(words, _HUES, _CODE)):
        x = left + place * step
        chosen = int(number / 256 * 16)
        for row in range(16):
            canvas.rect(x, 36 + 8 * row, 76, 6, hue if row == chosen else "line", radius=1)
        canvas.path([(x + 38, 168), (x + 38, 186)], hue)
        _bars(canvas, x, 214, word, hue)
        canvas.text(x + 38, 262, f"codeword {number}", size=12, fill=hue)
        if place < 3:
            canvas.text(x + 94, 220, "+", size=20)
        canvas.rect(x + 16, 280, 44, 30, "paper", stroke=hue, radius=4)
        canvas.text(x + 38, 300, str(number), mono=True, bold=True)
    canvas.text(left + 4 * step - 18, 220, "=", size=20)
    _bars(canvas, left + 4 * step + 4, 214, total, "ink", width=118)
    canvas.text(left + 4 * step + 62, 262, "reconstruction x^", size=12)
    canvas.text(left + 4 * step + 150, 220, "≈", size=22)
    noisy = [value + generator.uniform(-0.16, 0.16) for value in total]
    _bars(canvas, left + 4 * step + 176, 214, noisy, "faint", width=94)
    canvas.text(left + 4 * step + 223, 262, "vector x", size=12, fill="faint")
    canvas.text(
        left + 4 * step - 18, 300, "the code: 4 bytes, whatever the dimension", anchor="start",
    )  # fmt: skip
    return canvas


def _bars(
    canvas: Canvas, x: float, base: float, values: list[float], hue: str, width: float = 76
) -> None:
    step = width / len(values)
    canvas.path([(x, base), (x + width, base)], "line", width=1)
    for place, value in enumerate(values):
        height = 21 * value
        canvas.rect(x + place * step + 1, base - max(height, 0), step - 2, abs(height), hue)


def relaxation() -> Canvas:
    """The objective of one vector over its codes: noise leads out of a shallow valley."""
    canvas = Canvas(760, 230)

    def height(x: float) -> float:
        return 70 + 26 * math.sin(x / 31 - 1) + 20 * math.sin(x / 14 + 2) + 0.13 * x

    curve = [(20 + x, height(x)) for x in range(0, 430, 3)]
    canvas.path(curve, "ink", width=2)
    bottoms = [
        curve[i] for i in range(1, len(curve) - 1)
        if curve[i][1] > curve[i - 1][1] and curve[i][1] >= curve[i + 1][1]
    ]  # fmt: skip
    shallow = bottoms[1]
    deep = max(bottoms, key=lambda point: point[1])
    canvas.circle(shallow[0], shallow[1] - 8, 7, "orange")
    canvas.text(shallow[0], shallow[1] + 22, "a conditional mode", size=12, fill="orange")
    canvas.circle(deep[0], deep[1] - 8, 7, "blue")
    canvas.text(deep[0], deep[1] + 22, "a better one", size=12, fill="blue")
    canvas.text(20, 20, "objective E(b) over codes b", anchor="start", fill="faint", size=12)
    # The temperature.
    left, base, wide, tall = 520, 176, 210, 120
    canvas.path([(left, base - tall), (left, base), (left + wide, base)], "faint")
    steps = 60
    canvas.path(
        [
            (left + wide * i / steps, base - tall * math.sqrt(1 - i / steps) * 0.9)
            for i in range(steps + 1)
        ],
        "orange",
        width=2.5,
    )
    canvas.text(left + wide / 2, base + 20, "iteration i of I", size=12, fill="faint")
    canvas.text(left, base - tall - 10, "noise T(i) = √(1 − i / I)", anchor="start", size=12,
                fill="orange")  # fmt: skip
    return canvas


def blocks() -> Canvas:
    """How codes lie in memory: 512 vectors to a block, a row for each codebook."""
    canvas = Canvas(760, 300)
    left, top, cell, shown = 118, 46, 29, 16
    rows = [f"codebook {m}" for m in range(4)]
    generator = random.Random(7)
    canvas.text(left, 28, "one block: 512 vectors", anchor="start", fill="faint")
    for number, name in enumerate([*rows, "bin of the norm"]):
        y = top + number * (cell + 4)
        hue = _HUES[number] if number < 4 else "faint"
        canvas.text(left - 12, y + 20, name, anchor="end", size=12, fill=hue)
        for column in range(shown):
            marked = column == 5
            canvas.rect(
                left + column * cell, y, cell - 3, cell, "panel", stroke=hue if marked else "line",
                radius=2,
            )  # fmt: skip
            canvas.text(
                left + column * cell + (cell - 3) / 2, y + 20, str(generator.randrange(256)),
                mono=True, size=11, fill="ink" if marked else "faint",
            )  # fmt: skip
        canvas.text(left + shown * cell + 10, y + 20, "…", fill="faint")
    bottom = top + 5 * (cell + 4)
    x = left + 5 * cell + (cell - 3) / 2
    canvas.arrow(x, bottom + 26, x, bottom + 4)
    canvas.text(x, bottom + 42, "one vector: a byte from each row", size=12)
    canvas.text(left + shown * cell + 30, top + 20, "64 codes of a", anchor="start", size=12)
    canvas.text(left + shown * cell + 30, top + 38, "codebook are", anchor="start", size=12)
    canvas.text(left + shown * cell + 30, top + 56, "looked up at once", anchor="start", size=12)
    canvas.text(
        left, 290, "The last row is there for l2 and cosine: one byte per vector.", anchor="start",
        size=12, fill="faint",
    )  # fmt: skip
    return canvas


def search_steps() -> Canvas:
    """A filter in whole numbers of 8 bits leaves few vectors to be added up in float."""
    canvas = Canvas(760, 250)
    canvas.box(10, 20, 150, 64, "query", "inner product with", "every codeword")
    canvas.box(10, 150, 150, 64, "codes", "blocks of 512")
    canvas.arrow(160, 52, 206, 52)
    canvas.box(206, 20, 170, 64, "float table", "M × 256 entries")
    canvas.arrow(291, 84, 291, 144)
    canvas.text(300, 118, "rounded down", anchor="start", size=12, fill="faint")
    canvas.arrow(160, 182, 206, 182)
    canvas.box(206, 146, 170, 72, "filter", "8-bit losses, 64 codes", "to an instruction",
               edge="orange")  # fmt: skip
    canvas.arrow(376, 182, 426, 182)
    canvas.text(401, 172, "few", size=12, fill="orange")
    canvas.box(426, 146, 150, 72, "float sum", "M entries, in the", "order of codebooks",
               edge="blue")  # fmt: skip
    canvas.path([(376, 52), (501, 52), (501, 132)], "faint")
    canvas.arrow(501, 132, 501, 146)
    canvas.arrow(576, 182, 614, 182)
    canvas.box(614, 150, 136, 64, "k best", "exact, in order")
    canvas.path([(682, 214), (682, 238), (291, 238)], "faint", dashed=True)
    canvas.arrow(291, 238, 291, 218, dashed=True)
    canvas.text(490, 232, "the k-th best score sets the threshold", size=12, fill="faint")
    return canvas


def sphere() -> Canvas:
    """Tags and images on the same sphere: near means alike."""
    canvas = Canvas(760, 330)
    x0, y0, radius = 190, 165, 140
    canvas.circle(x0, y0, radius, "none", stroke="faint")
    tags = {"boat": 62, "ship": 74, "sea": 44, "house": 200, "roof": 214, "cat": 312}
    for word, angle in tags.items():
        a = math.radians(angle)
        x, y = x0 + radius * math.cos(a), y0 - radius * math.sin(a)
        canvas.circle(x, y, 5, "blue")
        outward = 14 if math.cos(a) > 0 else -14
        canvas.text(
            x + outward, y + 4 - 6 * math.sin(a), word,
            anchor="start" if outward > 0 else "end", fill="blue",
        )  # fmt: skip
    for angle in (50, 57, 66, 70, 196, 205, 318, 308):
        a = math.radians(angle)
        x, y = x0 + radius * math.cos(a), y0 - radius * math.sin(a)
        canvas.path([(x - 5, y - 5), (x + 5, y + 5)], "orange", width=2.2)
        canvas.path([(x - 5, y + 5), (x + 5, y - 5)], "orange", width=2.2)
    a = math.radians(53)
    canvas.arrow(x0, y0, x0 + (radius - 8) * math.cos(a), y0 - (radius - 8) * math.sin(a), "ink")
    canvas.text(x0 + 38, y0 - 8, "a photo of a boat", anchor="start", size=12)
    left = 400
    canvas.circle(left, 60, 5, "blue")
    canvas.text(left + 16, 64, "tags: first where word vectors point, then learnt",
                anchor="start")  # fmt: skip
    canvas.path([(left - 5, 85), (left + 5, 95)], "orange", width=2.2)
    canvas.path([(left - 5, 95), (left + 5, 85)], "orange", width=2.2)
    canvas.text(left + 16, 94, "images: where the network puts them", anchor="start")
    for row, words in enumerate((
        "An image is drawn to its tags,",
        "and to images that share them.",
        "A search by words begins at tags,",
        "a search by image at the image:",
        "both ask the same codes.",
    )):  # fmt: skip
        canvas.text(left - 6, 150 + 22 * row, words, anchor="start", fill="faint")
    return canvas


def pipeline() -> Canvas:
    """From photos and tags to answers."""
    canvas = Canvas(760, 270)
    canvas.box(10, 20, 120, 56, "tags", "words, careless")
    canvas.box(10, 150, 120, 56, "images", "or features")
    canvas.arrow(130, 48, 166, 48)
    canvas.arrow(130, 178, 166, 178)
    canvas.box(166, 20, 130, 56, "word vectors", "learnt or loaded")
    canvas.box(166, 150, 130, 56, "network", "backbone, head")
    canvas.path([(296, 48), (330, 48), (330, 84)], "faint")
    canvas.arrow(330, 84, 330, 92)
    canvas.path([(296, 178), (330, 178), (330, 150)], "faint")
    canvas.arrow(330, 150, 330, 142)
    canvas.box(296, 92, 120, 50, "sphere", "of meanings", edge="blue")
    canvas.arrow(416, 117, 452, 117)
    canvas.box(452, 89, 130, 56, "codes", "a few bytes each", edge="orange")
    canvas.arrow(582, 117, 618, 117)
    canvas.box(618, 89, 130, 56, "index", "one file, mapped")
    canvas.text(372, 166, "wsdhq.embed", anchor="start", size=12, fill="blue")
    canvas.text(517, 166, "wsdhq.quant", size=12, fill="orange")
    canvas.text(683, 166, "wsdhq.quant", size=12, fill="orange")
    canvas.arrow(683, 89, 683, 58)
    canvas.text(683, 46, "the k best", size=12)
    canvas.path([(356, 206), (356, 240), (683, 240)], "faint", dashed=True)
    canvas.arrow(683, 240, 683, 176, dashed=True)
    canvas.text(520, 256, "a query takes the same way: an image, or words", size=12, fill="faint")
    canvas.path([(356, 142), (356, 206)], "faint", dashed=True)
    return canvas


DRAWINGS = {
    "additive-code": additive_code,
    "relaxation": relaxation,
    "blocks": blocks,
    "search-steps": search_steps,
    "sphere": sphere,
    "pipeline": pipeline,
}
