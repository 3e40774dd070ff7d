"""Names of `wsdhq.embed`: imported when they are used, and told what they need."""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType

import pytest

import wsdhq.embed
from wsdhq._shared.extras import install_command


@pytest.mark.parametrize("missing", ["torch", "gensim"])
def test_a_missing_package_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.delitem(vars(wsdhq.embed), "train", raising=False)
    monkeypatch.setattr(wsdhq.embed, "import_module", absent)
    advice = re.escape(install_command("train"))
    message = rf"wsdhq\.embed\.train needs the package '{missing}'.*{advice}"
    with pytest.raises(ModuleNotFoundError, match=message) as caught:
        _ = wsdhq.embed.train
    assert caught.value.name == missing


def test_our_own_missing_module_is_no_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(wsdhq.embed), "train", raising=False)
    monkeypatch.setattr(
        wsdhq.embed, "import_module", lambda name: import_module("wsdhq.embed.absent")
    )
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'wsdhq\.embed\.absent'"):
        _ = wsdhq.embed.train
