"""Curves as inline SVG, drawn with matplotlib's object interface (no pyplot, no global state).

Colours leave matplotlib as placeholders and become CSS variables, so that one drawing serves
the light and the dark page. Text stays text: it can be read aloud, selected and restyled. No
text of the user enters a chart (names are in the HTML legend), so there is nothing to escape.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lines of methods other than the main one, which is solid and thick, differ by dash as well as
# by colour. Dashes are in units of the line's width.
_DASHES = ((5, 1.6), (6, 1.6, 1, 1.6), (2.2, 1.2), (9, 1.6), (1, 1.1))

_PLACEHOLDERS = {
    "#0a0b0c": "var(--muted)",
    "#0a0b0d": "var(--line)",
    "#0a0b0e": "var(--series-random)",
    "#0a0b0f": "var(--accent)",
    **{f"#0a0b1{i}": f"var(--series-{i})" for i in range(len(_DASHES))},
}
_TEXT, _GRID, _RANDOM, _MAIN = list(_PLACEHOLDERS)[:4]

# rc_context changes matplotlib's settings for the whole process while it lasts.
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class LineStyle:
    """How the line of a method looks in charts and in the legend.

    Attributes
    ----------
    colour : str
        Placeholder that becomes a CSS variable, see `css_colour`.
    width : float
        In points.
    dash : tuple of float
        Lengths drawn and left out, in units of `width`; empty is solid.
    """

    colour: str
    width: float
    dash: tuple[float, ...]

    @classmethod
    def main(cls) -> LineStyle:
        """The method that the report is about."""
        return cls(_MAIN, 3.2, ())

    @classmethod
    def random(cls) -> LineStyle:
        """The random ranking."""
        return cls(_RANDOM, 1.7, (1, 2))

    @classmethod
    def other(cls, number: int) -> LineStyle:
        """The other methods, numbered from 0; 25 of them can be told apart."""
        colour, turn = number % len(_DASHES), number // len(_DASHES)
        return cls(f"#0a0b1{colour}", 1.7, _DASHES[(colour + turn) % len(_DASHES)])

    @property
    def css_colour(self) -> str:
        """The colour on the page."""
        return _PLACEHOLDERS[self.colour]


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes
    ----------
    x, y : array-like of float
        Points; those that are not finite are left out.
    style : LineStyle
        How it looks. Thick lines are drawn below thin ones, so that both can be seen where
        they coincide.
    markers : bool
        Mark each point.
    """

    x: ArrayLike
    y: ArrayLike
    style: LineStyle
    markers: bool = False


def draw_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_name: str,
    y_name: str,
    key: str,
    log_x: bool = False,
    unit_y: bool = False,
    size: tuple[float, float] = (5.2, 3.3),
) -> str:
    """Draw lines into an `<svg>` element.

    Parameters
    ----------
    lines : sequence of Line
    title : str
        Read aloud in place of the picture; plain text, already escaped for HTML.
    x_name, y_name : str
        Axis names, written by this package and not by a user.
    key : str
        Prefix of all ids inside, unique on the page: letters, digits, hyphens.
    log_x : bool
        Logarithmic x axis.
    unit_y : bool
        y from 0 to 1; otherwise the axis fits the data.
    size : (width, height)
        In inches; the page scales it.

    Returns
    -------
    str
        The same bytes for the same input.
    """
    # Imported here: matplotlib is only needed where there are curves.
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "path.simplify": False,
        "font.family": "sans-serif",
        "font.size": 9.5,
        "text.usetex": False,
        "text.parse_math": False,
        "axes.unicode_minus": True,
    }
    with _DRAWING, rc_context(settings):
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        _dress(axes, x_name, y_name, log_x, unit_y)
        for line in lines:
            _draw_line(axes, line)
        _tick(axes, log_x, unit_y)
        buffer = io.StringIO()
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _inline(buffer.getvalue(), title, key)


def _dress(axes: Axes, x_name: str, y_name: str, log_x: bool, unit_y: bool) -> None:
    axes.patch.set_alpha(0)
    axes.set_xlabel(x_name, color=_TEXT)
    axes.set_ylabel(y_name, color=_TEXT)
    axes.tick_params(which="both", color=_GRID, labelcolor=_TEXT, length=3)
    axes.tick_params(which="minor", length=0)
    axes.grid(True, color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    if log_x:
        axes.set_xscale("log")
    if unit_y:
        axes.set_ylim(0, 1.02)


def _draw_line(axes: Axes, line: Line) -> None:
    x, y = np.asarray(line.x, dtype=float), np.asarray(line.y, dtype=float)
    drawn = np.isfinite(x) & np.isfinite(y)
    axes.plot(
        x[drawn],
        y[drawn],
        color=line.style.colour,
        linewidth=line.style.width,
        linestyle=(0, line.style.dash) if line.style.dash else "-",
        marker="o" if line.markers else None,
        markersize=2 + line.style.width,
        zorder=4 - line.style.width / 10,
        solid_capstyle="round",
    )


def _tick(axes: Axes, log_x: bool, unit_y: bool) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

    def plain(value: float, _position: int) -> str:
        return f"{value:,.0f}" if value >= 10000 or value == int(value) else f"{value:g}"

    if log_x:
        low, high = axes.get_xlim()
        powers = [10.0**power for power in range(7) if low <= 10.0**power <= high]
        axes.xaxis.set_major_locator(FixedLocator(powers))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        # Epochs are whole numbers; a fractional tick between two of them means nothing.
        whole = axes.get_xlim()[1] > 2
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if unit_y:
        axes.yaxis.set_major_locator(FixedLocator([0, 0.2, 0.4, 0.6, 0.8, 1.0]))


def _inline(document: str, title: str, key: str) -> str:
    """Make the SVG document an element of the page: own ids, themed colours, a spoken title."""
    svg = document[document.index("<svg") :]
    # A style element inside would apply to the whole page.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{key}-\1"', svg)
    for placeholder, variable in _PLACEHOLDERS.items():
        svg = svg.replace(placeholder, variable)
    box = re.search(r'viewBox="[^"]+"', svg)
    start = f'<svg class="chart" {box.group() if box else ""} role="img" aria-label="{title}">'
    return start + svg[svg.index(">") + 1 :].strip()
