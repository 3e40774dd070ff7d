"""The curves of an evaluation as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsdhq._shared.files import atomic_path
from wsdhq.evaluation import EvaluationResult
from wsdhq.runs.evaluation import Evaluation

# The name of a grouping that has none of its own: a table of 0 and 1.
ONLY_GROUPING = "labels"

# Colour and dashes of the lines, those of the report.
_MAIN_STYLE = ("#1f4fc4", "-")
_STYLES = (("#b3571b", "--"), ("#1a8a6b", "-."))


def plot(path: Path, evaluation: Evaluation, x_name: str, y_name: str) -> None:
    """Draw the curves of each way of ranking to a PNG file, a panel per grouping of labels.

    Parameters
    ----------
    path : Path
        File to write.
    evaluation : Evaluation
        What was measured.
    x_name : {"recall", "top N"}
        What runs along the horizontal axis, and so which curve.
    y_name : str
        Name of the vertical axis.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = next(iter(evaluation.methods.values()))
    figure = Figure(figsize=(0.4 + 4.8 * len(first.results), 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(first.results), squeeze=False, sharey=True)[0]
    for axes, (grouping, result) in zip(panels, first.results.items()):
        axes.axhline(result.chance, color="grey", linestyle=":", label="random")
        styles = iter(_STYLES)
        for name, method in evaluation.methods.items():
            x, y = _curve(method.results[grouping], x_name)
            color, line = _MAIN_STYLE if method.is_main else next(styles)
            width = 2.4 if method.is_main else 1.5
            marker = None if x_name == "recall" else "o"
            axes.plot(
                x, y, label=name, color=color, linestyle=line, linewidth=width, marker=marker,
                markersize=1.8 * width,
            )  # fmt: skip
        title = "" if len(first.results) == 1 and grouping == ONLY_GROUPING else f"by {grouping}"
        axes.set(xlabel=x_name, ylim=(0, 1.02), title=title)
        if x_name == "recall":
            axes.set_xlim(0, 1)
        else:
            axes.set_xscale("log")
            # 10, 100, 1000: powers are for readers of formulas.
            axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(y_name)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=2, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=144)


def _curve(result: EvaluationResult, x_name: str) -> tuple[Any, Any]:
    if x_name == "recall":
        return result.recall, result.precision
    return list(result.precision_at), list(result.precision_at.values())
