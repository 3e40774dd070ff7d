import numpy as np
import pytest

from wsdhq.data.labels import Grouping, Labels, join_groupings, read_labels


@pytest.fixture
def write(tmp_path):
    def write(content, name="labels.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_table_of_0_and_1_is_one_grouping(write):
    labels = read_labels(write("Image,cat,red dog\na.jpg,0,1\nb.jpg,1,1\nc.jpg,0,0\n"))
    assert list(labels.groupings) == ["labels"]
    assert labels.groupings["labels"].names == ("cat", "red dog")
    matrix = labels.groupings["labels"].matrix
    assert matrix.dtype == np.uint8
    np.testing.assert_array_equal(matrix, [[0, 1], [1, 1], [0, 0]])
    assert labels.identifiers == {"Image": ("a.jpg", "b.jpg", "c.jpg")}
    assert len(labels) == 3


@pytest.mark.parametrize(("no", "yes"), [("0.0", "1.0"), ("False", "True"), (" 0 ", " 1")])
def test_other_spellings_of_0_and_1(write, no, yes):
    labels = read_labels(write(f"cat,dog\n{no},{yes}\n{yes},{no}\n"))
    np.testing.assert_array_equal(labels.groupings["labels"].matrix, [[0, 1], [1, 0]])


def test_other_columns_are_groupings_with_sorted_label_names(write):
    labels = read_labels(
        write("id,sub,article\n7,Topwear,Kurtas\n8,Bags,Clutches\n9,Topwear,Shirts\n")
    )
    assert list(labels.groupings) == ["sub", "article"]
    assert labels.groupings["sub"].names == ("Bags", "Topwear")
    np.testing.assert_array_equal(labels.groupings["sub"].matrix, [[0, 1], [1, 0], [0, 1]])
    assert labels.groupings["article"].names == ("Clutches", "Kurtas", "Shirts")
    np.testing.assert_array_equal(
        labels.groupings["article"].matrix, [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    )


def test_cells_of_several_labels_and_of_none(write):
    labels = read_labels(write("image,scene\na, sea | sky |\nb,\nc,sky|sky\n"))
    assert labels.groupings["scene"].names == ("sea", "sky")
    np.testing.assert_array_equal(labels.groupings["scene"].matrix, [[1, 1], [0, 0], [0, 1]])


def test_one_column_of_class_numbers_is_a_grouping(write):
    labels = read_labels(write("digit\n0\n1\n1\n0\n2\n"))
    assert labels.groupings["digit"].names == ("0", "1", "2")


def test_blank_line_in_a_single_column_is_an_image_without_labels(write):
    labels = read_labels(write("scene\nsea\n\nsky\n"))
    np.testing.assert_array_equal(labels.groupings["scene"].matrix, [[1, 0], [0, 0], [0, 1]])


@pytest.mark.parametrize("name", ["id", "IMAGE", "Name", "file", "FileName", "path"])
def test_identifying_columns_are_no_labels_whatever_their_case(write, name):
    labels = read_labels(write(f"cat,{name}\n1,5\n0,6\n"))
    assert labels.groupings["labels"].names == ("cat",)
    assert labels.identifiers == {name: ("5", "6")}


def test_quotes_windows_line_ends_and_byte_order_mark(write):
    labels = read_labels(write(b'\xef\xbb\xbfid,scene\r\n1,"sea, calm"\r\n2,"a ""b"""\r\n'))
    assert labels.groupings["scene"].names == ('a "b"', "sea, calm")


@pytest.mark.parametrize("row", ["3,1", "3,1,0,1", "", "3"])
def test_ragged_rows_are_named_by_line(write, row):
    cells = row.count(",") + 1 if row else 0
    with pytest.raises(ValueError, match=rf"labels\.csv, line 3: expected 3 cells.* got {cells}"):
        read_labels(write(f"id,cat,dog\n1,0,1\n{row}\n4,1,1\n"))


def test_lines_are_counted_through_quoted_line_ends(write):
    with pytest.raises(ValueError, match="line 4: expected 2 cells"):
        read_labels(write('id,scene\n1,"two\nlines"\n2\n'))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,cat,dog,cat\n1,0,1,0\n", "line 1: two columns are called 'cat'"),
        ("id, cat,cat \n1,0,1\n", "line 1: two columns are called 'cat'"),
        (",cat\n0,1\n", "line 1: column 1 has no name .*index=False"),
        ("cat,dog,\n0,1,\n", "line 1: column 3 has no name"),
        ("\ncat\n1\n", "line 1: expected a header"),
        ("0,1\n1,0\n", "line 1: expected a header with the names of the columns, got .*'0', '1'"),
        ("id,cat\n", "expected a row for each image after the header, found none"),
        ("id,file\n1,a.jpg\n", "no column holds labels: all of 'id', 'file' identify"),
        ("id,scene\n1,\n2,\n", "column 'scene' holds no label in any row"),
        ("id,scene\n1,|\n", "column 'scene' holds no label in any row"),
        ('id,scene\n1,"open\n2,x\n', "line 3: not valid CSV"),
        ('id,scene\n1,"a"b\n', "line 2: not valid CSV"),
        ("id,scene\n1," + "x" * 200_000 + "\n", "line 2: not valid CSV"),
        ("", "labels.csv is empty"),
        (b"id,scene\n1,caf\xe9\n", "line 2: expected text in UTF-8"),
        ("id,scene\n1,a\n".encode("utf-16"), "line 1: expected text in UTF-8"),
    ],
)
def test_bad_tables_are_refused(write, content, words):
    with pytest.raises(ValueError, match=words) as raised:
        read_labels(write(content))
    assert "labels.csv" in str(raised.value)


