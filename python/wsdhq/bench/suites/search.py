"""The search suite: codes of one database, searched by every library that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.bench.checks import check_same_scores, check_search, table_scores
from wsdhq.bench.context import Context, in_millions, in_words
from wsdhq.bench.limits import one_thread_reader
from wsdhq.bench.peers import faiss_lsq_index, faiss_pq_indexes, num_cores, pad_columns
from wsdhq.bench.report.results import Comparison
from wsdhq.bench.timing import Contestant, ratio_of_rounds
from wsdhq.bench.vectors import draw_codes, structured_vectors
from wsdhq.metrics import recall_at
from wsdhq.quant import AQDIndex

UNIT = "ns per vector and query"
OURS = "wsdhq"
LSQ = "faiss LSQ, look-up tables, same codes"
PQ = "faiss PQ, 8 bits"
FAST_SCAN = "faiss PQ FastScan, 4 bits"
SCANN = "scann AH"
READING = "limit: reading memory, 1 thread"
_QUERIES_CHECKED = 3
_BANDWIDTH_WANTED = 0.75

Results = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass
class _Searcher:
    """One way to search: a call (queries, number of results, threads), and its recall."""

    name: str
    search: Callable[[NDArray[np.float32], int, int], Results]
    recall: float
    ours: bool = False


def search_suite(context: Context) -> Iterator[Comparison]:
    """Many queries over a database, then one query over a large one."""
    dim = context.dims[0]
    for num_codebooks in context.settings.codebooks:
        yield from _many_queries(context, dim, num_codebooks)
    yield _one_query(context, dim, context.settings.codebooks[0])


def check_index(
    index: AQDIndex,
    codes: NDArray[np.uint8],
    queries: NDArray[np.float32],
    k: int,
) -> None:
    """Check an index against a full sort of NumPy's scores; WrongResultError if it is wrong."""
    scores, ids = index.search(queries, k)
    for query, row_scores, row_ids in zip(queries, scores, ids):
        truth = table_scores(query, index.quantizer.codebooks, codes)
        check_search(OURS, row_scores, row_ids, truth)


def _many_queries(context: Context, dim: int, num_codebooks: int) -> Iterator[Comparison]:
    settings = context.settings
    split = context.split(dim)
    queries, count = split.queries, settings.vectors
    searchers, index, codes = _searchers(context, dim, num_codebooks, count)
    for k in settings.depths:
        check_index(index, codes, queries[:_QUERIES_CHECKED], k)
        checks = [f"{_QUERIES_CHECKED} queries against a full sort of NumPy's scores"]
        expected = index.search(queries, k)[0]
        for searcher in searchers:
            if searcher.name == LSQ:
                check_same_scores(LSQ, searcher.search(queries, k, 1)[0], expected)
                checks.append(f"the scores of all {len(queries)} queries equal those of faiss LSQ")
        for threads in context.threads:
            contestants = [
                Contestant(
                    each.name,
                    lambda each=each, k=k, threads=threads: each.search(queries, k, threads),  # type: ignore[misc]
                    count * len(queries),
                    each.ours,
                    {"recall@10": each.recall},
                )
                for each in searchers
                if each.name != SCANN or threads in (1, num_cores())
            ]
            comparison = Comparison(
                "search",
                f"{num_codebooks} bytes, k={k}, {in_millions(count)} vectors, {len(queries)} "
                f"queries, {in_words(threads)}",
                UNIT,
                threads,
                {
                    "vectors": count,
                    "dim": dim,
                    "codebooks": num_codebooks,
                    "k": k,
                    "queries": len(queries),
                },
                [],
                wanted=_wanted(num_codebooks, k, count, threads),
                checks=checks,
                notes=[
                    f"Codes are drawn byte by byte with the frequencies of {len(split.base)} "
                    "encoded vectors; recall@10 of the exact neighbours is of those vectors.",
                ],
            )
            if threads > 1 and len(queries) <= 100 and context.faiss is not None:
                comparison.notes.append("faiss LSQ uses one thread for up to 100 queries.")
            yield context.compare(comparison, contestants)


def _wanted(num_codebooks: int, k: int, count: int, threads: int) -> dict[str, float]:
    """What the project aims at, where it says so."""
    if threads != 1 or count < 1_000_000 or num_codebooks not in (4, 8):
        return {}
    if k == 10:
        return {LSQ: 80.0, FAST_SCAN: 3.0 if num_codebooks == 4 else 2.0}
    return {LSQ: 45.0} if k == 100 else {}


def _searchers(
    context: Context, dim: int, num_codebooks: int, count: int, with_scann: bool = True
) -> tuple[list[_Searcher], AQDIndex, NDArray[np.uint8]]:
    """Everyone who can search, over `count` vectors; the first is ours, with its codes."""
    split = context.split(dim)
    quantizer = context.quantizer(dim, num_codebooks)
    context.stage(f"search: building {in_millions(count)} codes of {num_codebooks} bytes")
    neighbours = _exact_neighbours(split.base, split.queries, 10)

    def recall_of(found: NDArray[np.int64]) -> float:
        return recall_at(found, neighbours, 10)

    sample = quantizer.encode(split.base)
    codes = draw_codes(sample, count, context.seed)
    small, index = AQDIndex(quantizer), AQDIndex(quantizer)
    small.add(sample)
    index.add(codes)
    recall = recall_of(small.search(split.queries, 10)[1])
    searchers = [
        _Searcher(OURS, lambda q, k, threads: index.search(q, k, threads=threads), recall, True)
    ]
    if context.faiss is not None:
        lsq = faiss_lsq_index(context.faiss, quantizer.codebooks, codes)
        # The same codebooks and codes: the same results, and so the same recall.
        searchers.append(_Searcher(LSQ, lambda q, k, threads: lsq.search(q, k), recall))
        searchers += _product_searchers(context, split, num_codebooks, count, recall_of)
    if context.scann is not None and with_scann:
        searchers.append(_scann_searcher(context, dim, num_codebooks, count, recall_of))
    return searchers, index, codes


