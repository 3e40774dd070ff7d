"""The encode suite: vectors to codes, as good as a peer's and then as fast as may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsdhq.bench.authors_icm import authors_icm, folded_icm, tag_objective
from wsdhq.bench.checks import WrongResultError, check_not_above
from wsdhq.bench.context import Context, in_millions, in_words
from wsdhq.bench.peers import be_silent_about_few, lsq_codebooks, num_cores, thread_limit
from wsdhq.bench.report.results import Comparison
from wsdhq.bench.timing import Contestant
from wsdhq.bench.vectors import structured_vectors
from wsdhq.quant import AdditiveQuantizer

UNIT = "vectors/s"
LSQ_DEFAULT_ITERATIONS = 25
LSQ_ROUNDS = (16, 4, 1)
AUTHORS = "the authors' ICM"
# The project's targets are of sizes at which a call's fixed costs no longer count.
_MIN_FOR_TARGETS = 5000


def encode_suite(context: Context) -> Iterator[Comparison]:
    """Against faiss's encoders, for each dimension and number of codebooks; then the authors'."""
    for dim in context.dims:
        for num_codebooks in context.settings.codebooks:
            yield from _additive(context, dim, num_codebooks)
    yield _authors(context)


def mean_squared_error(
    vectors: NDArray[np.float32], codebooks: NDArray[np.float32], codes: NDArray[np.uint8]
) -> float:
    """Mean of |x - sum_m C[m, b_m]|^2, in NumPy."""
    left = vectors.astype(np.float64)
    for m, codebook in enumerate(codebooks):
        left -= codebook[codes[:, m]]
    return float((left**2).sum(axis=1).mean())


def check_encoder(
    quantizer: AdditiveQuantizer,
    vectors: NDArray[np.float32],
    codes: NDArray[np.uint8],
    threads: int,
    **settings: Any,
) -> float:
    """Check codes that `quantizer` made of `vectors`; gives their mean squared error.

    Raises
    ------
    WrongResultError
        Codes depend on the threads or are no better than single codewords at random, or the
        quantizer's own distortion is not what its codewords add up to.
    """
    few = vectors[:500]
    one, several = (quantizer.encode(few, threads=each, **settings) for each in (1, threads))
    if not np.array_equal(one, several):
        raise WrongResultError("wsdhq: codes depend on the number of threads")
    error = mean_squared_error(vectors, quantizer.codebooks, codes)
    own = quantizer.distortion(vectors, codes)
    if not np.isclose(error, own, rtol=1e-4):
        raise WrongResultError(
            f"wsdhq: codewords add up to an error of {error}, distortion says {own}"
        )
    check_not_above("wsdhq: the error of the codes", error, float((vectors**2).sum(1).mean()))
    return error


def _ours(
    label: str,
    quantizer: AdditiveQuantizer,
    vectors: NDArray[np.float32],
    beam_widths: tuple[int, ...],
    threads: int,
) -> list[Contestant]:
    # Without relaxation `iterations` counts sweeps.
    plain = AdditiveQuantizer.from_codebooks(quantizer.codebooks, relaxation=None)
    settings: dict[str, dict[str, Any]] = {
        "default": {},
        "beam 1 and one sweep": {"beam_width": 1, "iterations": 1},
        **{f"beam {width}": {"beam_width": width} for width in beam_widths},
    }
    contestants = []
    for name, chosen in settings.items():
        codes = plain.encode(vectors, **chosen)
        contestants.append(
            Contestant(
                f"wsdhq {label}, {name}",
                lambda chosen=chosen: plain.encode(  # type: ignore[misc]
                    vectors, threads=threads, **chosen
                ),
                len(vectors),
                True,
                {"MSE": check_encoder(plain, vectors, codes, max(2, threads), **chosen)},
            )
        )
    return contestants


def _lsq(context: Context, dim: int, num_codebooks: int) -> Any:
    """Faiss's LSQ, trained with as many iterations as the settings allow."""
    faiss: Any = context.faiss
    context.stage(f"training faiss LSQ, {num_codebooks} codebooks")
    lsq = faiss.LocalSearchQuantizer(dim, num_codebooks, 8)
    lsq.train_iters = context.settings.lsq_iterations
    with thread_limit(num_cores()):
        lsq.train(context.split(dim).train[: context.settings.train])
    return lsq


def _lsq_contestants(lsq: Any, vectors: NDArray[np.float32]) -> list[Contestant]:
    codebooks = np.ascontiguousarray(_codebooks_of(lsq))
    contestants = []
    for rounds in LSQ_ROUNDS:

        def encode(rounds: int = rounds) -> NDArray[np.uint8]:
            lsq.encode_ils_iters = rounds
            codes: NDArray[np.uint8] = lsq.compute_codes(vectors)
            return codes

        error = mean_squared_error(vectors, codebooks, encode())
        contestants.append(
            Contestant(f"faiss LSQ, ILS {rounds}", encode, len(vectors), False, {"MSE": error})
        )
    return contestants


