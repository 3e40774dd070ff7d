"""Settings of config.toml as text: NAME=VALUE."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

from wsdhq._shared.arguments import did_you_mean
from wsdhq.embed.config.train_config import TrainConfig


def read_settings(pairs: Sequence[str], taken: Collection[str]) -> dict[str, Any]:
    """Read what --set was given.

    Parameters
    ----------
    pairs : sequence of str
        "NAME=VALUE" each: a field of `TrainConfig`, and a TOML value, a bare word or `none`.
    taken : collection of str
        Fields that options of their own decide.

    Raises
    ------
    ValueError
        A pair of another form, an unknown name (the message lists the known ones), or one
        that is taken or given twice.
    """
    known = sorted(field.name for field in fields(TrainConfig))
    values = read_pairs(pairs, "--set")
    for name in values:
        if name not in known:
            raise ValueError(
                f"--set: expected settings among {', '.join(known)}, got {name!r}"
                f"{did_you_mean(name, known)}"
            )
        if name in taken:
            raise ValueError(f"--set: {name} is given twice, or by an option of its own too")
    return values


def read_pairs(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """Read an option that was given as NAME=VALUE, perhaps several times.

    Parameters
    ----------
    pairs : sequence of str
        Values are TOML, bare words or `none`.
    option : str
        What messages call it.

    Raises
    ------
    ValueError
        A pair of another form, or a name that is given twice.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"{option}: expected NAME=VALUE, got {pair!r}")
        if name in values:
            raise ValueError(f"{option}: {name} is given twice, or by an option of its own too")
        values[name] = _parse(text.strip())
    return values


def _parse(text: str) -> Any:
    """A TOML value; anything else is taken as a bare string, and `none` as None."""
    if text == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
