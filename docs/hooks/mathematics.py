"""Equations as MathML, which browsers draw by themselves: no script, nothing fetched.

In the text they are written as on GitHub: $`...`$ within a line and a fenced block of ```math.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

_WITHIN = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_APART = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    content = _APART.sub(
        lambda found: f'<div class="equation">{_mathml(found[1], "block")}</div>', content
    )
    return _WITHIN.sub(lambda found: _mathml(found[1], "inline"), content)


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex).strip(), display=display)
