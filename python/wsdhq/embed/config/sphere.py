"""Settings of the semantic sphere: word vectors, and the correlation graph of tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, number, path, whole

# The paper's correlation graph: k and eps.
GRAPH_NEIGHBOURS, MERGE_RADIUS = 20, 0.1
MAX_WORD_DIM = 2**16


@dataclass(frozen=True, kw_only=True)
class SphereConfig(Settings):
    """How tags become points on the semantic sphere.

    Parameters
    ----------
    word_vectors : path or None
        Word vectors to load (word2vec binary or text, `.kv`); None trains them on the tags.
    word_dim, word_epochs : int
        Dimension and passes of word vectors trained on the tags.
    min_count : int
        Tags carried by fewer images are dropped.
    num_neighbours, threshold, radius : int or None, float, float or None
        k, tau and eps of method section 1: neighbours in the correlation graph, smallest
        cosine of an edge, distance within which enhanced tags merge. With k = 0 nothing is
        enhanced, with eps = 0 only tags of equal vectors merge: both together leave the
        graph out (the paper's WSDHQ_G). None is the paper's 20 and .1 where word vectors are
        loaded, and no graph, 0 and 0, where they are trained on the tags: those of tags that few
        images carry lie beside others by chance, and what is merged wrongly cannot be told apart
        again.
    """

    word_vectors: Annotated[str | None, path()] = None
    word_dim: Annotated[int, whole(1, MAX_WORD_DIM)] = 128
    word_epochs: Annotated[int, whole(1)] = 20
    min_count: Annotated[int, whole(1)] = 5
    num_neighbours: Annotated[int | None, whole()] = None
    threshold: Annotated[float, number(-1, 1)] = 0.75
    radius: Annotated[float | None, number(0)] = None

    @property
    def graph_neighbours(self) -> int:
        """Neighbours in the correlation graph, k: see `num_neighbours`."""
        if self.num_neighbours is not None:
            return self.num_neighbours
        return 0 if self.word_vectors is None else GRAPH_NEIGHBOURS

    @property
    def merge_radius(self) -> float:
        """The distance within which enhanced tags merge: see `radius`."""
        if self.radius is not None:
            return self.radius
        return 0.0 if self.word_vectors is None else MERGE_RADIUS