@pytest.mark.parametrize("slip", ["", "2", "-1", "yes"])
def test_slip_in_a_table_of_0_and_1_is_named_and_not_read_as_a_name(write, slip):
    content = f"id,cat,dog\n1,0,1\n2,1,1\n3,0,{slip}\n4,0,0\n"
    with pytest.raises(ValueError, match=rf"line 4: .* column 'dog' has '{slip}' here"):
        read_labels(write(content))


def test_table_mixing_names_and_numbers_is_groupings(write):
    labels = read_labels(write("id,scene,new\n1,sea,0\n2,sky,1\n"))
    assert {name: g.names for name, g in labels.groupings.items()} == {
        "scene": ("sea", "sky"),
        "new": ("0", "1"),
    }


def test_column_with_too_many_labels_is_refused(write, monkeypatch):
    monkeypatch.setattr("wsdhq.data.labels._MAX_MATRIX", 99)
    rows = "".join(f"title {number},x\n" for number in range(10))
    with pytest.raises(ValueError, match="column 'title' holds 10 different labels in 10 rows"):
        read_labels(write("title,scene\n" + rows))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_array_is_one_grouping_named_by_column(tmp_path, dtype):
    matrix = np.array([[0, 1, 1], [1, 0, 0]], dtype=dtype)
    np.save(tmp_path / "labels.npy", matrix)
    labels = read_labels(tmp_path / "labels.npy")
    grouping = labels.groupings["labels"]
    assert grouping.names == ("0", "1", "2")
    assert grouping.matrix.dtype == np.uint8
    assert not isinstance(grouping.matrix, np.memmap)
    np.testing.assert_array_equal(grouping.matrix, matrix)
    assert not labels.identifiers


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.array([[0, 1], [1, 2]]), ValueError, r"expected 0 or 1, but row 1, column 1 .* is 2"),
        (np.array([[0, -1]], dtype=np.int8), ValueError, "row 0, column 1 .* is -1"),
        (np.array([0, 1]), ValueError, r"shape \(images, labels\).* got \(2,\)"),
        (np.zeros((0, 3), dtype=int), ValueError, r"got \(0, 3\)"),
        (np.zeros((3, 0), dtype=int), ValueError, r"got \(3, 0\)"),
        (np.zeros((2, 2)), TypeError, "expected integers or booleans, got float64"),
        (np.array([["a"]]), TypeError, "expected integers or booleans, got str"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, array, error, words):
    np.save(tmp_path / "labels.npy", array)
    with pytest.raises(error, match=words) as raised:
        read_labels(tmp_path / "labels.npy")
    assert "labels.npy" in str(raised.value)


