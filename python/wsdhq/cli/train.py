"""`wsdhq train`: files to a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wsdhq.cli.console import say, shows_bars
from wsdhq.cli.options import Features, Images, Threads, as_options, one_input
from wsdhq.embed.config import TrainConfig
from wsdhq.embed.config.pairs import read_settings
from wsdhq.embed.config.presets import PRESETS, preset_settings
from wsdhq.embed.config.variants import PIECES, VARIANTS, Variant, find_variant
from wsdhq.embed.run_directory import RunDirectory


def _setting(name: str, text: str, *spelling: str) -> Any:
    """An option of a setting: left out, a preset or the default of `TrainConfig` decides."""
    default = getattr(TrainConfig, name)
    end = "" if default is None else f" By default {default}."
    return typer.Option(*spelling, help=text + end)


def train(
    out: Annotated[Path, typer.Option(help="Run directory to write.")],
    tags: Annotated[
        Path, typer.Option(help="Tags, one line per image: .txt (words) or .jsonl (lists).")
    ],
    features: Features = None,
    images: Images = None,
    preset: Annotated[
        str | None, typer.Option(help=f"The paper's settings for a data set: {', '.join(PRESETS)}.")
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            help=f"The paper's method or a variant of it: {', '.join(VARIANTS)}; or the default "
            f"with a piece changed: {', '.join(PIECES)}."
        ),
    ] = None,
    bits: Annotated[int | None, _setting("bits", "Length of a code: 8, 16, 24, 32, ...")] = None,
    word_vectors: Annotated[
        Path | None,
        typer.Option(help="word2vec .bin, .txt or .kv; by default trained on the tags."),
    ] = None,
    num_queries: Annotated[
        int | None, _setting("num_queries", "Images to hold out as queries.", "--queries")
    ] = None,
    split_seed: Annotated[int | None, _setting("split_seed", "Seed of that choice.")] = None,
    epochs: Annotated[int | None, _setting("epochs", "Passes over the images.")] = None,
    learning_rate: Annotated[
        float | None,
        _setting("learning_rate", "Of the backbone: .002, or .0002 with --backbone-weights."),
    ] = None,
    hidden_dim: Annotated[
        int | None, _setting("hidden_dim", "Width of the head's hidden layer; 0: a linear head.")
    ] = None,
    num_negatives: Annotated[
        int | None, _setting("num_negatives", "Hardest negative tags per image (K_n); 0: all.")
    ] = None,
    image_size: Annotated[int | None, _setting("image_size", "Pixels a side.")] = None,
    crop_size: Annotated[
        int | None, _setting("crop_size", "Side of the crops that the backbone sees.")
    ] = None,
    backbone: Annotated[
        str | None,
        _setting("backbone", "small, alexnet (of crops of 227), torchvision:NAME or timm:NAME."),
    ] = None,
    backbone_weights: Annotated[
        Path | None,
        typer.Option(help="Weights it begins with: .npy (AlexNet), .pth or .safetensors."),
    ] = None,
    seed: Annotated[int | None, _setting("seed", "Seed of everything random.")] = None,
    threads: Threads = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of config.toml."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after an interruption.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in OUT.")] = False,
) -> None:
    """Learn an embedding and its codes from tags; writes the run directory OUT."""
    from wsdhq.embed import train as train_run

    given: dict[str, Any] = {
        "bits": bits,
        "num_queries": num_queries,
        "split_seed": split_seed,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "image_size": image_size,
        "crop_size": crop_size,
        "backbone": backbone,
        "backbone_weights": _text(backbone_weights),
        "seed": seed,
        "threads": threads,
        "features": _text(features),
        "images": _text(images),
        "word_vectors": _text(word_vectors),
    }
    settings = {name: value for name, value in given.items() if value is not None}
    for name, value in (("hidden_dim", hidden_dim), ("num_negatives", num_negatives)):
        if value is not None:
            settings[name] = value if value else None
    settings.update(read_settings(setting or [], {*settings, "out", "tags"}))
    begun: dict[str, Any] = {}
    chosen: Variant | None = None
    if variant is not None:
        with as_options("variant"):
            chosen = find_variant(variant)
    if preset is not None:
        of_the_paper = chosen is None or chosen.of_the_paper
        with as_options("preset"):
            begun = preset_settings(preset, images="images" in settings, objective=of_the_paper)
    if chosen is not None:
        begun = chosen.over(begun)
    if ("features" in settings) == ("images" in settings):
        one_input(features, images)
    config = TrainConfig(out=str(out), tags=str(tags), **{**begun, **settings})
    _check_out(out, resume, overwrite)
    try:
        bars = None if shows_bars() else False
        model = train_run(config, resume=resume, overwrite=overwrite, progress=bars)
    except KeyboardInterrupt:
        if RunDirectory(out).file("checkpoint.safetensors").is_file():
            say(f"{out} holds the last whole epoch: --resume goes on from there")
        raise
    say(
        f"wrote {out}: codes of {model.quantizer.num_codebooks} bytes per image, learnt from "
        f"{len(model.sphere)} tags after merging"
    )


def _check_out(out: Path, resume: bool, overwrite: bool) -> None:
    """Say in terms of the command line what `train` would say in terms of its parameters."""
    if resume and overwrite:
        raise ValueError("expected at most one of --resume and --overwrite, got both")
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"--out: {out} is a file, expected a run directory")
    if not resume and not overwrite and out.is_dir() and any(out.iterdir()):
        state = "holds a run" if RunDirectory(out).file("config.toml").is_file() else "is not empty"
        raise ValueError(
            f"--out: {out} {state}: --resume continues an interrupted training, --overwrite "
            "replaces the run; or name another folder"
        )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
