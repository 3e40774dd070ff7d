"""Where torch computes, checked before there is any work to lose."""

from __future__ import annotations

import torch


def usable_device(name: str) -> torch.device:
    """The device of a name, if torch can compute there.

    Parameters
    ----------
    name : str
        "cpu", "cuda" or "cuda:N".

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        Another name, or a GPU that torch does not see.
    """
    kind, colon, number = name.partition(":")
    if name != "cpu" and (kind != "cuda" or bool(colon) != number.isdigit()):
        raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    seen = torch.cuda.device_count() if kind == "cuda" else 0
    if kind == "cuda" and int(number or 0) >= seen:
        gpus = {0: "no GPU", 1: "one GPU"}.get(seen, f"{seen} GPUs")
        raise ValueError(f"device: torch {torch.__version__} sees {gpus}, got {name!r}")
    return torch.device(name)
