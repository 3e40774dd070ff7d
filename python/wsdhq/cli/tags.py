"""`wsdhq tags`: what the correlation graph makes of tags, without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from wsdhq._shared.arguments import about
from wsdhq._shared.files import write_json
from wsdhq.cli.console import say
from wsdhq.cli.options import check_folder_of
from wsdhq.data import read_tags
from wsdhq.embed.config import GRAPH_NEIGHBOURS, MERGE_RADIUS, SphereConfig

if TYPE_CHECKING:
    from wsdhq.embed.tags import SemanticSphere

_NAMES_SHOWN = 40


def tags(
    tags: Annotated[
        Path, typer.Option(help="Tags, one line per image: .txt (words) or .jsonl (lists).")
    ],
    word_vectors: Annotated[
        Path | None,
        typer.Option(help="word2vec .bin, .txt or .kv; by default trained on the tags."),
    ] = None,
    num_neighbours: Annotated[
        int, typer.Option(min=0, help="k: neighbours in the graph; 0 enhances nothing.")
    ] = GRAPH_NEIGHBOURS,
    threshold: Annotated[
        float, typer.Option(help="tau: least cosine of an edge.")
    ] = SphereConfig.threshold,
    radius: Annotated[
        float, typer.Option(help="eps: distance within which enhanced tags merge.")
    ] = MERGE_RADIUS,
    min_count: Annotated[
        int, typer.Option(min=1, help="Tags carried by fewer images are dropped.")
    ] = SphereConfig.min_count,
    seed: Annotated[int, typer.Option(min=0, help="Seed of trained word vectors.")] = 0,
    show: Annotated[int, typer.Option(min=0, help="Merged groups to print.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Write the groups here, as JSON.")] = None,
) -> None:
    """Link and merge tags on their correlation graph, and print groups, edges and counts."""
    from wsdhq.embed.tags import build_semantic_sphere, load_word_vectors, train_word_vectors

    if out is not None:
        check_folder_of(out)
    tag_sets = read_tags(tags)
    with about(tags):
        vectors = (
            train_word_vectors(
                tag_sets,
                dim=SphereConfig.word_dim,
                min_count=min_count,
                epochs=SphereConfig.word_epochs,
                seed=seed,
            )
            if word_vectors is None
            else load_word_vectors(word_vectors, words={tag for row in tag_sets for tag in row})
        )
        sphere = build_semantic_sphere(
            tag_sets,
            vectors,
            num_neighbours=num_neighbours,
            threshold=threshold,
            radius=radius,
            min_count=min_count,
        )
    for line in _lines(sphere, show):
        typer.echo(line)
    if out is not None:
        write_json(out, sphere.to_json())
        say(f"wrote {out}: the {len(sphere.members)} groups and the report")


def _lines(sphere: SemanticSphere, show: int) -> list[str]:
    report = sphere.report
    # Of the report itself, all lines but those of its few examples.
    lines = [line for line in report.summary_lines() if not line.startswith("  ")]
    sizes = np.array([len(members) for members in sphere.members])
    merged = [sphere.members[group] for group in np.argsort(-sizes, kind="stable")]
    merged = [members for members in merged if len(members) > 1]
    for members in merged[:show]:
        names = ", ".join(members[:_NAMES_SHOWN])
        more = len(members) - _NAMES_SHOWN
        lines.append(f"  {len(members):>12,}  {names}" + (f", and {more} more" if more > 0 else ""))
    if len(merged) > show:
        lines.append(f"  and {len(merged) - show} more groups of several tags")
    return lines
