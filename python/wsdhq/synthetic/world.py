"""The world as files: images, tags, labels, and a record that they are complete."""

from __future__ import annotations

import hashlib
import json
import operator
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsdhq._shared.files import write_json, write_text
from wsdhq.synthetic.composition import compose
from wsdhq.synthetic.objects import KIND_NAMES
from wsdhq.synthetic.painting import paint
from wsdhq.synthetic.vocabulary import tag_image

# To be raised with every change of what is drawn or tagged, so that no older world is re-used.
_EDITION = 1
_IMAGES, _TAGS, _LABELS, _RECORD, _MARK = "images", "tags.txt", "labels.csv", "world.json", "ABOUT"
_IMAGE_NAME = re.compile(r"\d{6}\.jpg")
_MAX_IMAGES, _MIN_SIZE, _MAX_SIZE = 1_000_000, 16, 1024
_ABOUT = """\
This folder was rendered by wsdhq.synthetic: a made-up world of tagged images.
Keep nothing of your own here: when a rendering was interrupted (there is no world.json),
the next one writes the images, tags.txt and labels.csv anew.
"""


@dataclass(frozen=True)
class SyntheticWorld:
    """A rendered world.

    Attributes
    ----------
    directory : pathlib.Path
        The folder that holds all of it.
    images : pathlib.Path
        Folder of JPEG files, 000000.jpg and up, RGB, `size` x `size`.
    tags : pathlib.Path
        Text file: the tags of one image per line, separated by spaces, in the order of the
        image names; an empty line is an image without tags.
    labels : pathlib.Path
        CSV file: `image` (the file name), then one 0/1 column for each of `label_names`.
    num_images : int
        Number of images.
    seed : int
        What it was drawn from.
    size : int
        Pixels along each side of an image.
    label_names : tuple of str
        The kinds of object, in the order of the columns.
    """

    directory: Path
    images: Path
    tags: Path
    labels: Path
    num_images: int
    seed: int
    size: int
    label_names: tuple[str, ...] = KIND_NAMES


def render_world(
    directory: str | os.PathLike[str],
    num_images: int = 4000,
    seed: int = 0,
    size: int = 64,
    progress: Callable[[int, int], object] | None = None,
) -> SyntheticWorld:
    """Render the embedded data set into a folder.

    Each image shows one to three of twenty kinds of object before one of eighteen scenes,
    and carries the tags that a careless user would give it. Every file is a function of
    `num_images`, `seed` and `size` to the byte (with one version of NumPy and Pillow), and
    image i with its tags and labels of `seed` and `size` alone.

    A folder that holds a complete world of the same settings is used as it is; one whose
    rendering was interrupted is rendered anew.

    Parameters
    ----------
    directory : str or PathLike
        Folder to render into; it and its parents are made if need be. It must be empty or
        hold a world.
    num_images : int, default 4000
        1 .. 1,000,000.
    seed : int, default 0
        At least 0.
    size : int, default 64
        Pixels along each side, 16 .. 1024. What is shown does not depend on it.
    progress : callable, optional
        progress(done, total), called after every image that is drawn.

    Returns
    -------
    SyntheticWorld
        The settings and where everything lies.

    Raises
    ------
    TypeError
        A number is not an integer, or `progress` is not callable.
    ValueError
        A number is out of range; `directory` is a file, holds files that are not of a
        world, holds a world of other settings, or one whose files were changed since.
    """
    num_images = _integer("num_images", num_images, 1, _MAX_IMAGES)
    seed = _integer("seed", seed, 0, None)
    size = _integer("size", size, _MIN_SIZE, _MAX_SIZE)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress: expected a callable or None, got {type(progress).__name__}")
    root = Path(directory)
    if root.exists() and not root.is_dir():
        raise ValueError(f"directory: {root} is a file, expected a folder")
    world = SyntheticWorld(
        root, root / _IMAGES, root / _TAGS, root / _LABELS, num_images, seed, size
    )
    if (root / _RECORD).exists():
        _check_complete(world)
    else:
        _clear(root)
        _render(world, progress)
    return world


def _integer(name: str, value: Any, low: int, high: int | None) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}")
    if number < low or (high is not None and number > high):
        expected = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name}: expected {expected}, got {number}")
    return number


def _settings(world: SyntheticWorld) -> dict[str, Any]:
    return {
        "edition": _EDITION,
        "num_images": world.num_images,
        "seed": world.seed,
        "size": world.size,
    }


