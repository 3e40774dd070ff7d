"""Refuse a release that is not what it is called: python .github/check_release.py v0.1.0

The tag is the version of pyproject.toml after a "v", and CHANGELOG.md has a section "## 0.1.0
(2026-01-31)" with something in it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def problems(tag: str, pyproject: str, changelog: str) -> list[str]:
    """What keeps `tag` from being released, in words."""
    version = tomllib.loads(pyproject)["project"]["version"]
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag!r}: expected 'v{version}', the version of pyproject.toml")
    sections = re.split(r"^## +", changelog, flags=re.MULTILINE)[1:]
    section = next((each for each in sections if each.split(maxsplit=1)[:1] == [version]), None)
    if section is None:
        found.append(f"CHANGELOG.md: expected a section '## {version} (YYYY-MM-DD)', found none")
        return found
    heading, _, text = section.partition("\n")
    if not re.fullmatch(re.escape(version) + r" \(\d{4}-\d\d-\d\d\)", heading.strip()):
        found.append(
            f"CHANGELOG.md: expected '## {version} (YYYY-MM-DD)', got '## {heading.strip()}'"
        )
    if not text.strip():
        found.append(f"CHANGELOG.md: the section of {version} says nothing")
    return found


def main() -> None:
    """Check the tag that is given; fail with what is wrong."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} TAG")
    found = problems(
        sys.argv[1],
        (ROOT / "pyproject.toml").read_text("utf-8"),
        (ROOT / "CHANGELOG.md").read_text("utf-8"),
    )
    if found:
        sys.exit("\n".join(found))
    print(f"{sys.argv[1]} may be released")


if __name__ == "__main__":
    main()
