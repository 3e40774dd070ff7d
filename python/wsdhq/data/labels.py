"""Reading labels: the ground truth by which a ranking is judged, never trained on."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wsdhq._shared.files import as_path
from wsdhq.data.features import map_npy
from wsdhq.data.splits import check_rows
from wsdhq.data.tags import numbered_lines

_IDENTIFIERS = frozenset({"id", "image", "name", "file", "filename", "path"})
_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_SEPARATOR = "|"
_MAX_MATRIX = 1 << 30


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way of labelling the images, such as by article or by scene.

    Attributes
    ----------
    names : tuple of str
        Names of the L labels, all different.
    matrix : (N, L) uint8
        1 where the image (row) carries the label (column), otherwise 0.

    Raises
    ------
    TypeError
        `matrix` is not uint8.
    ValueError
        `matrix` does not have one column for each name, or two names are equal.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.matrix.dtype != np.uint8:
            raise TypeError(f"matrix: expected uint8, got {self.matrix.dtype}")
        if self.matrix.ndim != 2 or self.matrix.shape[1] != len(self.names):
            raise ValueError(
                f"matrix: expected the shape (images, {len(self.names)}), a column for each "
                f"name, got {self.matrix.shape}"
            )
        if repeated := _repeated(self.names):
            raise ValueError(f"names: expected different ones, got {repeated!r} twice")


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of a collection of images, in one or several groupings.

    Attributes
    ----------
    groupings : mapping of str to Grouping
        At least one; all of the same number of rows.
    identifiers : mapping of str to tuple of str
        Columns of the file that identify the images (such as ``id`` or ``filename``) and
        label nothing, by name; often empty.

    Raises
    ------
    ValueError
        There is no grouping, or groupings or identifiers differ in their number of rows.
    """

    groupings: Mapping[str, Grouping]
    identifiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(grouping.matrix) for name, grouping in self.groupings.items()}
        lengths |= {name: len(values) for name, values in self.identifiers.items()}
        if not self.groupings:
            raise ValueError("groupings: expected at least one grouping")
        if len(set(lengths.values())) > 1:
            raise ValueError(f"all groupings and identifiers need as many rows, got {lengths}")

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(next(iter(self.groupings.values())).matrix)

    def grouping(self, name: str) -> Grouping:
        """Return the grouping called `name`; ValueError, listing the names, if there is none."""
        if name not in self.groupings:
            raise ValueError(f"no grouping is called {name!r}: there is {_listed(self.groupings)}")
        return self.groupings[name]

    def select(self, rows: ArrayLike) -> Labels:
        """Return the labels of the images in `rows`, in that order.

        Parameters
        ----------
        rows : (n,) array_like of integers
            Row numbers, 0 .. N - 1; they may repeat.

        Returns
        -------
        Labels
            n rows, with the label names unchanged.

        Raises
        ------
        TypeError
            `rows` does not hold integers.
        ValueError
            `rows` is not one-dimensional or names a row that does not exist.
        """
        rows = check_rows(rows, len(self))
        return Labels(
            {
                name: Grouping(grouping.names, grouping.matrix[rows])
                for name, grouping in self.groupings.items()
            },
            {name: tuple(values[row] for row in rows) for name, values in self.identifiers.items()},
        )

    def check_order(self, image_names: Sequence[str]) -> None:
        """Raise if the identifiers show that the images come in another order.

        Labels and images are matched by row. Where an identifying column holds exactly the
        names of the images (whole, without folders, or without extension too), the order
        can be checked, and a silent shift found. Where most of them are names of images, one
        that is not is an image that is missing or a row too many. Identifiers of any other
        kind say nothing, and neither do plain numbers that are not exactly the names.

        Parameters
        ----------
        image_names : sequence of str
            Names of the N images, such as ``ImageCollection.names``, in row order.

        Raises
        ------
        ValueError
            There are not N images, or they are others or in another order than the labels;
            the message names the first row that differs, from 0.
        """
        if len(image_names) != len(self):
            raise ValueError(
                f"there are labels for {len(self)} images, but {len(image_names)} images"
            )
        for column, identifiers in self.identifiers.items():
            written = [identifier.replace("\\", "/") for identifier in identifiers]
            forms = [
                ([shorten(name) for name in image_names], [shorten(name) for name in written])
                for shorten in _SHORTENINGS
            ]
            if any(names == known for names, known in forms):
                continue
            for names, known in forms:
                shared = (Counter(names) & Counter(known)).total()
                row = next(row for row, name in enumerate(names) if name != known[row])
                here = (
                    f"row {row} of the labels is {column} {identifiers[row]!r}, but image {row} is "
                    f"{image_names[row]!r}"
                )
                if shared == len(names):
                    raise ValueError(
                        f"labels and images come in different orders: {here}; list the images in "
                        "the order of the labels in a text file, a path a line, and open that"
                    )
                # Numbers may count the rows, from another start than the names do.
                if 2 * shared > len(names) and not all(name.isdecimal() for name in known):
                    raise ValueError(
                        f"labels and images are of different sets: {here}; of {len(names)} rows of "
                        f"labels {len(names) - shared} have no image of that name"
                    )


