"""`benchmarks/held_out_tags.py`: tags of images kept out of the training, ranked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np

_SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "held_out_tags.py"


def _module():
    spec = importlib.util.spec_from_file_location("held_out_tags", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_average_precision_of_an_images_own_tags():
    scores = np.array([[0.9, 0.1, 0.5, 0.3], [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]])
    carried = np.array([[1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    # Ranks 1 and 3 of the first, rank 1 of the second; the third has no tag to find.
    expected = ((1 / 1 + 2 / 3) / 2 + 1) / 2
    assert np.isclose(_module()._average_precision(scores, carried), expected)


def test_a_line_for_each_variant_and_setting(tmp_path, monkeypatch, capsys):
    generator = np.random.default_rng(0)
    kinds = generator.integers(4, size=300)
    features = np.eye(4)[kinds] + 0.2 * generator.standard_normal((300, 4))
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    words = ("dog wet", "cat dry", "car red", "sea big")
    (tmp_path / "tags.txt").write_text("".join(f"{words[kind]}\n" for kind in kinds))
    arguments = [
        "--features", f"{tmp_path}/features.npy", "--tags", f"{tmp_path}/tags.txt", "--bits", "8",
        "--queries", "20", "--threads", "1", "--variant", "WSDHQ", "--variant", "WSDHQ_2",
        "--set", "epochs=8",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["held_out_tags.py", *arguments])
    _module().main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["WSDHQ epochs=8", "WSDHQ_2 epochs=8"]
    for line in lines:
        # Two of eight tags at random have a mean average precision of about .42.
        assert float(line.split("embedding ")[1].split(",")[0]) > 0.7
