"""Additive quantization of float vectors: NumPy in, NumPy out, no torch.

`AdditiveQuantizer` learns codebooks and makes codes, `AQDIndex` searches codes,
`CodeStatistics` holds the sums of a codebook update, `icm_encode` encodes under given
codebooks. Work is done in C++ without the GIL; `threads=None` uses every core this process
may run on, and no result depends on the number of threads. What `fit` does is logged to the
logger "wsdhq.quant".
"""

import logging

from wsdhq._core import active_simd_level, simd_levels
from wsdhq.quant.encoding import icm_encode
from wsdhq.quant.index import AQDIndex
from wsdhq.quant.quantizer import AdditiveQuantizer
from wsdhq.quant.statistics import CodeStatistics

logging.getLogger("wsdhq.quant").addHandler(logging.NullHandler())

__all__ = [
    "AQDIndex",
    "AdditiveQuantizer",
    "CodeStatistics",
    "active_simd_level",
    "icm_encode",
    "simd_levels",
]
