"""What can only be seen from outside: imports, instruction sets, forks and signals."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from running import let_work
from wsdhq.quant import simd_levels

WORK = """
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics, icm_encode
rng = np.random.default_rng(0)
X = rng.standard_normal((500, 19)).astype(np.float32)
C = (rng.standard_normal((4, 100, 19)) * .5).astype(np.float32)
L = rng.standard_normal((19, 19)).astype(np.float32)
"""


def plain_environment(**changes: str) -> dict[str, str]:
    """The environment of a user: without what the tests or their caller set for threads."""
    ours = ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "WSDHQ_SIMD")
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def start(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=plain_environment(**environment),
    )


def run(code: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(code, **environment)
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def output(code: str, **environment: str) -> str:
    done = run(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quant_imports_none_of_the_training_packages() -> None:
    heavy = ["torch", "sklearn", "gensim", "matplotlib", "typer", "rich", "PIL", "faiss", "ray"]
    loaded = output(
        "import sys, wsdhq.quant\n"
        f"print(*[name for name in {heavy} if name in sys.modules])\n"
        "print(*[name for name in sys.modules if name.startswith('wsdhq.')])"
    ).splitlines()
    assert loaded[0] == ""
    assert not {"wsdhq.embed", "wsdhq.data", "wsdhq.cli"} & set(loaded[1].split())


def test_import_prints_and_starts_nothing() -> None:
    printed = output(
        "import os, threading\n"
        "before = dict(os.environ)\n"
        "import wsdhq.quant\n"
        "assert dict(os.environ) == before\n"
        "assert threading.active_count() == 1\n"
    )
    assert printed == ""


DIGEST = (
    WORK
    + """
import hashlib
digest = hashlib.sha256()
for K in (1, 7, 16, 100):
    for metric in (None, L @ L.T):
        for relaxation in (None, "codebooks", "data"):
            for threads in (1, 3):
                digest.update(icm_encode(X, C[:, :K], metric=metric, relaxation=relaxation,
                                         iterations=4, threads=threads).tobytes())
index = AQDIndex(AdditiveQuantizer.from_codebooks(C))
index.add_vectors(X)
print(digest.hexdigest())
print(index.search(X[:50], k=20)[1].tolist())
"""
)


def test_codes_and_ids_are_the_same_at_every_instruction_set() -> None:
    levels = simd_levels()
    assert "scalar" in levels
    assert set(levels) <= {"scalar", "avx2", "avx512", "neon"}
    results = {level: output(DIGEST, WSDHQ_SIMD=level) for level in levels}
    results["automatic"] = output(DIGEST)
    assert len(set(results.values())) == 1, {level: out[:64] for level, out in results.items()}


@pytest.mark.parametrize("name", ["nonsense", "AVX2", "scalar,avx2", "other"])
def test_an_unknown_instruction_set_is_refused_with_the_known_ones(name: str) -> None:
    levels = simd_levels()
    if name == "other":
        # A level that exists, but not in this build or on this machine.
        name = next(level for level in ("neon", "avx512", "avx2") if level not in levels)
    done = run(WORK + "print(icm_encode(X, C).shape)", WSDHQ_SIMD=name)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError")
    assert "WSDHQ_SIMD" in last
    assert name in last
    for level in levels:
        assert level in last


FORK = (
    WORK
    + """
import os
q = AdditiveQuantizer(4, 16, iterations=2, threads=2).fit(X)
index = AQDIndex(q)
index.add_vectors(X)
expected, found = q.encode(X, threads=2), index.search(X, k=3, threads=2)[1]
child = os.fork()
if child == 0:
    same = (q.encode(X, threads=2) == expected).all()
    same &= (index.search(X, k=3, threads=2)[1] == found).all()
    AdditiveQuantizer(4, 16, iterations=2, threads=2).fit(X)
    os._exit(0 if same else 3)
_, status = os.waitpid(child, 0)
assert (q.encode(X, threads=2) == expected).all()
print("child", os.waitstatus_to_exitcode(status))
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_works() -> None:
    assert output(FORK) == "child 0\n"


