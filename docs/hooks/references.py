"""Names of the library in the text of a page lead to the reference: `AQDIndex.search` is a link."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page
from repository_pages import split_fences

# Modules whose public names have a place in the reference.
MODULES = (
    "wsdhq.quant",
    "wsdhq.interop.faiss",
    "wsdhq.embed",
    "wsdhq.data",
    "wsdhq.runs",
    "wsdhq.evaluation",
    "wsdhq.metrics",
)

# A name between back-ticks, perhaps with its module before it and a call behind it; not the text
# of a link, and not part of a heading.
_NAME = re.compile(
    r"(?<!\[)`(?P<shown>(?:wsdhq\.[a-z.]+\.)?(?P<name>[A-Za-z_]+(?:\.\w+)?)(?:\(.*?\))?)`"
)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    homes = public_names(Path(config.config_file_path).parent / "python")
    lines = []
    for part, is_code in split_fences(markdown):
        if is_code:
            lines.append(part)
            continue
        for line in part.splitlines(keepends=True):
            lines.append(line if line.startswith("#") else link_names(line, homes))
    return "".join(lines)


def link_names(text: str, homes: dict[str, str]) -> str:
    """Make links of the names in `homes`, name to module, and of what belongs to a class."""

    def linked(match: re.Match[str]) -> str:
        name = match["name"]
        home = homes.get(name.partition(".")[0])
        if home is None:
            return match.group()
        shown = match["shown"].replace("<", "&lt;")
        return f'<autoref identifier="{home}.{name}" optional><code>{shown}</code></autoref>'

    return _NAME.sub(linked, text)


def public_names(sources: Path) -> dict[str, str]:
    """The module of each public name that is no plain word."""
    homes: dict[str, str] = {}
    for module in MODULES:
        path = sources.joinpath(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                for name in ast.literal_eval(node.value):
                    if "_" in name or name != name.lower():
                        homes.setdefault(name, module)
    return homes
