"""An evaluation as the data of a report: what the page says of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsdhq import __version__
from wsdhq.data import ImageCollection, UnreadableImage, open_images
from wsdhq.data.skipped import list_skipped
from wsdhq.embed.tags import TagReport
from wsdhq.evaluation import spread_queries
from wsdhq.report import GalleryItem, GalleryQuery, Method, ReportData, curves_from_log
from wsdhq.runs.evaluation import Evaluation
from wsdhq.runs.plots import ONLY_GROUPING

_QUERIES_SHOWN = 8
_RESULTS_SHOWN = 8


def report_data(evaluation: Evaluation, title: str | None = None) -> ReportData:
    """What the report of an evaluation shows, under a title of its own if one is given."""
    model, main = evaluation.model, evaluation.methods[evaluation.main_method]
    grouping = next(iter(main.results))
    result = main.results[grouping]
    num_bytes = evaluation.codes.shape[1]
    shared = "label" if grouping == ONLY_GROUPING else f"label of {grouping!r}"
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
            "tags after merging": f"{len(model.sphere):,}",
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
            f"precision. A result is relevant if it shares a {shared} with the query."
        ),
        training=curves_from_log(
            evaluation.run.read_log(),
            {
                "semantic_loss": "loss of the tags",
                "quantization_loss": "quantization loss",
                "distortion": "distortion of the codes",
            },
        ),
        settings={
            "training": {
                name: "none" if value is None else value
                for name, value in asdict(model.config).items()
            },
            "evaluation": {
                "R": result.R,
                "similarity": evaluation.index.similarity,
                "queries": len(evaluation.query),
            },
        },
        notes=_notes(evaluation),
        footer=f"wsdhq {__version__}",
    )


def _notes(evaluation: Evaluation) -> list[str]:
    notes = []
    if evaluation.held_out:
        notes.append("The queries were held out: nothing was learnt from them.")
    elif evaluation.held_out is None:
        notes.append("These are not the files that the run was trained on.")
    else:
        notes.append(
            "Queries were among the images trained on: expect less of new images. Train with "
            "--queries to hold some out."
        )
    if evaluation.skipped:
        notes.append(
            f"{len(evaluation.skipped):,} of {evaluation.num_images:,} images could not be read "
            "and were left out together with their tags and labels: "
            + list_skipped(evaluation.skipped)
        )
    return notes + _tag_notes(evaluation.model.tags.report)


def _tag_notes(report: TagReport) -> list[str]:
    """What became of the tags, in sentences."""
    dropped = []
    if report.num_rare:
        dropped.append(f"{report.num_rare:,} were on fewer than {report.min_count} images")
    if report.num_unknown:
        shown = ", ".join(report.unknown_examples)
        dropped.append(f"{report.num_unknown:,} had no word vector ({shown})")
    used = f" {report.num_tags:,} were used; " + " and ".join(dropped) + "." if dropped else ""
    notes = [
        f"The {report.num_images:,} images to learn from carried {report.num_distinct:,} different "
        f"tags, {report.num_occurrences:,} in all.{used}"
    ]
    if report.num_merged_groups:
        groups = "; ".join(", ".join(members) for members in report.largest_groups)
        more = report.num_merged_groups > len(report.largest_groups)
        notes.append(
            f"{report.num_merged_tags:,} tags that are used alike were merged into "
            f"{report.num_merged_groups:,} points{', among them' if more else ''}: {groups}."
        )
    if without := report.num_untagged + report.num_left_without_tags:
        notes.append(
            f"{without:,} of these images had no usable tag; nothing was learnt from them, but "
            "they are encoded and found like the others."
        )
    return notes


def _steps(evaluation: Evaluation) -> list[tuple[str, str]]:
    model = evaluation.model
    source = "the pixels" if model.embeds_images else "the given features"
    return [
        (
            "Tags",
            f"The users' words became vectors, were smoothed over a graph of related words and "
            f"merged where they mean the same: {len(model.sphere):,} points on a sphere in "
            f"{model.dim} dimensions.",
        ),
        (
            "Embedding",
            f"A network learnt to place each image near its tags, from {source}, in "
            f"{model.config.epochs} passes.",
        ),
        (
            "Codes",
            f"Each place on the sphere was written as a sum of "
            f"{model.quantizer.num_codebooks} codewords, each one of 256: "
            f"{model.quantizer.num_codebooks} bytes.",
        ),
        (
            "Search",
            "A query adds up one table entry per byte and ranks the database by the sum.",
        ),
    ]


def _gallery(
    evaluation: Evaluation, average_precision: NDArray[np.float64], grouping: str
) -> list[GalleryQuery]:
    collection = None if evaluation.images is None else open_images(evaluation.images)
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
