"""Settings of the quantizer: checked whenever they are set, and given back as they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, overload

from wsdhq._shared.arguments import as_choice, as_integer
from wsdhq._shared.progress import check_verbose
from wsdhq.quant.arrays.parameters import as_metric, check_num_codewords
from wsdhq.quant.encoding import (
    MAX_BEAM_WIDTH,
    MAX_ITERATIONS,
    MAX_SEED,
    check_relaxation,
)
from wsdhq.quant.statistics import check_ridge

T = TypeVar("T")


def _check_relaxation(value: object) -> str | None:
    return None if check_relaxation(value) == "none" else str(value)


def _check_threads(value: Any) -> int | None:
    return None if value is None else as_integer(value, "threads", 1)


# Of each setting, what makes of a value the one to compute with, or raises.
CHECKS: dict[str, Callable[[Any], Any]] = {
    "num_codebooks": lambda value: as_integer(value, "num_codebooks", 1),
    "codebook_size": lambda value: as_integer(value, "codebook_size", 1, 256),
    "metric": lambda value: as_metric(value, None),
    "init": lambda value: as_choice(value, "init", ("residual", "slices")),
    "iterations": lambda value: as_integer(value, "iterations", 0, MAX_ITERATIONS),
    "relaxation": _check_relaxation,
    "ridge": check_ridge,
    "beam_width": lambda value: as_integer(value, "beam_width", 1, MAX_BEAM_WIDTH),
    "seed": lambda value: as_integer(value, "seed", 0, MAX_SEED),
    "threads": _check_threads,
    "verbose": check_verbose,
}


def check_settings(given: Mapping[str, object], present: Mapping[str, Any]) -> dict[str, Any]:
    """Check settings, also against those that are present already.

    Returns
    -------
    dict
        `present` with those given, ready to compute with.

    Raises
    ------
    TypeError, ValueError
        Naming the setting; ValueError lists the known ones where one is unknown.
    """
    for name in given:
        if name not in CHECKS:
            raise ValueError(f"{name}: no such setting, expected one of {', '.join(CHECKS)}")
    checked = {**present, **{name: CHECKS[name](value) for name, value in given.items()}}
    check_num_codewords(checked["num_codebooks"], checked["codebook_size"])
    return checked


class Setting(Generic[T]):
    """An attribute that is the checked value of a setting; to set it is to check it.

    Its owner has `set_params`, and the checked values in the dictionary `_checked`.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance._checked[self._name]

    def __set__(self, instance: Any, value: object) -> None:
        instance.set_params(**{self._name: value})