POOL = (
    WORK
    + """
import multiprocessing
q = AdditiveQuantizer.from_codebooks(C)
whole = q.encode(X, threads=2)
def encode(part):
    return q.encode(part, threads=2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    parts = pool.map(encode, [X[:200], X[200:]])
assert (np.concatenate(parts) == whole).all()
print("same")
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_pool_of_forked_workers_works() -> None:
    assert output(POOL) == "same\n"


LONG = {
    "encode": "q.encode(X, iterations=100_000, threads=2)",
    "encode on one thread": "q.encode(X, iterations=100_000, threads=1)",
    "fit": "AdditiveQuantizer(8, 256, iterations=100_000, threads=2).fit(X)",
    "search": "index.search(X, k=10, threads=2)",
}


@pytest.mark.skipif(sys.platform != "linux", reason="processor times as Linux tells them")
@pytest.mark.parametrize("work", ["encode", "encode on one thread", "fit", "search"])
def test_ctrl_c_stops_long_work(work: str) -> None:
    code = f"""
import time
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex
rng = np.random.default_rng(0)
X = rng.standard_normal((100_000, 16)).astype(np.float32)
q = AdditiveQuantizer.from_codebooks((rng.standard_normal((8, 256, 16)) * .4).astype(np.float32))
index = AQDIndex(q)
if {work!r} == "search":
    index.add(rng.integers(0, 256, size=(1_000_000, 8), dtype=np.uint8))
few = q.encode(X[:10])
try:
    print("ready", flush=True)
    while True:
        {LONG[work]}
except KeyboardInterrupt:
    print("interrupted", time.process_time(), flush=True)
    assert (q.encode(X[:10]) == few).all()
    print("alive")
"""
    process = start(code)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        worked = let_work(process, 0.5)
        process.send_signal(signal.SIGINT)
        line = process.stdout.readline().split()
        assert line[:1] == ["interrupted"], process.communicate()[1]
        # Not communicate(): it would miss what readline has read ahead.
        assert process.stderr is not None
        rest, errors = process.stdout.read(), process.stderr.read()
    finally:
        process.kill()
        process.wait()
    assert rest == "alive\n", errors
    # The promise is one second, here of two processors at most.
    assert float(line[1]) - worked < 2.0


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("first", ["torch", "wsdhq"])
def test_torch_may_be_imported_before_or_after(first: str) -> None:
    imports = ["import torch; torch.ones(3, 3) @ torch.ones(3, 3)", WORK]
    if first == "wsdhq":
        imports = [WORK + "icm_encode(X, C, threads=2)", imports[0]]
    printed = output(
        "\n".join(imports)
        + """
before = torch.get_num_threads()
codes = icm_encode(X, C, threads=2)
total = torch.ones(300, 300) @ torch.ones(300, 300)
assert total[0, 0] == 300
assert (icm_encode(torch.from_numpy(X).numpy(), C, threads=1) == codes).all()
assert torch.get_num_threads() == before
print("works")
"""
    )
    assert printed == "works\n"


THREADS = (
    WORK
    + """
import threading
q = AdditiveQuantizer.from_codebooks(C)
index = AQDIndex(q)
index.add_vectors(X)
codes, ids = q.encode(X), index.search(X, k=3)[1]
failures = []
def work():
    for _ in range(5):
        if (q.encode(X, threads=2) != codes).any() or (index.search(X, k=3)[1] != ids).any():
            failures.append(1)
workers = [threading.Thread(target=work) for _ in range(4)]
[w.start() for w in workers]
[w.join() for w in workers]
print(len(failures))
"""
)


def test_several_python_threads_at_once() -> None:
    assert output(THREADS) == "0\n"


def test_the_interpreter_runs_while_the_encoder_works() -> None:
    printed = output(
        WORK
        + """
import threading, time
big = np.tile(X, (20, 1))
worker = threading.Thread(target=lambda: icm_encode(big, C, iterations=100,
                                                    relaxation="codebooks", threads=1))
worker.start()
looks = 0
while worker.is_alive():
    time.sleep(0.001)
    looks += 1
print(looks > 20)
"""
    )
    assert printed == "True\n"


BOUNDED = """
import resource, sys
import numpy as np
from wsdhq.quant import AdditiveQuantizer, AQDIndex, CodeStatistics
from pathlib import Path
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
q = AdditiveQuantizer.from_codebooks(np.ones((2, 4, 16), np.float32), threads=1)
X = np.load(folder / "vectors.npy", mmap_mode="r")
codes = np.load(folder / "codes.npy", mmap_mode="r")
few = np.ones((3, 16), np.float32)
index = AQDIndex.load(folder / "index")
q.encode(few); index.search(few, k=3, threads=1)
used = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmData" in line)
resource.setrlimit(resource.RLIMIT_DATA, ((used << 10) + limit, resource.RLIM_INFINITY))
encoded = q.encode(X, codes=codes, iterations=1)
assert encoded.shape == codes.shape
q.distortion(X, codes)
s = CodeStatistics(2, 4, 16, threads=1)
s.update(X, codes)
assert int(s.count) == len(X)
index.search(np.ones((64, 16), np.float32), k=3, threads=1)
print("bounded")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
def test_working_memory_does_not_grow_with_the_vectors(tmp_path: Path) -> None:
    # 5 million half-precision vectors: 160 MB as a sparse file, 320 MB if copied as float32;
    # 64 queries times 5 million scores would be 1.3 GB.
    import numpy as np

    from wsdhq.quant import AdditiveQuantizer, AQDIndex

    count = 5_000_000
    np.lib.format.open_memmap(tmp_path / "vectors.npy", "w+", np.float16, (count, 16)).flush()
    np.lib.format.open_memmap(tmp_path / "codes.npy", "w+", np.uint8, (count, 2)).flush()
    index = AQDIndex(AdditiveQuantizer.from_codebooks(np.ones((2, 4, 16), np.float32)))
    index.add(np.zeros((count, 2), np.uint8))
    index.save(tmp_path / "index")
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path), str(160 << 20)],
        capture_output=True,
        text=True,
        timeout=120,
        env=plain_environment(OPENBLAS_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "bounded\n"
