"""Put the parts together into one HTML file that asks nothing of the network."""

from __future__ import annotations

import os
from importlib.resources import files
from string import Template

from wsdhq._shared.files import write_text
from wsdhq.report import figures, sections
from wsdhq.report.gallery import gallery
from wsdhq.report.markup import escape
from wsdhq.report.model import ReportData

_NAMES = {
    "done": "What was done",
    "results": "How good it is",
    "curves": "Curves",
    "gallery": "Gallery",
    "training": "Training",
    "settings": "Notes and settings",
}


def render_report(report: ReportData) -> str:
    """Render a report to HTML.

    Parameters
    ----------
    report : ReportData
        What to show.

    Returns
    -------
    str
        One document without scripts or external references (a content security policy in it
        forbids both). The same bytes for the same input.

    Raises
    ------
    TypeError, ValueError
        A picture of the gallery is neither a Pillow image nor a uint8 array.
    """
    parts = {
        "done": sections.steps(report),
        "results": figures.results(report),
        "curves": sections.curves(report),
        "gallery": gallery(report),
        "training": sections.training(report),
        "settings": sections.settings(report),
    }
    shown = {key: part for key, part in parts.items() if part}
    links = "".join(f'<a href="#{key}">{_NAMES[key]}</a>' for key in shown)
    package = files("wsdhq.report")
    template = Template(package.joinpath("template.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(report.title),
        style=package.joinpath("style.css").read_text(encoding="utf-8"),
        header=sections.header(report),
        links=f'<nav aria-label="Sections">{links}</nav>' if len(shown) > 1 else "",
        glance=figures.glance(report),
        sections="\n".join(shown.values()),
        footer=escape(report.footer),
    )


def write_report(path: str | os.PathLike[str], report: ReportData) -> None:
    """Write a report to `path`, whole or not at all.

    Parameters
    ----------
    path : str or PathLike
        Usually `report.html`. Its folder must exist.
    report : ReportData
        What to show.

    Raises
    ------
    FileNotFoundError
        The folder of `path` does not exist.
    TypeError, ValueError
        As `render_report`.
    """
    write_text(path, render_report(report))
