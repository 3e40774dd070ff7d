"""The rows of a data set that take part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Rows of a quick run, at most.
QUICK_QUERIES, QUICK_DATABASE = 400, 3600


class Rows(NamedTuple):
    """Query rows, database rows and training rows."""

    query: NDArray[np.int64]
    database: NDArray[np.int64]
    train: NDArray[np.int64]


def quick_rows(rows: Rows, seed: int) -> Rows:
    """A random part of the rows, for a run of minutes.

    Parameters
    ----------
    rows : Rows
    seed : int
        Of the choice.

    Returns
    -------
    Rows
        At most `QUICK_QUERIES` queries and `QUICK_DATABASE` rows of the database. Rows learnt
        from stay in the database where they were in it; others of the database, if there are
        any, take half of its places as far as they go.
    """
    generator = np.random.default_rng(seed)

    def part(of: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        places = generator.permutation(len(of))[:most]
        return of[np.sort(places)]

    query = part(rows.query, QUICK_QUERIES)
    # Where only a part of the database is learnt from, the other part must not be lost.
    everything = len(np.setdiff1d(rows.database, rows.train)) == 0
    train = part(rows.train, QUICK_DATABASE if everything else QUICK_DATABASE // 2)
    searched = train[np.isin(train, rows.database)]
    others = np.setdiff1d(rows.database, rows.train)
    more = part(others, QUICK_DATABASE - len(searched))
    return Rows(query, np.sort(np.concatenate([searched, more])), train)
