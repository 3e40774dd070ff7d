"""The libraries compared with, where they are installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray


def find_peer(name: str) -> ModuleType | None:
    """The module `name` if it is installed and loads, else None."""
    try:
        return import_module(name)
    except ImportError:
        return None


def num_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
    """Keep faiss and every BLAS in the process to so many threads; as before afterwards.

    Without threadpoolctl the BLAS of NumPy keeps the threads that it was loaded with.
    """
    with ExitStack() as stack:
        faiss = find_peer("faiss")
        if faiss is not None:
            stack.callback(faiss.omp_set_num_threads, faiss.omp_get_max_threads())
        control = find_peer("threadpoolctl")
        if control is not None:
            stack.enter_context(control.threadpool_limits(limits=threads))
        if faiss is not None:
            faiss.omp_set_num_threads(threads)
        yield


def faiss_lsq_index(faiss: Any, codebooks: NDArray[np.float32], codes: NDArray[np.uint8]) -> Any:
    """Faiss's index of additive codes, serving given codebooks and codes by look-up tables."""
    num_codebooks, codebook_size, dim = codebooks.shape
    index = faiss.IndexLocalSearchQuantizer(
        dim, num_codebooks, int(np.log2(codebook_size)), faiss.METRIC_INNER_PRODUCT,
        faiss.AdditiveQuantizer.ST_LUT_nonorm,
    )  # fmt: skip
    faiss.copy_array_to_vector(codebooks.ravel(), index.lsq.codebooks)
    index.lsq.is_trained = index.is_trained = True
    index.add_sa_codes(np.ascontiguousarray(codes))
    return index


def faiss_pq_indexes(faiss: Any, num_bytes: int, train: NDArray[np.float32]) -> tuple[Any, Any]:
    """Empty product quantizers of so many bytes: of 8 bits each, and of 4 bits each.

    The number of dimensions is rounded up to a multiple of the number of parts by zeros, which
    `padded_dim` of both tells.
    """
    parts = 2 * num_bytes
    dim = -(-train.shape[1] // parts) * parts
    padded = pad_columns(train, dim)
    coarse = faiss.IndexPQ(dim, num_bytes, 8, faiss.METRIC_INNER_PRODUCT)
    fine = faiss.IndexPQ(dim, parts, 4, faiss.METRIC_INNER_PRODUCT)
    for quantizer in (coarse, fine):
        be_silent_about_few(quantizer.pq)
        quantizer.train(padded)
    return coarse, fine


def be_silent_about_few(quantizer: Any) -> None:
    """Keep faiss's k-means from warnings on standard error when a small run has few vectors."""
    quantizer.cp.min_points_per_centroid = 1


def pad_columns(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The same vectors with zeros behind them, `dim` wide; inner products do not change."""
    if vectors.shape[1] == dim:
        return np.ascontiguousarray(vectors)
    padded = np.zeros((len(vectors), dim), np.float32)
    padded[:, : vectors.shape[1]] = vectors
    return padded


def lsq_codebooks(faiss: Any, quantizer: Any) -> NDArray[np.float32]:
    """Codebooks of a trained faiss LocalSearchQuantizer: (num_codebooks, codebook_size, dim)."""
    flat: NDArray[np.float32] = faiss.vector_to_array(quantizer.codebooks)
    return flat.reshape(quantizer.M, quantizer.K, quantizer.d).copy()
