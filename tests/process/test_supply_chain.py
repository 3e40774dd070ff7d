"""What CI runs and installs is what was looked at: actions by commit, tools by hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"

pytestmark = pytest.mark.skipif(not GITHUB.is_dir(), reason="not in a source distribution")


def workflows() -> list[Path]:
    return sorted((GITHUB / "workflows").glob("*.yml"))


def test_actions_are_named_by_commit_with_their_version() -> None:
    assert len(workflows()) == 3
    for path in workflows():
        for used in re.findall(r"uses: *(.+)", path.read_text("utf-8")):
            is_ours = used.startswith("./")
            assert is_ours or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used


def test_no_job_but_the_publisher_may_write() -> None:
    for path in workflows():
        text = path.read_text("utf-8")
        assert "\npermissions:\n  contents: read\n" in text, path.name
        written = re.findall(r"^ +(\S+): write$", text, re.MULTILINE)
        assert written == (["id-token"] if path.name == "release.yml" else []), path.name
        # Neither that job nor another keeps a token where code of the repository could find it.
        checkouts = len(re.findall("uses: actions/checkout@", text))
        assert text.count("persist-credentials: false") == checkouts, path.name
    publisher = (GITHUB / "workflows" / "release.yml").read_text("utf-8").split("  publish:\n")[1]
    assert "id-token: write" in publisher
    assert "checkout" not in publisher


def test_every_file_that_is_listed_has_hashes() -> None:
    lists = sorted((GITHUB / "requirements").glob("*.txt"))
    assert [each.stem for each in lists] == [
        each.stem for each in sorted((GITHUB / "requirements").glob("*.in"))
    ]
    pinned = dict(
        re.findall(
            r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
        )
    )
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for each in lists:
        entries = re.split(r"\n(?=\S)", each.read_text("utf-8").strip())
        for entry in entries:
            if entry.startswith("#"):
                continue
            found = re.match(r"([\w.-]+)==(\S+) \\\n", entry)
            assert found, (each.name, entry[:60])
            assert "--hash=sha256:" in entry
            name, version = found[1].lower().replace("_", "-"), found[2]
            assert pinned.get(name, version) == version, (each.name, name)


def test_what_the_workflows_install_is_pinned_or_ours() -> None:
    for path in [*workflows(), ROOT / ".ci" / "run"]:
        for line in re.findall(r"pip install (.+)", path.read_text("utf-8")):
            is_pinned = "--require-hashes" in line or "constraints.txt" in line
            # The newest of everything is what some jobs are for; others install what was built.
            is_meant = re.fullmatch(
                r"(?:-\S+ )*(?:\S*cmake\.define\S* .*|.*/whl/cpu torch|'?\.(?:\[test\])?'?"
                r"|dist/\S+|numpy==1\.26\.0 safetensors==0\.4\.0|safetensors|.*\[train.*)",
                line.strip(),
            )
            assert is_pinned or is_meant, (path.name, line)
