"""The version stands in pyproject.toml; what is built and installed says the same."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import wsdhq
from wsdhq import _core

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
# Not part of the source distribution.
CHECK = ROOT / ".github" / "check_release.py"


def test_the_core_was_built_from_this_version() -> None:
    assert _core.__version__ == VERSION


def test_the_package_says_the_version_that_is_installed() -> None:
    # A source tree on sys.path that was never installed does not know.
    assert wsdhq.__version__ in (VERSION, "0+unknown")


def test_no_other_file_states_a_version_of_its_own() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text("utf-8")
    assert re.search(r"^project\(wsdhq LANGUAGES CXX\)$", cmake, flags=re.MULTILINE)
    for file in [ROOT / "CMakeLists.txt", *sorted((ROOT / "python" / "wsdhq").glob("*.py"))]:
        assert VERSION not in file.read_text("utf-8"), file.name


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A repository that may be released as v1.2.3."""
    if not CHECK.is_file():
        pytest.skip("this is a source distribution")
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / CHECK.name).write_bytes(CHECK.read_bytes())
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 1.2.3 (2026-01-31)\n\n- new\n\n## 1.2.2 (2026-01-01)\n\n- old\n"
    )
    return tmp_path


def check(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / ".github" / CHECK.name), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_that_is_what_it_is_called_passes(release: Path) -> None:
    done = check(release, "v1.2.3")
    assert (done.returncode, done.stdout) == (0, "v1.2.3 may be released\n"), done.stderr


@pytest.mark.parametrize(
    ("tag", "old", "new", "expected"),
    [
        ("v1.2.4", "", "", "the tag is 'v1.2.4': expected 'v1.2.3'"),
        ("1.2.3", "", "", "expected 'v1.2.3'"),
        ("v1.2.3", "## 1.2.3 (2026-01-31)", "## 1.2.30 (2026-01-31)", "found none"),
        ("v1.2.3", "(2026-01-31)", "(unreleased)", "got '## 1.2.3 (unreleased)'"),
        ("v1.2.3", "- new\n", "", "the section of 1.2.3 says nothing"),
    ],
)
def test_a_release_that_is_not_is_refused(
    release: Path, tag: str, old: str, new: str, expected: str
) -> None:
    changelog = release / "CHANGELOG.md"
    text = changelog.read_text("utf-8")
    assert old in text
    changelog.write_text(text.replace(old, new))
    done = check(release, tag)
    assert done.returncode == 1
    assert expected in done.stderr


def test_a_release_needs_a_tag(release: Path) -> None:
    done = check(release)
    assert done.returncode == 1
    assert "usage" in done.stderr
