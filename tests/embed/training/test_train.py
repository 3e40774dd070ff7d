"""Training from files to a run directory: outcome, repeatability, and what it leaves alone."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import torch
from safetensors.numpy import load_file
from scipy import sparse
from threadpoolctl import threadpool_info
from torch import nn

from training_runs import JOINT, interrupt, model_bytes, read_log
from wsdhq.data import split_rows
from wsdhq.embed import TrainConfig, TrainedModel, train
from wsdhq.embed.losses import semantic_metric
from wsdhq.embed.networks.heads import HypersphericalHead
from wsdhq.embed.networks.network import EmbeddingNetwork
from wsdhq.embed.threads import training_threads
from wsdhq.embed.training.loop import make_optimizer, rate_factor
from wsdhq.embed.training.objectives import make_objective


def test_a_run_holds_what_it_should(trained):
    names = {entry.name for entry in trained.world.folder.joinpath("run").iterdir()}
    assert names == {"config.toml", "model.safetensors", "tags.json", "codes.npy", "log.jsonl"}
    codes = np.load(f"{trained.config.out}/codes.npy")
    assert codes.shape == (180, 2)
    assert codes.dtype == np.uint8
    tensors = load_file(f"{trained.config.out}/model.safetensors")
    assert tensors["codebooks"].shape == (2, 256, 8)
    assert tensors["codebooks"].dtype == np.float32
    np.testing.assert_array_equal(tensors["metric"], np.eye(8))
    # Three forms of each kind merge; the vague words stay apart.
    assert sorted(len(group) for group in trained.model.tags.members) == [1, 1, 3, 3, 3, 3, 3, 3]


def test_in_the_papers_objective_the_metric_is_the_covariance_of_the_tags(trained_as_paper):
    tensors = load_file(f"{trained_as_paper.config.out}/model.safetensors")
    sphere = tensors["sphere"]
    np.testing.assert_allclose(tensors["metric"], sphere.T @ sphere, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(tensors["metric"], trained_as_paper.model.quantizer.metric)


LOGGED = {
    "epoch", "loss", "semantic_loss", "quantization_loss", "distortion", "learning_rate", "seconds",
}  # fmt: skip


def test_the_log_tells_of_every_epoch(trained):
    log = read_log(trained.config)
    assert [record["epoch"] for record in log] == list(range(1, 11))
    for record in log:
        assert set(record) == LOGGED
        # In two stages the quantizer comes after all epochs.
        assert record["quantization_loss"] is None
        assert record["distortion"] is None
        assert record["loss"] == record["semantic_loss"]
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]
    assert log[-1]["learning_rate"] < log[0]["learning_rate"]


def test_the_log_of_a_joint_training_tells_of_the_quantizer(trained_as_paper):
    log = read_log(trained_as_paper.config)
    assert [record["epoch"] for record in log] == list(range(1, 11))
    weight = trained_as_paper.config.quantization_weight
    for record in log:
        assert set(record) == LOGGED
        assert (record["quantization_loss"] is None) == (record["epoch"] <= 2)
        assert (record["distortion"] is None) == (record["epoch"] % 2 == 1)
        quantization = record["quantization_loss"] or 0.0
        assert record["loss"] == pytest.approx(record["semantic_loss"] + weight * quantization)
    assert log[-1]["semantic_loss"] < 0.5 * log[0]["semantic_loss"]
    assert log[-1]["learning_rate"] < log[0]["learning_rate"]


def test_held_out_rows_come_to_lie_beside_the_tags_of_their_kind(trained):
    model, world = trained.model, trained.world
    queries, _ = split_rows(180, 20)
    embeddings = model.embed(world.features[queries])
    nearest = (embeddings @ model.sphere.T).argmax(axis=1)
    kinds = ("boat", "house", "tree", "fish", "star", "cup")
    right = [
        model.tags.group_of_tag.get(kinds[kind]) == group
        for kind, group in zip(world.kinds[queries], nearest)
    ]
    assert np.mean(right) > 0.8


def test_codes_are_those_of_the_model(trained):
    codes = np.load(f"{trained.config.out}/codes.npy")
    np.testing.assert_array_equal(trained.model.encode(trained.world.features), codes)
    loaded = TrainedModel.load(trained.config.out)
    np.testing.assert_array_equal(loaded.encode(trained.world.features), codes)
    embeddings = trained.model.embed(trained.world.features)
    rebuilt = trained.model.quantizer.decode(codes)
    assert np.mean((embeddings - rebuilt) ** 2) < 0.1 * np.mean(embeddings**2)


def test_training_repeats_to_the_byte_for_a_seed(world, config_for):
    first = config_for(world.folder, "first")
    again = config_for(world.folder, "again")
    other = config_for(world.folder, "other", seed=1)
    for config in (first, again, other):
        train(config)
    assert model_bytes(first) == model_bytes(again)
    assert model_bytes(first)["model.safetensors"] != model_bytes(other)["model.safetensors"]
    np.testing.assert_equal(
        [record["loss"] for record in read_log(first)],
        [record["loss"] for record in read_log(again)],
    )


def test_a_semantic_metric_follows_the_tags_that_are_learnt(world, config_for):
    learnt = config_for(world.folder, **JOINT | {"tag_rate_factor": 5.0})
    fixed = config_for(world.folder, "fixed", **JOINT | {"tag_rate_factor": 0.0})
    spheres = []
    for config in (learnt, fixed):
        model = train(config)
        expected = semantic_metric(model.sphere)
        np.testing.assert_allclose(model.quantizer.metric, expected, rtol=1e-5, atol=1e-5)
        stored = load_file(f"{config.out}/model.safetensors")
        np.testing.assert_array_equal(stored["metric"], model.quantizer.metric)
        np.testing.assert_array_equal(stored["sphere"], model.sphere)
        spheres.append(model.sphere)
    assert np.abs(spheres[0] - spheres[1]).max() > 0.05


def test_a_directory_in_use_is_left_alone(world, config_for):
    config = config_for(world.folder, epochs=1)
    out = world.folder / "run"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"not empty \(notes\.txt\).*overwrite=True"):
        train(config)
    with pytest.raises(ValueError, match=r"no config\.toml.*nothing|no training to resume"):
        train(config, resume=True)
    with pytest.raises(ValueError, match="exclude each other"):
        train(config, resume=True, overwrite=True)
    (out / "metrics.json").write_text("{}")
    train(config, overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "metrics.json").exists()
    (world.folder / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        train(config_for(world.folder, "file"))


def test_bad_inputs_do_not_cost_the_run_that_was_there(world, config_for):
    config = config_for(world.folder, epochs=1)
    train(config)
    before = model_bytes(config)
    np.save(world.folder / "features.npy", world.features[:100].astype(np.float32))
    with pytest.raises(ValueError, match=r"tags\.jsonl has tags for 180 images.*100 rows"):
        train(config, overwrite=True)
    assert model_bytes(config) == before


def test_queries_and_rows_without_tags_take_no_part(world, config_for):
    plain = config_for(world.folder, "plain")
    train(plain)
    queries, _ = split_rows(180, 20)
    idle = np.union1d(queries, np.arange(5, 180, 10))
    world.features[idle] = np.random.default_rng(9).standard_normal((len(idle), 10))
    np.save(world.folder / "features.npy", world.features.astype(np.float32))
    for row in queries:
        world.tags[row] = ["unheard of", "cool"]
    lines = "".join(json.dumps(words) + "\n" for words in world.tags)
    (world.folder / "tags.jsonl").write_text(lines)
    changed = config_for(world.folder, "changed")
    train(changed)
    assert model_bytes(plain)["model.safetensors"] == model_bytes(changed)["model.safetensors"]
    codes = [np.load(f"{config.out}/codes.npy") for config in (plain, changed)]
    busy = np.setdiff1d(np.arange(180), idle)
    np.testing.assert_array_equal(codes[0][busy], codes[1][busy])
    assert (codes[0][idle] != codes[1][idle]).any()


def test_lambda_counts_as_zero_until_the_first_update(world, config_for):
    def weights(out, **changes):
        config = config_for(world.folder, out, **changes)
        train(config)
        tensors = load_file(f"{config.out}/model.safetensors")
        return tensors["network.head.transform.weight"]

    late = {"epochs": 2, "update_every": 2}
    soon = {"epochs": 2, "update_every": 1}
    np.testing.assert_array_equal(
        weights("a", quantization_weight=0.0, **late), weights("b", quantization_weight=1.0, **late)
    )
    assert not np.array_equal(
        weights("c", quantization_weight=0.0, **soon), weights("d", quantization_weight=1.0, **soon)
    )


def test_nothing_global_is_touched(world, config_for):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    train(config_for(world.folder, images=world.folder / "images", epochs=2, threads=2))
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002
    assert torch.get_num_threads() == threads
    assert torch.get_default_dtype() == dtype
    assert torch.is_grad_enabled()


def test_outcome_ignores_the_global_seed(world, config_for):
    first = config_for(world.folder, "first", images=world.folder / "images", epochs=1)
    again = config_for(world.folder, "again", images=world.folder / "images", epochs=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        train(first)
        torch.manual_seed(2)
        train(again)
    assert model_bytes(first) == model_bytes(again)


def test_word_vectors_trained_on_the_tags(world, config_for):
    config = config_for(world.folder, word_vectors=None, word_dim=6, word_epochs=3, epochs=1)
    model = train(config)
    assert model.dim == 6


def test_unreadable_images_are_left_out_with_their_tags(world, config_for, caplog):
    images = world.folder / "images"
    (images / "3.png").write_bytes(b"")
    (images / "17.png").write_bytes((images / "17.png").read_bytes()[:60])
    config = config_for(world.folder, images=images, epochs=1, num_queries=0)
    with caplog.at_level(logging.WARNING, logger="wsdhq"):
        model = train(config)
    assert "2 of 180 images" in caplog.text
    assert "3.png" in caplog.text
    rows = np.load(world.folder / "run" / "rows.npy")
    np.testing.assert_array_equal(rows, np.delete(np.arange(180), [3, 17]))
    assert len(np.load(world.folder / "run" / "codes.npy")) == 178
    skipped = json.loads((world.folder / "run" / "skipped.json").read_text())
    assert [entry["row"] for entry in skipped] == [3, 17]
    assert [entry["name"] for entry in skipped] == ["3.png", "17.png"]
    tagged = sum(bool(world.tags[row]) for row in rows)
    assert model.tags.positives.shape[0] == 178
    assert int((np.diff(model.tags.positives.indptr) > 0).sum()) == tagged
    for place, row in enumerate(rows):
        carried = model.tags.positives[[place]].indices
        groups = {model.tags.group_of_tag[tag] for tag in world.tags[row]}
        assert set(carried.tolist()) == groups


class _Pool(nn.Module):
    """A backbone of the user's own, with dropout that draws from torch's global state."""

    def __init__(self, width: int, fail: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.mix = nn.Conv2d(3, width, kernel_size=1)
        self.dropout = nn.Dropout(0.2)
        self.fail = fail

    def forward(self, images):
        features = self.dropout(self.mix(images)).mean(dim=(2, 3))
        return features * torch.nan if self.fail and self.training else features


def test_a_backbone_of_the_users_own(world, config_for):
    config = config_for(world.folder, images=world.folder / "images")
    model = train(config, backbone=_Pool(7))
    again = config_for(world.folder, "again", images=world.folder / "images")
    train(again, backbone=_Pool(7))
    assert model_bytes(config) == model_bytes(again)
    with pytest.raises(ValueError, match="backbone of the user's own"):
        TrainedModel.load(config.out)
    with pytest.raises(ValueError, match=r"the tensor 'backbone\.mix\.bias' has shape"):
        TrainedModel.load(config.out, backbone=_Pool(8))
    loaded = TrainedModel.load(config.out, backbone=_Pool(7))
    np.testing.assert_array_equal(loaded.embed(world.pixels), model.embed(world.pixels))


def test_another_backbone_cannot_take_up_a_checkpoint(world, config_for):
    config = config_for(world.folder, images=world.folder / "images")
    interrupt(config, 1)
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: the tensor"):
        train(config, resume=True, backbone=_Pool(5))


def test_a_frozen_backbone_stays_as_it_is(world, config_for):
    backbone = _Pool(7).requires_grad_(False)
    before = backbone.mix.weight.clone()
    train(config_for(world.folder, images=world.folder / "images", epochs=1), backbone=backbone)
    assert torch.equal(backbone.mix.weight, before)


def test_a_loss_that_is_not_finite_stops_the_training(world, config_for):
    config = config_for(world.folder, images=world.folder / "images")
    with pytest.raises(ValueError, match=r"training diverged.*epoch 1, batch 1.*learning_rate"):
        train(config, backbone=_Pool(7, fail=True))


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda w: (w.folder / "tags.jsonl").unlink(), FileNotFoundError, "tags.jsonl"),
        (lambda w: (w.folder / "features.npy").unlink(), FileNotFoundError, "features.npy"),
        (lambda w: (w.folder / "words.vec").unlink(), FileNotFoundError, "words.vec"),
        (lambda w: (w.folder / "tags.jsonl").write_text("[]\n" * 180), ValueError, "has a tag"),
        (lambda w: (w.folder / "words.vec").write_text("1 2\nzzz 1 2\n"), ValueError, "words.vec"),
        (
            lambda w: np.save(w.folder / "features.npy", np.full((180, 3), np.nan)),
            ValueError,
            "features.npy",
        ),
        (
            lambda w: np.save(w.folder / "features.npy", np.eye(180) * 1e300),
            ValueError,
            "features.npy: features: expected values that fit into float32, but row 0",
        ),
    ],
)
def test_bad_files_are_named_before_anything_is_written(world, config_for, spoil, error, message):
    spoil(world)
    with pytest.raises(error, match=message):
        train(config_for(world.folder))
    assert not (world.folder / "run").exists()


def test_more_queries_than_rows(world, config_for):
    with pytest.raises(ValueError, match=r"num_queries: expected less than .* 180, got 180"):
        train(config_for(world.folder, num_queries=180))


def test_a_backbone_is_refused_in_features_mode(world, config_for):
    with pytest.raises(ValueError, match="backbone: features need none"):
        train(config_for(world.folder), backbone=_Pool(3))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"backbone": "alexnett"},
            ValueError,
            "got 'alexnett'; did you mean 'alexnet'",
        ),
        ({"backbone": "alexnet"}, ValueError, "AlexNet .* expects images of 227 x 227 .* 16 x 16"),
        ({"backbone_weights": "none.pth"}, FileNotFoundError, "none.pth: no such file"),
        ({"backbone_weights": "none.npy"}, FileNotFoundError, "none.npy: no such file"),
        ({"device": "cuda"}, ValueError, "device: torch .* sees no GPU, got 'cuda'"),
        (
            {"device": "cuda:"},
            ValueError,
            "device: expected 'cpu', 'cuda' or 'cuda:N', got 'cuda:'",
        ),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_any_image_is_read(
    world, config_for, monkeypatch, changes, error, message
):
    def read(*arguments, **options):
        raise RuntimeError("images were read")

    monkeypatch.setattr("wsdhq.embed.training.trainer.read_inputs", read)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    config = config_for(world.folder, images=world.folder / "images", **changes)
    with pytest.raises(error, match=message):
        train(config)
    with pytest.raises(RuntimeError, match="images were read"):
        train(config_for(world.folder, images=world.folder / "images"))


def test_a_gpu_that_is_not_there_is_named_when_a_model_is_loaded(trained, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r"device: torch .* sees one GPU, got 'cuda:1'"):
        TrainedModel.load(trained.config.out, device="cuda:1")


def test_settings_are_read_without_torch():
    code = (
        "import sys, wsdhq.embed.config, wsdhq.embed.tags\n"
        "from wsdhq.embed import TrainConfig\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_function_is_not_hidden_by_its_module():
    code = (
        "import wsdhq.embed.training.trainer; from wsdhq.embed import train; assert callable(train)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_on_a_terminal_alone(world, config_for, monkeypatch):
    pipe, terminal, silenced = io.StringIO(), _Terminal(), _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("wsdhq._shared.progress.SHOWN_AFTER", 0.0)
    for stream, progress in ((pipe, None), (terminal, None), (silenced, False)):
        # Whatever else stands in for standard error draws by itself.
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "__stderr__", stream)
        train(config_for(world.folder, epochs=1), progress=progress, overwrite=True)
    assert pipe.getvalue() == ""
    assert "epoch 1/1" in terminal.getvalue()
    assert silenced.getvalue() == ""


def test_rates_over_the_steps(config_for, tmp_path):
    def factors(**changes):
        config = config_for(tmp_path, **changes)
        return [rate_factor(config, step, 1000) for step in range(1000)]

    assert set(factors(schedule="constant")) == {1.0}
    halving = factors(schedule="halving", halve_every=300)
    assert [halving[step] for step in (0, 299, 300, 599, 600, 999)] == [1, 1, 0.5, 0.5, 0.25, 0.125]
    cosine = factors(schedule="cosine")
    assert 0 < cosine[0] < 0.05
    assert max(cosine) == pytest.approx(cosine[49])
    assert cosine[499] == pytest.approx(0.5, abs=0.01)
    assert 0 < cosine[999] < 1e-4
    assert cosine[50:] == sorted(cosine[50:], reverse=True)


@pytest.mark.parametrize("dropout", [None, 0.35])
def test_the_head_drops_what_the_tags_ask_for(world, config_for, dropout, monkeypatch):
    seen = set()
    original = nn.Dropout.forward

    def watched(self: nn.Dropout, values: torch.Tensor) -> torch.Tensor:
        if self.training:
            seen.add(self.p)
        return original(self, values)

    monkeypatch.setattr(nn.Dropout, "forward", watched)
    model = train(config_for(world.folder, dropout=dropout, epochs=1))
    _, rows = split_rows(len(world.tags), model.config.num_queries)
    carried = np.diff(model.tags.positives_of([world.tags[row] for row in rows]).indptr)
    tags_per_image = carried[carried > 0].mean()
    (share,) = seen
    assert share == (dropout or pytest.approx(1.5 / (1.5 + tags_per_image)))


@pytest.mark.parametrize("on", ["features", "images"])
def test_training_whitens_what_its_head_sees(world, config_for, on):
    changes = {"epochs": 1} | ({"images": world.folder / "images"} if on == "images" else {})
    whitened = train(config_for(world.folder, "white", whitening=1.0, **changes))
    plain = train(config_for(world.folder, "plain", whitening=0.0, **changes))
    scales = [model.network.head.scale for model in (whitened, plain)]
    assert torch.equal(scales[1], scales[1][:1].expand_as(scales[1]))
    assert (scales[0].max() > 1.1 * scales[0].min()).item()
    if on == "features":
        rows = split_rows(180, 20)[1]
        tagged = rows[[bool(world.tags[row]) for row in rows]]
        deviations = np.load(world.folder / "features.npy")[tagged].std(axis=0, dtype=np.float64)
        np.testing.assert_allclose(scales[0].numpy(), 1 / deviations, rtol=1e-5)


def test_the_head_learns_faster_than_the_backbone():
    network = EmbeddingNetwork(HypersphericalHead(7, 3), _Pool(7))
    config = TrainConfig(
        out="r", tags="t.txt", images="i", learning_rate=0.5, head_rate_factor=3, weight_decay=0.1
    )
    head, backbone = make_optimizer(network, config, config.learning_rates).param_groups
    assert (head["base_rate"], backbone["base_rate"]) == (1.5, 0.5)
    assert head["weight_decay"] == backbone["weight_decay"] == 0.1
    assert {id(p) for p in head["params"]} == {id(p) for p in network.head.parameters()}
    assert {id(p) for p in backbone["params"]} == {id(p) for p in network.backbone.parameters()}


def test_learnt_tags_have_their_own_rate_and_do_not_decay():
    network = EmbeddingNetwork(HypersphericalHead(7, 3))
    given = {"learning_rate": 0.5, "head_rate_factor": 3, "weight_decay": 0.1}
    carried = sparse.csr_array(np.eye(4, dtype=bool))
    for factor in (0.25, 0.0):
        config = TrainConfig(
            out="r", tags="t.txt", features="f", loss="tag_softmax", tag_rate_factor=factor, **given
        )
        objective = make_objective(config, torch.eye(4, 3), carried)
        head, *rest = make_optimizer(network, config, config.learning_rates, objective).param_groups
        assert (head["base_rate"], head["weight_decay"]) == (1.5, 0.1)
        if factor == 0:
            assert rest == []
            continue
        (tags,) = rest
        assert (tags["base_rate"], tags["weight_decay"]) == (0.375, 0.0)
        assert [id(value) for value in tags["params"]] == [id(objective.sphere)]


def test_training_holds_blas_to_its_threads_and_gives_them_back():
    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    # scipy brings the library that solves for codebooks.
    scipy.linalg.solve(np.eye(2), np.ones(2))
    before = blas()
    with training_threads(1):
        assert set(blas()) == {1}
        assert torch.get_num_threads() == 1
    assert blas() == before
    with training_threads(None):
        assert blas() == before
    with (
        pytest.raises(ValueError, match="threads: expected at least 1, got 0"),
        training_threads(0),
    ):
        pass
