"""What a system without POSIX does differently about files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from wsdhq._shared.files import write_text
from wsdhq.data import read_tags
from wsdhq.quant import AdditiveQuantizer


def test_text_is_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    # Windows would end lines otherwise, and pages be of the user's own code page.
    write_text(tmp_path / "text", "a\nä\r\n")
    assert (tmp_path / "text").read_bytes() == b"a\n\xc3\xa4\r\n"


def refuse(source: object, target: object) -> None:
    raise PermissionError(13, "Access is denied", str(source), None, str(target))


def test_a_file_in_use_that_cannot_be_replaced_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index.wsdhq"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"index\.wsdhq cannot be replaced: Access is denied"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["index.wsdhq"]


def test_a_folder_that_refuses_a_new_file_says_what_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match="Access is denied"):
        write_text(tmp_path / "new", "text")
    assert not list(tmp_path.iterdir())


def test_a_tilde_is_the_folder_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    quantizer = AdditiveQuantizer.from_codebooks(np.eye(3, dtype=np.float32)[None])
    quantizer.save("~/q.safetensors")
    assert (tmp_path / "q.safetensors").is_file()
    assert AdditiveQuantizer.load("~/q.safetensors").dim == 3
    (tmp_path / "tags.txt").write_text("boat sea\n")
    assert read_tags("~/tags.txt") == [["boat", "sea"]]
