"""Whether an installed wheel works where nothing but its own dependencies is: python tests/smoke.py

Run by `.ci/run` and, for every wheel, by cibuildwheel. Prints what it ran on.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib.metadata import requires, version
from pathlib import Path

import numpy as np

import wsdhq
import wsdhq._core as core
from wsdhq.quant import AdditiveQuantizer, AQDIndex, simd_levels


def check(is_so: bool, claim: str) -> None:
    """Say what is wrong, also where Python runs without assertions."""
    if not is_so:
        sys.exit(f"smoke.py: expected that {claim}")


def main() -> None:
    """Import, fit, encode, search, save, load, at every level of this machine."""
    package = Path(wsdhq.__file__).parent
    source = Path(__file__).resolve().parents[1] / "python"
    check(source not in package.parents, f"the installed package is tested, not {package}")
    check(wsdhq.__version__ == version("wsdhq") == core.__version__, "versions are the same")
    check((package / "py.typed").is_file(), "py.typed is there")
    check((package / "_core.pyi").is_file(), "the stub of the core is there")
    needed = [line for line in requires("wsdhq") or [] if "extra ==" not in line]
    check(not any(line.startswith("torch") for line in needed), f"no torch is among {needed}")

    X = np.random.default_rng(0).standard_normal((4000, 16)).astype(np.float32)
    quantizer = AdditiveQuantizer(2, 16, iterations=2).fit(X)
    levels = simd_levels()
    check(levels[-1] == "scalar", f"scalar is the last of the levels {levels}")
    answers = []
    for level in levels:
        os.environ["WSDHQ_SIMD"] = level
        check(core.active_simd_level() == level, f"the level {level} is taken")
        for threads in (1, 2):
            codes = quantizer.encode(X, threads=threads)
            index = AQDIndex(quantizer, similarity="l2")
            index.add(codes)
            scores, ids = index.search(X[:9], k=5, threads=threads)
            answers.append((codes.tobytes(), scores.tobytes(), ids.tobytes()))
    check(len(set(answers)) == 1, f"{levels} and threads give the same bytes")
    del os.environ["WSDHQ_SIMD"]

    reconstructions = quantizer.decode(codes)
    distances = ((X[:9, None] - reconstructions[None]) ** 2).sum(axis=2)
    nearest = -np.sort(distances, axis=1)[:, :5]
    check(np.allclose(scores, nearest, rtol=1e-4, atol=1e-4), "l2 search finds the nearest")

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "index.wsdhq")
        index.save(path)
        for mmap in (True, False):
            loaded = AQDIndex.load(path, mmap=mmap)
            check(
                np.array_equal(loaded.search(X[:9], k=5)[1], ids),
                f"an index loaded with mmap={mmap} answers as before",
            )
            del loaded  # Windows keeps a file that is mapped
    heavy = {"torch", "sklearn", "matplotlib", "typer", "faiss"} & set(sys.modules)
    check(not heavy, f"{sorted(heavy)} are not imported")
    print(
        f"the wheel works: {index!r}\n"
        f"wsdhq {wsdhq.__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"{platform.platform()}, {core.__compiler__}, OpenMP: {core.has_openmp}, levels: "
        f"{', '.join(levels)}"
    )


if __name__ == "__main__":
    main()
