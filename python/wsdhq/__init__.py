"""Additive quantisation and weakly supervised hyperspherical embedding.

`wsdhq.quant` is the compiled half (NumPy in, NumPy out, no torch); `wsdhq.embed` the
PyTorch half that learns an embedding from tags; `wsdhq.metrics` measures retrieval.
Importing `wsdhq` itself imports none of them.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("wsdhq")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
