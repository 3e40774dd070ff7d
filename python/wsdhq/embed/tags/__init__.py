"""Words, their vectors, the graph of them, and the semantic sphere."""

from wsdhq.embed.tags.sphere import SemanticSphere, TagReport, build_semantic_sphere
from wsdhq.embed.tags.word_vectors import load_word_vectors, train_word_vectors

__all__ = [
    "SemanticSphere",
    "TagReport",
    "build_semantic_sphere",
    "load_word_vectors",
    "train_word_vectors",
]
