"""Text and numbers on the page: escaped once, formatted one way."""

from __future__ import annotations

import html
import math
import re

# The name of the baseline that every report has.
RANDOM = "random order"

# What cannot be encoded, must not be in HTML, or would reorder the text around it.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


def escape(value: object) -> str:
    """`value` as text that is safe anywhere in HTML, quotes and broken characters included."""
    return html.escape(_FORBIDDEN.sub("\ufffd", str(value)), quote=True)


def figure(value: float | None) -> str:
    """A figure between 0 and 1 with three decimals; a dash when there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share as whole per cent, one decimal below ten; a dash when there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{100 * value:.1f}%" if 0 < value < 0.0995 else f"{100 * value:.0f}%"


def amount(num_bytes: float | None) -> str:
    """Bytes for people: "4 B", "1.2 kB", "4 MB"; a dash when there is none."""
    if num_bytes is None:
        return "–"
    power = 0
    # 999.5 and more would be rounded to 1000 of the unit.
    while num_bytes >= 999.5 and power < 4:
        num_bytes /= 1000
        power += 1
    return f"{num_bytes:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def section(key: str, heading: str, body: str) -> str:
    """A section of the page under its heading; `key` is its anchor."""
    return (
        f'<section id="{key}" aria-labelledby="{key}-h"><h2 id="{key}-h">{heading}</h2>'
        f"{body}</section>"
    )
