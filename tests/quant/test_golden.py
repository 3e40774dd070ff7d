"""Files that earlier versions wrote: they load for ever, and answer what they did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.persistence import FORMAT_VERSIONS

FOLDER = Path(__file__).parent.parent / "golden"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
QUANTIZERS = sorted(name for name in EXPECTED if name.startswith("quantizer"))
INDEXES = sorted(name for name in EXPECTED if name.startswith("index"))


def test_each_version_has_its_files() -> None:
    stored = {path.name for path in FOLDER.iterdir()} - {"expected.json", "make.py", "README.md"}
    assert stored - {"__pycache__"} == set(EXPECTED)
    assert f"quantizer-v{FORMAT_VERSIONS['quantizer']}.safetensors" in QUANTIZERS
    for similarity in ("ip", "l2", "cosine"):
        assert f"index-{similarity}-v{FORMAT_VERSIONS['index']}.wsdhq" in INDEXES


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_quantizer_of_old_is_what_it_was(name: str) -> None:
    expected = EXPECTED[name]
    quantizer = AdditiveQuantizer.load(FOLDER / name, verify=True)
    np.testing.assert_array_equal(quantizer.codebooks, expected["codebooks"])
    np.testing.assert_array_equal(quantizer.metric, expected["metric"])
    assert quantizer.seed == expected["seed"]
    queries = np.array(expected["queries"], np.float32)
    np.testing.assert_array_equal(quantizer.encode(queries), expected["codes"])


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("mmap", [True, False])
def test_an_index_of_old_answers_what_it_did(name: str, mmap: bool) -> None:
    expected = EXPECTED[name]
    index = AQDIndex.load(FOLDER / name, mmap=mmap, verify=True)
    assert index.similarity == expected["similarity"]
    np.testing.assert_array_equal(index.codes, expected["codes"])
    np.testing.assert_array_equal(index.ids, expected["ids"])
    scores, found = index.search(np.array(expected["queries"], np.float32), 12)
    np.testing.assert_allclose(scores, np.array(expected["scores"], np.float32), rtol=1e-6)
    np.testing.assert_array_equal(found, expected["found"])
    index.add_vectors(np.zeros((1, 5), np.float32))
    assert index.ids[-1] == max(expected["ids"]) + 1


def test_the_page_about_the_format_reads_an_index(tmp_path: Path, monkeypatch) -> None:
    page = (FOLDER.parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    for name in INDEXES:
        (tmp_path / "db.wsdhq").write_bytes((FOLDER / name).read_bytes())
        monkeypatch.chdir(tmp_path)
        names: dict = {}
        exec(code, names)
        np.testing.assert_array_equal(names["codes"], EXPECTED[name]["codes"])
        index = AQDIndex.load(tmp_path / "db.wsdhq")
        np.testing.assert_allclose(
            names["reconstructions"], index.reconstruct(names["ids"]), rtol=1e-6
        )
