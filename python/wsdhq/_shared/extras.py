"""What is installed beside the base package, and what to type for what is not."""

from __future__ import annotations

import json
import shlex
import urllib.parse
import urllib.request
from pathlib import Path


def install_command(extra: str) -> str:
    """What installs an extra from where this package itself came: a clone, a wheel or an index.

    Parameters
    ----------
    extra : str
        Of pyproject.toml: "train", "bench", ...
    """
    source = _source()
    if source is None:
        return f"pip install 'wsdhq[{extra}]'"
    # The tested versions; without them torch may come with gigabytes for GPUs.
    constraints = source / "constraints.txt"
    tested = f"-c {shlex.quote(str(constraints))} " if constraints.is_file() else ""
    return f"pip install {tested}'{source}[{extra}]'"


def _source() -> Path | None:
    """The folder or file that this package was installed from, if it is still there."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = distribution("wsdhq").read_text("direct_url.json")
        url = urllib.parse.urlparse(json.loads(origin)["url"]) if origin else None
    except (PackageNotFoundError, ValueError, KeyError, TypeError):
        return None
    if url is None or url.scheme != "file":
        return None
    path = Path(urllib.request.url2pathname(url.path))
    return path if path.exists() else None
