"""An evaluation as files: metrics.json, CSV tables, plots and report.html."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from wsdhq._shared.files import as_path, write_json, write_text
from wsdhq.evaluation import EvaluationResult
from wsdhq.report import write_report
from wsdhq.runs.evaluation import Evaluation
from wsdhq.runs.plots import plot
from wsdhq.runs.report_page import report_data


def report(
    evaluation: Evaluation,
    out: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> list[Path]:
    """Write an evaluation to files, the page report.html among them.

    Parameters
    ----------
    evaluation : Evaluation
        What `evaluate` gave.
    out : path, optional
        The folder to write to, made if need be; by default the run directory.
    title : str, optional
        Of the page.

    Returns
    -------
    list of Path
        metrics.json, metrics.csv, precision_recall.csv, precision_recall.png, precision_at_n.png
        and report.html, each whole or not at all.

    Raises
    ------
    FileNotFoundError
        The folder that `out` lies in does not exist.
    NotADirectoryError
        `out` is a file.
    """
    folder = evaluation.run.path if out is None else as_path(out)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"out: {folder} is a file, expected a folder")
    folder.mkdir(exist_ok=True)
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
    plot(written["precision_recall.png"], evaluation, "recall", "precision")
    plot(written["precision_at_n.png"], evaluation, "top N", "precision at N")
    write_report(written["report.html"], report_data(evaluation, title))
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


def _rows(evaluation: Evaluation) -> list[tuple[str, str, EvaluationResult]]:
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