def _image_name(index: int) -> str:
    return f"{index:06d}.jpg"


def _content(world: SyntheticWorld, image_bytes: list[int]) -> dict[str, Any]:
    """What tells a complete world from a damaged one, cheaper than reading every image."""
    return {
        "image_bytes": hashlib.sha256(json.dumps(image_bytes).encode()).hexdigest(),
        **{
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (world.tags, world.labels)
        },
    }


def _render(world: SyntheticWorld, progress: Callable[[int, int], object] | None) -> None:
    """Write every file, the record last."""
    world.images.mkdir(parents=True, exist_ok=True)
    tag_lines = []
    label_lines = [",".join(("image", *KIND_NAMES))]
    image_bytes = []
    for index in range(world.num_images):
        name = _image_name(index)
        composition = compose(world.seed, index)
        path = world.images / name
        picture = paint(world.seed, index, composition, world.size)
        # Of grainy pictures PNG files are twice the size and take four times as long.
        picture.save(path, quality=95, subsampling=0)
        image_bytes.append(path.stat().st_size)
        tag_lines.append(" ".join(tag_image(world.seed, index, composition)))
        carried = set(composition.kinds)
        cells = ("1" if kind in carried else "0" for kind in range(len(KIND_NAMES)))
        label_lines.append(",".join((name, *cells)))
        if progress is not None:
            progress(index + 1, world.num_images)
    write_text(world.tags, "\n".join(tag_lines) + "\n")
    write_text(world.labels, "\n".join(label_lines) + "\n")
    record = {"settings": _settings(world), "content": _content(world, image_bytes)}
    write_json(world.directory / _RECORD, record)


def _check_complete(world: SyntheticWorld) -> None:
    """Raise ValueError unless the folder holds this very world, whole."""
    record_path = world.directory / _RECORD
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        settings, content = record["settings"], record["content"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{record_path}: expected the record of a rendered world, got another file"
        ) from error
    if settings != _settings(world):
        raise ValueError(
            f"directory: {world.directory} holds a world of other settings: expected "
            f"{_settings(world)}, got {settings}; choose or clear another folder"
        )
    image_bytes = []
    for path in [world.tags, world.labels]:
        if not path.is_file():
            raise ValueError(f"{path} of a rendered world is missing; {_ADVICE}")
    for index in range(world.num_images):
        path = world.images / _image_name(index)
        try:
            image_bytes.append(path.stat().st_size)
        except FileNotFoundError:
            raise ValueError(f"{path} of a rendered world is missing; {_ADVICE}") from None
    for name, digest in _content(world, image_bytes).items():
        if not isinstance(content, dict) or content.get(name) != digest:
            changed = world.images if name == "image_bytes" else world.directory / name
            raise ValueError(f"{changed} was changed since it was rendered; {_ADVICE}")
    extra = sorted(path.name for path in world.images.iterdir() if not path.name.startswith("."))
    if len(extra) != world.num_images:
        stranger = next(name for name in extra if not _is_image_of(world, name))
        raise ValueError(f"{world.images / stranger} is not of the rendered world; {_ADVICE}")


_ADVICE = "remove the folder to render it anew, or choose another"


def _is_image_of(world: SyntheticWorld, name: str) -> bool:
    return _IMAGE_NAME.fullmatch(name) is not None and int(name[:6]) < world.num_images


def _clear(root: Path) -> None:
    """Make the folder ready: new, empty, or rid of an interrupted rendering."""
    root.mkdir(parents=True, exist_ok=True)
    # Hidden files are of the system or of an interrupted write, never images of a user.
    found = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    ours = [root / name for name in (_IMAGES, _TAGS, _LABELS, _MARK)]
    marked = (root / _MARK).is_file()
    strangers = [path for path in found if not marked or path not in ours]
    images = root / _IMAGES
    leftovers = sorted(images.iterdir()) if marked and images.is_dir() else []
    strangers += [path for path in leftovers if not _IMAGE_NAME.fullmatch(path.name)]
    if strangers:
        raise ValueError(
            f"directory: {root} already holds {strangers[0].relative_to(root)}, which is not of "
            f"a rendered world; choose an empty folder"
        )
    write_text(root / _MARK, _ABOUT)
    for path in leftovers:
        path.unlink()
    for path in (root / _TAGS, root / _LABELS):
        path.unlink(missing_ok=True)
