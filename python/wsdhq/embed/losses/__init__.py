"""Training losses as pure functions of tensors: one idea, and so one equation, to a file."""

from wsdhq.embed.losses.batch_hinge import batch_hinge
from wsdhq.embed.losses.margin import adaptive_cosine_margin, adaptive_margin, fixed_cosine_margin
from wsdhq.embed.losses.neighbour_softmax import neighbour_softmax
from wsdhq.embed.losses.quantization import cosine_quantization, semantic_metric
from wsdhq.embed.losses.tag_softmax import plausible_targets, tag_log_probabilities, tag_softmax

__all__ = [
    "adaptive_cosine_margin",
    "adaptive_margin",
    "batch_hinge",
    "cosine_quantization",
    "fixed_cosine_margin",
    "neighbour_softmax",
    "plausible_targets",
    "semantic_metric",
    "tag_log_probabilities",
    "tag_softmax",
]
