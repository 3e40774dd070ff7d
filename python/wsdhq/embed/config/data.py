"""Settings of the data: which files, and which of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, path, whole


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """Which files are learnt from, and which of their rows.

    Parameters
    ----------
    tags : path
        Tags, `.txt` or `.jsonl` (`wsdhq.data.read_tags`).
    features, images : path
        Exactly one of them. `features`: an (N, F) `.npy` of cached backbone output.
        `images`: a folder, a `.zip` or a `.txt` list (`wsdhq.data.open_images`).
    num_queries, split_seed : int
        Rows held out of the training and of the quantizer as queries to evaluate with
        (`wsdhq.data.split_rows` over all input rows, readable or not).
    num_train : int or None
        Rows of the database to train on, drawn by the same permutation; None takes all.
    """

    tags: Annotated[str, path()]
    features: Annotated[str | None, path()] = None
    images: Annotated[str | None, path()] = None
    num_queries: Annotated[int, whole()] = 0
    split_seed: Annotated[int, whole(maximum=2**63 - 1)] = 0
    num_train: Annotated[int | None, whole(1)] = None

    def _check_together(self) -> None:
        super()._check_together()
        if (self.features is None) == (self.images is None):
            given = "both" if self.features is not None else "neither"
            raise ValueError(f"expected exactly one of features and images, got {given}")
