"""Tensors in safetensors files: the bytes that the format's own library writes."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from wsdhq.embed.tensor_files import read_tensors, write_tensors

TENSORS = {
    "weight ä": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "count": torch.tensor(7),
    "half": torch.ones(3, dtype=torch.float16),
    "brain": torch.tensor([1.5, -2.0, float("inf")], dtype=torch.bfloat16),
    "double": torch.zeros(2, 0, dtype=torch.float64),
    "mask": torch.tensor([True, False]),
    "codes": torch.arange(5, dtype=torch.uint8),
    "whole": torch.tensor([-3], dtype=torch.int32),
}


def test_files_are_those_of_the_library(tmp_path):
    write_tensors(tmp_path / "ours", TENSORS, {"format": "a ü", "epoch": "3"})
    metadata = json.dumps({"epoch": "3", "format": "a ü"}, sort_keys=True)
    save_file(TENSORS, tmp_path / "theirs", metadata={"wsdhq": metadata})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    with safe_open(tmp_path / "ours", "pt") as stored:
        assert set(stored.keys()) == set(TENSORS)


def test_what_was_written_comes_back(tmp_path):
    write_tensors(tmp_path / "file", TENSORS, {"format": "x"})
    tensors, metadata = read_tensors(tmp_path / "file")
    assert metadata == {"format": "x"}
    expected = load_file(tmp_path / "file")
    assert tensors.keys() == expected.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], expected[name])
        assert torch.equal(tensors[name], value)


def test_tied_and_strided_tensors_are_written_whole(tmp_path):
    tied = torch.arange(12.0).reshape(3, 4)
    write_tensors(tmp_path / "file", {"a": tied, "b": tied, "c": tied.T}, {})
    tensors, _ = read_tensors(tmp_path / "file")
    assert torch.equal(tensors["a"], tensors["b"])
    assert torch.equal(tensors["c"], tied.T)


def test_other_types_are_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match=r"tensors: expected floats, integers or bool, got torch.c"):
        write_tensors(tmp_path / "file", {"a": torch.zeros(2, dtype=torch.complex64)}, {})
    assert list(tmp_path.iterdir()) == []
    save_file({"a": torch.zeros(2, dtype=torch.float8_e4m3fn)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match="foreign: expected a whole safetensors file: a is of the"):
        read_tensors(tmp_path / "foreign")
