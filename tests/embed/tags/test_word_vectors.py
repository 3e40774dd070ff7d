"""Word vectors: files of every known form, whole and damaged, and training on tag sets."""

from __future__ import annotations

import gzip
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from wsdhq.embed.tags.word_vectors import (
    WordVectors,
    load_word_vectors,
    save_word_vectors,
    train_word_vectors,
    word_forms,
)

WORDS = ("sky", "Paris", "golden_gate", "NYC", "t-shirt", "été", "Sky")
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 6)).astype(np.float32)


def gensim_vectors(words=WORDS, vectors=VECTORS):
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(list(words), vectors)
    return keyed


def binary(words=WORDS, vectors=VECTORS, end=b"\n") -> bytes:
    head = f"{len(words)} {vectors.shape[1]}\n".encode()
    return head + b"".join(
        word.encode() + b" " + row.astype("<f4").tobytes() + end
        for word, row in zip(words, vectors)
    )


def text(words=WORDS, vectors=VECTORS, header=True) -> bytes:
    lines = [f"{len(words)} {vectors.shape[1]}"] if header else []
    lines += [f"{word} {' '.join(map(str, row))}" for word, row in zip(words, vectors)]
    return "".join(line + "\n" for line in lines).encode()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


class TestWordVectors:
    def test_keeps_words_and_float32_vectors(self) -> None:
        vectors = WordVectors(WORDS, VECTORS.astype(np.float64))
        assert len(vectors) == len(WORDS)
        assert vectors.dim == 6
        assert vectors.vectors.dtype == np.float32
        assert np.array_equal(vectors.vectors, VECTORS)

    def test_finds_a_tag_by_its_first_form(self) -> None:
        vectors = WordVectors(WORDS, VECTORS)
        found = {
            tag: None if (row := vectors.find(tag)) is None else vectors.words[row]
            for tag in ("sky", "Sky", "SKY", "paris", "nyc", "golden gate", "T-Shirt", "sea", "")
        }
        assert found == {
            "sky": "sky",
            "Sky": "Sky",
            "SKY": "sky",
            "paris": "Paris",
            "nyc": "NYC",
            "golden gate": "golden_gate",
            "T-Shirt": "t-shirt",
            "sea": None,
            "": None,
        }

    def test_forms_in_order(self) -> None:
        assert word_forms("new york") == (
            "new york",
            "New York",
            "NEW YORK",
            "new_york",
            "New_York",
            "NEW_YORK",
            "newyork",
            "NewYork",
            "NEWYORK",
        )
        assert word_forms("McQueen") == ("McQueen", "mcqueen", "Mcqueen", "MCQUEEN")

    @pytest.mark.parametrize(
        ("words", "vectors", "error", "message"),
        [
            (("a", "b", "a"), np.ones((3, 2)), ValueError, r"words\[2\] repeats words\[0\], 'a'"),
            (("a", ""), np.ones((2, 2)), ValueError, r"words\[1\] is empty"),
            (("a", 5), np.ones((2, 2)), TypeError, r"words\[1\]: expected a string, got 5"),
            ((), np.ones((0, 2)), ValueError, "words is empty"),
            (("a", "b"), np.ones((3, 2)), ValueError, r"vectors: expected \(2, D\).*\(3, 2\)"),
            (("a",), np.ones((1, 2), int), TypeError, "floating type, got int64"),
            (("a", "b"), np.array([[1.0], [np.nan]]), ValueError, r"vectors\[1\], of 'b'.*NaN"),
            (("a",), np.array([[1e300]]), ValueError, "of 'a', holds NaN or infinity"),
        ],
    )
    def test_bad_input(self, words, vectors, error, message) -> None:
        with pytest.raises(error, match=message):
            WordVectors(words, vectors)


