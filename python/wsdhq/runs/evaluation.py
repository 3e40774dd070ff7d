"""What an evaluation of a run found: the rankings measured, and the rows they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq.data import Labels, SkippedImage
from wsdhq.embed import TrainedModel
from wsdhq.embed.run_directory import RunDirectory
from wsdhq.evaluation import EvaluationResult
from wsdhq.quant import AQDIndex


@dataclass(frozen=True)
class MethodResult:
    """One way of ranking.

    Attributes
    ----------
    results : dict of str to EvaluationResult
        By grouping of labels.
    note : str
        What the ranking is, in a few words.
    bytes_per_image : float
        What it stores of an image.
    is_main : bool
        Whether it is the ranking by codes.
    """

    results: dict[str, EvaluationResult]
    note: str
    bytes_per_image: float
    is_main: bool = False


@dataclass
class Evaluation:
    """What `evaluate` measured, and what a report shows of it.

    Rows count the images that could be read; `kept` maps them to the rows of the input.

    Attributes
    ----------
    methods : dict of str to MethodResult
        The ways of ranking by name: what there was before training, the embedding, the codes.
    query, database : (Q,), (N,) int64
        Rows that queried and that were ranked.
    labels : Labels
        Of the rows.
    codes : (n, M) uint8
        Of the rows.
    query_embeddings : (Q, D) float32
    index : AQDIndex
        Of the codes of the database.
    num_images : int
        Images in the input, readable or not.
    kept : (n,) int64
        The input row of each row.
    skipped : list of SkippedImage
        Images that could not be read.
    held_out : bool or None
        Whether nothing was learnt from the queries; None where other images are ranked than were
        trained on.
    tags : list of list of str, or None
        Of the input rows, to be shown.
    images : Path or None
        The images to be shown.
    model : TrainedModel
    run : RunDirectory
    """

    model: TrainedModel
    run: RunDirectory
    labels: Labels
    query: NDArray[np.int64]
    database: NDArray[np.int64]
    codes: NDArray[np.uint8]
    index: AQDIndex
    query_embeddings: NDArray[np.float32]
    num_images: int
    kept: NDArray[np.int64]
    skipped: list[SkippedImage]
    tags: list[list[str]] | None
    images: Path | None
    held_out: bool | None
    methods: dict[str, MethodResult] = field(default_factory=dict)

    @property
    def main_method(self) -> str:
        """Name of the ranking by codes."""
        return next(name for name, method in self.methods.items() if method.is_main)

    @property
    def results(self) -> dict[str, EvaluationResult]:
        """What the ranking by codes reached, by grouping of labels."""
        return self.methods[self.main_method].results

    def __repr__(self) -> str:
        figures = ", ".join(
            f"MAP@{each.R} by {name} {each.map:.4f} (random {each.map_random:.4f})"
            for name, each in self.results.items()
        )
        return (
            f"Evaluation({self.main_method}: {figures}; {len(self.query)} queries, "
            f"{len(self.database)} images in the database)"
        )
