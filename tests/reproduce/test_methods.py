"""Baselines and embeddings as rows: what they are given, and figures repeated by hand."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from reproduction import TINY, DeepTagHash, SignHash, write_images
from wsdhq.data import read_tags
from wsdhq.embed import TrainConfig, TrainedModel, train
from wsdhq.embed.config.variants import VARIANTS, variant_settings
from wsdhq.evaluation import evaluate_groupings
from wsdhq.quant import AQDIndex
from wsdhq.reproduce import Listener, Work
from wsdhq.reproduce.cells import Cell
from wsdhq.reproduce.methods import BaselineMethod
from wsdhq.reproduce.plan import make_methods

pytestmark = pytest.mark.usefixtures("stand_ins")


def figures(ranked, materials):
    results = evaluate_groupings(ranked.rank, materials.label_pairs(), 50, random_seed=None)
    return {name: result.map for name, result in results.items()}


def embedding(source, name="WSDHQ"):
    return make_methods([name], source.settings)[name]


def test_a_baseline_learns_from_training_rows_and_ranks_the_database(source, work):
    materials = source.materials(1)
    method = BaselineMethod("LSH", SignHash)
    ranked = method.compute(Cell("LSH", 16, 1), materials, work)
    values = np.load(source.features)
    (fitted,) = SignHash.fitted
    assert (fitted["bits"], fitted["seed"]) == (16, 1)
    assert np.array_equal(fitted["data"].inputs, values[materials.train])
    assert fitted["data"].tags == [materials.dataset.tags[row] for row in materials.train]
    assert fitted["data"].word_vectors is None
    by_hand = SignHash(16, seed=1).fit(fitted["data"])
    rank = by_hand.rank(values[materials.query], by_hand.encode(values[materials.database]))
    for start, stop in ((0, 7), (7, 30)):
        for ours, theirs in zip(ranked.rank(start, stop), rank(start, stop)):
            assert np.array_equal(ours, theirs)
    assert set(ranked.seconds) == {"fit", "encode"}


def test_word_vectors_go_to_those_that_use_tags(source, work):
    materials = source.materials(0)
    method = BaselineMethod("WDHT", DeepTagHash, {"epochs": 4})
    method.compute(Cell("WDHT", 8, 0), materials, work)
    (fitted,) = DeepTagHash.fitted
    assert fitted["data"].word_vectors.words == materials.word_vectors.words
    assert (fitted["epochs"], fitted["device"]) == (4, "cpu")
    assert "backbone" not in fitted
    identity = method.identity(Cell("WDHT", 8, 0), materials)
    assert identity["word vectors"] == {"word_dim": 8, "word_epochs": 20, "min_count": 1}
    assert identity["settings"] == {"epochs": 4}
    assert identity["inputs"]["kind"] == "features"
    assert "word vectors" not in BaselineMethod("LSH", SignHash).identity(None, materials)


def test_deep_baselines_learn_from_images_through_the_backbone(source, work, monkeypatch):
    write_images(source.root)
    source.backbone = "small"
    source.settings = {**source.settings, "image_size": 18, "crop_size": 16}
    materials = source.materials(0)
    monkeypatch.setattr(materials, "make_backbone", lambda seed: f"backbone of {seed}")
    method = BaselineMethod("WDHT", DeepTagHash)
    cell = Cell("WDHT", 8, 3)
    method.compute(cell, materials, work)
    (fitted,) = DeepTagHash.fitted
    assert fitted["data"].inputs.shape == (60, 16, 16, 3)
    assert fitted["backbone"] == "backbone of 3"
    identity = method.identity(cell, materials)
    assert identity["settings"] == {
        "image_size": 16, "backbone": "small", "backbone weights": None,
    }  # fmt: skip
    assert identity["inputs"]["kind"] == "images"
    # Shallow ones still learn from the features.
    assert BaselineMethod("LSH", SignHash).identity(cell, materials)["inputs"]["kind"] == "features"


@pytest.mark.parametrize("name", ["WSDHQ", "WSDHQ_2"])
def test_an_embedding_is_what_training_by_hand_gives(name, source, work, tmp_path):
    materials = source.materials(1)
    cell = Cell(name, 16, 1)
    ranked = embedding(source, name).compute(cell, materials, work)
    values = np.load(source.features)
    np.save(tmp_path / "train.npy", values[materials.train])
    tags = [json.dumps(materials.dataset.tags[row]) + "\n" for row in materials.train]
    (tmp_path / "train.jsonl").write_text("".join(tags))
    model = train(
        TrainConfig(
            out=tmp_path / "run", features=tmp_path / "train.npy", tags=tmp_path / "train.jsonl",
            word_vectors=materials.word_vector_file, bits=16, seed=1, threads=1,
            **variant_settings(name, TINY),
        )
    )  # fmt: skip
    index = AQDIndex(model.quantizer)
    index.add(model.encode(values[materials.database], threads=1))
    queries = model.embed(values[materials.query], threads=1)
    ours, theirs = ranked.rank(0, 30), index.search(queries, 120, threads=1)
    assert np.array_equal(ours[1], theirs[1])
    assert np.array_equal(ours[0], theirs[0])
    # The run stays until its figures are kept.
    assert {path.name for path in work.runs.iterdir()} == {
        f"{name}-16bits-seed1", f"{name}-16bits-seed1.json",
    }  # fmt: skip
    config = TrainedModel.load(work.runs / cell.file_stem).config
    assert config.num_queries == 0
    assert read_tags(config.tags) == read_tags(tmp_path / "train.jsonl")
    ranked.clean_up()
    assert list(work.runs.iterdir()) == []


def test_an_embedding_learns_from_images(source, work):
    write_images(source.root)
    source.backbone, source.settings = "small", {**TINY, "image_size": 16, "epochs": 1}
    materials = source.materials(0)
    method = make_methods(["WSDHQ"], source.settings)["WSDHQ"]
    cell = Cell("WSDHQ", 8, 0)
    ranked = method.compute(cell, materials, Work(work.runs, threads=1, keep_runs=True))
    ranked.clean_up()
    model = TrainedModel.load(work.runs / cell.file_stem)
    pixels = materials.inputs(True).take(materials.query[:4])
    index = AQDIndex(model.quantizer)
    index.add(model.encode(materials.inputs(True).take(materials.database), threads=1))
    expected = index.search(model.embed(pixels, threads=1), 120, threads=1)
    assert np.array_equal(ranked.rank(0, 4)[1], expected[1])
    identity = method.identity(cell, materials)
    assert identity["inputs"]["kind"] == "images"
    assert identity["settings"]["backbone weights"] is None


class StopAfter:
    """A listener's `stage` that presses Ctrl-C when a training has come to an epoch."""

    def __init__(self, words):
        self.words = words
        self.stages = []

    def __call__(self, text):
        self.stages.append(text)
        if self.words is not None and text.endswith(self.words):
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on(source, work, tmp_path):
    source.settings = {**TINY, "epochs": 3}
    method = embedding(source)
    cell = Cell("WSDHQ", 8, 0)
    expected = figures(method.compute(cell, source.materials(0), work), source.materials(0))
    stopped = StopAfter("epoch 2 of 3")
    elsewhere = Work(source.out / "other", threads=1, listener=Listener(stage=stopped))
    with pytest.raises(KeyboardInterrupt):
        method.compute(cell, source.materials(0), elsewhere)
    resumed = StopAfter(None)
    elsewhere = Work(source.out / "other", threads=1, listener=Listener(stage=resumed))
    ranked = method.compute(cell, source.materials(0), elsewhere)
    assert [text for text in resumed.stages if "epoch" in text] == [
        "WSDHQ 8 bits seed 0: epoch 3 of 3"
    ]
    assert figures(ranked, source.materials(0)) == expected


