"""The conventions of scikit-learn, by duck typing: a quantizer is a transformer.

scikit-learn is never imported. What must be an object of its classes is made of the module that
the caller, who is scikit-learn, has imported already.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq.quant.settings import check_settings


class NotFittedError(ValueError, AttributeError):
    """What a method needs `fit` for; of the same bases as scikit-learn's error of this name."""


def not_fitted(message: str) -> Exception:
    """The error to raise: scikit-learn's own where it is loaded, so that its users catch it."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", NotFittedError)
    error: Exception = theirs(message)
    return error


def refuse_codes_as_labels(y: object, num_codebooks: int) -> None:
    """Raise TypeError for what are codes in the place of labels, which are ignored."""
    shape = tuple(getattr(y, "shape", ()))
    if len(shape) == 2 and shape[1] == num_codebooks and str(y.dtype).endswith("uint8"):  # type: ignore[attr-defined]
        raise TypeError("y: expected labels or None, got codes: fit(X, codes=codes) starts there")


class Estimator(ABC):
    """Parameters and methods that `clone`, `Pipeline` and `GridSearchCV` use.

    `_given` holds each parameter as it came, the same object, which `clone` insists on; `_checked`
    holds the values to compute with. Both are replaced, never changed: copies may share them.
    """

    _given: dict[str, object]
    _checked: dict[str, Any]

    @abstractmethod
    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn from vectors; `y` is ignored."""

    @abstractmethod
    def encode(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Codes of vectors."""

    @abstractmethod
    def decode(self, codes: ArrayLike) -> NDArray[np.float32]:
        """Reconstructions of codes."""

    @abstractmethod
    def distortion(self, X: ArrayLike, codes: ArrayLike) -> float:
        """Mean error of codes."""

    @property
    @abstractmethod
    def codebooks(self) -> NDArray[np.float32]:
        """(num_codebooks, codebook_size, dim) float32; an AttributeError before `fit`."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, each the object that was given.

        Parameters
        ----------
        deep : bool
            No setting is an estimator: there is no difference.
        """
        return dict(self._given)

    def set_params(self, **params: object) -> Self:
        """Change settings; `fit` is to be called again for those that shape the codebooks.

        Codes are made with the codebooks there are, and with the metric, seed and beam width set
        last.

        Returns
        -------
        AdditiveQuantizer
            Itself.

        Raises
        ------
        TypeError, ValueError
            Naming the setting; all are then as they were.
        """
        checked = check_settings(params, self._checked)
        self._given, self._checked = {**self._given, **params}, checked
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Codes of vectors (num_vectors, dim): (num_vectors, num_codebooks) uint8; `encode`."""
        self._check_features(X)
        return self.encode(X)

    def fit_transform(self, X: ArrayLike, y: object = None, **fit_params: Any) -> NDArray[np.uint8]:
        """Codes of the vectors that it is fitted to; see `fit` and `encode`."""
        return self.fit(X, y, **fit_params).encode(X)

    def inverse_transform(self, codes: ArrayLike) -> NDArray[np.float32]:
        """Reconstructions (num_vectors, dim) float32 of codes; `decode`."""
        return self.decode(codes)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """The negative of the mean distortion of vectors under their codes: larger is better."""
        self._check_features(X)
        return -self.distortion(X, self.encode(X))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Names of what `transform` gives, one per codebook.

        Parameters
        ----------
        input_features : array of str (dim,), optional
            Only their number is looked at.

        Returns
        -------
        ndarray (num_codebooks,) object
        """
        num_codebooks, _, dim = self.codebooks.shape
        if input_features is not None and len(np.asarray(input_features)) != dim:
            raise ValueError(
                "input_features: input_features should have length equal to number of features "
                f"({dim}), got {len(np.asarray(input_features))}"
            )
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{m}" for m in range(num_codebooks)], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Dimension of the vectors; an AttributeError before `fit`."""
        return int(self.codebooks.shape[2])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "codebooks")

    def __sklearn_tags__(self) -> Any:
        # None but scikit-learn asks for tags, so that it is there.
        utils = sys.modules.get("sklearn.utils")
        if not hasattr(utils, "Tags"):
            raise AttributeError("__sklearn_tags__: expected a loaded scikit-learn of 1.6 or later")
        return utils.Tags(  # type: ignore[union-attr]
            estimator_type=None,
            target_tags=utils.TargetTags(required=False),  # type: ignore[union-attr]
            transformer_tags=utils.TransformerTags(preserves_dtype=[]),  # type: ignore[union-attr]
        )

    def _check_features(self, X: object) -> None:
        """Say in scikit-learn's words, too, that vectors have another dimension."""
        shape, dim = tuple(getattr(X, "shape", ())), self.codebooks.shape[2]
        if len(shape) == 2 and shape[1] != dim:
            raise ValueError(
                f"X: expected shape (num_vectors, {dim}), got {shape}: X has {shape[1]} "
                f"features, but {type(self).__name__} is expecting {dim} features as input"
            )
