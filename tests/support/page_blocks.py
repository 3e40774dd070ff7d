"""Fenced blocks of a page, and what a page may hold: so that no example escapes its test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

# Languages of blocks; those that are neither run nor parsed are shown, not used.
PYTHON, SHELL, TEXT = "python", "sh", "text"
KNOWN = (PYTHON, SHELL, TEXT)
# A comment before a block of text: it is what the Python block before it prints.
OUTPUT = "<!-- output -->"
_SETUP = re.compile(r"<!-- setup\n(?P<code>.*?)\n-->", re.DOTALL)
# Of what a reader does not see, a little is enough.
MAX_SETUP_LINES = 6


class PageError(ValueError):
    """A page holds something that no test would look at."""


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes
    ----------
    language : str
        One of `KNOWN`, or "setup" for Python in a comment.
    code : str
    line : int
        The first line of the code in the page, from 1.
    is_output : bool
        Whether the block before it must have printed it.
    """

    language: str
    code: str
    line: int
    is_output: bool = False


def read_blocks(page: Path) -> list[Block]:
    """All blocks of a page in order; PageError for one of an unknown kind."""
    blocks: list[Block] = []
    is_output = False
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            is_output = token.content.strip() == OUTPUT
            blocks += _setup(page, token.content, line)
        elif token.type == "code_block":
            raise PageError(f"{page}, line {line}: an indented block: expected a fenced one")
        elif token.type == "fence":
            language = token.info.strip()
            if language not in KNOWN:
                raise PageError(
                    f"{page}, line {line}: a block of {language or 'no language'}: expected one of "
                    f"{', '.join(KNOWN)}"
                )
            if is_output and language != TEXT:
                raise PageError(f"{page}, line {line}: expected text after {OUTPUT}")
            blocks.append(Block(language, token.content, line + 1, is_output))
            is_output = False
        elif token.type == "inline":
            is_output = False
    return blocks


def _setup(page: Path, comment: str, line: int) -> list[Block]:
    found = _SETUP.search(comment)
    if found is None:
        return []
    code = found["code"]
    if code.count("\n") >= MAX_SETUP_LINES:
        raise PageError(
            f"{page}, line {line}: expected at most {MAX_SETUP_LINES} hidden lines of setup"
        )
    return [Block("setup", code, line + comment[: found.start("code")].count("\n"))]
