"""The paper's objective with its ablations, and the default with those of its own pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wsdhq._shared.arguments import as_choice

# The paper's objective in the released code's terms, with a head and a schedule chosen for
# features: what `train` does by itself is other than that.
PAPER_OBJECTIVE: dict[str, Any] = {
    "loss": "adaptive_margin",
    "num_neighbours": 20,
    "radius": 0.1,
    "quantization_weight": 1e-4,
    "quantizer_metric": "semantic",
    "whitening": 0.0,
    "hidden_dim": 512,
    "dropout": 0.2,
    "relaxation": "codebooks",
    "epochs": 15,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "head_rate_factor": 10.0,
}


@dataclass(frozen=True)
class Variant:
    """An objective with something changed.

    Attributes
    ----------
    settings : dict
        Settings of `TrainConfig` that differ from those of the whole method.
    description : str
        What is changed, in a line.
    in_paper : bool
        Whether the paper measures it (its Table 2).
    base : dict
        What the whole method sets; a preset or a user may overrule it. Empty for the default and
        its pieces.
    """

    settings: dict[str, Any]
    description: str
    in_paper: bool = False
    base: Mapping[str, Any] = field(default_factory=lambda: PAPER_OBJECTIVE)

    @property
    def of_the_paper(self) -> bool:
        """Whether the objective is the paper's, changed or not, and so that of presets."""
        return bool(self.base)

    def over(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """`settings`, with what makes the variant above them and its base below."""
        return {**self.base, **settings, **self.settings}


VARIANTS: dict[str, Variant] = {
    "WSDHQ_G": Variant(
        {"num_neighbours": 0, "radius": 0.0},
        "no correlation graph: tags are neither enhanced nor merged",
        in_paper=True,
    ),
    "WSDHQ_N": Variant(
        {"normalize": False},
        "no L2 normalization of tags and images: inner products for cosines",
        in_paper=True,
    ),
    "WSDHQ_L": Variant(
        {"loss": "batch_hinge", "margin": 0.2},
        "hinge loss of WDHT between the mean tags of a batch, margin .2",
        in_paper=True,
    ),
    "WSDHQ_2": Variant(
        {"quantization_weight": 0.0},
        "two-stage: the embedding first, then the quantizer",
        in_paper=True,
    ),
    "WSDHQ": Variant({}, "the paper's whole method", in_paper=True),
    "fixed margin": Variant(
        {"loss": "fixed_margin"}, "one margin, that of unrelated tags, for all pairs of tags"
    ),
    "all negatives": Variant(
        {"num_negatives": None}, "all tags outside an image's own as negatives, not the hardest"
    ),
    "no relaxation": Variant({"relaxation": None}, "encoding without stochastic relaxation"),
}


#: The name of what `train` does by itself.
DEFAULT = "default"


def _piece(settings: dict[str, Any], description: str) -> Variant:
    return Variant(settings, description, base={})


#: The default, and what is left of it without one of its pieces.
PIECES: dict[str, Variant] = {
    DEFAULT: _piece({}, "this project's own objective, all pieces"),
    "no neighbours": _piece({"neighbour_weight": 0.0}, "softmax over the tags alone"),
    "no plausibility": _piece({"plausibility": 0.0}, "every tag is trusted"),
    "no propagation": _piece(
        {"propagation": 0.0}, "nothing is learnt from the tags of look-alike images"
    ),
    "fixed tags": _piece({"tag_rate_factor": 0.0}, "tags stay where their word vectors are"),
    "graph": _piece(
        {"num_neighbours": 20, "radius": 0.1},
        "tags are enhanced and merged on their correlation graph, as in the paper",
    ),
    "no whitening": _piece({"whitening": 0.0}, "features in the geometry of the backbone"),
    "linear head": _piece({"hidden_dim": None}, "no hidden layer"),
    "no dropout": _piece({"dropout": 0.0}, "no dropout in the head"),
    "constant rate": _piece({"schedule": "constant"}, "no cosine schedule"),
    "semantic metric": _piece(
        {"quantizer_metric": "semantic"}, "the quantizer's metric is the covariance of the tags"
    ),
    "unrelaxed": _piece({"relaxation": None}, "encoding without stochastic relaxation"),
    "joint": _piece(
        {"quantization_weight": 0.1}, "trained jointly with the quantizer, lambda = .1"
    ),
}


def variant_settings(name: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings that make a variant, of the paper's method or of the default.

    Parameters
    ----------
    name : str
        As for `find_variant`.
    settings : mapping, optional
        Settings that stand between the method's own and the variant's.

    Returns
    -------
    dict
        For `TrainConfig(..., **settings)`.

    Raises
    ------
    ValueError
        An unknown name; the message lists the known ones.
    """
    return find_variant(name).over(settings or {})


def find_variant(name: str) -> Variant:
    """The variant, of the paper's method or of the default, that a user names.

    Parameters
    ----------
    name : str
        A key of `VARIANTS` or `PIECES`; capitals do not matter, and words may be joined by "-"
        or "_", so that a shell needs no quotes.

    Raises
    ------
    ValueError
        An unknown name; the message lists the known ones.
    """
    variants = {**VARIANTS, **PIECES}
    found = {_plain(known): variant for known, variant in variants.items()}.get(_plain(name))
    return variants[as_choice(name, "variant", variants)] if found is None else found


def _plain(name: str) -> str:
    return name.lower().replace("-", " ").replace("_", " ")
