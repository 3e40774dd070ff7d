"""Settings of the computation: where, with how many threads, from which seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from wsdhq.embed.config.fields import Settings, text, whole


@dataclass(frozen=True, kw_only=True)
class ComputeConfig(Settings):
    """Where is computed, with how many threads, from which seed.

    Parameters
    ----------
    seed : int
        Seed of everything that is random, 0 .. 2^32 - 1.
    threads : int or None
        Threads of torch and of the quantizer; None uses all cores. Sums in torch may round
        differently with another number.
    device : str
        "cpu", "cuda" or "cuda:N".
    """

    seed: Annotated[int, whole(maximum=2**32 - 1)] = 0
    threads: Annotated[int | None, whole(1)] = None
    device: Annotated[str, text()] = "cpu"

    def _check_together(self) -> None:
        super()._check_together()
        kind, _, index = self.device.partition(":")
        if self.device != "cpu" and (kind != "cuda" or (index and not index.isdigit())):
            raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {self.device!r}")
