"""Additive quantization and weakly supervised hyperspherical embedding.

`wsdhq.quant` is the compiled half (NumPy in, NumPy out, no torch); `wsdhq.embed` the
PyTorch half that learns an embedding from tags; `wsdhq.runs` evaluates what it learnt;
`wsdhq.metrics` measures retrieval. Importing `wsdhq` itself imports none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["__version__"]

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Reading metadata takes as long as the whole of `import wsdhq.quant`.
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("wsdhq")
    except PackageNotFoundError:  # a source tree on sys.path that was never installed
        found = "0+unknown"
    globals()["__version__"] = found
    return found
