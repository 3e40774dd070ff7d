"""A small canvas for SVG: colours that follow the page, the same bytes on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

# The name of a colour in the style of the site, and what it is where there is none.
COLOURS = {
    "ink": "#24292f",
    "faint": "#8c959f",
    "line": "#d0d7de",
    "panel": "#f3f6f9",
    "paper": "#ffffff",
    "blue": "#1f5f99",
    "orange": "#c8600a",
    "green": "#3a7d4f",
    "purple": "#7a4b9e",
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def colour(name: str) -> str:
    """The CSS value of one of `COLOURS`."""
    return "none" if name == "none" else f"var(--figure-{name}, {COLOURS[name]})"


class Canvas:
    """Shapes in the order in which they are drawn; coordinates in pixels, y downwards."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = "panel",
        *,
        stroke: str = "none",
        radius: float = 0,
        opacity: float = 1,
    ) -> None:
        """A rectangle."""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
            f"{f' rx={chr(34)}{_n(radius)}{chr(34)}' if radius else ''}"
            f"{_style(fill=fill, stroke=stroke, opacity=opacity)}/>"
        )

    def circle(
        self, x: float, y: float, radius: float, fill: str = "ink", *, stroke: str = "none",
        opacity: float = 1,
    ) -> None:  # fmt: skip
        """A disc, or a circle where `fill` is "none"."""
        self._parts.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"'
            f"{_style(fill=fill, stroke=stroke, opacity=opacity)}/>"
        )

    def path(
        self,
        points: Iterable[tuple[float, float]],
        stroke: str = "ink",
        *,
        fill: str = "none",
        width: float = 1.5,
        dashed: bool = False,
        opacity: float = 1,
    ) -> None:
        """Straight lines from point to point."""
        steps = " L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self._parts.append(
            f'<path d="M{steps}" stroke-width="{_n(width)}"{dashes}'
            f"{_style(fill=fill, stroke=stroke, opacity=opacity)}/>"
        )

    def arrow(
        self, x: float, y: float, to_x: float, to_y: float, stroke: str = "faint", *,
        dashed: bool = False,
    ) -> None:  # fmt: skip
        """A line with a head at its end."""
        length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        along_x, along_y = (to_x - x) / length, (to_y - y) / length
        base_x, base_y = to_x - 8 * along_x, to_y - 8 * along_y
        self.path([(x, y), (base_x, base_y)], stroke, dashed=dashed)
        left = (base_x - 4 * along_y, base_y + 4 * along_x)
        right = (base_x + 4 * along_y, base_y - 4 * along_x)
        steps = " L".join(f"{_n(a)} {_n(b)}" for a, b in ((to_x, to_y), left, right))
        self._parts.append(f'<path d="M{steps} Z"{_style(fill=stroke)}/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 13,
        fill: str = "ink",
        anchor: str = "middle",
        bold: bool = False,
        mono: bool = False,
        turned: bool = False,
    ) -> None:
        """A line of text; y is its base line."""
        family = ' font-family="ui-monospace, Menlo, Consolas, monospace"' if mono else ""
        weight = ' font-weight="600"' if bold else ""
        turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" text-anchor="{anchor}"'
            f"{family}{weight}{turn}{_style(fill=fill)}>{escape(words)}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, *lines: str, edge: str = "line",
        fill: str = "panel",
    ) -> None:  # fmt: skip
        """A rounded box with centred lines of text, the first in bold."""
        self.rect(x, y, width, height, fill, stroke=edge, radius=6)
        top = y + height / 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.text(
                x + width / 2,
                top + 18 * number,
                line,
                bold=number == 0,
                size=13 if number == 0 else 12,
                fill="ink" if number == 0 else "faint",
            )

    def svg(self) -> str:
        """The drawing as a file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family="{_FONT}">'
        )
        # Behind the drawing where no page gives a colour: pictures on a dark page stay legible.
        back = (
            f'<rect width="{self.width}" height="{self.height}" '
            f'style="fill:var(--figure-back, {COLOURS["paper"]})"/>'
        )
        return "\n".join([head, back, *self._parts, "</svg>", ""])


def _n(value: float) -> str:
    """A coordinate to a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def _style(*, fill: str, stroke: str = "none", opacity: float = 1) -> str:
    parts = [f"fill:{colour(fill)}"]
    if stroke != "none":
        parts.append(f"stroke:{colour(stroke)}")
    if opacity != 1:
        parts.append(f"opacity:{_n(opacity)}")
    return f' style="{";".join(parts)}"'
