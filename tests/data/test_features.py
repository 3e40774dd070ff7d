import io

import numpy as np
import pytest

from wsdhq.data.features import map_npy, read_features


@pytest.fixture
def save(tmp_path):
    def save(array, name="features.npy", **options):
        path = tmp_path / name
        np.save(path, array, **options)
        return path

    return save


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_features_of_each_float_type_are_mapped_unchanged(save, dtype, order):
    array = np.asarray(np.random.default_rng(0).normal(size=(7, 3)), dtype=dtype, order=order)
    features = read_features(save(array))
    assert isinstance(features, np.memmap)
    assert features.dtype == np.dtype(dtype)
    assert not features.flags.writeable
    np.testing.assert_array_equal(features, array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_header_versions_are_read(tmp_path, version):
    path = tmp_path / "f.npy"
    array = np.ones((2, 3), dtype=np.float32)
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=version)
    np.testing.assert_array_equal(read_features(path), array)


def test_no_rows_are_features_of_no_images(save):
    features = read_features(save(np.empty((0, 5), dtype=np.float16)))
    assert features.shape == (0, 5)
    assert features.dtype == np.float16
    assert not features.flags.writeable


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_first_value_that_is_not_finite_is_named_by_row(save, value, dtype):
    array = np.zeros((50, 4), dtype=dtype)
    array[31, 2] = array[40, 0] = value
    with pytest.raises(ValueError, match=rf"features\.npy: .*row 31, column 2 .* is {value}"):
        read_features(save(array))


def test_row_is_counted_across_blocks(save, monkeypatch):
    monkeypatch.setattr("wsdhq.data.features._CHECKED_BYTES", 64)
    array = np.zeros((100, 4), dtype=np.float32)
    array[99, 3] = np.nan
    with pytest.raises(ValueError, match="row 99, column 3"):
        read_features(save(array))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4), (4, 0), (0, 0)])
def test_other_shapes_are_refused(save, shape):
    with pytest.raises(ValueError, match=r"shape \(images, features\)") as raised:
        read_features(save(np.zeros(shape, dtype=np.float32)))
    assert f"got {shape}" in str(raised.value)


@pytest.mark.parametrize("dtype", ["i4", "u1", "?", "c8", "U3", "M8[s]"])
def test_other_dtypes_are_a_type_error(save, dtype):
    with pytest.raises(TypeError, match="expected float16, float32 or float64, got"):
        read_features(save(np.zeros((2, 3), dtype=dtype)))


def test_long_double_is_a_type_error(save):
    with pytest.raises(TypeError, match="expected float16, float32 or float64, got"):
        read_features(save(np.zeros((2, 3), dtype=np.longdouble)))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_python_objects_are_never_unpickled(save):
    array = np.empty((2, 2), dtype=object)
    array[:] = Trap()
    with pytest.raises(ValueError, match="holds Python objects"):
        read_features(save(array, allow_pickle=True))


def test_records_with_objects_are_never_unpickled(save):
    array = np.empty((2, 2), dtype=[("a", "f4"), ("b", object)])
    array["b"] = Trap()
    with pytest.raises(ValueError, match="holds Python objects"):
        read_features(save(array, allow_pickle=True))


@pytest.mark.parametrize("missing", [1, 10, 48])
def test_truncated_data_is_refused(save, missing):
    path = save(np.zeros((4, 3), dtype=np.float32))
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(
        ValueError, match=rf"is truncated: expected 48 bytes .*\(4, 3\).* found {48 - missing}"
    ):
        read_features(path)


def test_trailing_bytes_are_refused(save):
    path = save(np.zeros((4, 3), dtype=np.float32))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"longer than its header says: expected 48 .* found 49"):
        read_features(path)


def test_every_cut_of_a_file_is_refused(save):
    path = save(np.zeros((2, 1), dtype=np.float32))
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"features\.npy"):
            read_features(path)


def npz():
    file = io.BytesIO()
    np.savez(file, a=np.zeros((2, 2)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a .npy file: the file is empty"),
        (npz(), "not a .npy file: it is an .npz or ZIP archive"),
        (b"\x80\x04N.", "not a .npy file: it is a Python pickle"),
        (b"1,2,3\n4,5,6\n", "not a .npy file: expected it to start with .* got b'1,2,3"),
        (b"\x93NUMPY\x09\x00junk", r"header cannot be read \(.*got \(9, 0\)"),
        (b"\x93NUMPY\x01\x00\x04\x00{((\n", r"header cannot be read"),
    ],
)
def test_foreign_files_are_refused(tmp_path, content, words):
    path = tmp_path / "f.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_features(path)


@pytest.mark.parametrize(
    "shape", ["(-1, 3)", "(-2, -3)", "(99999999999999, 999999999999)", "(2.0, 3)", "[2, 3]", "2"]
)
def test_impossible_shapes_in_the_header_are_refused(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    path = tmp_path / "f.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24))
    with pytest.raises(ValueError, match=r"f\.npy"):
        read_features(path)


def test_damaged_headers_never_raise_anything_else(save):
    path = save(np.zeros((2, 3), dtype=np.float32))
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(0)
    num_refused = 0
    for _ in range(300):
        damaged = content.copy()
        for place in random.integers(6, 128, size=3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        # A changed byte may leave a valid file; nothing but these two may be raised.
        try:
            features = read_features(path)
        except (ValueError, TypeError) as error:
            num_refused += str(path) in str(error)
        else:
            assert features.ndim == 2
            assert np.isfinite(features).all()
    assert num_refused > 100


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy does not exist"):
        read_features(tmp_path / "none.npy")
    with pytest.raises(IsADirectoryError, match=r"is a folder: expected a \.npy file"):
        read_features(tmp_path)


def test_map_npy_reads_any_plain_array(save):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    mapped = map_npy(save(array))
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, array)
