"""Puts the project's own drawings into the page, where they take the colours of the theme.

An SVG shown by <img> does not know whether the page is light or dark; as part of the page it
does. On GitHub the same files are shown as pictures, in their light colours.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig

_PICTURE = re.compile(
    r'<p>\s*<img alt="(?P<alt>[^"]*)" src="[^"]*?figures/(?P<name>[\w-]+)\.svg" ?/?>\s*</p>'
)
_HEADER = re.compile(r"^.*?(?=<svg)", re.DOTALL)


def on_page_content(content: str, config: MkDocsConfig, **_: Any) -> str:
    folder = Path(config.docs_dir) / "figures"

    def drawn(found: re.Match[str]) -> str:
        svg = _HEADER.sub("", (folder / f"{found['name']}.svg").read_text("utf-8"), count=1)
        label = html.escape(html.unescape(found["alt"]))
        svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        return f'<figure class="drawing">{svg}</figure>'

    return _PICTURE.sub(drawn, content)
