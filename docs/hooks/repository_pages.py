"""Pages of the site that lie elsewhere in the repository, and links that work in both.

On GitHub a link is a path between files of the repository. In the site some of these files have
another place; links are turned when a page is read, so that one text serves both.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Where a file of the repository stands in the site.
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
    "benchmarks/RESULTS.md": "results.md",
    "benchmarks/README.md": "measuring.md",
    "examples/faiss_ivf/README.md": "examples/faiss-ivf.md",
    "examples/neighbour_service/README.md": "examples/neighbour-service.md",
    "examples/photo_search/README.md": "examples/photo-search.md",
}
PICTURES = "benchmarks/results/fashion44k/*.png"

_log = logging.getLogger("mkdocs.hooks.repository_pages")

_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = Path(config.config_file_path).parent
    for source, place in PAGES.items():
        if files.get_file_from_path(place) is None:
            text = (root / source).read_text("utf-8")
            files.append(File.generated(config, place, content=text))
    for picture in sorted(root.glob(PICTURES)):
        place = f"assets/results/{picture.name}"
        files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    root = Path(config.config_file_path).parent
    place = page.file.src_uri
    return "".join(
        part if is_code else turn_links(part, source_of(place), place, root)
        for part, is_code in split_fences(markdown)
    )


def source_of(place: str) -> str:
    """The file of the repository that a page of the site is made from."""
    generated = {page: source for source, page in PAGES.items() if source != "README.md"}
    return generated.get(place, f"docs/{place}")


def split_fences(markdown: str) -> list[tuple[str, bool]]:
    """The text in parts, and which of them are fenced code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [(markdown[end : fence.start()], False), (fence.group(), True)]
        end = fence.end()
    return [*parts, (markdown[end:], False)]


def turn_links(text: str, source: str, place: str, root: Path) -> str:
    """Point links of `source`, relative to it, at their places in the site, relative to `place`."""

    def turned(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        if not target or ":" in target:
            return match.group()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        goal = place_of(path)
        if goal is None or not (root / path).is_file():
            _log.warning("%s: the link to %s leads to no page of the site", source, target)
            return match.group()
        return posixpath.relpath(goal, posixpath.dirname(place) or ".") + anchor

    return _LINK.sub(turned, text)


def place_of(path: str) -> str | None:
    """Where a file of the repository stands in the site; None where it does not."""
    if path in PAGES:
        return PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if PurePosixPath(path).match(PICTURES):
        return f"assets/results/{PurePosixPath(path).name}"
    return None
