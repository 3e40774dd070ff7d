"""A table or figure of the paper from beginning to end: what is missing computed, files written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsdhq._shared.files import write_text
from wsdhq.reproduce.cells import CellStore
from wsdhq.reproduce.inputs.dataset import Materials, Source
from wsdhq.reproduce.methods import Method, Work
from wsdhq.reproduce.plan import Plan
from wsdhq.reproduce.results.exports import curves_csv, precision_csv, sweep_csv, table_csv
from wsdhq.reproduce.results.figure_tables import figure_markdown
from wsdhq.reproduce.results.figures import (
    curve_figure,
    precision_figure,
    save_figure,
    sweep_figure,
)
from wsdhq.reproduce.results.summary import Results
from wsdhq.reproduce.results.tables import About, markdown
from wsdhq.reproduce.runner import check_stale, compute_missing, gather, set_aside_other_rows

FIGURES = {
    "fig3": (curves_csv, curve_figure),
    "fig4": (precision_csv, precision_figure),
    "fig5": (sweep_csv, sweep_figure),
}


@dataclass
class Reproduction:
    """A table or figure to compute and write, with all that was asked for.

    Attributes
    ----------
    plan : Plan
    methods : dict of str to Method
    source : Source
    by : list of str
        Groupings of labels to show; all if empty.
    depth : int
        R of MAP@R.
    overwrite : bool
        Whether cells of other data or settings are computed anew.
    command : str
        What made it, to be shown beside the figures.
    """

    plan: Plan
    methods: dict[str, Method]
    source: Source
    by: list[str]
    depth: int
    overwrite: bool
    command: str

    def run(self, work: Work) -> tuple[About, Results, list[Path]]:
        """Compute what is missing and write the files, those of what is finished after Ctrl-C."""
        store = CellStore(self.source.out / "cells")
        self.source.listener = work.listener
        materials = self._materials()
        shown = self._about(materials[self.plan.seeds[0]])
        for line in shown.summary:
            work.listener.log(line)
        gathered = gather(self.plan, self.methods, materials, store, self.depth)
        if not self.overwrite:
            check_stale(self.plan, gathered)
        others = [cell for cell in gathered.stale if cell not in self.plan.wanted]
        if others:
            work.listener.log(
                f"not shown: {len(others)} cells, such as: {gathered.stale[others[0]]}"
            )
        self.source.out.mkdir(exist_ok=True)
        results = gathered.results
        try:
            set_aside_other_rows(self.plan, gathered, materials, store)
            if not self.overwrite:
                check_stale(self.plan, gathered)
            compute_missing(self.plan, self.methods, materials, store, self.depth, work, results)
        except KeyboardInterrupt:
            self._write(shown, results)
            work.listener.log(
                f"{store.folder} holds what is finished: the same command goes on from there"
            )
            raise
        return shown, results, self._write(shown, results)

    def _materials(self) -> dict[int, Materials]:
        try:
            return {seed: self.source.materials(seed) for seed in self.plan.seeds}
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
            raise TypeError(f"load: the reader of {self.source.name}: {error}") from error

    def _about(self, materials: Materials) -> About:
        known = materials.dataset.groupings
        for name in self.by:
            if name not in known:
                raise ValueError(
                    f"by: no grouping of labels is called {name!r}: there is "
                    f"{', '.join(map(repr, known))}"
                )
        return About(
            dataset=self.source.name,
            summary=(*materials.dataset.summary, *materials.lines),
            groupings=tuple(self.by or known),
            depth=self.depth,
            command=self.command,
            methods=self.methods,
            quick=self.source.quick,
        )

    def _write(self, shown: About, results: Results) -> list[Path]:
        target, folder = self.plan.target, self.source.out
        plain, text = folder / f"{target}.csv", folder / f"{target}.md"
        if target not in FIGURES:
            write_text(plain, table_csv(self.plan, shown, results))
            write_text(text, markdown(self.plan, shown, results))
            return [plain, text]
        export, draw = FIGURES[target]
        picture = folder / f"{target}.png"
        write_text(plain, export(self.plan, shown, results))
        save_figure(picture, draw(self.plan, shown, results))
        write_text(text, figure_markdown(self.plan, shown, results))
        return [plain, text, picture]