def _exact_neighbours(
    base: NDArray[np.float32], queries: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    return np.argsort(-(queries @ base.T), axis=1, kind="stable")[:, :k]


def _product_searchers(
    context: Context,
    split: Any,
    num_bytes: int,
    count: int,
    recall_of: Callable[[NDArray[np.int64]], float],
) -> list[_Searcher]:
    faiss: Any = context.faiss
    train = split.train[: context.settings.train]
    coarse, fine = faiss_pq_indexes(faiss, num_bytes, train)
    base, queries = pad_columns(split.base, coarse.d), pad_columns(split.queries, coarse.d)
    searchers = []
    for name, index in ((PQ, coarse), (FAST_SCAN, fine)):
        # FastScan takes no codes of its own making: it is made of a 4-bit PQ that holds them.
        packed = faiss.IndexPQFastScan if name == FAST_SCAN else lambda given: given
        sample = index.sa_encode(base)
        index.add_sa_codes(sample)
        recall = recall_of(packed(index).search(queries, 10)[1])
        index.reset()
        index.add_sa_codes(draw_codes(sample, count, context.seed))
        large = packed(index)

        def search(q: NDArray[np.float32], k: int, threads: int, large: Any = large) -> Results:
            return large.search(pad_columns(q, large.d), k)  # type: ignore[no-any-return]

        searchers.append(_Searcher(name, search, recall))
    return searchers


def _scann_searcher(
    context: Context,
    dim: int,
    num_bytes: int,
    count: int,
    recall_of: Callable[[NDArray[np.int64]], float],
) -> _Searcher:
    scann: Any = context.scann
    split = context.split(dim)
    # 4 bits per block of dimensions, two blocks per byte.
    width = -(-dim // (2 * num_bytes))

    def build(vectors: NDArray[np.float32]) -> Any:
        builder = scann.scann_ops_pybind.builder(vectors, 10, "dot_product")
        return builder.score_ah(
            width, training_sample_size=min(len(vectors), 20_000), training_iterations=5
        ).build()

    recall = recall_of(build(split.base).search_batched(split.queries)[0].astype(np.int64))
    if context.features is None:
        vectors = structured_vectors(count, dim, context.seed)
    else:
        vectors = split.base[np.random.default_rng(0).integers(len(split.base), size=count)]
    searcher = build(vectors)

    def search(q: NDArray[np.float32], k: int, threads: int) -> Results:
        call = searcher.search_batched if threads == 1 else searcher.search_batched_parallel
        ids, scores = call(q, final_num_neighbors=k)
        return scores, ids

    return _Searcher(SCANN, search, recall)


def _one_query(context: Context, dim: int, num_codebooks: int) -> Comparison:
    """One query over a database that no cache holds, beside the bandwidth of the memory."""
    count = context.settings.one_query_vectors
    query = context.split(dim).queries[:1]
    searchers, index, codes = _searchers(context, dim, num_codebooks, count, with_scann=False)
    check_index(index, codes, query, 10)
    ours, *peers = searchers
    first = context.threads[0]
    contestants = [
        Contestant(
            f"{ours.name}, {in_words(threads)}",
            lambda threads=threads: ours.search(query, 10, threads),  # type: ignore[misc]
            count,
            True,
        )
        for threads in context.threads
    ]
    contestants += [
        Contestant(
            each.name,
            lambda each=each: each.search(query, 10, first),  # type: ignore[misc]
            count,
        )
        for each in peers
    ]
    # Its bytes are counted as codes: the ratio to it is the share of the bandwidth.
    read_bytes = context.settings.read_bytes
    contestants.append(
        Contestant(READING, one_thread_reader(read_bytes), read_bytes / num_codebooks)
    )
    comparison = Comparison(
        "search",
        f"{num_codebooks} bytes, k=10, {in_millions(count)} vectors, one query",
        UNIT,
        first,
        {"vectors": count, "dim": dim, "codebooks": num_codebooks, "k": 10, "queries": 1},
        [],
        wanted={READING: _BANDWIDTH_WANTED} if first == 1 and count >= 16_000_000 else {},
        checks=["the query against a full sort of NumPy's scores"],
        notes=[
            f"{READING}: numpy.dot over {read_bytes >> 20} MiB, by turns with the others; the "
            "ratio to it is the share of the bandwidth that the search reads codes with."
        ],
    )
    context.compare(comparison, contestants)
    for entry in comparison.entries:
        entry.figures["GB/s"] = num_codebooks / entry.spread.median / 1e9
    if len(context.threads) > 1:
        one, many = comparison.entries[0], comparison.entries[len(context.threads) - 1]
        faster = ratio_of_rounds(one.seconds, many.seconds).median
        comparison.notes.append(
            f"{in_words(context.threads[-1])}: {faster:.2f} times as fast as "
            f"{in_words(first)} for one query (wanted: not slower)."
        )
    return comparison