@pytest.mark.parametrize("change", ["settings", "features"])
def test_an_interrupted_training_of_something_else_is_begun_anew(source, change):
    cell = Cell("WSDHQ", 8, 0)
    stopped = Work(source.out / "runs", 1, listener=Listener(stage=StopAfter("epoch 1 of 2")))
    with pytest.raises(KeyboardInterrupt):
        embedding(source).compute(cell, source.materials(0), stopped)
    if change == "settings":
        source.settings = {**source.settings, "gamma": 2.0}
    else:
        np.save(source.features, np.load(source.features) * np.float32(2))
        source._checksums.clear()
    stages = StopAfter(None)
    work = Work(source.out / "runs", 1, listener=Listener(stage=stages), keep_runs=True)
    embedding(source).compute(cell, source.materials(0), work)
    assert "WSDHQ 8 bits seed 0: epoch 1 of 2" in stages.stages
    model = TrainedModel.load(work.runs / cell.file_stem)
    assert model.config.gamma == source.settings.get("gamma", 1.0)


def test_settings_win_in_order(source):
    source.settings = {**TINY, "gamma": 2.0, "num_neighbours": 3, "threads": 7}
    materials = source.materials(0)
    usual = embedding(source).identity(Cell("WSDHQ", 24, 2), materials)["settings"]
    assert (usual["gamma"], usual["num_neighbours"], usual["bits"], usual["seed"]) == (2, 3, 24, 2)
    variant = embedding(source, "WSDHQ_G").identity(Cell("WSDHQ_G", 24, 2), materials)["settings"]
    assert (variant["gamma"], variant["num_neighbours"]) == (2.0, 0)
    point = Cell("WSDHQ", 24, 2, (("gamma", 0.3),))
    assert embedding(source).identity(point, materials)["settings"]["gamma"] == 0.3
    # Where files are and what computes does not make another method.
    assert not {"threads", "device", "out", "features", "tags", "word_vectors"} & set(usual)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_differ_in_nothing_but_their_changes(name, source):
    materials = source.materials(0)
    usual = embedding(source).identity(Cell("WSDHQ", 8, 0), materials)
    variant = embedding(source, name).identity(Cell(name, 8, 0), materials)
    expected = {**usual, "settings": {**usual["settings"], **VARIANTS[name].settings}}
    assert variant == expected
    assert (variant == usual) == (name == "WSDHQ")
    # As JSON keeps it, it is still the same.
    assert json.loads(json.dumps(variant)) == variant


def test_a_training_tells_the_log_warnings_only(source, work, caplog):
    logger = logging.getLogger("wsdhq.embed")
    with caplog.at_level(logging.INFO, "wsdhq"):
        embedding(source).compute(Cell("WSDHQ", 8, 0), source.materials(0), work)
        # Lines of the quantizer are another log's, which the command line silences too.
        assert [record for record in caplog.records if record.name == "wsdhq.embed"] == []
        logger.info("after it, all is told again")
    assert "after it, all is told again" in caplog.text