class TestLoading:
    @pytest.mark.parametrize("name", ["v.bin", "v.txt", "v.vec", "v.VEC", "v.kv"])
    def test_reads_what_gensim_writes(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        if name.endswith("kv"):
            gensim_vectors().save(str(path))
        else:
            gensim_vectors().save_word2vec_format(str(path), binary=name.endswith("bin"))
        loaded = load_word_vectors(path)
        assert loaded.words == WORDS
        assert np.array_equal(loaded.vectors, VECTORS)

    def test_reads_vectors_that_gensim_stores_beside_the_kv(self, tmp_path: Path) -> None:
        path = tmp_path / "v.kv"
        gensim_vectors().save(str(path), sep_limit=1)
        assert (tmp_path / "v.kv.vectors.npy").exists()
        assert np.array_equal(load_word_vectors(path).vectors, VECTORS)
        assert load_word_vectors(path, ["nyc"]).words == ("NYC",)
        (tmp_path / "v.kv.vectors.npy").unlink()
        with pytest.raises(FileNotFoundError, match=r"v\.kv\.vectors\.npy does not exist"):
            load_word_vectors(path)

    def test_reads_the_other_writers(self, tmp_path: Path) -> None:
        contents = {
            "glove.txt": text(header=False),
            "no_line_feeds.bin": binary(end=b""),
            "b.bin.gz": gzip.compress(binary()),
            "t.txt.gz": gzip.compress(text()),
            "v.vec.gz": gzip.compress(text(header=False)),
            "fasttext.vec": text().replace(b"\n", b" \n"),
            "windows.txt": text().replace(b"\n", b"\r\n"),
        }
        for name, content in contents.items():
            loaded = load_word_vectors(write(tmp_path / name, content))
            assert loaded.words == WORDS, name
            assert np.array_equal(loaded.vectors, VECTORS), name

    def test_words_of_glove_may_hold_spaces(self, tmp_path: Path) -> None:
        path = write(tmp_path / "g.txt", b"sky 1 2\n. . . 3 4\nnew york 5 6\n")
        loaded = load_word_vectors(path)
        assert loaded.words == ("sky", ". . .", "new york")
        assert loaded.vectors.tolist() == [[1, 2], [3, 4], [5, 6]]
        assert load_word_vectors(path, ["New York"]).words == ("new york",)

    @pytest.mark.parametrize("name", ["v.bin", "v.txt", "v.kv"])
    def test_keeps_only_the_words_asked_for(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        if name == "v.kv":
            gensim_vectors().save(str(path))
        else:
            path.write_bytes(binary() if name == "v.bin" else text())
        loaded = load_word_vectors(path, ["golden gate", "SKY", "sea", "été", "golden gate"])
        # "Sky" stands for SKY as well, but "sky" is tried first.
        assert loaded.words == ("sky", "golden_gate", "été")
        assert np.array_equal(loaded.vectors, VECTORS[[0, 2, 5]])

    def test_memory_is_that_of_the_words_asked_for(self, tmp_path: Path) -> None:
        import tracemalloc

        words = [f"w{i}" for i in range(20_000)]
        vectors = np.zeros((20_000, 100), np.float32)
        vectors[777] = 1.0
        path = write(tmp_path / "v.bin", binary(words, vectors))
        assert path.stat().st_size > 8_000_000
        tracemalloc.start()
        try:
            loaded = load_word_vectors(path, ["w777"])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert loaded.vectors.tolist() == [[1.0] * 100]
        assert peak < 2_000_000

    def test_every_truncation_is_an_error(self, tmp_path: Path) -> None:
        for name, content in (("v.bin", binary(end=b"")), ("v.txt", text().rstrip(b"\n"))):
            for length in range(len(content)):
                # Cutting digits off the last number of a text leaves another number.
                if name == "v.txt" and length > content.rindex(b" ") + 1:
                    continue
                with pytest.raises(ValueError, match=r"v\.(bin|txt)"):
                    load_word_vectors(write(tmp_path / name, content[:length]))
        gensim_vectors().save(str(tmp_path / "v.kv"))
        content = (tmp_path / "v.kv").read_bytes()
        for length in range(0, len(content), 7):
            with pytest.raises(ValueError, match=r"v\.kv is not a readable KeyedVectors file"):
                load_word_vectors(write(tmp_path / "v.kv", content[:length]))
        zipped = gzip.compress(binary())
        with pytest.raises(ValueError, match=r"v\.bin\.gz is not a whole gzip file"):
            load_word_vectors(write(tmp_path / "v.bin.gz", zipped[:-20]))

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("v.model", b"", r"v\.model: .* known are \.bin, .*\.txt, .*\.vec, .*\.kv"),
            ("v.gz", b"", "known are"),
            ("v.bin", b"\x89PNG\r\n\x1a\n" + bytes(99), "not a word2vec binary file"),
            ("v.bin", b"", "not a word2vec binary file"),
            ("v.bin", b"3 0\n", "expected vectors of 1 .. 65536 dimensions, got 0"),
            ("v.bin", b"9999999999 300\nsky ", "truncated or not a word2vec binary file"),
            ("v.bin", binary() + b"more", "goes on after the 7 words"),
            ("v.bin", b"1 1\n" + b"x" * 70000, "no word is found at word 1"),
            ("v.txt", b"", "line 1: expected .* got an empty line"),
            ("v.txt", b"sky\nsea\n", "line 1: .* got 'sky'"),
            ("v.txt", b"a 1 2\nb 3\n", "line 2: expected a word and 2 numbers, got 'b 3'"),
            ("v.txt", b"a 1 2\nb 3 4 5\n", "line 2: expected a word and 2 numbers"),
            ("v.txt", b"2 2\na 1 2\nb 3 x\n", "line 3: expected a word and 2 numbers"),
            ("v.txt", b"3 2\na 1 2\nb 3 4\n", "truncated: .* promises 3 words, it has 2"),
            ("v.txt", b"1 2\na 1 2\nb 3 4\n", "goes on: .* promises 1 words, it has 2"),
            ("v.txt", b"a 1 2\nb nan 4\n", "line 2: the vector of 'b' holds NaN"),
            ("v.txt", b"a 1 2\nb 1e99 4\n", "line 2: the vector of 'b' holds NaN or infinity"),
            ("v.txt", b"\xff\xfe 1 2\n", "holds no words"),
            ("v.bin", b"0 5\n", "holds no words"),
            ("v.kv", b"not a pickle", "not a readable KeyedVectors file"),
            ("v.kv", pickle.dumps({"vectors": 1}), "not a readable KeyedVectors file"),
        ],
    )
    def test_damaged_and_foreign_files(self, tmp_path, name, content, message) -> None:
        with pytest.raises(ValueError, match=message):
            load_word_vectors(write(tmp_path / name, content))

    def test_nan_names_the_word(self, tmp_path: Path) -> None:
        vectors = VECTORS.copy()
        vectors[3, 2] = np.nan
        path = write(tmp_path / "v.bin", binary(vectors=vectors))
        with pytest.raises(ValueError, match=r"v\.bin, word 4: the vector of 'NYC' holds NaN"):
            load_word_vectors(path)
        assert load_word_vectors(path, ["sky"]).words == ("sky",)
        gensim_vectors(vectors=vectors).save(str(tmp_path / "v.kv"))
        with pytest.raises(ValueError, match=r"v\.kv, word 4: the vector of 'NYC'"):
            load_word_vectors(tmp_path / "v.kv")

    def test_a_kv_cannot_run_code(self, tmp_path: Path) -> None:
        class Harmful:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "harm"),)

        path = write(tmp_path / "v.kv", pickle.dumps(Harmful()))
        with pytest.raises(ValueError, match=r"asks for .*mkdir"):
            load_word_vectors(path)
        assert not (tmp_path / "harm").exists()

    def test_a_kv_of_something_else(self, tmp_path: Path) -> None:
        keyed = gensim_vectors()
        keyed.vectors = keyed.vectors[:3]
        path = tmp_path / "v.kv"
        path.write_bytes(pickle.dumps(keyed))
        with pytest.raises(ValueError, match="no words with a matrix of vectors"):
            load_word_vectors(path)

    def test_first_of_repeated_words_is_kept_and_broken_words_are_left_out(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write(tmp_path / "v.txt", b"a 1 2\nb 3 4\na 5 6\n\xe9\xe9 7 8\n")
        loaded = load_word_vectors(path)
        assert loaded.words == ("a", "b")
        assert loaded.vectors.tolist() == [[1, 2], [3, 4]]
        assert "1 words occur again, such as 'a'" in caplog.text
        assert "1 words are not UTF-8" in caplog.text

    def test_none_of_the_words(self, tmp_path: Path) -> None:
        path = write(tmp_path / "v.bin", binary())
        with pytest.raises(
            ValueError, match=r"none of the 2 words .*'zebra', 'lion'.* such as 'sky', 'Paris'"
        ):
            load_word_vectors(path, ["zebra", "lion"])
        with pytest.raises(ValueError, match=r"none of the 0 words .*\(none\)"):
            load_word_vectors(path, [])

    def test_bad_arguments(self, tmp_path: Path) -> None:
        path = write(tmp_path / "v.bin", binary())
        with pytest.raises(FileNotFoundError, match=r"missing\.bin does not exist"):
            load_word_vectors(tmp_path / "missing.bin")
        with pytest.raises(TypeError, match="got the string 'sky'"):
            load_word_vectors(path, "sky")
        with pytest.raises(TypeError, match="words: expected strings, got 3"):
            load_word_vectors(path, ["sky", 3])


def tagged_images(num_images: int = 600, seed: int = 0) -> list[list[str]]:
    """Two kinds of things, each called by one of two names, beside tags of its own kind."""
    generator = random.Random(seed)
    kinds = {
        ("boat", "ship"): ["sea", "water", "harbour", "sail", "waves", "port"],
        ("car", "auto"): ["road", "street", "traffic", "wheels", "city", "speed"],
    }
    tag_sets = []
    for _ in range(num_images):
        names, company = generator.choice(list(kinds.items()))
        tag_sets.append([generator.choice(names), *generator.sample(company, 3)])
    return tag_sets


class TestTraining:
    def test_names_of_one_thing_lie_together(self) -> None:
        trained = train_word_vectors(tagged_images(), dim=32)
        cosines = trained.vectors @ trained.vectors.T
        np.fill_diagonal(cosines, -1.0)
        for name, synonym in (("boat", "ship"), ("car", "auto")):
            nearest = cosines[trained.find(name)]
            assert trained.words[int(nearest.argmax())] == synonym
            assert nearest[trained.find(synonym)] > 0.75
        assert cosines[trained.find("boat"), trained.find("car")] < 0.3

    def test_vectors_are_unit_rows_in_order_of_frequency(self) -> None:
        tag_sets = [["b", "a"], ["c", "a", "a"], ["b", "a", "d"], ["rare", "a"], []]
        trained = train_word_vectors(tag_sets, dim=7, min_count=1, epochs=1)
        assert trained.words == ("a", "b", "c", "d", "rare")
        assert trained.vectors.shape == (5, 7)
        assert trained.vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(trained.vectors, axis=1), 1.0, atol=1e-6)
        assert train_word_vectors(tag_sets, dim=7, min_count=2, epochs=1).words == ("a", "b")

    def test_the_window_covers_the_tag_set(self) -> None:
        # The names of a thing stand 12 places from its company, and share nothing else.
        fillers = [f"filler{i}" for i in range(12)]
        spread = [[tags[0], *fillers, *tags[1:]] for tags in tagged_images(300)]
        trained = train_word_vectors(spread, dim=16)
        boat = trained.vectors[trained.find("boat")]
        assert boat @ trained.vectors[trained.find("ship")] > 0.2 + (
            boat @ trained.vectors[trained.find("auto")]
        )

    def test_repeats_in_another_process_and_beside_other_threads(self) -> None:
        script = (
            "import sys, test_word_vectors as t\n"
            "trained = t.train_word_vectors(t.tagged_images(), dim=24, epochs=4, seed=5)\n"
            "sys.stdout.buffer.write(' '.join(trained.words).encode() + trained.vectors.tobytes())"
        )
        environment = os.environ | {
            "PYTHONHASHSEED": "12345",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        fresh = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, check=True
        ).stdout

        def train(seed: int) -> bytes:
            trained = train_word_vectors(tagged_images(), dim=24, epochs=4, seed=seed)
            return " ".join(trained.words).encode() + trained.vectors.tobytes()

        with ThreadPoolExecutor(3) as pool:
            first, other_seed, second = pool.map(train, [5, 6, 5])
        assert first == second == fresh
        assert other_seed != first

    def test_global_generators_are_left_alone(self) -> None:
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002 - the global state itself is under test
        states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        train_word_vectors(tagged_images(50), dim=4, epochs=2)
        assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002

    def test_tags_that_are_always_alone(self) -> None:
        names = [f"tag{i}" for i in range(20)]
        trained = train_word_vectors([[name] for name in names], dim=64, min_count=1)
        cosines = trained.vectors @ trained.vectors.T - np.eye(20)
        assert trained.words == tuple(names)
        assert np.abs(cosines).max() < 0.6

    def test_a_single_tag(self) -> None:
        trained = train_word_vectors([["cat"], [], ["cat"]], dim=5, min_count=1)
        assert trained.words == ("cat",)
        assert np.linalg.norm(trained.vectors) == pytest.approx(1.0)

    def test_tags_share_no_common_direction(self) -> None:
        trained = train_word_vectors(tagged_images(), dim=32)
        assert np.linalg.norm(trained.vectors.mean(axis=0)) < 0.2

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"tag_sets": []}, ValueError, r"every tag set is empty \(0 images\)"),
            ({"tag_sets": [[], []]}, ValueError, r"every tag set is empty \(2 images\)"),
            ({"tag_sets": [["a"], ["a", ""]]}, ValueError, r"tag_sets\[1\] holds the empty tag"),
            ({"tag_sets": [["a", "  "]]}, ValueError, r"tag_sets\[0\] holds the empty tag"),
            ({"tag_sets": [["a"], ["a", 3]]}, TypeError, r"tag_sets\[1\] holds 3"),
            ({"tag_sets": ["a b", "c"]}, TypeError, r"tag_sets\[0\]: expected a sequence.*'a b'"),
            ({"tag_sets": "a b"}, TypeError, "got a single string"),
            ({"tag_sets": [["a"], None]}, TypeError, r"tag_sets\[1\]: expected a sequence.*None"),
            ({"tag_sets": [["a", "b"], ["a"]]}, ValueError, "min_count = 5 .*'a', by 2"),
            ({"dim": 0}, ValueError, r"dim: expected 1 to 65536, got 0"),
            ({"min_count": 0}, ValueError, "min_count: expected at least 1"),
            ({"epochs": 0}, ValueError, "epochs: expected at least 1"),
            ({"negative": -1}, ValueError, "negative: expected at least 1"),
            ({"seed": 2**32}, ValueError, r"seed: expected 0 to 4294967295"),
            ({"epochs": 1.5}, TypeError, "epochs: expected an integer, got float"),
        ],
    )
    def test_bad_input(self, change: dict, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            train_word_vectors(**({"tag_sets": tagged_images(30)} | change))


def test_saved_vectors_come_back_to_the_bit(tmp_path):
    generator = np.random.default_rng(0)
    words = ("boat", "golden gate", "route 66", "mañana", "golden_gate", "1 2")
    values = (generator.standard_normal((6, 5)) * 10.0 ** np.arange(-20, 20, 8)).astype(np.float32)
    vectors = WordVectors(words, values)
    for name in ("words.txt", "words.vec"):
        save_word_vectors(tmp_path / name, vectors)
        found = load_word_vectors(tmp_path / name)
        # A file has no spaces within words; of two that are then equal the first is kept.
        assert found.words == ("boat", "golden_gate", "route_66", "mañana", "1_2")
        for word, row in zip(words, (0, 1, 2, 3, 1, 5)):
            assert np.array_equal(found.vectors[found.find(word)], values[row])
    with pytest.raises(ValueError, match=r"words\.bin: word vectors are written as \.txt or \.vec"):
        save_word_vectors(tmp_path / "words.bin", vectors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["words.txt", "words.vec"]
