"""A self-contained report of one run: `report.html` to read offline, with nothing to install.

Fill a `ReportData` and call `write_report`. Each part may be left out; the page shows what
there is. All text may come from users (tags, labels, file names): it is escaped here.
"""

from wsdhq.report.model import (
    GalleryItem,
    GalleryQuery,
    Method,
    ReportData,
    TrainingCurve,
    curves_from_log,
)
from wsdhq.report.page import render_report, write_report

__all__ = [
    "GalleryItem",
    "GalleryQuery",
    "Method",
    "ReportData",
    "TrainingCurve",
    "curves_from_log",
    "render_report",
    "write_report",
]
