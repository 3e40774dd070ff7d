"""Draw every figure of the documentation: python docs/figures/draw.py

The SVG files beside this script are its output. Run it again when a drawing changes or a
measurement was repeated; a test compares them.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def drawings() -> dict[str, str]:
    """The file of each figure by its name."""
    sys.path.insert(0, str(FOLDER))
    try:
        from concepts import DRAWINGS
        from measured import CHARTS
    finally:
        sys.path.remove(str(FOLDER))
    return {name: draw().svg() for name, draw in {**DRAWINGS, **CHARTS}.items()}


if __name__ == "__main__":
    for name, svg in drawings().items():
        (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
