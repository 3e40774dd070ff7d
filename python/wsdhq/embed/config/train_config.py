"""Settings of a training run: checked when made, kept beside the run as config.toml."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from wsdhq._files import atomic_path

__all__ = ["GRAPH_NEIGHBOURS", "MERGE_RADIUS", "TrainConfig"]

SCHEDULES = ("cosine", "constant", "halving")
RELAXATIONS = ("codebooks", "data", None)
LOSSES = ("tag_softmax", "adaptive_margin", "fixed_margin", "batch_hinge")
QUANTISER_METRICS = ("identity", "semantic")
EVALUATION_CROPS = ("centre", "ten")

# Steps in an epoch, where that leaves batches of a good size.
_STEPS = 160
# The paper's correlation graph: k and eps.
GRAPH_NEIGHBOURS, MERGE_RADIUS = 20, 0.1
# Tags an image at which dropout is a half.
_FEW_TAGS = 1.5
# The rate of a backbone that begins with random weights, and of one that was trained before.
_NEW_RATE, _TRAINED_RATE = 2e-3, 2e-4
# Head to backbone, in rates: where the head learns alone, beside a backbone with random weights,
# and beside one that was trained before.
_ALONE, _BESIDE_NEW, _BESIDE_TRAINED = 3.5, 1.0, 10.0

# No network has wider layers, and no backbone sees larger images: a run that says so is damaged,
# and would take memory by its square.
_WIDEST, _LARGEST_IMAGE = 2**16, 2**12
_LARGEST = 2**31 - 1
_MOST = {
    "word_dim": _WIDEST,
    "hidden_dim": _WIDEST,
    "image_size": _LARGEST_IMAGE,
    "crop_size": _LARGEST_IMAGE,
    **dict.fromkeys(
        (
            "word_epochs", "min_count", "num_neighbours", "num_queries", "num_train", "epochs",
            "batch_size", "halve_every", "num_negatives", "update_every", "threads",
        ),
        _LARGEST,
    ),
}  # fmt: skip

# TOML has no null: None is written as this word where leaving the key out would mean
# another default.
_NONE = "none"
_PATHS = ("out", "features", "images", "tags", "word_vectors", "backbone_weights")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the outcome of `train`, besides the input files themselves.

    Parameters
    ----------
    out : path
        The run directory.
    tags : path
        Tags, `.txt` or `.jsonl` (`wsdhq.data.read_tags`).
    features, images : path
        Exactly one of them. `features`: an (N, F) `.npy` of cached backbone output.
        `images`: a folder, a `.zip` or a `.txt` list (`wsdhq.data.open_images`).
    bits : int
        Length of a code, a positive multiple of 8 up to 512: one byte, so one codebook of 256
        codewords, per 8 bits.
    word_vectors : path or None
        Word vectors to load (word2vec binary or text, `.kv`); None trains them on the tags.
    word_dim, word_epochs : int
        Dimension and passes of word vectors trained on the tags.
    min_count : int
        Tags carried by fewer images are dropped.
    num_neighbours, threshold, radius : int or None, float, float or None
        k, tau and eps of method section 1: neighbours in the correlation graph, smallest
        cosine of an edge, distance within which enhanced tags merge. With k = 0 nothing is
        enhanced, with eps = 0 only tags of equal vectors merge: both together leave the
        graph out (the paper's WSDHQ_G). None is the paper's 20 and .1 where word vectors are
        loaded, and no graph, 0 and 0, where they are trained on the tags: those of tags that few
        images carry lie beside others by chance, and what is merged wrongly cannot be told apart
        again.
    num_queries, split_seed : int
        Rows held out of the training and of the quantiser as queries to evaluate with
        (`wsdhq.data.split_rows` over all input rows, readable or not).
    num_train : int or None
        Rows of the database to train on, drawn by the same permutation; None takes all.
    epochs : int
        Passes over the training rows.
    batch_size : int or None
        Images per step at most (batches are of nearly equal size). None takes a 160th of the
        training rows, as a power of two from 64 to 256: small collections need steps, large ones
        neighbours in the batch.
    learning_rate : float or None
        The backbone's rate, of Adam. None is .002, and a tenth of it for a backbone that begins
        with `backbone_weights`: what it knows is to be kept. For a module of your own that was
        trained before, give .0002 and a `head_rate_factor` of 10.
    head_rate_factor : float or None
        The head learns with `head_rate_factor * learning_rate`, in features mode too. None is
        3.5 there, where the head learns alone; 1 beside a backbone with random weights, as a head
        that runs ahead of it settles on features that mean nothing yet; and 10 beside one that
        begins with `backbone_weights`.
    schedule : {"cosine", "constant", "halving"}
        Rate over the steps: rising during the first twentieth and falling to 0 along a half
        cosine, constant, or halved after every `halve_every` steps.
    halve_every : int
        Steps between halvings, for "halving" only.
    weight_decay : float
        Decoupled weight decay, scaled by the rate of each group.
    whitening : float
        How far features are whitened before the head, 0 .. 1: each dimension is divided by its
        standard deviation to this power. 0 keeps the geometry of the backbone.
    hidden_dim : int or None
        Width of the head's hidden layer; None is the paper's linear head.
    dropout : float or None
        Dropout before the last layer of the head, 0 <= dropout < 1. None follows the tags:
        1.5 / (1.5 + t) where trained images carry t of them on average, .23 for five and .5 for
        one and a half. The fewer there are, the sooner they are learnt by heart.
    normalise : bool
        Whether tags and images are brought to unit norm. False keeps their norms and takes
        inner products for cosines, in training, quantiser and search (the paper's WSDHQ_N);
        not with "tag_softmax".
    loss : {"tag_softmax", "adaptive_margin", "fixed_margin", "batch_hinge"}
        The semantics-preserving loss (`wsdhq.embed.training.objectives`): softmax over tags and
        over neighbours; the paper's adaptive cosine margin; the same with one margin for all pairs
        of tags; or the hinge of WDHT between the mean tag vectors of a batch (the paper's WSDHQ_L).
    temperature : float
        Of the softmax over tags in "tag_softmax", above 0: low ones tell similar tags apart,
        high ones let them share a place.
    neighbour_weight : float
        Weight of the softmax over neighbours in "tag_softmax"; 0 leaves it out.
    neighbour_temperature : float
        Of that softmax, above 0: low ones look at the nearest images, high ones draw whole kinds
        together.
    plausibility : float
        How much "tag_softmax" doubts tags that an image gives no sign of: their weights are
        multiplied by the probability that the network gives them, to this power. 0 trusts all.
    propagation : float
        What the tags of look-alike images count in "tag_softmax" beside an image's own, in tags
        of mean weight: they stand in for those that nobody wrote down. 0 leaves them out. They
        are asked after the first fifth of the training; with images, unless the backbone begins
        with `backbone_weights`, only in the last three tenths.
    tag_rate_factor : float
        In "tag_softmax" the tags' own places on the sphere learn with `tag_rate_factor` times the
        head's rate; 0 leaves them where the word vectors put them.
    margin : float or None
        Margin of the losses that have a fixed one. None: 2^(1 - gamma), which the adaptive
        margin gives to unrelated tags, for "fixed_margin"; 0.2, that of WDHT, for
        "batch_hinge".
    gamma : float
        Shape of the adaptive margin (method section 2).
    num_negatives : int or None
        Hardest tags taken as negatives per image; None takes all, as the released code.
    quantisation_weight : float
        lambda, the weight of the quantisation loss `(r - r^)^T Sigma (r - r^)`. With 0 codes and
        codebooks are learnt once, at the end (the paper's WSDHQ_2, two-stage).
    quantiser_metric : {"identity", "semantic"}
        Sigma of the quantiser and of its loss: plain squared distance, or the paper's sum of
        `s s^T` over the tags, where lambda is smaller by the eigenvalues of that sum.
    update_every : int
        Epochs between updates of codes and codebooks.
    relaxation : {"codebooks", "data", None}
        Stochastic relaxation of the quantiser: noise on the codewords, as in the paper, on the
        embeddings, or none.
    seed : int
        Seed of everything that is random, 0 .. 2^32 - 1.
    threads : int or None
        Threads of torch and of the quantiser; None uses all cores. Sums in torch may round
        differently with another number.
    image_size : int
        Images are resized to `image_size` x `image_size`, at least 16.
    crop_size : int or None
        Side of the square, cut out of the resized image, that the backbone sees: 16 ..
        `image_size`. None shows the whole image.
    evaluation_crops : {"centre", "ten"}
        Outside training, with a crop size: the central crop, or the mean embedding of ten (the
        corners, the centre, and their mirror images).
    augment : bool
        Mirror training images at random and crop them at random (without a crop size: shift
        them).
    backbone : str
        Name of the backbone in images mode (`wsdhq.embed.backbones.make_backbone`), used where
        no module is given to `train`.
    backbone_weights : path or None
        Weights of the backbone to begin with: for "alexnet" a Caffe-converted `.npy` or a
        state dict of torchvision's, in whose form it is then built. None begins with random
        ones.
    device : str
        "cpu", "cuda" or "cuda:N".

    Raises
    ------
    TypeError
        A value of the wrong type; the message names the field.
    ValueError
        A value out of range, or not exactly one of `features` and `images`.
    """

    out: str
    tags: str
    features: str | None = None
    images: str | None = None
    bits: int = 32
    word_vectors: str | None = None
    word_dim: int = 128
    word_epochs: int = 20
    min_count: int = 5
    num_neighbours: int | None = None
    threshold: float = 0.75
    radius: float | None = None
    num_queries: int = 0
    split_seed: int = 0
    num_train: int | None = None
    epochs: int = 15
    batch_size: int | None = None
    learning_rate: float | None = None
    head_rate_factor: float | None = None
    schedule: str = "cosine"
    halve_every: int = 300
    weight_decay: float = 0.0
    whitening: float = 0.5
    hidden_dim: int | None = 1024
    dropout: float | None = None
    normalise: bool = True
    loss: str = "tag_softmax"
    temperature: float = 0.15
    neighbour_weight: float = 0.5
    neighbour_temperature: float = 0.3
    plausibility: float = 0.5
    propagation: float = 1.0
    tag_rate_factor: float = 1.0
    margin: float | None = None
    gamma: float = 1.0
    num_negatives: int | None = 1000
    quantisation_weight: float = 0.0
    quantiser_metric: str = "identity"
    update_every: int = 2
    relaxation: str | None = "data"
    seed: int = 0
    threads: int | None = None
    image_size: int = 64
    crop_size: int | None = None
    evaluation_crops: str = "centre"
    augment: bool = True
    backbone: str = "small"
    backbone_weights: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in _PATHS:
            value = getattr(self, name)
            if isinstance(value, os.PathLike):
                object.__setattr__(self, name, os.fspath(value))
        for field in fields(self):
            object.__setattr__(self, field.name, _checked_type(field, getattr(self, field.name)))
        if (self.features is None) == (self.images is None):
            given = "both" if self.features is not None else "neither"
            raise ValueError(f"expected exactly one of features and images, got {given}")
        for name in ("word_dim", "word_epochs", "min_count", "num_train"):
            self._check_at_least(name, 1)
        for name in ("epochs", "batch_size", "halve_every", "update_every"):
            self._check_at_least(name, 1)
        for name in ("hidden_dim", "num_negatives", "threads"):
            self._check_at_least(name, 1)
        for name in ("num_queries", "split_seed", "seed", "num_neighbours", "margin"):
            self._check_at_least(name, 0)
        for name in ("weight_decay", "quantisation_weight", "neighbour_weight"):
            self._check_at_least(name, 0)
        for name in ("plausibility", "propagation", "tag_rate_factor"):
            self._check_at_least(name, 0)
        for name in ("learning_rate", "head_rate_factor", "gamma"):
            self._check_above_zero(name)
        for name in ("temperature", "neighbour_temperature"):
            self._check_above_zero(name)
        for name, most in _MOST.items():
            self._check_at_most(name, most)
        self._check_at_least("radius", 0)
        self._check_at_least("image_size", 16)
        self._check_at_least("crop_size", 16)
        if self.crop_size is not None and self.crop_size > self.image_size:
            raise ValueError(
                f"crop_size must be at most image_size, {self.image_size}, got {self.crop_size}"
            )
        if self.seed >= 2**32:
            raise ValueError(f"seed must be below 2^32, got {self.seed}")
        # 64 codebooks of 256: the quantiser's limit, found out before hours of training.
        if self.bits < 8 or self.bits % 8 or self.bits > 512:
            raise ValueError(f"bits must be a positive multiple of 8 up to 512, got {self.bits}")
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold must be a cosine, -1 .. 1, got {self.threshold}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in 0 <= dropout < 1, got {self.dropout}")
        self._check_choice("schedule", SCHEDULES)
        self._check_choice("relaxation", RELAXATIONS)
        if not 0 <= self.whitening <= 1:
            raise ValueError(f"whitening must be in 0 .. 1, got {self.whitening}")
        self._check_choice("loss", LOSSES)
        self._check_choice("quantiser_metric", QUANTISER_METRICS)
        if self.loss == "tag_softmax" and not self.normalise:
            raise ValueError(
                "normalise must be true for the loss 'tag_softmax', which takes products for "
                "cosines; got false"
            )
        self._check_choice("evaluation_crops", EVALUATION_CROPS)
        kind, _, number = self.device.partition(":")
        if self.device != "cpu" and (kind != "cuda" or (number and not number.isdigit())):
            raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {self.device!r}")

    @property
    def num_codebooks(self) -> int:
        """Codebooks of 256 codewords, one per byte of a code."""
        return self.bits // 8

    @property
    def graph_neighbours(self) -> int:
        """k of the correlation graph: see `num_neighbours`."""
        if self.num_neighbours is not None:
            return self.num_neighbours
        return 0 if self.word_vectors is None else GRAPH_NEIGHBOURS

    @property
    def merge_radius(self) -> float:
        """The distance within which enhanced tags merge: see `radius`."""
        if self.radius is not None:
            return self.radius
        return 0.0 if self.word_vectors is None else MERGE_RADIUS

    @property
    def backbone_rate(self) -> float:
        """The backbone's learning rate: see `learning_rate`."""
        if self.learning_rate is not None:
            return self.learning_rate
        return _NEW_RATE if self.backbone_weights is None else _TRAINED_RATE

    @property
    def head_rate(self) -> float:
        """The head's learning rate: see `head_rate_factor`."""
        factor = self.head_rate_factor
        if factor is None and self.images is None:
            factor = _ALONE
        elif factor is None:
            factor = _BESIDE_NEW if self.backbone_weights is None else _BESIDE_TRAINED
        return self.backbone_rate * factor

    def batch_size_for(self, num_rows: int) -> int:
        """Images per step, where there are `num_rows` to train on: see `batch_size`."""
        if self.batch_size is not None:
            return self.batch_size
        return int(2 ** round(math.log2(min(max(num_rows / _STEPS, 64), 256))))

    def dropout_for(self, tags_per_image: float) -> float:
        """Dropout in the head, where trained images carry so many tags: see `dropout`."""
        if self.dropout is not None:
            return self.dropout
        return _FEW_TAGS / (_FEW_TAGS + tags_per_image)

    def to_toml(self) -> str:
        """The settings as TOML, paths as they were given.

        Returns
        -------
        str
            Text from which `from_toml` makes an equal configuration.
        """
        import tomli_w

        defaults = {field.name: field.default for field in fields(self)}
        table: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if value is not None:
                table[name] = value
            elif defaults[name] is not None:
                table[name] = _NONE
        return tomli_w.dumps(table)

    @classmethod
    def from_toml(cls, text: str, source: str = "config.toml") -> TrainConfig:
        """Read settings from TOML text.

        Parameters
        ----------
        text : str
            A table of settings; keys that are missing take their defaults.
        source : str
            Where the text is from, for error messages.

        Raises
        ------
        TypeError, ValueError
            No TOML, an unknown key (the message lists the known ones), a key that is
            required and missing, or a value that the class refuses.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{source}: expected TOML: {error}") from error
        except RecursionError:
            raise ValueError(f"{source}: expected TOML of settings, got lists in lists") from None
        known = {field.name: field for field in fields(cls)}
        for name in table:
            if name not in known:
                raise ValueError(
                    f"{source}: unknown key {name!r}; known keys: {', '.join(sorted(known))}"
                )
        for name in ("out", "tags"):
            if name not in table:
                raise ValueError(f"{source}: the key {name!r} is missing")
        for name, value in table.items():
            optional = "None" in str(known[name].type) and known[name].default is not None
            if optional and value == _NONE:
                table[name] = None
        try:
            return cls(**table)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{source}: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_toml()` to `path`, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.to_toml(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainConfig:
        """Read a file that `save` wrote.

        Raises
        ------
        FileNotFoundError
            `path` does not exist.
        TypeError, ValueError
            As `from_toml`; the message names the file.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file; expected the settings of a run, TOML")
        try:
            text = Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: expected UTF-8 text: {error}") from error
        return cls.from_toml(text, source=os.fspath(path))

    def _check_at_least(self, name: str, smallest: int) -> None:
        value = getattr(self, name)
        if value is not None and value < smallest:
            raise ValueError(f"{name} must be at least {smallest}, got {value}")

    def _check_at_most(self, name: str, largest: int) -> None:
        value = getattr(self, name)
        if value is not None and value > largest:
            raise ValueError(f"{name} must be at most {largest}, got {value}")

    def _check_above_zero(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be above 0, got {value}")

    def _check_choice(self, name: str, choices: tuple[str | None, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            known = ", ".join(repr(choice) for choice in choices)
            raise ValueError(f"{name} must be one of {known}; got {value!r}")


def _checked_type(field: Any, value: Any) -> Any:
    # Annotations are strings here: "int | None" and the like, with one base type each.
    base, _, optional = field.type.partition(" | ")
    if value is None and optional:
        return None
    expected = {"str": str, "int": int, "float": float, "bool": bool}[base]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        allowed = f"{base} or None" if optional else base
        kind = type(value).__name__
        if field.name in _PATHS:
            raise TypeError(f"{field.name} must be the path of a file or folder, got {kind}")
        raise TypeError(f"{field.name} must be {allowed}, got {kind}: {value!r:.80}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{field.name} must be finite, got {value}")
    return value
