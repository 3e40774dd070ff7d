"""Indexes that go to faiss and come back: the same codebooks, codes, ids and scores."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

import oracle
from wsdhq._shared.extras import install_command
from wsdhq.quant import AdditiveQuantizer, AQDIndex

faiss = pytest.importorskip("faiss")

from wsdhq.interop.faiss import from_faiss, to_faiss  # noqa: E402

DIM = 12
PROBLEM = oracle.float_problem(3, 3000, DIM, 3, 256)
SMALL = oracle.float_problem(4, 1200, DIM, 2, 20)
QUERIES = np.random.default_rng(5).standard_normal((9, DIM)).astype(np.float32)
MIXED_IDS = np.random.default_rng(6).permutation(50_000)[:3000]


def make(similarity: str, ids: NDArray[np.int64] | None = None, problem=PROBLEM) -> AQDIndex:
    index = AQDIndex(AdditiveQuantizer.from_codebooks(problem.codebooks), similarity)
    index.add(problem.codes, ids)
    return index


def scores_of(index, k: int = 25) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of either side, the larger the better: our l2 is the negative of faiss's distance."""
    scores, ids = index.search(QUERIES, k)
    is_distance = not isinstance(index, AQDIndex) and index.metric_type == faiss.METRIC_L2
    return (-scores if is_distance else scores), ids


def assert_same_answers(left, right, k: int = 25) -> None:
    scores, ids = scores_of(left, k)
    other_scores, other_ids = scores_of(right, k)
    tolerance = 3e-5 * np.abs(scores).max()
    np.testing.assert_allclose(scores, other_scores, rtol=0, atol=tolerance)
    # Where a float sum could not tell two apart, they may have changed places.
    for row, wrong in enumerate(ids != other_ids):
        for place in np.flatnonzero(wrong):
            gaps = np.abs(scores[row, place] - other_scores[row])
            partner = np.flatnonzero(other_ids[row] == ids[row, place])
            assert len(partner) == 0 or gaps[partner[0]] <= tolerance
            assert len(partner) or np.abs(scores[row, place] - scores[row, -1]) <= tolerance


