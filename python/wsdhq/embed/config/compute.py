"""Settings of the computation: where, with how many threads, from which seed."""

from __future__ import annotations

from dataclasses import dataclass

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

    seed: int = whole(0, maximum=2**32 - 1)
    threads: int | None = whole(None, 1)
    device: str = text("cpu")

    def _check_together(self) -> None:
        super()._check_together()
        kind, _, index = self.device.partition(":")
        if self.device != "cpu" and (kind != "cuda" or (index and not index.isdigit())):
            raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {self.device!r}")
