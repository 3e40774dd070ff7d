"""Settings of a training run: its concerns in one, kept beside the run as config.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from wsdhq._shared.arguments import did_you_mean
from wsdhq._shared.files import as_path, atomic_path
from wsdhq.embed.config.compute import ComputeConfig
from wsdhq.embed.config.data import DataConfig
from wsdhq.embed.config.fields import Settings, check_fields, path
from wsdhq.embed.config.model import ModelConfig
from wsdhq.embed.config.objective import ObjectiveConfig
from wsdhq.embed.config.optimizer import OptimizerConfig
from wsdhq.embed.config.quantizer import QuantizerConfig
from wsdhq.embed.config.sphere import SphereConfig

# TOML has no null: None is written as this word where leaving the key out would mean
# another default.
_NONE = "none"
# What keys of runs were called that were trained before the names had one spelling.
_FORMER_NAMES = {
    "normalise": "normalize",
    "quantisation_weight": "quantization_weight",
    "quantiser_metric": "quantizer_metric",
}


# The bases in reverse: config.toml begins with the fields of the last.
@dataclass(frozen=True, kw_only=True)
class TrainConfig(
    ComputeConfig,
    QuantizerConfig,
    OptimizerConfig,
    ObjectiveConfig,
    ModelConfig,
    SphereConfig,
    DataConfig,
):
    """Everything that decides the outcome of `train`, besides the input files themselves.

    It is each of its bases, and takes the parameters of all: a function that needs one concern is
    given the whole, or that concern alone.

    Parameters
    ----------
    out : path
        The run directory.

    Raises
    ------
    TypeError
        A value of the wrong type; the message names the field.
    ValueError
        A value out of range, not exactly one of `features` and `images`, or settings that do not
        fit each other.

    Examples
    --------
    >>> config = TrainConfig(out="run", tags="tags.txt", features="features.npy", bits=16)
    >>> config.num_codebooks, config.epochs
    (2, 15)
    >>> TrainConfig.from_toml(config.to_toml()) == config
    True
    """

    out: Annotated[str, path()]

    def _check_together(self) -> None:
        super()._check_together()
        _check_loss(self.loss, self.normalize)

    @property
    def backbone_rate(self) -> float:
        """The backbone's learning rate: see `learning_rate`."""
        return self.learning_rates[0]

    @property
    def head_rate(self) -> float:
        """The head's learning rate: see `head_rate_factor`."""
        return self.learning_rates[1]

    @property
    def learning_rates(self) -> tuple[float, float]:
        """Those of backbone and head."""
        return self.rates(
            is_alone=self.images is None, is_trained=self.backbone_weights is not None
        )

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
        table = {_FORMER_NAMES.get(name, name): value for name, value in table.items()}
        known = {field.name: field for field in fields(cls)}
        for name in table:
            if name not in known:
                raise ValueError(
                    f"{source}: expected keys among {', '.join(sorted(known))}, got {name!r}"
                    f"{did_you_mean(name, known)}"
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
        if not as_path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file; expected the settings of a run, TOML")
        try:
            text = as_path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: expected UTF-8 text: {error}") from error
        return cls.from_toml(text, source=os.fspath(path))


def check_settings(settings: Mapping[str, object]) -> None:
    """Check settings of a `TrainConfig` before there are files for it to name.

    Raises
    ------
    TypeError, ValueError
        As `TrainConfig`.
    """
    checked = check_fields(TrainConfig, settings)
    for part in TrainConfig.__bases__:
        if part is not DataConfig:
            part(**{each.name: checked[each.name] for each in fields(part) if each.name in checked})
    _check_loss(
        checked.get("loss", ObjectiveConfig.loss), checked.get("normalize", ModelConfig.normalize)
    )


def _check_loss(loss: str, normalize: bool) -> None:
    if loss == "tag_softmax" and not normalize:
        raise ValueError(
            "normalize: expected True for the loss 'tag_softmax', which takes products for "
            "cosines, got False"
        )


def _parameters(of: type[Settings]) -> str:
    _, _, parameters = (of.__doc__ or "").partition("----------\n")
    return parameters.rstrip()


# `help` shows the parameters of all concerns together.
TrainConfig.__doc__ = (TrainConfig.__doc__ or "").replace(
    "    ----------\n",
    "    ----------\n" + "\n".join(map(_parameters, reversed(TrainConfig.__bases__))) + "\n",
)
