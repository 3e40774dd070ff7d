"""Networks of torchvision and timm by name, without their classifiers.

Either library is imported when one of its networks is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from typing import Any, cast

import torch
from torch import nn

from wsdhq.embed.backbones.pixels import PixelFormat

# Attributes of torchvision's networks that hold the classifier.
_CLASSIFIERS = ("fc", "classifier", "heads", "head")
# Classifiers in the middle of GoogLeNet and Inception: they learn from labels alone.
_AUXILIARY = ("aux1", "aux2", "AuxLogits")


def make_public_backbone(library: str, name: str) -> nn.Module:
    """Build a network of torchvision or timm that gives features.

    Parameters
    ----------
    library : {"torchvision", "timm"}
    name : str
        As the library's `list_models` has it, such as "resnet18".

    Returns
    -------
    torch.nn.Module
        From (B, 3, H, W) to (B, F), weights drawn from torch's current random state; nothing
        is downloaded. `removed_classifier` holds the prefixes that the tensors of its
        classifier have in a state dict of the whole network. `pixel_format` is that of timm's
        configuration, where there is one.

    Raises
    ------
    ImportError
        The library cannot be imported; the message says how to install it.
    ValueError
        Another library, an unknown name (the message lists similar ones), or a network of
        torchvision that does not end in a linear layer.
    """
    if library not in LIBRARIES:
        raise ValueError(
            f"backbone: unknown library {library!r}; expected "
            + " or ".join(f"{known}:NAME" for known in sorted(LIBRARIES))
        )
    try:
        # timm's create_model and torchvision's get_model are reached from here.
        module = import_module("timm" if library == "timm" else "torchvision.models")
    # A torchvision made for another torch raises RuntimeError.
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"the backbone '{library}:{name}' needs {library}, which cannot be imported "
            f"({error}): install it with pip install {library}, in a version for torch "
            f"{torch.__version__}"
        ) from error
    return LIBRARIES[library](module, name)


def _from_torchvision(models: Any, name: str) -> nn.Module:
    _check_name("torchvision", name, name, models.list_models(module=models))
    model: Any = models.get_model(name, weights=None)
    removed = [_remove_classifier(model, name)]
    for auxiliary in _AUXILIARY:
        if getattr(model, auxiliary, None) is not None:
            setattr(model, auxiliary, None)
            model.aux_logits = False
        removed.append(f"{auxiliary}.")
    model.removed_classifier = tuple(removed)
    return cast(nn.Module, model)


def _remove_classifier(model: nn.Module, name: str) -> str:
    for attribute in _CLASSIFIERS:
        part = getattr(model, attribute, None)
        if isinstance(part, nn.Linear):
            setattr(model, attribute, nn.Identity())
            return f"{attribute}."
        if isinstance(part, nn.Sequential) and len(part) > 0 and isinstance(part[-1], nn.Linear):
            last = list(part._modules)[-1]
            part._modules[last] = nn.Identity()
            return f"{attribute}.{last}."
    raise ValueError(
        f"backbone: torchvision's {name} does not end in a linear layer that could be taken off; "
        "give the network to train(..., backbone=module)"
    )


def _from_timm(timm: Any, name: str) -> nn.Module:
    # What follows a dot names weights: resnet18.a1_in1k.
    _check_name("timm", name, name.partition(".")[0], timm.list_models())
    try:
        model: Any = timm.create_model(name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise ValueError(f"backbone: timm cannot make {name!r}: {error}") from error
    settings = getattr(model, "pretrained_cfg", None) or {}
    classifier = settings.get("classifier") or ()
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    model.removed_classifier = tuple(f"{name}." for name in names)
    if settings.get("mean") and settings.get("std"):
        model.pixel_format = PixelFormat(
            mean=tuple(255 * value for value in settings["mean"]),
            deviation=tuple(255 * value for value in settings["std"]),
        )
    return cast(nn.Module, model)


def _check_name(library: str, name: str, wanted: str, known: Iterable[str]) -> None:
    names = list(known)
    if wanted not in names:
        similar = difflib.get_close_matches(wanted, names, n=5)
        advice = f"similar names: {', '.join(similar)}" if similar else "no name is similar"
        raise ValueError(
            f"backbone: {library} has no network {name!r} among its {len(names)}; {advice}"
        )


LIBRARIES = {"timm": _from_timm, "torchvision": _from_torchvision}
