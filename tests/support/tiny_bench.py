"""Settings of `wsdhq bench` so small that a run takes seconds."""

from __future__ import annotations

from dataclasses import replace

from wsdhq.bench import MODES

TINY = replace(
    MODES["quick"],
    vectors=2000,
    one_query_vectors=3000,
    queries=8,
    codebooks=(2,),
    depths=(10,),
    dims=(16,),
    sample=600,
    train=700,
    encode=300,
    beam_widths=(1,),
    solve=(500,),
    solve_dim=16,
    solve_codebooks=2,
    fit=700,
    fit_codebooks=(2,),
    authors_vectors=2,
    authors_tags=20,
    authors_dim=16,
    memory=(2000, 4000),
    rounds=2,
    read_bytes=1 << 20,
)