def join_groupings(groupings: Mapping[str, Grouping]) -> Grouping:
    """Put groupings side by side.

    Parameters
    ----------
    groupings : mapping of str to Grouping
        At least one, all of the same number of rows.

    Returns
    -------
    Grouping
        The only grouping as it is; or the labels of all, called ``grouping: label``.

    Raises
    ------
    ValueError
        They differ in their number of rows, or two joined names are equal.
    """
    if len(groupings) == 1:
        return next(iter(groupings.values()))
    lengths = {title: len(grouping.matrix) for title, grouping in groupings.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"all groupings need as many rows, got {lengths}")
    names = tuple(
        f"{title}: {name}" for title, grouping in groupings.items() for name in grouping.names
    )
    return Grouping(names, np.concatenate([each.matrix for each in groupings.values()], axis=1))


_SHORTENINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda name: PurePosixPath(name).name,
    lambda name: PurePosixPath(name).stem,
)


def read_labels(path: str | os.PathLike[str]) -> Labels:
    """Read the labels of a collection of images.

    Parameters
    ----------
    path : str or PathLike
        ``.csv``: UTF-8, comma-separated, a header, then a row for each image, in the order
        of the images. Columns called id, image, name, file, filename or path (in any case)
        identify the image and are no labels. If all cells of the others are 0 or 1 (also
        0.0, 1.0, true, false), each column is a label, together the grouping ``labels``.
        Otherwise each column is a grouping of its own, whose cells name labels: one,
        several separated by ``|``, or, if empty, none.

        ``.npy``: an (N, L) integer or boolean array of 0 and 1: the grouping ``labels``,
        with the column numbers as names. Names may lie beside it in a file of the same name
        that ends in ``.json``: an object that holds, for each grouping by name, the list of
        its label names; its lists name the columns from left to right.

    Returns
    -------
    Labels
        N rows. Labels named in cells are sorted by name, those of columns in file order.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    TypeError
        A .npy array is neither integer nor boolean.
    ValueError
        The extension is unknown, or the content is not as described (or a 0/1 table with a
        few other cells, or there are more or fewer names than columns); the message names
        the file and the line, from 1, or the array row, from 0.
    """
    path = as_path(path)
    reader = {".csv": _read_csv, ".npy": _read_npy}.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: labels are read from .csv or .npy files, got the extension {path.suffix!r}"
        )
    return reader(path)


def _read_npy(path: Path) -> Labels:
    array = map_npy(path)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{path}: labels: expected integers or booleans, got {array.dtype.name}")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{path}: labels: expected the shape (images, labels), neither of them 0, "
            f"got {array.shape}"
        )
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        row, column = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ValueError(
            f"{path}: labels: expected 0 or 1, but row {row}, column {column} (from 0) is "
            f"{array[row, column]}"
        )
    names = _read_names(path.with_suffix(".json"), array.shape[1])
    matrix = np.array(array, dtype=np.uint8)
    groupings: dict[str, Grouping] = {}
    start = 0
    for title, columns in names.items():
        stop = start + len(columns)
        try:
            groupings[title] = Grouping(tuple(columns), matrix[:, start:stop])
        except ValueError as error:
            raise ValueError(f"{path.with_suffix('.json')}: grouping {title!r}: {error}") from None
        start = stop
    return Labels(groupings)


def _read_names(path: Path, num_columns: int) -> dict[str, list[str]]:
    """Return the names of the columns by grouping: those of the file, or else their numbers."""
    if not path.exists():
        return {"labels": [str(column) for column in range(num_columns)]}
    try:
        names = json.loads(path.read_bytes())
    # Bytes that are no UTF-8 are a ValueError too; deep nesting is none.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON in UTF-8: {error}") from None
    if (
        not isinstance(names, dict)
        or not all(isinstance(columns, list) and columns for columns in names.values())
        or not all(isinstance(name, str) for columns in names.values() for name in columns)
    ):
        raise ValueError(
            f"{path}: expected an object that holds a list of label names for each grouping, "
            'such as {"labels": ["cat", "dog"]}'
        )
    num_names = sum(map(len, names.values()))
    if num_names != num_columns:
        raise ValueError(
            f"{path} names {num_names} labels: expected {num_columns}, the columns of "
            f"{path.with_suffix('.npy').name}"
        )
    return names