def _codebooks_of(lsq: Any) -> NDArray[np.float32]:
    import faiss

    return lsq_codebooks(faiss, lsq)


def _quick_encoders(context: Context, dim: int, num_bytes: int) -> list[Contestant]:
    """Faiss's encoders that search nothing, or little: residual and product quantization."""
    faiss: Any = context.faiss
    train = context.split(dim).train[: context.settings.train]
    vectors = context.split(dim).base[: context.settings.encode]
    residual = faiss.ResidualQuantizer(dim, num_bytes, 8)
    residual.max_beam_size = 1
    encoders = {"faiss RQ, beam 1": residual}
    if dim % num_bytes == 0:
        encoders["faiss PQ, 8 bits"] = faiss.ProductQuantizer(dim, num_bytes, 8)
    contestants = []
    for name, quantizer in encoders.items():
        be_silent_about_few(quantizer)
        context.stage(f"training {name}, {num_bytes} bytes")
        with thread_limit(num_cores()):
            quantizer.train(train)
            decoded = quantizer.decode(quantizer.compute_codes(vectors))
        error = float(((vectors - decoded) ** 2).sum(axis=1).mean())
        contestants.append(
            Contestant(
                name,
                lambda quantizer=quantizer: quantizer.compute_codes(vectors),  # type: ignore[misc]
                len(vectors),
                False,
                {"MSE": error},
            )
        )
    return contestants


def _additive(context: Context, dim: int, num_codebooks: int) -> Iterator[Comparison]:
    settings = context.settings
    vectors = context.split(dim).base[: settings.encode]
    own = context.quantizer(dim, num_codebooks)
    peers: list[Contestant] = []
    others: list[Contestant] = []
    given = None
    if context.faiss is not None:
        lsq = _lsq(context, dim, num_codebooks)
        given = AdditiveQuantizer.from_codebooks(_codebooks_of(lsq), seed=context.seed)
        peers = _lsq_contestants(lsq, vectors)
        others = _quick_encoders(context, dim, num_codebooks)
    num_train = len(context.split(dim).train[: settings.train])
    where = f"{num_codebooks} codebooks, D={dim}, {in_millions(len(vectors))} vectors"
    for threads in context.threads:
        ours = _ours("with own codebooks", own, vectors, settings.beam_widths, threads)
        same = (
            [] if given is None
            else _ours("with LSQ's codebooks", given, vectors, settings.beam_widths, threads)
        )  # fmt: skip
        # One race, told twice: on equal codebooks, and with everyone's own.
        everyone = context.compare(
            Comparison(
                "encode", f"{where}, {in_words(threads)}", UNIT, threads,
                {"vectors": len(vectors), "dim": dim, "codebooks": num_codebooks}, [],
            ),
            [*same, *ours, *peers, *others],
        )  # fmt: skip
        entries = {entry.name: entry for entry in everyone.entries}
        fastest = min(entries[each.name].spread.median for each in ours)
        product = _product_note(context, fastest, own, threads)
        # A ratio to a peer that was trained too little would flatter us.
        trained = settings.lsq_iterations >= LSQ_DEFAULT_ITERATIONS
        untrained = f" (LSQ with its {LSQ_DEFAULT_ITERATIONS} iterations: --full)"
        for label, fighters in (
            ("LSQ's codebooks for both", [*same, *peers] if same else []),
            (
                "everyone's own codebooks" + ("" if trained or not peers else untrained),
                [*ours, *(peers if trained else []), *others],
            ),
        ):
            if not fighters:
                continue
            targets = {
                "faiss LSQ, ILS 16": 10.0 if num_codebooks >= 8 else 7.0,
                "faiss LSQ, ILS 1": 4.0,
            }
            yield Comparison(
                "encode",
                f"{where}, {label}, {in_words(threads)}",
                UNIT,
                threads,
                {**everyone.parameters, "codebooks of": label},
                [entries[fighter.name] for fighter in fighters],
                quality="MSE",
                wanted=targets if threads == 1 and len(vectors) >= _MIN_FOR_TARGETS else {},
                checks=[
                    "errors are recomputed in NumPy from codes and codewords",
                    "codes are the same with one thread and with more",
                ],
                notes=[
                    f"faiss LSQ was trained on {num_train} vectors with "
                    f"{settings.lsq_iterations} iteration(s) (its default is "
                    f"{LSQ_DEFAULT_ITERATIONS}).",
                    *([] if label.startswith("LSQ") else [product]),
                ]
                if peers
                else [product],
            )


