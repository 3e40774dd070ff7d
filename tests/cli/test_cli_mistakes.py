"""Every mistake ends with status 2 and one line on standard error that says what was wrong."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wsdhq as package
from wsdhq._shared.extras import install_command
from wsdhq.embed import TrainedModel
from wsdhq.quant import AdditiveQuantizer, AQDIndex


@pytest.fixture(scope="session")
def wrong(features, images, tmp_path_factory) -> SimpleNamespace:
    """Paths of files and folders that are wrong in one way each."""
    root = tmp_path_factory.mktemp("wrong")
    values = np.load(features / "features.npy")
    codes = np.load(features.run / "codes.npy")
    bad = values.copy()
    bad[17, 3] = np.nan
    np.save(root / "nan.npy", bad)
    np.save(root / "narrow.npy", values[:, :7])
    np.save(root / "whole.npy", np.arange(20).reshape(4, 5))
    np.save(root / "short_codes.npy", codes[:-1])
    np.save(root / "wide_codes.npy", np.repeat(codes, 2, axis=1))
    np.save(root / "int_codes.npy", codes.astype(np.int64) + 200)
    np.save(root / "twice.npy", np.array([*range(239), 5]))
    np.save(root / "few_ids.npy", np.arange(7))
    np.save(root / "float_ids.npy", np.arange(240.0))
    np.save(root / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (root / "pickle.npy").write_bytes(pickle.dumps([1, 2]))
    (root / "foreign.npy").write_bytes(b"GIF89a no array at all")
    (root / "cut.npy").write_bytes((features / "features.npy").read_bytes()[:-9])
    lines = (features / "tags.jsonl").read_text().splitlines(keepends=True)
    (root / "short.jsonl").write_text("".join(lines[:-1]))
    (root / "few.txt").write_text("boat\n" * 119)
    (root / "labels.csv").write_text("kind\n" + "boat\n" * 239)
    shutil.copytree(features.run, root / "half")
    (root / "half/model.safetensors").unlink()
    shutil.copytree(features.run, root / "torn")
    model = (features.run / "model.safetensors").read_bytes()
    (root / "torn/model.safetensors").write_bytes(model[: len(model) // 2])
    shutil.copytree(features.run, root / "other")
    # A run of the same shape that has learnt something else.
    tensors = load_file(root / "other/model.safetensors")
    own = TrainedModel.load(features.run).quantizer
    other = AdditiveQuantizer.from_codebooks(tensors["codebooks"][:, ::-1].copy())
    assert other.codebooks.shape == own.codebooks.shape
    index = AQDIndex(other)
    index.add(codes)
    index.save(root / "other_db")
    save_file({"a": np.zeros(3)}, root / "foreign_db")
    (root / "empty").mkdir()
    (root / "no_image.png").write_bytes(b"text")
    (root / "file").write_text("")
    return SimpleNamespace(root=root)


# Command, what the message must hold, by name. F and I are the collections of features and
# images, W the folder of wrong files.
MISTAKES = {
    "no such run": ("embed {W}/none --features {F}/features.npy --out {W}/o", "{W}/none"),
    "folder that is no run": (
        "embed {W}/empty --features {F}/features.npy --out {W}/o", "{W}/empty/config.toml",
    ),
    "half-written run": (
        "embed {W}/half --features {F}/features.npy --out {W}/o", "model.safetensors is missing",
    ),
    "torn run": (
        "embed {W}/torn --features {F}/features.npy --out {W}/o", "{W}/torn/model.safetensors",
    ),
    "missing features": ("embed {F}/run --features {W}/none.npy --out {W}/o", "{W}/none.npy"),
    "NaN": ("encode {F}/run --features {W}/nan.npy --out {W}/o", "row 17, column 3"),
    "narrow features": (
        "encode {F}/run --features {W}/narrow.npy --out {W}/o", "expected 10 features per image",
    ),
    "integer features": ("encode {F}/run --features {W}/whole.npy --out {W}/o", "float32"),
    "truncated features": ("embed {F}/run --features {W}/cut.npy --out {W}/o", "truncated"),
    "both inputs": (
        "embed {F}/run --features {F}/features.npy --images {F}/images --out {W}/o", "got both",
    ),
    "neither input": ("encode {F}/run --out {W}/o", "got neither"),
    "features for a run on images": (
        "embed {I}/run --features {F}/features.npy --out {W}/o", "expected --images",
    ),
    "images for a run on features": (
        "encode {F}/run --images {F}/images --out {W}/o", "expected --features",
    ),
    "no images in the folder": ("embed {I}/run --images {W}/empty --out {W}/o", "holds no images"),
    "output in no folder": (
        "embed {F}/run --features {F}/features.npy --out {W}/none/o", "no folder {W}/none to",
    ),
    "output is a folder": (
        "embed {F}/run --features {F}/features.npy --out {W}/empty", "is a folder",
    ),
    "output is a file of the run": (
        "encode {F}/run --features {F}/features.npy --out {F}/run/codes.npy",
        "the codes of all rows",
    ),
    "train on neither": ("train --tags {F}/tags.jsonl --out {W}/o", "got neither"),
    "train on both": (
        "train --features {F}/features.npy --images {F}/images --tags {F}/tags.jsonl --out {W}/o",
        "got both",
    ),
    "tags of another length": (
        "train --features {F}/features.npy --tags {W}/short.jsonl --out {W}/o",
        "tags for 239 images, but",
    ),
    "missing tags": (
        "train --features {F}/features.npy --tags {W}/none.txt --out {W}/o", "{W}/none.txt",
    ),
    "no such device": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o "
        "--set device=cuda:99",
        "device: torch ",
    ),
    "setting without value": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --set gamma",
        "expected NAME=VALUE",
    ),
    "unknown setting": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --set gama=1",
        "got 'gama'; did you mean 'gamma'?",
    ),
    "setting of another type": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --set gamma=much",
        "gamma: expected a number, got str",
    ),
    "setting given twice": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --bits 8 "
        "--set bits=16",
        "bits is given twice",
    ),
    "odd number of bits": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --bits 12",
        "bits: expected a multiple of 8",
    ),
    "resume and overwrite": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --resume --overwrite",
        "at most one of --resume and --overwrite",
    ),
    "train into a file": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/file", "is a file",
    ),
    "unknown backbone": (
        "train --images {I}/images --tags {I}/tags.jsonl --out {W}/o --backbone resnet",
        "backbone: expected one of alexnet, ",
    ),
    "missing weights": (
        "train --images {I}/images --tags {I}/tags.jsonl --out {W}/o --backbone alexnet "
        "--image-size 256 --crop-size 227 --backbone-weights {W}/none.npy",
        "{W}/none.npy: no such file",
    ),
    "unknown variant": (
        "train --features {F}/features.npy --tags {F}/tags.jsonl --out {W}/o --variant WSDHQ_X",
        "--variant: expected one of 'WSDHQ_G', ",
    ),
    "images of a preset given as a setting": (
        "train --set images={I}/images --tags {I}/tags.jsonl --out {W}/o --preset nuswide "
        "--image-size 64",
        "crop_size: expected at most image_size, 64, got 227",
    ),
    "missing codes": ("index {F}/run --codes {W}/none.npy --out {W}/o", "--codes: there is no"),
    "foreign codes": ("index {F}/run --codes {W}/foreign.npy --out {W}/o", "is not a .npy file"),
    "pickled codes": ("index {F}/run --codes {W}/pickle.npy --out {W}/o", "pickle"),
    "codes of objects": ("index {F}/run --codes {W}/objects.npy --out {W}/o", "Python objects"),
    "codes of more bytes": (
        "index {F}/run --codes {W}/wide_codes.npy --out {W}/o", "uint8 of shape (N, 2), got",
    ),
    "codes above 255": ("index {F}/run --codes {W}/int_codes.npy --out {W}/o", "got int64"),
    "ids twice": (
        "index {F}/run --codes {F}/run/codes.npy --ids {W}/twice.npy --out {W}/o",
        "{W}/twice.npy: ids: id 5 comes more than once",
    ),
    "too few ids": (
        "index {F}/run --codes {F}/run/codes.npy --ids {W}/few_ids.npy --out {W}/o",
        "expected 240 ids, got 7",
    ),
    "ids that are no integers": (
        "index {F}/run --codes {F}/run/codes.npy --ids {W}/float_ids.npy --out {W}/o",
        "expected integers",
    ),
    "unknown similarity": (
        "index {F}/run --codes {F}/run/codes.npy --out {W}/o --similarity dot",
        "one of 'ip', 'l2', 'cosine', got 'dot'",
    ),
    "missing index": ("search {F}/run --index {W}/none --words boat", "{W}/none"),
    "foreign index": ("search {F}/run --index {W}/foreign_db --words boat", "{W}/foreign_db"),
    "index of another run": ("search {F}/run --index {W}/other_db --words boat", "another run"),
    "unknown word": ("search {F}/run --index {F}/db --words zebra", "--words: 'zebra' is not"),
    "nothing to search with": ("search {F}/run --index {F}/db", "got neither"),
    "query and words": (
        "search {F}/run --index {F}/db --words boat --query {F}/features.npy", "got both",
    ),
    "no results wanted": ("search {F}/run --index {F}/db --words boat -k 0", "'-k'"),
    "missing query": ("search {I}/run --index {I}/db --query {W}/none.png", "{W}/none.png"),
    "unreadable query": (
        "search {I}/run --index {I}/db --query {W}/no_image.png",
        "{W}/no_image.png cannot be read: ",
    ),
    "image for a run on features": (
        "search {F}/run --index {F}/db --query {F}/images/001.png", "expected a .npy",
    ),
    "features for a search by images": (
        "search {I}/run --index {I}/db --query {F}/features.npy", "expected images",
    ),
    "too few tags": (
        "search {I}/run --index {I}/db --words boat --tags {W}/few.txt", "the image with id 119",
    ),
    "labels of another length": (
        "evaluate {F}/run --labels {W}/labels.csv --out {W}/e", "labels for 239 images, but",
    ),
    "missing labels": ("evaluate {F}/run --labels {W}/none.csv --out {W}/e", "{W}/none.csv"),
    "unknown column": (
        "evaluate {F}/run --labels {F}/labels.csv --by colour --out {W}/e", "--by: ",
    ),
    "too few codes": (
        "evaluate {F}/run --labels {F}/labels.csv --codes {W}/short_codes.npy --out {W}/e",
        "codes of 239 images, but",
    ),
    "foreign codes to evaluate": (
        "evaluate {F}/run --labels {F}/labels.csv --codes {W}/foreign.npy --out {W}/e",
        "--codes: {W}/foreign.npy is not a .npy file",
    ),
    "too few tags to show": (
        "evaluate {F}/run --labels {F}/labels.csv --tags {W}/short.jsonl --out {W}/e",
        "tags for 239 images, but",
    ),
    "pictures of another collection": (
        "evaluate {F}/run --labels {F}/labels.csv --images {I}/images --out {W}/e",
        "labels for 240 images, but {I}/images has 120",
    ),
    "results in no folder": (
        "evaluate {F}/run --labels {F}/labels.csv --out {W}/none/e", "no folder {W}/none to",
    ),
    "results in a file": (
        "evaluate {F}/run --labels {F}/labels.csv --out {W}/file", "is a file, expected a folder",
    ),
    "too many queries": (
        "evaluate {F}/run --labels {F}/labels.csv --out {W}/e --queries 240", "--queries: ",
    ),
    "unknown similarity to evaluate": (
        "evaluate {F}/run --labels {F}/labels.csv --out {W}/e --similarity dot", "got 'dot'",
    ),
    "tiny demo": ("demo --images 3 --out {W}/demo", "'--images'"),
    "demo with odd bits": ("demo --bits 12 --out {W}/demo", "bits: expected a multiple"),
    "demo in no folder": ("demo --out {W}/none/demo", "no folder {W}/none to"),
    "unknown command": ("evaluat x", "(see wsdhq --help)"),
    "unknown option": ("search {F}/run --index {F}/db --word boat", "--word"),
    "missing option": ("search {F}/run --words boat", "(see wsdhq search --help)"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line_and_status_2(name, features, images, wrong, wsdhq):
    places = {"F": features.folder, "I": images.folder, "W": wrong.root}
    line, expected = MISTAKES[name]
    before = {path for path in wrong.root.rglob("*")}
    outcome = wsdhq(*(word.format(**places) for word in line.split()))
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert expected.format(**places) in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert {path for path in wrong.root.rglob("*")} == before


def test_a_library_that_is_missing_is_one_clear_line_too(images, wsdhq, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    outcome = wsdhq(
        "train", "--images", images / "images", "--tags", images / "tags.jsonl",
        "--out", tmp_path / "run", "--backbone", "timm:resnet18",
    )  # fmt: skip
    assert outcome.status == 2
    assert outcome.err.startswith("error: the backbone 'timm:resnet18' needs timm, which cannot")
    assert outcome.err.count("\n") == 1


def test_without_arguments_the_commands_are_listed(wsdhq):
    outcome = wsdhq()
    assert outcome.status == 2
    assert outcome.err == ""
    for name in ("demo", "train", "embed", "encode", "index", "search", "evaluate", "bench"):
        assert name in outcome.out


def test_files_trained_on_that_have_moved_are_asked_for(features, wsdhq, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(features.run, run)
    config = (run / "config.toml").read_text()
    moved = str(tmp_path / "moved.npy")
    (run / "config.toml").write_text(config.replace(str(features / "features.npy"), moved))
    outcome = wsdhq("evaluate", run, "--labels", features / "labels.csv")
    assert outcome.status == 2
    assert moved in outcome.err
    assert "--features" in outcome.err


def test_rows_that_do_not_fit_their_codes_are_refused(images, wsdhq, tmp_path):
    codes = tmp_path / "codes.npy"
    shutil.copy(images.run / "codes.npy", codes)
    for rows, expected in (
        (np.arange(5), "expected the input row of each of the 117 codes"),
        (np.arange(117.0), "float64"),
        (np.arange(117)[::-1].copy(), "ascending"),
    ):
        np.save(tmp_path / "codes.rows.npy", rows)
        outcome = wsdhq("index", images.run, "--codes", codes, "--out", tmp_path / "db")
        assert outcome.status == 2
        assert expected in outcome.err


def _in_a_process(
    *arguments: object, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    root = Path(package.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); from wsdhq.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip


def test_the_program_ends_with_the_status_of_the_command(tmp_path):
    version = _in_a_process("--version")
    assert (version.returncode, version.stdout) == (0, f"wsdhq {package.__version__}\n")
    missing = _in_a_process("search", tmp_path / "none", "--index", "x", "--words", "boat")
    assert missing.returncode == 2
    assert missing.stdout == ""
    assert missing.stderr.startswith("error: ")
    assert missing.stderr.count("\n") == 1


def test_without_the_packages_for_it_the_program_says_what_to_install(monkeypatch, capsys):
    from wsdhq import cli

    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "wsdhq.cli.app", raising=False)
    for arguments, extra in ((["train", "--bits", "8"], "train"), (["bench"], "bench")):
        monkeypatch.setattr(sys, "argv", ["wsdhq", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert capsys.readouterr().err == (
            f"error: wsdhq {arguments[0]} needs the package 'typer', which is not installed: "
            f"{install_command(extra)}\n"
        )
    # Help, version and a slip of the fingers need nothing.
    for arguments, status, said in (
        (["--help"], 0, f"The extra 'train':\n  {install_command('train')}"),
        (["--version"], 0, "wsdhq "),
        (["trian"], 2, "no command 'trian'; did you mean 'train'?"),
    ):
        monkeypatch.setattr(sys, "argv", ["wsdhq", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == status
        captured = capsys.readouterr()
        assert said in captured.out + captured.err


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file://{folder}", "pip install '{folder}[train]'"),
        ("file://{folder}/none", "pip install 'wsdhq[train]'"),
        ("https://example.org/x.whl", "pip install 'wsdhq[train]'"),
        (None, "pip install 'wsdhq[train]'"),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came(monkeypatch, tmp_path, url, expected):
    def read_text(name: str) -> str | None:
        assert name == "direct_url.json"
        return None if url is None else json.dumps({"url": url.format(folder=tmp_path)})

    monkeypatch.setattr(
        "importlib.metadata.distribution", lambda _: SimpleNamespace(read_text=read_text)
    )
    assert install_command("train") == expected.format(folder=tmp_path)
    if "none" not in (url or "none") and "{folder}" in (url or ""):
        (tmp_path / "constraints.txt").write_text("")
        tested = f"pip install -c {tmp_path}/constraints.txt '{tmp_path}[train]'"
        assert install_command("train") == tested


def test_a_shell_completes_commands_and_options(tmp_path):
    def completed(line: str) -> list[str]:
        words = line.split(" ")
        environment = os.environ | {
            "_WSDHQ_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        return _in_a_process(env=environment).stdout.split()

    assert completed("wsdhq e") == ["embed", "encode", "evaluate"]
    assert completed("wsdhq train --ep") == ["--epochs"]
    assert "_WSDHQ_COMPLETE" in _in_a_process("--show-completion", "bash").stdout


def test_a_tilde_is_the_folder_of_the_user(features, wsdhq, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(features / "features.npy", tmp_path / "f.npy")
    wsdhq.done("encode", features.run, "--features=~/f.npy", "--out", "~/codes.npy")
    np.testing.assert_array_equal(
        np.load(tmp_path / "codes.npy"), np.load(features.run / "codes.npy")
    )
    outcome = wsdhq("train", "--tags=~/none.txt", "--out=~/run", "--set", "features=~/f.npy")
    assert f"{tmp_path}/none.txt" in outcome.err