def test_array_file_that_is_no_npy(write):
    with pytest.raises(ValueError, match=r"not a \.npy file"):
        read_labels(write("id,cat\n1,0\n", "labels.npy"))


def test_other_extensions_list_the_known_ones(write):
    with pytest.raises(ValueError, match=r"from \.csv or \.npy files, got the extension '\.tsv'"):
        read_labels(write("cat\n1\n", "labels.tsv"))


@pytest.mark.parametrize("name", ["none.csv", "none.npy"])
def test_missing_file(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=rf"{name} does not exist"):
        read_labels(tmp_path / name)


def two_groupings():
    return Labels(
        {
            "a": Grouping(("x", "y"), np.array([[1, 0], [0, 1], [1, 1]], dtype=np.uint8)),
            "b": Grouping(("z",), np.array([[0], [1], [0]], dtype=np.uint8)),
        },
        {"id": ("p", "q", "r")},
    )


def test_select_takes_rows_of_everything_in_order():
    selected = two_groupings().select(np.array([2, 0, 2]))
    assert len(selected) == 3
    np.testing.assert_array_equal(selected.groupings["a"].matrix, [[1, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(selected.groupings["b"].matrix, [[0], [0], [0]])
    assert selected.groupings["a"].names == ("x", "y")
    assert selected.identifiers == {"id": ("r", "p", "r")}


def test_select_of_no_rows_is_empty():
    assert len(two_groupings().select([])) == 0


@pytest.mark.parametrize(
    ("rows", "error"), [([3], ValueError), ([-1], ValueError), ([0.5], TypeError)]
)
def test_select_refuses_bad_rows(rows, error):
    with pytest.raises(error, match="rows"):
        two_groupings().select(rows)


def test_grouping_is_found_by_name():
    labels = two_groupings()
    assert labels.grouping("b") is labels.groupings["b"]
    with pytest.raises(ValueError, match="no grouping is called 'c': there is 'a', 'b'"):
        labels.grouping("c")


def test_inconsistent_labels_cannot_be_made():
    matrix = np.zeros((2, 2), dtype=np.uint8)
    with pytest.raises(TypeError, match="matrix: expected uint8, got int64"):
        Grouping(("x", "y"), matrix.astype(np.int64))
    with pytest.raises(ValueError, match=r"shape \(images, 1\).* got \(2, 2\)"):
        Grouping(("x",), matrix)
    with pytest.raises(ValueError, match="names: expected different ones, got 'x' twice"):
        Grouping(("x", "x"), matrix)
    with pytest.raises(ValueError, match="at least one grouping"):
        Labels({})
    with pytest.raises(ValueError, match=r"as many rows, got \{'a': 2, 'id': 1\}"):
        Labels({"a": Grouping(("x", "y"), matrix)}, {"id": ("p",)})


def identified(*identifiers, column="id"):
    matrix = np.ones((len(identifiers), 1), dtype=np.uint8)
    return Labels({"labels": Grouping(("x",), matrix)}, {column: identifiers})


@pytest.mark.parametrize(
    "identifiers",
    [
        ("images/12.jpg", "images/7.jpg"),
        ("12.jpg", "7.jpg"),
        ("12", "7"),
        ("C:\\images\\12.jpg", "C:\\images\\7.jpg"),
        ("0", "1"),
        ("kurta", "dress"),
        ("7", "13"),
    ],
)
def test_order_is_accepted_when_it_agrees_or_cannot_be_told(identifiers):
    identified(*identifiers).check_order(["images/12.jpg", "images/7.jpg"])


@pytest.mark.parametrize(
    "identifiers",
    [("a/2.jpg", "a/10.jpg", "a/1.jpg"), ("2.jpg", "10.jpg", "1.jpg"), ("2", "10", "1")],
)
def test_other_order_is_found_by_the_first_row_that_differs(identifiers):
    with pytest.raises(ValueError, match=r"different orders: row 1 of the labels is id '.*10"):
        identified(*identifiers).check_order(["a/2.jpg", "a/1.jpg", "a/10.jpg"])


def test_an_image_missing_here_and_a_row_missing_there_shift_nothing():
    labels = identified("a.jpg", "b.jpg", "d.jpg", "e.jpg")
    with pytest.raises(
        ValueError,
        match=r"different sets: row 1 of the labels is id 'b\.jpg', but image 1 is 'x/c\.jpg'; of "
        "4 rows of labels 1 have no image of that name",
    ):
        labels.check_order(["x/a.jpg", "x/c.jpg", "x/d.jpg", "x/e.jpg"])
    # Without extensions, and with one name twice.
    with pytest.raises(ValueError, match="row 1 of the labels is id 'a'"):
        identified("a", "a", "c").check_order(["a.jpg", "b.jpg", "c.jpg"])
    # Numbers of rows are no names, even if most of them look like some.
    identified("0", "1", "2", "3").check_order(["1.jpg", "2.jpg", "3.jpg", "4.jpg"])


def test_order_needs_as_many_images():
    with pytest.raises(ValueError, match="labels for 2 images, but 3 images"):
        identified("a", "b").check_order(["a", "b", "c"])


def save_labels(tmp_path, names):
    np.save(tmp_path / "labels.npy", np.array([[1, 0, 1], [0, 0, 1]]))
    (tmp_path / "labels.json").write_bytes(names if isinstance(names, bytes) else names.encode())
    return tmp_path / "labels.npy"


def test_names_of_an_arrays_columns_lie_beside_it(tmp_path):
    path = save_labels(tmp_path, '{"sub": ["pet", "töol"], "hue": ["pet"]}')
    labels = read_labels(path)
    assert list(labels.groupings) == ["sub", "hue"]
    assert labels.groupings["sub"].names == ("pet", "töol")
    np.testing.assert_array_equal(labels.groupings["sub"].matrix, [[1, 0], [0, 0]])
    np.testing.assert_array_equal(labels.groupings["hue"].matrix, [[1], [1]])
    (tmp_path / "labels.json").rename(tmp_path / "other.json")
    assert read_labels(path).groupings["labels"].names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ('{"a": ["x", "y"]}', r"labels\.json names 2 labels: expected 3, .* labels\.npy"),
        ('{"a": ["x", "x", "y"]}', r"labels\.json: grouping 'a': names: expected different ones"),
        ('["x", "y", "z"]', r"labels\.json: expected an object that holds a list"),
        ('{"a": ["x", "y", 3]}', "expected an object that holds a list of label names"),
        ('{"a": "xyz"}', "expected an object that holds a list of label names"),
        ('{"a": ["x", "y", "z"], "b": []}', "expected an object that holds a list of label names"),
        ("{}", r"labels\.json names 0 labels: expected 3"),
        ("a: x", r"labels\.json: expected JSON in UTF-8"),
        (b'{"a": ["\xff"]}', r"labels\.json: expected JSON in UTF-8"),
        ("[" * 100_000, r"labels\.json: expected JSON in UTF-8"),
    ],
)
def test_wrong_names_of_columns_are_refused(tmp_path, names, words):
    with pytest.raises(ValueError, match=words):
        read_labels(save_labels(tmp_path, names))


def test_groupings_are_joined_under_their_titles():
    first = Grouping(("x", "y"), np.array([[1, 0]], dtype=np.uint8))
    second = Grouping(("x",), np.array([[1]], dtype=np.uint8))
    joined = join_groupings({"a": first, "b": second})
    assert joined.names == ("a: x", "a: y", "b: x")
    np.testing.assert_array_equal(joined.matrix, [[1, 0, 1]])
    assert join_groupings({"a": first}) is first
    with pytest.raises(ValueError, match=r"need as many rows, got \{'a': 1, 'b': 2\}"):
        join_groupings({"a": first, "b": Grouping(("x",), np.ones((2, 1), dtype=np.uint8))})
