"""The additive quantizer: codebooks learnt from vectors, codes made with them."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq import _core
from wsdhq._shared.arguments import as_integer
from wsdhq._shared.progress import Progress, check_verbose
from wsdhq.quant.arrays.codes import as_code_rows, as_codes, code_chunks
from wsdhq.quant.arrays.parameters import as_codebooks
from wsdhq.quant.arrays.vectors import as_vectors
from wsdhq.quant.encoding import (
    BEAM_WIDTH,
    MAX_ITERATIONS,
    Relaxation,
    check_beam_width,
    check_relaxation,
    encode_chunks,
)
from wsdhq.quant.estimator import Estimator, not_fitted, refuse_codes_as_labels
from wsdhq.quant.fitting import FitSettings, fit_codebooks, mean_distortion
from wsdhq.quant.persistence import read_tensors, write_tensors
from wsdhq.quant.settings import Setting
from wsdhq.quant.threads import resolve_threads

# Sweeps of the encoder that end where nothing changes, long before their number.
TO_THE_END = 1000


class _EncoderCache:
    """The compiled encoder of the codebooks and metric last asked for.

    It keeps to itself that a first `encode` makes tables: the quantizer stays as it was. A pickle
    or a deep copy of it is empty.
    """

    def __init__(self) -> None:
        self._held: tuple[NDArray[np.float32], NDArray[np.float32] | None, _core.Encoder] | None
        self._held = None

    def __reduce__(self) -> tuple[type[_EncoderCache], tuple[()]]:
        return _EncoderCache, ()

    def encoder(
        self, codebooks: NDArray[np.float32], metric: NDArray[np.float32] | None, threads: int
    ) -> _core.Encoder:
        held = self._held
        if held is None or held[0] is not codebooks or held[1] is not metric:
            held = codebooks, metric, _core.Encoder(codebooks, metric, threads)
            self._held = held
        return held[2]


class AdditiveQuantizer(Estimator):
    """Vectors as sums of codewords, one from each of several codebooks.

    x is approximated by sum_m C[m, b_m]; the code b takes num_codebooks bytes. `fit` alternates
    between codes (iterated conditional modes) and codebooks (least squares) to minimize the mean
    of (x - x^)^T metric (x - x^) (method section 4; paper, "Alternating optimization").

    Parameters
    ----------
    num_codebooks : int, 1 to 1024
        Bytes per vector. num_codebooks * codebook_size is at most 16,384 (64 codebooks of 256).
    codebook_size : int, 1 to 256
        Codewords per codebook.
    metric : array (dim, dim) of float, optional
        Symmetric positive semi-definite; shapes fitting and encoding. None is the identity.
    init : "residual" or "slices"
        Codebooks to start from: k-means on what the codebooks before left, or k-means on equal
        slices of the dimensions (product quantization).
    iterations : int, at least 0
        Alternations of codebooks and codes in `fit`.
    relaxation : "codebooks", "data" or None
        Stochastic relaxation of LSQ++: noise that `fit` anneals over its iterations, and `encode`
        over its own when it is given a number of them.
    ridge : float, positive, optional
        Ridge of the codebook solve, in units of vectors; None is negligibly small, see
        `CodeStatistics.solve`. `fit` begins with more, so that codebooks come to be of like size,
        and ends with this.
    beam_width : int, 1 to 1024
        Partial codes that `encode` keeps while it makes a start: more give better codes and take
        longer in proportion. 1 is greedy.
    seed : int, 0 to 2**64 - 1
        The same seed gives the same codebooks on one machine, at any number of threads.
    threads : int, optional
        Default of every method; None uses every core.
    verbose : bool, optional
        Default of every method. None shows a progress bar on work that takes more than a second,
        where someone watches: on a terminal or in a notebook. True shows it at once, wherever
        standard error goes, and prints what `fit` logs if no handler of the program takes it.
        False is silent. Whatever it is, `fit` logs to the logger "wsdhq.quant": its start and
        its end at level INFO, its iterations at level DEBUG.

    Attributes
    ----------
    codebooks : ndarray (num_codebooks, codebook_size, dim) float32
    history : list of dict
        One entry per iteration of the last `fit`: "iteration", "distortion" (the least so far) and
        "reseeded" (how many codewords no vector used and got a new place).

    Notes
    -----
    Methods release the GIL. `encode`, `decode` and `distortion` may run in several Python
    threads at once; `fit` must not run beside another method of the same object.

    Arrays may be of NumPy (any stride and byte order, memory maps), of torch (any device; also
    bfloat16; gradients are not asked for), Arrow fixed-size lists, what has `__dlpack__`, data
    sets that can be sliced, or lists. Memory is shared where it can be; what must be copied or
    converted is, 16 MiB at a time.

    Settings are attributes, and checked whenever they are set. It is a transformer of
    scikit-learn, which it does not need: `transform` is `encode`, `inverse_transform` is
    `decode`, `score` the negative distortion.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((1000, 16), np.float32)
    >>> quantizer = AdditiveQuantizer(num_codebooks=4, iterations=5).fit(X)
    >>> codes = quantizer.encode(X)
    >>> codes.shape, codes.dtype
    ((1000, 4), dtype('uint8'))
    >>> bool(quantizer.distortion(X, codes) < 0.2 * 16)
    True
    """

    num_codebooks = Setting[int]()
    codebook_size = Setting[int]()
    metric = Setting["NDArray[np.float32] | None"]()
    init = Setting[str]()
    iterations = Setting[int]()
    relaxation = Setting["Relaxation"]()
    ridge = Setting["float | None"]()
    beam_width = Setting[int]()
    seed = Setting[int]()
    threads = Setting["int | None"]()
    verbose = Setting["bool | None"]()

    def __init__(
        self,
        num_codebooks: int = 4,
        codebook_size: int = 256,
        *,
        metric: ArrayLike | None = None,
        init: Literal["residual", "slices"] = "residual",
        iterations: int = 20,
        relaxation: Relaxation = "codebooks",
        ridge: float | None = None,
        beam_width: int = BEAM_WIDTH,
        seed: int = 0,
        threads: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self._given, self._checked = {}, {}
        self.set_params(
            num_codebooks=num_codebooks,
            codebook_size=codebook_size,
            metric=metric,
            init=init,
            iterations=iterations,
            relaxation=relaxation,
            ridge=ridge,
            beam_width=beam_width,
            seed=seed,
            threads=threads,
            verbose=verbose,
        )
        self._history: list[dict[str, Any]] = []
        self._codebooks: NDArray[np.float32] | None = None
        self._encoder = _EncoderCache()

    def __repr__(self) -> str:
        state = "not fitted" if self._codebooks is None else f"dim={self.dim}"
        metric = "identity" if self.metric is None else f"{self.metric.shape}"
        return (
            f"AdditiveQuantizer(num_codebooks={self.num_codebooks}, "
            f"codebook_size={self.codebook_size}, metric={metric}, {state})"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Pickles and copies of arrays can be written to.
        if self._codebooks is not None:
            self._codebooks.flags.writeable = False

    @property
    def codebooks(self) -> NDArray[np.float32]:
        """(num_codebooks, codebook_size, dim) float32, read-only; ValueError before `fit`."""
        if self._codebooks is None:
            raise not_fitted("the quantizer has no codebooks yet: call fit or from_codebooks")
        return self._codebooks

    @property
    def history(self) -> list[dict[str, Any]]:
        """What the last `fit` did, iteration by iteration; see the class."""
        return self._history

    @property
    def dim(self) -> int:
        """Dimension of the vectors; ValueError before `fit`."""
        return int(self.codebooks.shape[2])

    @classmethod
    def from_codebooks(
        cls,
        codebooks: ArrayLike,
        metric: ArrayLike | None = None,
        threads: int | None = None,
        **settings: Any,
    ) -> AdditiveQuantizer:
        """Make a quantizer of given codebooks.

        Parameters
        ----------
        codebooks : array (num_codebooks, codebook_size, dim) of float
            Copied. codebook_size from 1 to 256.
        metric, threads
            As in the class.
        **settings
            Other keyword arguments of the class, such as `relaxation` or `seed`.
        """
        checked = as_codebooks(codebooks)
        quantizer = cls(
            checked.shape[0], checked.shape[1], metric=metric, threads=threads, **settings
        )
        quantizer._check_metric(checked.shape[2])
        quantizer._set_codebooks(checked)
        return quantizer

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        codes: ArrayLike | None = None,
        threads: int | None = None,
        verbose: bool | None = None,
    ) -> AdditiveQuantizer:
        """Learn the codebooks.

        Parameters
        ----------
        X : array (num_vectors, dim) of float16, float32 or float64
            At least one vector. A memory map is read in chunks: beside the codes, memory does
            not grow with num_vectors (the start is made from at most 65,536 sampled rows).
        y : object
            Ignored: pipelines of scikit-learn pass the labels on.
        codes : array (num_vectors, num_codebooks) of uint8, optional
            Codes to start from (warm start): codebooks are then solved from them first.
        threads, verbose : optional
            None is the quantizer's.

        Returns
        -------
        AdditiveQuantizer
            Itself. The same seed and data give the same codebooks on one machine.

        Raises
        ------
        TypeError, ValueError
            Naming the argument; the quantizer then keeps the codebooks it had, as it does when
            Ctrl-C interrupts it.
        """
        refuse_codes_as_labels(y, self.num_codebooks)
        vectors = as_vectors(X, "X")
        if len(vectors) == 0:
            raise ValueError(f"X: expected at least one vector to fit, got shape {vectors.shape}")
        dim = vectors.shape[1]
        self._check_metric(dim)
        start = (
            None
            if codes is None
            else as_codes(codes, "codes", self.num_codebooks, self.codebook_size, len(vectors))
        )
        settings = FitSettings(
            num_codebooks=self.num_codebooks,
            codebook_size=self.codebook_size,
            metric=self.metric,
            init=self.init,
            iterations=self.iterations,
            relaxation=check_relaxation(self.relaxation),
            ridge=self.ridge,
            seed=self.seed,
            threads=resolve_threads(self.threads if threads is None else threads),
            verbose=check_verbose(self.verbose if verbose is None else verbose),
        )
        codebooks, history = fit_codebooks(vectors, start, settings)
        self._history = history
        self._set_codebooks(codebooks)
        return self

    def encode(
        self,
        X: ArrayLike,
        codes: ArrayLike | None = None,
        iterations: int | None = None,
        threads: int | None = None,
        beam_width: int | None = None,
        *,
        verbose: bool | None = None,
    ) -> NDArray[np.uint8]:
        """Codes of vectors, with the quantizer's metric, relaxation and seed.

        Parameters
        ----------
        X : array (num_vectors, dim) of float16, float32 or float64
            Any stride or byte order; read in chunks, computed in float32.
        codes : array (num_vectors, num_codebooks) of uint8, optional
            Codes to start from; the objective of a code never exceeds that of its start.
        iterations : int, optional
            As in `icm_encode`, with the quantizer's relaxation. None is fastest and nearly best:
            a start by beam search and sweeps, without relaxation, until nothing changes.
        threads : int, optional
            None is the quantizer's.
        beam_width : int, optional
            As in `icm_encode`. None is the quantizer's or, where `codes` are given, 0.
        verbose : bool, optional
            None is the quantizer's.

        Returns
        -------
        ndarray (num_vectors, num_codebooks) uint8
            The same bytes for any number of threads and any batch.

        Raises
        ------
        TypeError, ValueError
            As `icm_encode`; ValueError before `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> corners = np.array([[[0, 0], [4, 0]], [[0, 0], [0, 1]]], np.float32)
        >>> AdditiveQuantizer.from_codebooks(corners).encode(np.array([[4.1, 0.8], [0.3, 0.9]]))
        array([[1, 1],
               [0, 1]], dtype=uint8)
        """
        codebooks = self.codebooks
        num_codebooks, codebook_size, dim = codebooks.shape
        vectors = as_vectors(X, "X", dim)
        self._check_metric(dim)
        start = (
            None
            if codes is None
            else as_code_rows(codes, "codes", num_codebooks, codebook_size, len(vectors))
        )
        count = resolve_threads(self.threads if threads is None else threads)
        sweeps = TO_THE_END if iterations is None else iterations
        with Progress(check_verbose(self.verbose if verbose is None else verbose)) as progress:
            progress.stage("encode", len(vectors), " vectors")
            return encode_chunks(
                self._encoder.encoder(codebooks, self.metric, count),
                vectors,
                start,
                num_codebooks,
                iterations=as_integer(sweeps, "iterations", 0, MAX_ITERATIONS),
                relaxation="none" if iterations is None else check_relaxation(self.relaxation),
                seed=self.seed,
                beam_width=check_beam_width(
                    self.beam_width if beam_width is None and start is None else beam_width,
                    warm=start is not None,
                ),
                threads=count,
                progress=progress.move_to,
            )

    def decode(self, codes: ArrayLike, threads: int | None = None) -> NDArray[np.float32]:
        """Reconstructions x^ = sum_m C[m, codes[m]]: (num_vectors, dim) float32.

        Parameters
        ----------
        codes : array (num_vectors, num_codebooks) of uint8
        threads : int, optional
            None is the quantizer's.
        """
        codebooks = self.codebooks
        num_codebooks, codebook_size, dim = codebooks.shape
        checked = as_code_rows(codes, "codes", num_codebooks, codebook_size)
        count = resolve_threads(self.threads if threads is None else threads)
        decoded = np.empty((len(checked), dim), np.float32)
        for first, last, part in code_chunks(checked):
            _core.decode(codebooks, part, count, out=decoded[first:last])
        return decoded

    def distortion(
        self,
        X: ArrayLike,
        codes: ArrayLike,
        *,
        threads: int | None = None,
        verbose: bool | None = None,
    ) -> float:
        """Mean of (x - x^)^T metric (x - x^) over vectors, in float64; nan for no vectors.

        Without a metric this is the mean squared distance: the squares of a vector's dimensions are
        added up, not averaged.

        Parameters
        ----------
        X : array (num_vectors, dim) of float16, float32 or float64
        codes : array (num_vectors, num_codebooks) of uint8
        threads, verbose : optional
            None is the quantizer's.
        """
        codebooks = self.codebooks
        num_codebooks, codebook_size, dim = codebooks.shape
        vectors = as_vectors(X, "X", dim)
        self._check_metric(dim)
        checked = as_code_rows(codes, "codes", num_codebooks, codebook_size, len(vectors))
        count = resolve_threads(self.threads if threads is None else threads)
        with Progress(check_verbose(self.verbose if verbose is None else verbose)) as progress:
            progress.stage("distortion", len(vectors), " vectors")
            return mean_distortion(
                vectors, checked, codebooks, self.metric, count, progress.move_to
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the quantizer to one safetensors file, whole or not at all.

        The file holds `codebooks` (num_codebooks, codebook_size, dim) float32, `metric` (dim,
        dim) float32 when there is one, and the settings as metadata. FileNotFoundError when the
        folder does not exist; ValueError before `fit`.
        """
        write_tensors(path, "quantizer", self._tensors(), self._settings())

    @classmethod
    def load(cls, path: str | os.PathLike[str], verify: bool = False) -> AdditiveQuantizer:
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : str or PathLike
        verify : bool
            Compare what was read with the checksums in the file.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            The file is truncated, foreign, of a newer version or holds damaged values.
        """
        tensors, settings = read_tensors(path, "quantizer", verify=verify)
        return cls._from_tensors(tensors, settings, path)

    def _tensors(self) -> dict[str, NDArray[Any]]:
        tensors: dict[str, NDArray[Any]] = {"codebooks": self.codebooks}
        if self.metric is not None:
            tensors["metric"] = self.metric
        return tensors

    def _settings(self) -> dict[str, Any]:
        return {
            "init": self.init,
            "iterations": self.iterations,
            "relaxation": self.relaxation,
            "ridge": self.ridge,
            "beam_width": self.beam_width,
            "seed": self.seed,
        }

    @classmethod
    def _from_tensors(
        cls,
        tensors: dict[str, NDArray[Any]],
        settings: dict[str, Any],
        path: str | os.PathLike[str],
    ) -> AdditiveQuantizer:
        if "codebooks" not in tensors:
            raise ValueError(f"{path}: holds no codebooks")
        known = {"init", "iterations", "relaxation", "ridge", "beam_width", "seed"}
        try:
            return cls.from_codebooks(
                tensors["codebooks"],
                tensors.get("metric"),
                **{name: value for name, value in settings.items() if name in known},
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: holds a damaged quantizer: {error}") from None

    def _set_codebooks(self, codebooks: NDArray[np.float32]) -> None:
        codebooks.flags.writeable = False
        self._codebooks = codebooks

    def _check_metric(self, dim: int) -> None:
        if self.metric is not None and self.metric.shape != (dim, dim):
            raise ValueError(
                f"metric: expected shape ({dim}, {dim}) for vectors of dimension {dim}, "
                f"got {self.metric.shape}"
            )
