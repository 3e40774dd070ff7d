import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsdhq.data.tags import numbered_lines, read_tags


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_text_tags_are_split_at_white_space_line_by_line(write):
    path = write("tags.txt", "red dress\n\n  Blue\tShoe  \nlast")
    assert read_tags(path) == [["red", "dress"], [], ["blue", "shoe"], ["last"]]


def test_tags_are_lower_cased_and_kept_once_in_first_order(write):
    path = write("tags.txt", "Sea sky SEA beach Sky ÉTÉ été\n")
    assert read_tags(path) == [["sea", "sky", "beach", "été"]]


def test_windows_line_ends_byte_order_mark_and_capital_extension(write):
    path = write("TAGS.TXT", b"\xef\xbb\xbfcat dog\r\n\r\nbird\r\n")
    assert read_tags(path) == [["cat", "dog"], [], ["bird"]]


def test_only_line_feeds_end_lines(write):
    # All of these end a line for str.splitlines, and would shift the rows below.
    path = write("tags.txt", "a\x0bb\x0cc\x85d\u2028e\rf\x1cg\nsecond\n")
    assert read_tags(path) == [["a", "b", "c", "d", "e", "f", "g"], ["second"]]


def test_last_empty_lines_are_images_without_tags(write):
    assert read_tags(write("a.txt", "cat\n\n\n")) == [["cat"], [], []]
    assert read_tags(write("b.txt", "\n")) == [[]]


def test_json_lines_hold_lists_or_objects_with_tags(write):
    path = write(
        "tags.jsonl",
        '["Red  Sofa", " cat ", "", "cat"]\n[]\n{"id": 3, "tags": ["Été\\n2019"], "x": null}\r\n',
    )
    assert read_tags(path) == [["red sofa", "cat"], [], ["été 2019"]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", r"line 2: the line is blank: write \[\]"),
        ("   ", r"line 2: the line is blank"),
        ('["cat"', "line 2: expected JSON, but at column 7"),
        ("cat dog", "line 2: expected JSON, but at column 1"),
        ('"cat"', r'line 2: the line: expected a list of tags such as .*, got "cat"'),
        ("7", "line 2: the line: expected a list of tags .*, got 7"),
        ("null", "line 2: the line: expected a list of tags .*, got null"),
        ('{"tags": "cat"}', 'line 2: the value of "tags": expected a list .*, got "cat"'),
        ('{"labels": [], "id": 1}', "line 2: expected the key \"tags\".*'labels', 'id'"),
        ("{}", 'line 2: expected the key "tags".*the keys: none'),
        ('["cat", 2019]', "line 2: expected strings as tags, but tag 2 is 2019"),
        ('["cat", ["dog"]]', r'line 2: expected strings as tags, but tag 2 is \["dog"\]'),
        ('["\\ud83d"]', r"line 2: tag 1 .*half of a surrogate pair"),
        ("[" * 100_000, "line 2: .*nested too deeply"),
        ("9" * 10_000, "line 2: "),
    ],
)
def test_bad_json_lines_are_named(write, line, words):
    path = write("bad.jsonl", f'["fine"]\n{line}\n["fine"]\n')
    with pytest.raises(ValueError, match=words) as raised:
        read_tags(path)
    assert str(path) in str(raised.value)
    assert len(str(raised.value)) < len(str(path)) + 250


@pytest.mark.parametrize("name", ["tags.txt", "tags.jsonl"])
def test_text_that_is_not_utf8_is_named_by_line(write, name):
    path = write(name, b'["ok"]\n["caf\xe9"]\n')
    with pytest.raises(ValueError, match=r"line 2: expected text in UTF-8.*byte 6 .* 0xe9"):
        read_tags(path)


@pytest.mark.parametrize("content", ["cat\n".encode("utf-16"), b"cat\0\ndog\n"])
def test_utf16_and_binary_files_are_refused(write, content):
    with pytest.raises(ValueError, match="line 1: expected text in UTF-8"):
        read_tags(write("tags.txt", content))


@pytest.mark.parametrize("name", ["tags.txt", "tags.jsonl"])
def test_empty_file_is_refused(write, name):
    with pytest.raises(ValueError, match=f"{name} is empty: expected one line for each image"):
        read_tags(write(name, ""))


@pytest.mark.parametrize("name", ["tags.csv", "tags.json", "tags"])
def test_other_extensions_list_the_known_ones(write, name):
    with pytest.raises(ValueError, match=r"\.txt or \.jsonl files, got the extension"):
        read_tags(write(name, "cat\n"))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the tag file .*none\.txt does not exist"):
        read_tags(tmp_path / "none.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.txt is a folder: expected a tag file"):
        read_tags(tmp_path / "folder.txt")


def test_numbered_lines_count_from_one(write):
    assert list(numbered_lines(write("a", "x\r\n\n y"), "")) == [(1, "x"), (2, ""), (3, " y")]


@given(content=st.binary(max_size=200))
def test_any_bytes_give_tags_or_a_value_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("tags.txt", "tags.jsonl"):
        path = folder / name
        path.write_bytes(content)
        # Whatever is wrong must be a ValueError; what is not must keep its rows.
        with contextlib.suppress(ValueError):
            tag_sets = read_tags(path)
            assert len(tag_sets) == content.count(b"\n") + (not content.endswith(b"\n"))
