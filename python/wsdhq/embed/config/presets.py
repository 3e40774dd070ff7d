"""Settings by the name of a data set: its split, the paper's objective, the released schedule."""

from __future__ import annotations

from typing import Any

from wsdhq._shared.arguments import as_choice

# Paper, "Setup": AlexNet to fc7, 300-dimensional word vectors, k = 20, tau = .75, eps = .1,
# K_n = 1000, a linear transform layer learnt from scratch. Authors' released code: batches of
# 256, 3e-4 halved every 300 steps, gamma = 1, lambda = 1e-4, images of 256 x 256 cropped to 227,
# codes updated every second epoch. Its learning rate for the transform layer was meant as ten
# times that of the others, which `head_rate_factor` makes it.
_TAGS: dict[str, Any] = {"word_dim": 300}
_OBJECTIVE: dict[str, Any] = {
    "loss": "adaptive_margin",
    "num_neighbours": 20,
    "threshold": 0.75,
    "radius": 0.1,
    "quantizer_metric": "semantic",
    "whitening": 0.0,
    "hidden_dim": None,
    "dropout": 0.0,
    "gamma": 1.0,
    "num_negatives": 1000,
    "quantization_weight": 1e-4,
    "update_every": 2,
    "relaxation": "codebooks",
    "batch_size": 256,
    "learning_rate": 3e-4,
    "head_rate_factor": 10.0,
    "schedule": "halving",
    "halve_every": 300,
}
_IMAGES: dict[str, Any] = {
    "backbone": "alexnet",
    "image_size": 256,
    "crop_size": 227,
    "evaluation_crops": "ten",
}

_OF_THE_OBJECTIVE = {*_OBJECTIVE, "epochs"}

PRESETS: dict[str, dict[str, Any]] = {
    # 800 steps over 23,000 images are 9 epochs of 90.
    "mirflickr25k": {**_TAGS, **_OBJECTIVE, "num_queries": 2000, "min_count": 1, "epochs": 9},
    # 1,500 steps over 10,000 images are 37.5 epochs of 40.
    "nuswide": {
        **_TAGS,
        **_OBJECTIVE,
        "num_queries": 5000,
        "num_train": 10_000,
        "min_count": 1,
        "epochs": 38,
    },
}


def preset_settings(name: str, *, images: bool, objective: bool = True) -> dict[str, Any]:
    """The settings of a preset.

    Parameters
    ----------
    name : str
        A key of `PRESETS`.
    images : bool
        Whether training sees images, through AlexNet, or features computed before.
    objective : bool
        Whether what is trained, and how, is the paper's too; otherwise the settings are those of
        the data alone.

    Returns
    -------
    dict
        For `TrainConfig(..., **settings)`; the user's own settings go before these.

    Raises
    ------
    ValueError
        An unknown name; the message lists the known ones.
    """
    as_choice(name, "preset", PRESETS)
    settings = {**PRESETS[name], **(_IMAGES if images else {})}
    left_out = set() if objective else _OF_THE_OBJECTIVE
    return {field: value for field, value in settings.items() if field not in left_out}
