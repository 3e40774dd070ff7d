"""Settings of the quantizer, and of its part in the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, choice, number, whole

RELAXATIONS = ("codebooks", "data")
QUANTIZER_METRICS = ("identity", "semantic")
# 64 codebooks of 256: the quantizer's limit, found out before hours of training.
MAX_BITS = 512


@dataclass(frozen=True, kw_only=True)
class QuantizerConfig(Settings):
    """How embeddings become codes, at the end or jointly with the training.

    Parameters
    ----------
    bits : int
        Length of a code, a positive multiple of 8 up to 512: one byte, so one codebook of 256
        codewords, per 8 bits.
    quantization_weight : float
        lambda, the weight of the quantization loss `(r - r^)^T Sigma (r - r^)`. With 0 codes and
        codebooks are learnt once, at the end (the paper's WSDHQ_2, two-stage).
    quantizer_metric : {"identity", "semantic"}
        Sigma of the quantizer and of its loss: plain squared distance, or the paper's sum of
        `s s^T` over the tags, where lambda is smaller by the eigenvalues of that sum.
    update_every : int
        Epochs between updates of codes and codebooks.
    relaxation : {"codebooks", "data", None}
        Stochastic relaxation of the quantizer: noise on the codewords, as in the paper, on the
        embeddings, or none.
    """

    bits: Annotated[int, whole(8, MAX_BITS)] = 32
    quantization_weight: Annotated[float, number(0)] = 0.0
    quantizer_metric: Annotated[str, choice(QUANTIZER_METRICS)] = "identity"
    update_every: Annotated[int, whole(1)] = 2
    relaxation: Annotated[str | None, choice(RELAXATIONS)] = "data"

    def _check_together(self) -> None:
        super()._check_together()
        if self.bits % 8:
            raise ValueError(
                f"bits: expected a multiple of 8 from 8 to {MAX_BITS}, got {self.bits}"
            )

    @property
    def num_codebooks(self) -> int:
        """Codebooks of 256 codewords, one per byte of a code."""
        return self.bits // 8
