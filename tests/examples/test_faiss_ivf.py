"""The export to faiss as a user runs it, and its comparison on answers that are wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from wsdhq.quant import AdditiveQuantizer, AQDIndex

faiss = pytest.importorskip("faiss")


@pytest.mark.parametrize("similarity", ["l2", "ip"])
def test_faiss_answers_the_same_and_fewer_lists_find_less(export_ivf, tmp_path, similarity):
    sizes = "--num-vectors 3000 --num-queries 40 --dim 16 --num-codebooks 4 --nlist 20"
    done = subprocess.run(
        [sys.executable, export_ivf.__file__, *sizes.split(), "--similarity", similarity],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "every list probed: the same answers" in done.stdout
    table = re.findall(
        r"^(AQDIndex|faiss IVF) +(\w+) +([\d.]+) +([\d.]+) +\d+$", done.stdout, re.MULTILINE
    )
    assert [row[1] for row in table] == ["all", "1", "2", "4", "8", "16", "20"]
    of_codes = [float(row[2]) for row in table]
    of_vectors = [float(row[3]) for row in table]
    # The first line is the index itself, the last one every list.
    assert of_codes[0] == of_codes[-1] == 1
    assert of_vectors[0] == of_vectors[-1]
    assert of_codes[1:] == sorted(of_codes[1:])
    assert 0.3 < of_codes[1] < 1
    written = faiss.read_index(str(tmp_path / "vectors.faiss"))
    assert (written.ntotal, written.nlist) == (3000, 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num-codebooks", "0"], "export_ivf: num_codebooks: expected at least 1, got 0"),
        (["--num-codebooks", "1", "--num-vectors", "9", "--nlist", "10"], "export_ivf: Error in"),
    ],
)
def test_what_cannot_be_is_told(export_ivf, monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["export_ivf.py", *arguments])
    with pytest.raises(SystemExit, match=message):
        export_ivf.main()


@pytest.mark.parametrize("similarity", ["l2", "ip"])
def test_the_comparison_tells_rounding_from_wrong_answers(export_ivf, similarity):
    rng = np.random.default_rng(0)
    codebooks = rng.standard_normal((2, 4, 5)).astype(np.float32) / 4
    index = AQDIndex(AdditiveQuantizer.from_codebooks(codebooks), similarity)
    # Some codes come more than once: their ids may change places.
    index.add(rng.integers(0, 4, (40, 2), dtype=np.uint8))
    queries = rng.standard_normal((6, 5)).astype(np.float32)
    scores, ids = index.search(queries, 8)
    ties = np.argwhere(scores[:, 1:] == scores[:, :-1])
    row, place = ties[0]
    swapped = ids.copy()
    swapped[row, [place, place + 1]] = ids[row, [place + 1, place]]
    assert export_ivf.check_same(index, queries, (scores, ids), (scores, ids)) == 0
    assert export_ivf.check_same(index, queries, (scores, ids), (scores, swapped)) < 1e-5
    wrong_ids = ids.copy()
    wrong_ids[2] = ids[2, ::-1]
    for answer in ((scores, wrong_ids), (scores + np.float32(3e-5), ids), (scores * np.nan, ids)):
        with pytest.raises(ValueError, match=r"scores differ by .*: expected at most 1e-05"):
            export_ivf.check_same(index, queries, (scores, ids), answer)


def test_recall_counts_what_was_found(export_ivf):
    wanted = np.array([[1, 2], [3, 4]])
    found = np.array([[2, 9], [4, 3]])
    assert export_ivf.recall(found, wanted) == 0.75
