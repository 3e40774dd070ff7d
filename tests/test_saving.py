"""What writing a file leaves behind: of links, modes, names, full disks and killed writers."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from wsdhq._shared import temporary
from wsdhq._shared.files import atomic_path, save_npy, write_text
from wsdhq.quant import AdditiveQuantizer, AQDIndex

posix = pytest.mark.skipif(os.name != "posix", reason="as POSIX has it")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(Path("there") / "target")
    twice = tmp_path / "twice"
    twice.symlink_to(link)
    for path in (link, twice):
        write_text(path, f"by {path.name}")
        assert path.is_symlink()
        assert target.read_text() == f"by {path.name}"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "there" / "new")
    write_text(dangling, "made")
    assert (tmp_path / "there" / "new").read_text() == "made"
    assert names(tmp_path) == ["dangling", "link", "there", "twice"]
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "new")
    with pytest.raises(FileNotFoundError, match=r"folder .*missing"):
        write_text(tmp_path / "nowhere", "text")


@posix
def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        write_text(tmp_path / "a", "text")


@posix
def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises(ValueError, match=f"{path.name} is a pipe: expected a regular file"):
            write_text(path, "text")
    with pytest.raises(ValueError, match="/dev/null is a device"):
        write_text("/dev/null", "text")
    index = AQDIndex(AdditiveQuantizer.from_codebooks(np.ones((1, 2, 3))))
    with pytest.raises(ValueError, match="/dev/null is a device"):
        index.save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o755])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    write_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_what_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "file", "text")
        with atomic_path(tmp_path / "replaced") as temporary:
            # As safetensors does.
            other = temporary.with_name("other")
            other.write_text("text")
            other.chmod(0o600)
            other.rename(temporary)
    finally:
        os.umask(before)
    for name in ("file", "replaced"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask


@posix
def test_nothing_is_written_anywhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a root that is read-only, with one volume to write to.
    for name in ("TMPDIR", "TEMP", "TMP", "HOME"):
        monkeypatch.setenv(name, "/nowhere")
    script = (
        "import os, sys\n"
        "made = []\n"
        "sys.addaudithook(lambda name, args: made.append(str(args[0])) if name in"
        " ('os.mkdir', 'os.rename', 'os.remove') else None)\n"
        "from wsdhq._shared.files import write_text\n"
        f"write_text({str(tmp_path / 'file')!r}, 'text')\n"
        f"assert all(path.startswith({str(tmp_path)!r}) or '/' not in path for path in made), made"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=600)


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "." * 3 + "x", " "])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "text")
    assert names(tmp_path) == [name]
    write_text(tmp_path / name, "again")
    assert (tmp_path / name).read_text() == "again"


@posix
def test_a_name_that_is_no_text_will_do(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    save_npy(path, np.arange(3))
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff\xfe"]


@posix
def test_the_file_is_on_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        done.append(kind)
        real_fsync(descriptor)

    def replace(source: object, target: object) -> None:
        done.append("rename")
        real_replace(source, target)  # type: ignore[type-var]

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_text(tmp_path / "file", "text")
    assert done == ["file", "rename", "folder"]


KILLED = """
import sys
from wsdhq._shared.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def half_written(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@posix
def test_what_killed_writers_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    # Not ours, however alike.
    (tmp_path / ".wsdhq-0123456789abcdef.part").write_text("a file, and no folder")
    (tmp_path / ".wsdhq-0123.part").mkdir()
    others = names(tmp_path)
    processes = [half_written(path) for _ in range(3)]
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == len(others) + 3
    living = half_written(tmp_path / "another")
    # The one that lives is left alone.
    assert len(names(tmp_path)) == len(others) + 1
    write_text(path, "new")
    assert len(names(tmp_path)) == len(others) + 1
    living.communicate("")
    assert living.returncode == 0
    assert (tmp_path / "another").read_bytes() == b"half"
    assert names(tmp_path) == sorted([*others, "another"])
    assert path.read_text() == "new"


def test_writers_of_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    path, failed = tmp_path / "file", []

    def write(text: str) -> None:
        try:
            for _ in range(60):
                write_text(path, text)
        except BaseException as error:
            failed.append(error)

    texts = [letter * 10_000 for letter in "abcd"]
    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert path.read_text() in texts
    assert names(tmp_path) == ["file"]


def test_a_folder_that_is_taken_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, taken = temporary._lock, []

    def taken_first(folder: Path) -> int | None:
        if not taken:
            taken.append(folder)
            folder.rmdir()
        return real(folder)

    monkeypatch.setattr(temporary, "_lock", taken_first)
    write_text(tmp_path / "file", "text")
    assert len(taken) == 1
    assert (tmp_path / "file").read_text() == "text"


@posix
def test_a_full_disk_is_told_with_the_name_and_changes_nothing(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from wsdhq._shared.files import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n"
        "    write_text(sys.argv[1], 'x' * 10**6)\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    path = tmp_path / "file"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=600
    )
    assert done.stdout == f"[Errno 27] File too large: '{path}'\n", done.stderr
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]
