"""What holds codes and searches them."""

from wsdhq.quant.index.aqd_index import AQDIndex, Similarity

__all__ = ["AQDIndex", "Similarity"]
