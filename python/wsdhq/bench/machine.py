"""Which machine, which build and which libraries a measurement is of."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from wsdhq import __version__, _core
from wsdhq.bench.peers import find_peer, num_cores
from wsdhq.quant import simd_levels

_LIBRARIES = ("numpy", "scipy", "faiss-cpu", "scann", "threadpoolctl")
_VARIABLES = ("WSDHQ_SIMD", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe_machine() -> dict[str, Any]:
    """Processor, level, compiler, versions and the environment variables that matter."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "system": platform.platform(),
        "cores": num_cores(),
        "memory_gib": _memory(),
        "python": platform.python_version(),
        "wsdhq": __version__,
        "compiler": getattr(_core, "__compiler__", None),
        "level": os.environ.get("WSDHQ_SIMD") or simd_levels()[0],
        "levels": list(simd_levels()),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "blas": _blas(),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _blas() -> str:
    control = find_peer("threadpoolctl")
    if control is not None:
        for pool in control.threadpool_info():
            if pool["user_api"] == "blas" and "numpy" in pool["filepath"]:
                kernel = pool.get("architecture") or "unknown kernels"
                return f"{pool['internal_api']} {pool['version']}, {kernel}"
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"
