"""The paper's ablations of WSDHQ, and three more, as changes of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["VARIANTS", "Variant", "variant_settings"]


@dataclass(frozen=True)
class Variant:
    """WSDHQ with something changed.

    Attributes
    ----------
    settings : dict
        Settings of `TrainConfig` that differ.
    description : str
        What is changed, in a line.
    in_paper : bool
        Whether the paper measures it (its Table 2).
    """

    settings: dict[str, Any]
    description: str
    in_paper: bool = False


VARIANTS: dict[str, Variant] = {
    "WSDHQ_G": Variant(
        {"num_neighbours": 0, "radius": 0.0},
        "no correlation graph: tags are neither enhanced nor merged",
        in_paper=True,
    ),
    "WSDHQ_N": Variant(
        {"normalise": False},
        "no L2 normalisation of tags and images: inner products for cosines",
        in_paper=True,
    ),
    "WSDHQ_L": Variant(
        {"loss": "batch_hinge", "margin": 0.2},
        "hinge loss of WDHT between the mean tags of a batch, margin .2",
        in_paper=True,
    ),
    "WSDHQ_2": Variant(
        {"quantisation_weight": 0.0},
        "two-stage: the embedding first, then the quantiser",
        in_paper=True,
    ),
    "WSDHQ": Variant({}, "the whole method", in_paper=True),
    "fixed margin": Variant(
        {"loss": "fixed_margin"}, "one margin, that of unrelated tags, for all pairs of tags"
    ),
    "all negatives": Variant(
        {"num_negatives": None}, "all tags outside an image's own as negatives, not the hardest"
    ),
    "no relaxation": Variant({"relaxation": None}, "encoding without stochastic relaxation"),
}


def variant_settings(name: str) -> dict[str, Any]:
    """The settings that make a variant.

    Parameters
    ----------
    name : str
        A key of `VARIANTS`; capitals do not matter, and words may be joined by "-" or "_", so
        that a shell needs no quotes.

    Returns
    -------
    dict
        For `TrainConfig(..., **settings)`.

    Raises
    ------
    ValueError
        An unknown name; the message lists the known ones.
    """
    found = {_plain(known): variant for known, variant in VARIANTS.items()}.get(_plain(name))
    if found is None:
        known = ", ".join(map(repr, VARIANTS))
        raise ValueError(f"there is no variant {name!r}; known: {known}")
    return dict(found.settings)


def _plain(name: str) -> str:
    return name.lower().replace("-", " ").replace("_", " ")
