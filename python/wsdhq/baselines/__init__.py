"""The methods that the paper compares with, each behind the same interface.

`make_baseline` makes one by its name in the paper's Table 1. Its module is imported when it is
first asked for: the shallow methods need no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from types import MappingProxyType
from typing import Any

from wsdhq._shared.arguments import as_choice, did_you_mean
from wsdhq.baselines.interface import Baseline, TrainingData

__all__ = ["BASELINES", "Baseline", "TrainingData", "baseline_class", "make_baseline"]

#: Where each baseline is, as "module:class", in the order of the paper's Table 1.
BASELINES: Mapping[str, str] = MappingProxyType(
    {
        "LSH": "wsdhq.baselines.lsh:LSH",
        "SH": "wsdhq.baselines.spectral:SpectralHashing",
        "SpH": "wsdhq.baselines.spherical:SphericalHashing",
        "ITQ": "wsdhq.baselines.itq:ITQ",
        "AQ": "wsdhq.baselines.additive:AdditiveQuantization",
        "DeepBit": "wsdhq.baselines.deepbit:DeepBit",
        "WMH": "wsdhq.baselines.wmh:WMH",
        "WDH": "wsdhq.baselines.wdh:WDH",
        "WDHT": "wsdhq.baselines.wdht:WDHT",
    }
)


def baseline_class(name: str) -> type[Baseline]:
    """The class of a baseline, which says what it learns from (`uses_tags`, `is_deep`).

    Parameters
    ----------
    name : str
        A key of `BASELINES`.

    Raises
    ------
    ValueError
        There is no such baseline; the message lists those there are.
    ImportError
        A package that the baseline needs is not installed.
    """
    as_choice(name, "name", BASELINES)
    module, _, attribute = BASELINES[name].partition(":")
    found: type[Baseline] = getattr(import_module(module), attribute)
    return found


def make_baseline(
    name: str, bits: int, *, seed: int = 0, threads: int | None = None, **settings: Any
) -> Baseline:
    """Make a baseline by its name, not yet fitted.

    Parameters
    ----------
    name : str
        A key of `BASELINES`, such as "ITQ".
    bits, seed, threads
        As in `Baseline`.
    **settings
        Those of the method itself: a `backbone` for a deep one to learn from images, say.

    Raises
    ------
    TypeError
        A setting that the method does not have (the message lists those it has), or of another
        type.
    ValueError
        An unknown name, or a setting out of its range.
    ImportError
        As `baseline_class`.
    """
    found = baseline_class(name)
    own = list(signature(found).parameters)
    shared = [each for kind in found.__mro__[1:-1] for each in signature(kind).parameters]
    known = [each for each in dict.fromkeys(own + shared) if each not in ("settings", "args")]
    for setting in settings:
        if setting not in known:
            raise TypeError(
                f"{name}: expected settings among {', '.join(known)}, got {setting!r}"
                f"{did_you_mean(setting, known)}"
            )
    return found(bits, seed=seed, threads=threads, **settings)
