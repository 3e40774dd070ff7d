"""The commands: what each is for, the module it lies in, and the extra it needs.

A command's module is imported when it is called: `wsdhq bench` needs no torch, and a process that
times threads should not have loaded one more runtime for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command: its module in `wsdhq.cli`, the extra it needs, and what it does in a line."""

    module: str
    extra: str
    summary: str


#: In the order of the help.
COMMANDS = {
    "demo": Command("demo", "train", "The whole job on images that it draws itself."),
    "tags": Command("tags", "train", "What the correlation graph makes of tags."),
    "train": Command("train", "train", "Learn an embedding and its codes from tags."),
    "embed": Command("codes", "train", "Embed images on the semantic hypersphere."),
    "encode": Command("codes", "train", "Encode images, one byte per codebook."),
    "index": Command("codes", "train", "Put codes into an index file."),
    "search": Command("search", "train", "Find the images that mean what a query means."),
    "evaluate": Command("evaluate", "train", "Measure a run by labels, and write its report."),
    "reproduce": Command("reproduce", "train", "The tables and figures of the paper."),
    "bench": Command("bench", "bench", "Time this library beside others, on this machine."),
}

#: What an extra brings that its commands cannot do without.
NEEDED = {
    "train": (
        "typer", "rich", "matplotlib", "PIL", "torch", "gensim", "scipy", "sklearn",
        "tomli_w", "threadpoolctl",
    ),
    "bench": ("typer", "rich"),
}  # fmt: skip
