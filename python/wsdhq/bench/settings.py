"""How much is measured: sizes of the quick, the ordinary and the full run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

SUITES = ("search", "encode", "solve", "train")


@dataclass(frozen=True)
class Settings:
    """Sizes and rounds of a run.

    Attributes
    ----------
    vectors : int
        In the database of the search suite.
    one_query_vectors : int
        In the database that one query is searched in, against the bandwidth of the memory.
    queries : int
    codebooks : tuple of int
        Numbers of codebooks: bytes per vector.
    depths : tuple of int
        Numbers of results of a search.
    dims : tuple of int
        Dimensions of the encode suite; the first is that of search and training.
    sample : int
        Real vectors whose codes the database is drawn from, and which recall is measured on.
    train : int
        Vectors that the codebooks of search and encode are fitted to.
    lsq_iterations : int
        Of faiss's LSQ when it is trained for the encode suite (its default is 25).
    encode : int
        Vectors to encode.
    beam_widths : tuple of int
        Of our encoder, beside its default.
    solve : tuple of int
        Numbers of vectors of a codebook update.
    solve_dim, solve_codebooks : int
    fit : int
        Vectors of the train suite.
    fit_codebooks : tuple of int
    fit_rounds : int
    authors_vectors : int
        Vectors that the authors' encoder is timed on (it does about ten a second).
    authors_tags : int
    authors_dim : int
    memory : tuple of two ints
        Vectors whose encoding and search is watched for the memory it takes.
    rounds : int
        Of every comparison at least.
    budget : float
        Seconds that a comparison may go on for more rounds.
    read_bytes : int
        Size of the array that the bandwidth is measured with.
    """

    vectors: int = 1_000_000
    one_query_vectors: int = 16_000_000
    queries: int = 64
    codebooks: tuple[int, ...] = (4, 8)
    depths: tuple[int, ...] = (10, 100)
    dims: tuple[int, ...] = (128,)
    sample: int = 20_000
    train: int = 10_000
    lsq_iterations: int = 3
    encode: int = 5_000
    beam_widths: tuple[int, ...] = (1, 8, 16, 64)
    solve: tuple[int, ...] = (20_000,)
    solve_dim: int = 300
    solve_codebooks: int = 8
    fit: int = 10_000
    fit_codebooks: tuple[int, ...] = (4,)
    fit_rounds: int = 1
    authors_vectors: int = 6
    authors_tags: int = 1178
    authors_dim: int = 300
    memory: tuple[int, int] = (200_000, 800_000)
    rounds: int = 5
    budget: float = 2.0
    read_bytes: int = 1 << 29

    def to_dict(self) -> dict[str, Any]:
        """By name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


_ORDINARY = Settings()
MODES = {
    "quick": replace(
        _ORDINARY,
        vectors=200_000,
        one_query_vectors=4_000_000,
        queries=32,
        sample=5_000,
        train=3_000,
        lsq_iterations=1,
        encode=1_500,
        beam_widths=(1, 8),
        solve=(5_000,),
        solve_codebooks=4,
        fit=3_000,
        authors_vectors=3,
        memory=(50_000, 200_000),
        rounds=3,
        budget=0.0,
    ),
    "ordinary": _ORDINARY,
    "full": replace(
        _ORDINARY,
        dims=(128, 300),
        sample=50_000,
        train=20_000,
        lsq_iterations=25,
        encode=20_000,
        beam_widths=(1, 4, 8, 16, 20, 24, 28, 40, 64),
        solve=(20_000, 200_000),
        fit=20_000,
        fit_codebooks=(4, 8),
        fit_rounds=3,
        authors_vectors=10,
        memory=(1_000_000, 4_000_000),
        budget=10.0,
    ),
}
