"""Indexes of additive codes, to faiss and from it: the same codebooks, codes, ids and scores.

faiss searches additive codes by inner product or squared distance. Its distances are what our
scores are the negatives of; for inner products both are the same. What the other side computes
differs in the last bits of a float sum, so vectors whose scores differ by no more may change
places.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.arrays.foreign import rows_per_chunk
from wsdhq.quant.arrays.vectors import as_float32, as_vectors
from wsdhq.quant.index import Similarity
from wsdhq.quant.threads import resolve_threads

__all__ = ["from_faiss", "to_faiss"]

# Codes of 8 bits are bytes, which is what both sides store; smaller codebooks are padded.
_NUM_BITS = 8
_CODEBOOK_SIZE = 256


def to_faiss(
    index: AQDIndex, centroids: ArrayLike | None = None, *, threads: int | None = None
) -> Any:
    """Make a faiss index of the same codes.

    Parameters
    ----------
    index : AQDIndex
        Of similarity "ip" or "l2". It is not changed, and shares no memory with the result.
    centroids : array (nlist, dim) of float, optional
        Coarse centroids: the result is then an inverted file, in which a vector is in the list of
        the centroid that its reconstruction is most similar to (by `index.similarity`). Codes stay
        what they are (`by_residual` is false): with `nprobe = nlist` it answers as the flat index
        does, with fewer faster. faiss begins with `nprobe = 1`, also after reading a file.
    threads : int, optional
        Of the assignment to centroids and the norms; None is the quantizer's.

    Returns
    -------
    faiss.Index
        Without centroids an `IndexLocalSearchQuantizer`, inside an `IndexIDMap2` unless the ids
        are 0 .. len - 1; with them an `IndexIVFLocalSearchQuantizer`. Of metric
        `METRIC_INNER_PRODUCT`, searched by look-up tables, or `METRIC_L2`, where a float norm is
        stored beside each code; faiss gives distances, which are our scores negated. faiss adds
        no vectors to it by the encoder of `index`: its own would be used.

    Raises
    ------
    ImportError
        faiss is not installed.
    TypeError
        `index` is no AQDIndex.
    ValueError
        A similarity that faiss does not have, or centroids of another dimension, not finite or
        none.
    """
    faiss = _faiss()
    if not isinstance(index, AQDIndex):
        raise TypeError(f"index: expected an AQDIndex, got {type(index).__name__}")
    if index.similarity == "cosine":
        raise ValueError(
            'index: faiss has no cosine for additive codes, expected similarity "ip" or "l2"; '
            "with vectors and queries of unit norm, l2 ranks nearly the same"
        )
    # As it is now, whatever is changed meanwhile; with the codebooks that its codes are of, even
    # if its quantizer was fitted again.
    index = index.copy()
    count = resolve_threads(index.quantizer.threads if threads is None else threads)
    quantizer = AdditiveQuantizer.from_codebooks(index._codebooks, threads=count)
    if centroids is None:
        return _flat(faiss, index, quantizer)
    coarse = as_float32(as_vectors(centroids, "centroids", quantizer.dim), "centroids")
    if len(coarse) == 0:
        raise ValueError("centroids: expected at least one, got none")
    return _inverted_file(faiss, index, quantizer, coarse)


def from_faiss(index: Any, *, threads: int | None = None) -> AQDIndex:
    """Make an AQDIndex of a flat additive index of faiss.

    Parameters
    ----------
    index : faiss.Index
        An `IndexLocalSearchQuantizer` or `IndexResidualQuantizer` with codes of 8 bits, of metric
        inner product or L2, perhaps inside an `IndexIDMap` or `IndexIDMap2`. Read from a file, or
        trained: it is not changed.
    threads : int, optional
        Of the norms, and the default of the index.

    Returns
    -------
    AQDIndex
        Its ids are those of the id map, or 0 .. ntotal - 1. Its quantizer, `.quantizer`, has the
        codebooks of `index`.

    Raises
    ------
    ImportError
        faiss is not installed.
    TypeError
        Another kind of index; the message names it.
    ValueError
        Not trained, codes of another number of bits, another metric, or ids that are negative or
        not all different.
    """
    faiss = _faiss()
    resolve_threads(threads)
    if not isinstance(index, faiss.Index):
        raise TypeError(f"index: expected a faiss index, got {type(index).__name__}")
    found, ids = faiss.downcast_index(index), None
    if isinstance(found, (faiss.IndexIDMap, faiss.IndexIDMap2)):
        ids = _view(faiss, found.id_map)
        found = faiss.downcast_index(found.index)
    if isinstance(found, faiss.IndexLocalSearchQuantizer):
        quantizer = found.lsq
    elif isinstance(found, faiss.IndexResidualQuantizer):
        quantizer = found.rq
    else:
        raise TypeError(
            "index: expected an IndexLocalSearchQuantizer or IndexResidualQuantizer, perhaps in "
            f"an IndexIDMap, got {type(found).__name__}"
        )
    if not found.is_trained:
        raise ValueError("index: expected a trained index, got one without codebooks")
    similarities: dict[int, Similarity] = {
        faiss.METRIC_INNER_PRODUCT: "ip",
        faiss.METRIC_L2: "l2",
    }
    if found.metric_type not in similarities:
        raise ValueError(
            f"index: expected the metric inner product or L2, got number {found.metric_type}"
        )
    num_bits = faiss.vector_to_array(quantizer.nbits)
    if (num_bits != _NUM_BITS).any():
        raise ValueError(f"index: expected codes of 8 bits, got {sorted(set(num_bits.tolist()))}")
    flat = faiss.vector_to_array(quantizer.codebooks)
    codebooks = flat.reshape(quantizer.M, _CODEBOOK_SIZE, quantizer.d)
    # Behind each code stands, for L2, its norm, which an AQDIndex makes itself.
    stored = _view(faiss, found.codes).reshape(found.ntotal, found.code_size)
    try:
        made = AQDIndex(
            AdditiveQuantizer.from_codebooks(codebooks, threads=threads),
            similarities[found.metric_type],
        )
        made.add(stored[:, : quantizer.M], ids)
    except ValueError as error:
        raise ValueError(f"index: its {error}") from None
    return made


def _flat(faiss: Any, index: AQDIndex, quantizer: AdditiveQuantizer) -> Any:
    num_codebooks, _, dim = quantizer.codebooks.shape
    made = faiss.IndexLocalSearchQuantizer(
        dim, num_codebooks, _NUM_BITS, *_kind(faiss, index.similarity)
    )
    _give_codebooks(faiss, made, quantizer)
    wrapped = made
    if not _are_positions(index.ids):
        wrapped = faiss.IndexIDMap2(made)
        # The wrapper, not Python, frees what it wraps.
        made.this.disown()
        wrapped.own_fields = True
    for part, codes in index.batches(rows_per_chunk(4 * dim)):
        payload = _payload(index, quantizer, codes)
        if wrapped is made:
            made.add_sa_codes(payload)
        else:
            wrapped.add_sa_codes(payload, part)
    return wrapped


def _inverted_file(
    faiss: Any, index: AQDIndex, quantizer: AdditiveQuantizer, centroids: NDArray[np.float32]
) -> Any:
    num_codebooks, _, dim = quantizer.codebooks.shape
    metric, search_type = _kind(faiss, index.similarity)
    coarse = faiss.IndexFlat(dim, metric)
    coarse.add(centroids)
    made = faiss.IndexIVFLocalSearchQuantizer(
        coarse, dim, len(centroids), num_codebooks, _NUM_BITS, metric, search_type
    )
    coarse.this.disown()
    made.own_fields = True
    made.by_residual = False
    _give_codebooks(faiss, made, quantizer)
    for part, codes in index.batches(rows_per_chunk(4 * dim)):
        _, lists = coarse.search(quantizer.decode(codes), 1)
        numbers = lists[:, 0].astype("<i8").view(np.uint8).reshape(-1, 8)
        row = [numbers[:, : made.coarse_code_size()], _payload(index, quantizer, codes)]
        made.add_sa_codes(np.ascontiguousarray(np.hstack(row)), part)
    return made


def _kind(faiss: Any, similarity: str) -> tuple[int, int]:
    if similarity == "ip":
        return faiss.METRIC_INNER_PRODUCT, faiss.AdditiveQuantizer.ST_LUT_nonorm
    return faiss.METRIC_L2, faiss.AdditiveQuantizer.ST_norm_float


def _are_positions(ids: NDArray[np.int64]) -> bool:
    """Whether ids are 0 .. len - 1."""
    step = rows_per_chunk(ids.itemsize)
    return all(
        np.array_equal(part, np.arange(first, first + len(part)))
        for first in range(0, len(ids), step)
        for part in (ids[first : first + step],)
    )


def _give_codebooks(faiss: Any, made: Any, quantizer: AdditiveQuantizer) -> None:
    codebooks = quantizer.codebooks
    num_codebooks, codebook_size, dim = codebooks.shape
    padded = np.zeros((num_codebooks, _CODEBOOK_SIZE, dim), np.float32)
    padded[:, :codebook_size] = codebooks
    faiss.copy_array_to_vector(padded.ravel(), made.lsq.codebooks)
    made.lsq.is_trained = made.is_trained = True


def _payload(
    index: AQDIndex, quantizer: AdditiveQuantizer, codes: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """What faiss stores: the code, and for l2 behind it the squared norm of the reconstruction."""
    if index.similarity == "ip":
        return codes
    rebuilt = quantizer.decode(codes).astype(np.float64)
    norms = np.einsum("nd,nd->n", rebuilt, rebuilt).astype(np.float32)
    return np.hstack([codes, norms[:, None].view(np.uint8)])


def _view(faiss: Any, vector: Any) -> NDArray[Any]:
    """A vector of faiss as an array, without a copy where this version of faiss can."""
    if vector.size() == 0:
        return np.empty(0, np.uint8)
    if hasattr(vector, "data"):
        shared: NDArray[Any] = faiss.rev_swig_ptr(vector.data(), vector.size())
        return shared
    copied: NDArray[Any] = faiss.vector_to_array(vector)
    return copied


def _faiss() -> Any:
    try:
        return import_module("faiss")
    except ImportError as error:
        from wsdhq._shared.extras import install_command

        raise ImportError(f"faiss is needed: {install_command('faiss')} ({error})") from error