@pytest.mark.parametrize("similarity", ["ip", "l2"])
@pytest.mark.parametrize("ids", [None, MIXED_IDS], ids=["positions", "ids"])
def test_faiss_answers_the_same(similarity, ids):
    index = make(similarity, ids)
    made = to_faiss(index)
    assert made.ntotal == len(index)
    assert isinstance(made, faiss.IndexLocalSearchQuantizer if ids is None else faiss.IndexIDMap2)
    assert_same_answers(index, made)
    # And knows what it holds.
    some = index.ids[[0, 17, -1]]
    rebuilt = np.stack([made.reconstruct(int(i)) for i in some])
    np.testing.assert_allclose(rebuilt, index.reconstruct(some), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("similarity", ["ip", "l2"])
@pytest.mark.parametrize("ids", [None, MIXED_IDS], ids=["positions", "ids"])
def test_what_went_to_faiss_comes_back_to_the_byte(similarity, ids):
    index = make(similarity, ids)
    back = from_faiss(to_faiss(index))
    np.testing.assert_array_equal(back.codes, index.codes)
    np.testing.assert_array_equal(back.ids, index.ids)
    np.testing.assert_array_equal(back.quantizer.codebooks, index.quantizer.codebooks)
    assert back.similarity == similarity
    for mine, other in zip(index.search(QUERIES, 30), back.search(QUERIES, 30)):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("similarity", ["ip", "l2"])
def test_smaller_codebooks_are_padded(similarity):
    index = make(similarity, problem=SMALL)
    made = to_faiss(index)
    assert_same_answers(index, made)
    np.testing.assert_array_equal(from_faiss(made).codes, index.codes)


@pytest.mark.parametrize("similarity", ["ip", "l2"])
@pytest.mark.parametrize("ids", [None, MIXED_IDS], ids=["positions", "ids"])
def test_an_inverted_file_of_the_same_codes(similarity, ids):
    index = make(similarity, ids)
    centroids = PROBLEM.X[:24].astype(np.float64)
    made = to_faiss(index, centroids)
    assert isinstance(made, faiss.IndexIVFLocalSearchQuantizer)
    assert (made.ntotal, made.nlist) == (len(index), 24)
    made.nprobe = 24
    assert_same_answers(index, made)
    # In each list are those whose reconstructions its centroid suits best.
    rebuilt = index.quantizer.decode(index.codes).astype(np.float64)
    if similarity == "ip":
        suits = rebuilt @ centroids.T
    else:
        suits = -((rebuilt[:, None] - centroids) ** 2).sum(axis=2)
    lists = suits.argmax(axis=1)
    for number in range(24):
        size = made.invlists.list_size(number)
        stored = faiss.rev_swig_ptr(made.invlists.get_ids(number), size) if size else []
        assert sorted(stored) == sorted(index.ids[lists == number])


@pytest.mark.parametrize("similarity", ["ip", "l2"])
@pytest.mark.parametrize("nlist", [1, 2, 300])
def test_numbers_of_lists_of_no_byte_one_and_two(similarity, nlist):
    index = make(similarity, MIXED_IDS)
    made = to_faiss(index, PROBLEM.X[:nlist])
    made.nprobe = nlist
    assert made.coarse_code_size() == (nlist > 1) + (nlist > 256)
    assert_same_answers(index, made)
    some = index.ids[[0, 17, -1]]
    made.set_direct_map_type(faiss.DirectMap.Hashtable)
    rebuilt = np.stack([made.reconstruct(int(i)) for i in some])
    np.testing.assert_allclose(rebuilt, index.reconstruct(some), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("centroids", [None, PROBLEM.X[:7]], ids=["flat", "inverted"])
@pytest.mark.parametrize("similarity", ["ip", "l2"])
def test_codebooks_are_those_of_the_codes(similarity, centroids):
    # A quantizer that is fitted again is no longer that of the index.
    quantizer = AdditiveQuantizer.from_codebooks(PROBLEM.codebooks, iterations=0, threads=1)
    index = AQDIndex(quantizer, similarity)
    index.add(PROBLEM.codes)
    expected = index.search(QUERIES, 10)[0]
    quantizer.fit(PROBLEM.X[:300] * 50)
    made = to_faiss(index, centroids)
    if centroids is not None:
        made.nprobe = len(centroids)
    scores = made.search(QUERIES, 10)[0] * (1 if similarity == "ip" else -1)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_centroids_may_be_of_another_library():
    torch = pytest.importorskip("torch")
    index = make("l2")
    centroids = torch.from_numpy(PROBLEM.X[:5].copy()).requires_grad_()
    for given in (centroids, centroids.double(), PROBLEM.X[:5].tolist()):
        made = to_faiss(index, given)
        made.nprobe = 5
        assert_same_answers(index, made)


def test_an_inverted_file_outlives_what_it_was_made_of(tmp_path):
    import gc

    made = to_faiss(make("l2"), PROBLEM.X[:5])
    gc.collect()
    made.nprobe = 5
    expected = made.search(QUERIES, 10)
    path = str(tmp_path / "ivf.faiss")
    faiss.write_index(made, path)
    read = faiss.read_index(path)
    read.nprobe = 5
    for mine, other in zip(expected, read.search(QUERIES, 10)):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("kind", ["LocalSearch", "Residual"])
@pytest.mark.parametrize("similarity", ["ip", "l2"])
@pytest.mark.parametrize("mapped", [False, True])
def test_an_index_that_faiss_trained(kind, similarity, mapped, tmp_path):
    X = PROBLEM.X[:1500]
    metric = faiss.METRIC_INNER_PRODUCT if similarity == "ip" else faiss.METRIC_L2
    aq = faiss.AdditiveQuantizer
    search_type = aq.ST_LUT_nonorm if similarity == "ip" else aq.ST_norm_float
    flat = getattr(faiss, f"Index{kind}Quantizer")(DIM, 2, 8, metric, search_type)
    if kind == "Residual":
        flat.rq.cp.min_points_per_centroid = 1
    flat.train(X)
    if mapped:
        made = faiss.IndexIDMap2(flat)
        made.add_with_ids(X, MIXED_IDS[:1500])
    else:
        made = flat
        made.add(X)
    path = str(tmp_path / "aq.faiss")
    faiss.write_index(made, path)
    for source in (made, faiss.read_index(path)):
        index = from_faiss(source)
        assert index.similarity == similarity
        np.testing.assert_array_equal(index.ids, MIXED_IDS[:1500] if mapped else np.arange(1500))
        assert_same_answers(index, made)


def test_nothing_becomes_nothing():
    empty = AQDIndex(AdditiveQuantizer.from_codebooks(PROBLEM.codebooks), "l2")
    made = to_faiss(empty)
    assert made.ntotal == 0
    assert len(from_faiss(made)) == 0
    assert to_faiss(empty, PROBLEM.X[:3]).ntotal == 0


def test_what_faiss_has_not_is_refused():
    with pytest.raises(ValueError, match=r'no cosine for additive codes, expected similarity "ip"'):
        to_faiss(make("cosine"))
    with pytest.raises(TypeError, match="index: expected an AQDIndex, got ndarray"):
        to_faiss(PROBLEM.codes)
    index = make("l2")
    for centroids, message in (
        (np.zeros((3, DIM + 1), np.float32), rf"centroids: .*{DIM}"),
        (np.zeros((0, DIM), np.float32), "centroids: expected at least one, got none"),
        (np.full((2, DIM), np.nan, np.float32), "centroids"),
    ):
        with pytest.raises(ValueError, match=message):
            to_faiss(index, centroids)


def test_other_indexes_of_faiss_are_refused_by_name():
    with pytest.raises(TypeError, match="expected a faiss index, got ndarray"):
        from_faiss(np.zeros((3, 2)))
    with pytest.raises(TypeError, match="perhaps in an IndexIDMap, got IndexFlatL2"):
        from_faiss(faiss.IndexFlatL2(4))
    with pytest.raises(ValueError, match="expected a trained index, got one without codebooks"):
        from_faiss(faiss.IndexResidualQuantizer(DIM, 2, 8))
    bits = faiss.IndexResidualQuantizer(DIM, 2, 4)
    bits.rq.cp.min_points_per_centroid = 1
    bits.train(PROBLEM.X[:400])
    with pytest.raises(ValueError, match=r"expected codes of 8 bits, got \[4\]"):
        from_faiss(bits)
    flat = to_faiss(AQDIndex(AdditiveQuantizer.from_codebooks(PROBLEM.codebooks)))
    twice = faiss.IndexIDMap2(flat)
    twice.add_sa_codes(PROBLEM.codes[:2], np.array([7, 7]))
    with pytest.raises(ValueError, match="index: its ids: id 7 comes more than once"):
        from_faiss(twice)


def test_without_faiss_the_message_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "faiss", None)
    for call in (lambda: to_faiss(make("ip")), lambda: from_faiss(None)):
        with pytest.raises(ImportError, match=re.escape(install_command("faiss"))):
            call()


def test_importing_the_module_imports_no_faiss():
    import subprocess
    import sys

    code = "import sys, wsdhq.interop.faiss; assert 'faiss' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_checked(threads: int) -> None:
    index = AQDIndex(AdditiveQuantizer.from_codebooks(np.ones((2, 256, 4), np.float32)))
    for call in (lambda: to_faiss(index, threads=threads), lambda: from_faiss(1, threads=threads)):
        with pytest.raises(ValueError, match="threads: expected at least 1"):
            call()
    assert from_faiss(to_faiss(index, threads=1), threads=2).quantizer.threads == 2