def _product_note(
    context: Context, seconds: float, quantizer: AdditiveQuantizer, threads: int
) -> str:
    """The part of the encoder that is a matrix product, beside the measured product."""
    num_codebooks, codebook_size, dim = quantizer.codebooks.shape
    operations = 2.0 * dim * num_codebooks * codebook_size
    rate = operations / seconds / 1e9
    limit = context.limits.get(("product", threads))
    if limit is None:
        return f"wsdhq's fastest setting does {rate:.1f} GFLOP/s of products."
    return (
        f"{num_codebooks} codebooks, D={dim}: wsdhq's fastest setting does {rate:.1f} GFLOP/s of "
        f"products, with the sweeps beside them; NumPy's product alone reaches "
        f"{limit:.1f} here, with {in_words(threads)}."
    )


def _authors_operations(codebooks: NDArray[np.float32], tags: NDArray[np.float32]) -> float:
    """Floating-point operations of three sweeps over one vector, projections only."""
    return 3 * 2.0 * codebooks.size * len(tags)


def _authors(context: Context) -> Comparison:
    """The encoder that the method's authors released, under the objective of many tags."""
    s = context.settings
    num_codebooks, dim = 4, s.authors_dim
    rng = np.random.default_rng([context.seed, 3])
    tags = structured_vectors(s.authors_tags, dim, context.seed + 1)
    vectors = structured_vectors(1000 + s.authors_vectors, dim, context.seed)
    few = vectors[: s.authors_vectors]
    # Which codebooks they are plays no part in the time: vectors, in four sizes.
    picked = structured_vectors(20_000, dim, context.seed)[rng.integers(20_000, size=1024)]
    codebooks = picked.reshape(num_codebooks, 256, dim) * np.float32(0.5)
    quantizer = AdditiveQuantizer.from_codebooks(
        codebooks, metric=tags.T.astype(np.float64) @ tags, relaxation=None, seed=context.seed
    )

    threads = context.threads[0]
    start = np.zeros((len(vectors), num_codebooks), np.uint8)
    context.stage("encode: the authors' ICM")
    theirs = folded_icm(vectors, codebooks, tags)
    with thread_limit(threads):
        if not np.array_equal(authors_icm(few, codebooks, tags), theirs[: len(few)]):
            raise WrongResultError(f"{AUTHORS}: its codes are not those of the folded metric")
    their_error = float(tag_objective(vectors, quantizer.decode(theirs), tags).mean())
    own = quantizer.distortion(vectors, theirs)
    if not np.isclose(own, their_error, rtol=1e-3):
        raise WrongResultError(
            f"wsdhq: the distortion of codes is {own}, the sum over tags is {their_error}"
        )
    contestants = []
    for name, given, iterations, beam_width in (
        ("3 sweeps from zero codes", start, 3, None),
        ("greedy start and 3 sweeps", None, 3, 1),
        ("default", None, None, None),
    ):

        def ours(
            given: Any = given,
            iterations: int | None = iterations,
            beam_width: int | None = beam_width,
        ) -> NDArray[np.uint8]:
            return quantizer.encode(vectors, given, iterations, threads, beam_width)

        error = float(tag_objective(vectors, quantizer.decode(ours()), tags).mean())
        figures = {"objective": error}
        contestants.append(Contestant(f"wsdhq, {name}", ours, len(vectors), True, figures))
    contestants.append(
        Contestant(
            AUTHORS, lambda: authors_icm(few, codebooks, tags), len(few), False,
            {"objective": their_error},
        )
    )  # fmt: skip
    comparison = Comparison(
        "encode",
        f"the authors' ICM, {s.authors_tags} tags, {num_codebooks} codebooks, D={dim}, 3 sweeps "
        f"from zero codes, {in_words(threads)}",
        UNIT,
        threads,
        {"vectors": len(few), "tags": s.authors_tags, "dim": dim, "codebooks": num_codebooks},
        [],
        quality="objective",
        wanted={AUTHORS: 15_000.0} if threads == 1 and s.authors_tags >= 1178 else {},
        checks=[
            f"the codes of {len(few)} vectors are those of the folded metric",
            "the sum over tags equals the distortion under the folded metric",
        ],
        notes=[
            f"Theirs is timed on {len(few)} vectors, ours on {len(vectors)}; objectives (sums over "
            f"tags, less is better) are of the same {len(vectors)} vectors. Theirs needs "
            f"{_authors_operations(codebooks, tags) / 1e9:.2f} GFLOP per vector, all of it in "
            "NumPy's product: its speed is that of the machine's product."
        ],
    )
    return context.compare(comparison, contestants, min(3, s.rounds))