def _read_csv(path: Path) -> Labels:
    header, rows, lines = _read_cells(path)
    columns = dict(zip(header, zip(*rows)))
    identifiers = {name: columns.pop(name) for name in header if name.lower() in _IDENTIFIERS}
    if not columns:
        raise ValueError(
            f"{path}: no column holds labels: all of {_listed(header)} identify the image"
        )
    if _is_flag_table(path, columns, lines):
        matrix = np.empty((len(rows), len(columns)), dtype=np.uint8)
        for number, cells in enumerate(columns.values()):
            matrix[:, number] = [_FLAGS[cell.lower()] for cell in cells]
        return Labels({"labels": Grouping(tuple(columns), matrix)}, identifiers)
    groupings = {name: _group(path, name, cells) for name, cells in columns.items()}
    return Labels(groupings, identifiers)


def _read_cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header, the rows of stripped cells, and the line on which each row ends."""
    reader = csv.reader(
        (line + "\n" for _, line in numbered_lines(path, "label file")), strict=True
    )
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(path, header)
        for cells in reader:
            # In a file of one column a blank line is an image without labels.
            if not cells and len(header) == 1:
                cells = [""]
            if len(cells) != len(header):
                raise ValueError(
                    f"{path}, line {reader.line_num}: expected {len(header)} cells, as in the "
                    f"header, got {len(cells)}"
                )
            rows.append([cell.strip() for cell in cells])
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None
    if not rows:
        raise ValueError(f"{path}: expected a row for each image after the header, found none")
    return header, rows, lines


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise ValueError(f"{path}, line 1: expected a header with the names of the columns")
    if "" in header:
        raise ValueError(
            f"{path}, line 1: column {header.index('') + 1} has no name (pandas writes its row "
            "index so; save with index=False)"
        )
    if set(header) <= set(_FLAGS):
        raise ValueError(
            f"{path}, line 1: expected a header with the names of the columns, got the cells "
            f"{_listed(header)}"
        )
    if repeated := _repeated(header):
        raise ValueError(f"{path}, line 1: two columns are called {repeated!r}")


def _is_flag_table(path: Path, columns: Mapping[str, tuple[str, ...]], lines: list[int]) -> bool:
    """Tell whether all cells are 0 or 1; raise where that was meant but a few are not."""
    odd = {
        name: [row for row, cell in enumerate(cells) if cell.lower() not in _FLAGS]
        for name, cells in columns.items()
    }
    if not any(odd.values()):
        return True
    # Read as names, a slip in a 0/1 table would make "0" a label that most images share,
    # and every figure wrong without a word. One column alone may well hold class numbers.
    if len(columns) > 1 and all(2 * len(rows) < len(lines) for rows in odd.values()):
        name, row = min(((n, rows[0]) for n, rows in odd.items() if rows), key=lambda at: at[1])
        raise ValueError(
            f"{path}, line {lines[row]}: the table holds 0 and 1 nearly everywhere, but column "
            f"{name!r} has {columns[name][row]!r} here; use 0 and 1 only, or names instead of "
            "numbers"
        )
    return False


def _group(path: Path, column: str, cells: Sequence[str]) -> Grouping:
    carried = {
        cell: [label for part in cell.split(_SEPARATOR) if (label := part.strip())]
        for cell in set(cells)
    }
    names = tuple(sorted({label for labels in carried.values() for label in labels}))
    if not names:
        raise ValueError(f"{path}: column {column!r} holds no label in any row; remove it")
    if len(names) * len(cells) > _MAX_MATRIX:
        raise ValueError(
            f"{path}: column {column!r} holds {len(names)} different labels in {len(cells)} "
            "rows, too many to be a grouping; remove the column if it identifies the image"
        )
    place = {name: number for number, name in enumerate(names)}
    matrix = np.zeros((len(cells), len(names)), dtype=np.uint8)
    for row, cell in enumerate(cells):
        matrix[row, [place[label] for label in carried[cell]]] = 1
    return Grouping(names, matrix)


def _repeated(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
