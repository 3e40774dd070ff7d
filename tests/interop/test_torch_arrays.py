"""Tensors of torch in the place of arrays."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import oracle
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics
from wsdhq.quant.arrays.foreign import LazyRows, as_rows

torch = pytest.importorskip("torch")

P = oracle.float_problem(62, 40, 6, 3, 10)
Q = AdditiveQuantizer.from_codebooks(P.codebooks, threads=1)
CODES = Q.encode(P.X)
T = torch.from_numpy(P.X.copy())

SHARED = {
    "float32": T,
    "float16": T.half(),
    "float64": T.double(),
    "columns first": T.T.contiguous().T,
    "requires a gradient": T.clone().requires_grad_(),
    "parameter": torch.nn.Parameter(T.clone()),
    "of a graph": T.clone().requires_grad_() * 1,
}


@pytest.mark.parametrize("form", SHARED)
def test_tensors_on_the_processor_share_their_memory(form: str) -> None:
    tensor = SHARED[form]
    array = tensor.detach().numpy()
    assert np.shares_memory(as_rows(tensor, "X"), array)
    np.testing.assert_array_equal(Q.encode(tensor), Q.encode(array))
    assert tensor.requires_grad == (form in ("requires a gradient", "parameter", "of a graph"))


def narrow(device: str) -> Any:
    return T.to(device).bfloat16()


DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_and_tensors_on_devices_are_read_in_slices(device: str) -> None:
    for tensor in (narrow(device), T.to(device)) if device != "cpu" else (narrow(device),):
        same = tensor.float().cpu().numpy()
        rows = as_rows(tensor, "X")
        assert isinstance(rows, LazyRows)
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows[np.array([5, 1, 5])], same[[5, 1, 5]])
        np.testing.assert_array_equal(Q.encode(tensor), Q.encode(same))
        fitted = AdditiveQuantizer(2, 8, iterations=2, threads=1).fit(tensor)
        expected = AdditiveQuantizer(2, 8, iterations=2, threads=1).fit(same)
        np.testing.assert_array_equal(fitted.codebooks, expected.codebooks)


@pytest.mark.parametrize("device", DEVICES)
def test_codes_codebooks_metrics_and_queries_may_be_tensors(device: str) -> None:
    codes = torch.from_numpy(CODES).to(device)
    quantizer = AdditiveQuantizer.from_codebooks(
        torch.from_numpy(P.codebooks).to(device), torch.eye(6, device=device).bfloat16()
    )
    np.testing.assert_array_equal(quantizer.codebooks, P.codebooks)
    np.testing.assert_array_equal(quantizer.metric, np.eye(6, dtype=np.float32))
    np.testing.assert_array_equal(quantizer.decode(codes), Q.decode(CODES))
    assert quantizer.distortion(T.to(device), codes) == pytest.approx(Q.distortion(P.X, CODES))
    assert CodeStatistics(3, 10, 6).update(T.to(device), codes).count == 40
    index = AQDIndex(Q)
    index.add(codes)
    np.testing.assert_array_equal(index.codes, CODES)
    for found, wanted in zip(index.search(T.to(device), 3), index.search(P.X, 3)):
        np.testing.assert_array_equal(found, wanted)


def test_a_negated_view_is_read_as_what_it_stands_for() -> None:
    tensor = torch.complex(T, T).conj().imag
    assert tensor.is_neg()
    np.testing.assert_array_equal(Q.encode(tensor), Q.encode(-P.X))


REFUSED = {
    "int64": (lambda: T.long(), "X: expected float16, float32 or float64, got int64 .from Tensor"),
    "float8": (
        lambda: T.to(torch.float8_e4m3fn),
        r"X: expected a dtype that NumPy has, or bfloat16, got torch.float8_e4m3fn: X.float\(\)",
    ),
    "meta": (lambda: T.to("meta"), "X: expected a tensor with values, got one on the device meta"),
    "sparse": (lambda: T.to_sparse(), "X: expected a dense tensor.* of layout torch.sparse_coo"),
    "complex": (lambda: torch.complex(T, T), "X: .*got complex64"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_other_tensors_are_refused(what: str) -> None:
    make, message = REFUSED[what]
    with pytest.raises(TypeError, match=message):
        Q.encode(make())
    with pytest.raises(TypeError, match=r"codes: expected uint8, got int64 \(from Tensor\)"):
        Q.decode(torch.from_numpy(CODES).long())


BOUNDED = """
import resource
import numpy as np, torch
from wsdhq.quant import AdditiveQuantizer
q = AdditiveQuantizer.from_codebooks(np.ones((2, 1, 64), np.float32), threads=1)
X, codes = torch.ones(1_600_000, 64, dtype=torch.bfloat16), np.zeros((1_600_000, 2), np.uint8)
q.distortion(X[:300_000], codes[:300_000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
q.distortion(X, codes)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_bfloat16_of_200_mb_needs_chunks_and_not_400_mb() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100
