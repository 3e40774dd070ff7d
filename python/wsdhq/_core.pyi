from collections.abc import Callable

from numpy import bool_, float32, float64, int64, uint8
from numpy.typing import NDArray

__version__: str
__compiler__: str
has_openmp: bool
block_size: int
max_codebooks: int
table_size: int

def simd_levels() -> list[str]: ...
def active_simd_level() -> str: ...
def all_within(values: NDArray[float32], bound: float) -> bool: ...
def decode(
    codebooks: NDArray[float32],
    codes: NDArray[uint8],
    threads: int,
    out: NDArray[float32] | None = None,
) -> NDArray[float32]: ...
def indefinite_quotient(matrix: NDArray[float64], ridge: float, threads: int) -> float | None: ...
def merge_all(
    limits: NDArray[int64],
    scores: NDArray[float32],
    positions: NDArray[int64],
    more_limits: NDArray[int64],
    more_scores: NDArray[float32],
    more_positions: NDArray[int64],
) -> tuple[NDArray[int64], NDArray[float32], NDArray[int64]]: ...
def merge_best(
    scores: NDArray[float32],
    positions: NDArray[int64],
    more_scores: NDArray[float32],
    more_positions: NDArray[int64],
) -> tuple[NDArray[float32], NDArray[int64]]: ...
def solve_ridge(
    gram: NDArray[int64], right: NDArray[float64], ridge: float, threads: int
) -> NDArray[float64] | None: ...
def update_histogram(
    codes: NDArray[uint8], histogram: NDArray[int64], threads: int, interruptible: bool
) -> None: ...
def update_sums(
    vectors: NDArray[float32], codes: NDArray[uint8], sums: NDArray[float64], threads: int
) -> None: ...
def weighted_sum_of_squares(
    errors: NDArray[float32], metric: NDArray[float32], threads: int
) -> float: ...
def perturb_codebooks(
    codebooks: NDArray[float32], temperature: float, seed: int, iteration: int
) -> NDArray[float32]: ...
def perturb_vectors(
    vectors: NDArray[float32],
    codebooks: NDArray[float32],
    temperature: float,
    seed: int,
    iteration: int,
    threads: int,
) -> NDArray[float32]: ...

class Encoder:
    def __init__(
        self, codebooks: NDArray[float32], metric: NDArray[float32] | None, threads: int
    ) -> None: ...
    def encode(
        self,
        vectors: NDArray[float32],
        codes: NDArray[uint8] | None,
        iterations: int,
        relaxation: str,
        seed: int,
        beam_width: int,
        threads: int,
        progress: Callable[[float], object] | None = None,
    ) -> NDArray[uint8]: ...

class CodeBlocks:
    def __init__(
        self, full: NDArray[uint8], last: NDArray[uint8], edges: NDArray[float32], size: int
    ) -> None: ...

class Gathering:
    def __init__(
        self,
        blocks: CodeBlocks,
        chosen: NDArray[bool_] | NDArray[int64],
        threads: int,
    ) -> None: ...
    @property
    def count(self) -> int: ...
    def copy(self, threads: int) -> tuple[NDArray[uint8], NDArray[int64]]: ...

class Searcher:
    def __init__(self, codebooks: NDArray[float32], similarity: str) -> None: ...
    @property
    def num_rows(self) -> int: ...
    def norms(self, codes: NDArray[uint8], threads: int) -> NDArray[float32]: ...
    def search(
        self,
        queries: NDArray[float32],
        blocks: CodeBlocks,
        first: int,
        mask: NDArray[bool_] | None,
        k: int,
        threads: int,
    ) -> tuple[NDArray[float32], NDArray[int64]]: ...
    def range_search(
        self,
        queries: NDArray[float32],
        blocks: CodeBlocks,
        first: int,
        mask: NDArray[bool_] | None,
        threshold: float,
        threads: int,
    ) -> tuple[NDArray[int64], NDArray[float32], NDArray[int64]]: ...
