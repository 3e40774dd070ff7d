"""An evaluation as files: metrics.json, CSV tables, plots and report.html."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from wsdhq import __version__
from wsdhq._files import atomic_path, write_json, write_text
from wsdhq.cli.run_evaluation import Evaluation, gallery_images
from wsdhq.data import ImageCollection, UnreadableImage
from wsdhq.evaluation import spread_queries
from wsdhq.report import (
    GalleryItem,
    GalleryQuery,
    Method,
    ReportData,
    curves_from_log,
    write_report,
)

__all__ = ["write_evaluation"]

_QUERIES_SHOWN = 8
_RESULTS_SHOWN = 8


def write_evaluation(folder: Path, evaluation: Evaluation, title: str | None = None) -> list[Path]:
    """Write every form of the results into `folder`; returns the files."""
    written = {
        name: folder / name
        for name in (
            "metrics.json",
            "metrics.csv",
            "precision_recall.csv",
            "precision_recall.png",
            "precision_at_n.png",
            "report.html",
        )
    }
    write_json(written["metrics.json"], _metrics(evaluation))
    write_text(written["metrics.csv"], _metrics_table(evaluation))
    write_text(written["precision_recall.csv"], _curve_table(evaluation))
    _plot(written["precision_recall.png"], evaluation, "recall", "precision")
    _plot(written["precision_at_n.png"], evaluation, "top N", "precision at N")
    write_report(written["report.html"], _report(evaluation, title))
    return list(written.values())


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "num_images": evaluation.num_images,
        "num_skipped": len(evaluation.skipped),
        "queries_held_out": evaluation.held_out,
        "similarity": evaluation.index.similarity,
        "main": evaluation.main_method,
        "methods": {
            name: {
                "bytes_per_image": method.bytes_per_image,
                "results": {key: result.to_dict() for key, result in method.results.items()},
            }
            for name, method in evaluation.methods.items()
        },
    }


def _rows(evaluation: Evaluation) -> list[tuple[str, str, Any]]:
    return [
        (name, grouping, result)
        for name, method in evaluation.methods.items()
        for grouping, result in method.results.items()
    ]


def _csv(header: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _metrics_table(evaluation: Evaluation) -> str:
    rows: list[list[Any]] = []
    seen: set[str] = set()
    for name, grouping, result in _rows(evaluation):
        if grouping not in seen:
            seen.add(grouping)
            rows.append(["random", grouping, f"MAP@{result.R}", result.map_random])
        rows.append([name, grouping, f"MAP@{result.R}", result.map])
        rows.append([name, grouping, f"MAP@{result.R} over all relevant", result.map_all])
        if result.map_tie_averaged is not None:
            rows.append([name, grouping, f"MAP@{result.R} tie-averaged", result.map_tie_averaged])
        rows += [[name, grouping, f"P@{n}", value] for n, value in result.precision_at.items()]
    return _csv(["ranking", "labels", "measure", "value"], rows)


def _curve_table(evaluation: Evaluation) -> str:
    rows = [
        [name, grouping, int(depth), recall, precision]
        for name, grouping, result in _rows(evaluation)
        for depth, recall, precision in zip(result.depths, result.recall, result.precision)
    ]
    return _csv(["ranking", "labels", "depth", "recall", "precision"], rows)


def _plot(path: Path, evaluation: Evaluation, x_name: str, y_name: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = next(iter(evaluation.methods.values()))
    figure = Figure(figsize=(5.2 * len(first.results), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(first.results), squeeze=False)[0]
    for axes, grouping in zip(panels, first.results):
        for name, method in evaluation.methods.items():
            result = method.results[grouping]
            if x_name == "recall":
                x, y = result.recall, result.precision
            else:
                x, y = list(result.precision_at), list(result.precision_at.values())
            width = 2.2 if method.is_main else 1.2
            axes.plot(x, y, label=name, linewidth=width)
        chance = first.results[grouping].chance
        axes.axhline(chance, color="grey", linestyle=":", label="random")
        axes.set(xlabel=x_name, ylabel=y_name, title=f"by {grouping}", ylim=(0, 1))
        if x_name != "recall":
            axes.set_xscale("log")
        axes.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=144)


def _report(evaluation: Evaluation, title: str | None) -> ReportData:
    model, main = evaluation.model, evaluation.methods[evaluation.main_method]
    grouping = next(iter(main.results))
    result = main.results[grouping]
    num_bytes = evaluation.codes.shape[1]
    tags = model.tags.report
    notes = []
    if not evaluation.held_out:
        notes.append("The queries were among the images trained on: expect less of new images.")
    if evaluation.skipped:
        notes.append(
            f"{len(evaluation.skipped)} of {evaluation.num_images} images could not be read and "
            "were left out together with their tags and labels: "
            + "; ".join(f"{each.name} ({each.reason})" for each in evaluation.skipped[:5])
        )
    notes += [line for line in tags.summary_lines()]
    return ReportData(
        title=title or f"Retrieval with {8 * num_bytes}-bit codes",
        summary=(
            f"{len(evaluation.database):,} images, each stored in {num_bytes} bytes that were "
            f"learnt from users' tags alone, ranked for {len(evaluation.query):,} query images. "
            "Labels were used for measuring only."
        ),
        facts={
            "images in the database": f"{len(evaluation.database):,}",
            "queries": f"{len(evaluation.query):,}",
            "merged tags": f"{len(model.sphere):,}",
            "bytes per image": str(num_bytes),
        },
        steps=_steps(evaluation),
        methods=[
            Method(name, method.results, method.note, method.bytes_per_image, method.is_main)
            for name, method in evaluation.methods.items()
        ],
        gallery=_gallery(evaluation, result.average_precision, grouping),
        gallery_note=(
            "Queries are spread evenly from the best answered to the worst, by average "
            f"precision; a hit shares a label with the query (by {grouping})."
        ),
        training=curves_from_log(
            evaluation.run.read_log(),
            {
                "margin_loss": "margin loss",
                "quantisation_loss": "quantisation loss",
                "distortion": "distortion of the codes",
            },
        ),
        settings={
            "training": {k: v for k, v in asdict(model.config).items() if v is not None},
            "evaluation": {"R": result.R, "similarity": evaluation.index.similarity},
        },
        notes=notes,
        footer=f"wsdhq {__version__}",
    )


def _steps(evaluation: Evaluation) -> list[tuple[str, str]]:
    model = evaluation.model
    source = "pixels of the images" if model.embeds_images else "given features of the images"
    return [
        (
            "Tags",
            f"The users' words became vectors, were smoothed over a graph of related words and "
            f"merged where they mean the same: {len(model.sphere):,} points on a sphere in "
            f"{model.dim} dimensions.",
        ),
        (
            "Embedding",
            f"A network learnt to place each image near its tags, from the {source} "
            f"({model.config.epochs} epochs).",
        ),
        (
            "Codes",
            f"Each place on the sphere was written as a sum of "
            f"{model.quantizer.num_codebooks} codewords out of 256 each: "
            f"{model.quantizer.num_codebooks} bytes.",
        ),
        (
            "Search",
            "A query adds up one table entry per byte and ranks the database by the sum.",
        ),
    ]


def _gallery(evaluation: Evaluation, average_precision: Any, grouping: str) -> list[GalleryQuery]:
    collection = gallery_images(evaluation)
    try:
        shown = spread_queries(average_precision, _QUERIES_SHOWN)
        _, places = evaluation.index.search(
            evaluation.query_embeddings[shown], min(_RESULTS_SHOWN, len(evaluation.database))
        )
        labels = evaluation.labels.groupings[grouping]
        entries = []
        for number, row in enumerate(shown):
            query_row = int(evaluation.query[row])
            results = []
            for place in places[number]:
                found = int(evaluation.database[place])
                hit = bool(np.any(labels.matrix[query_row] & labels.matrix[found]))
                results.append(_item(evaluation, collection, found, grouping, hit))
            query = _item(evaluation, collection, query_row, grouping, None)
            note = f"average precision {average_precision[row]:.2f}"
            entries.append(GalleryQuery(query, results, note))
        return entries
    finally:
        if collection is not None:
            collection.close()


def _item(
    evaluation: Evaluation,
    collection: ImageCollection | None,
    row: int,
    grouping: str,
    relevant: bool | None,
) -> GalleryItem:
    labels = evaluation.labels.groupings[grouping]
    source = int(evaluation.kept[row])
    image, name = None, f"image {source}"
    if collection is not None:
        name = Path(collection.names[source]).name
        try:
            image = collection.open(source)
        except UnreadableImage:
            image = None
    return GalleryItem(
        name=name,
        tags=[] if evaluation.tags is None else evaluation.tags[source],
        labels=[labels.names[i] for i in np.flatnonzero(labels.matrix[row])],
        image=image,
        relevant=relevant,
    )
