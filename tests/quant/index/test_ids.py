"""Ids by position, in runs and lists, against a plain array."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wsdhq.quant.index import ids as module
from wsdhq.quant.index.ids import Ids, Interval

pieces = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 60)),
        st.tuples(st.just("list"), st.integers(1, 40)),
        st.tuples(st.just("down"), st.integers(1, 40)),
    ),
    max_size=12,
)


def drawn(kinds: list[tuple[str, int]], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Arrays of ids, all different, some of them going on where the one before ended."""
    base, arrays = 0, []
    for kind, count in kinds:
        base += int(rng.choice([0, 0, 7]))
        if kind == "run":
            array = base + np.arange(count)
        elif kind == "down":
            array = base + np.arange(count)[::-1]
        else:
            array = base + rng.permutation(2 * count)[:count]
        base = int(array.max()) + 1
        arrays.append(array)
    order = rng.permutation(len(arrays)) if rng.random() < 0.5 else range(len(arrays))
    return [arrays[i] for i in order]


def as_positions(found: Interval | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.arange(*found) if isinstance(found, Interval) else found


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(kinds=pieces, seed=st.integers(0, 2**31), limits=st.sampled_from([(2**22, 2**16), (30, 8)]))
def test_ids_equal_a_plain_array(
    kinds: list[tuple[str, int]], seed: int, limits: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    arrays = drawn(kinds, rng)
    plain = np.concatenate([np.empty(0, np.int64), *arrays])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LONGEST_LIST", limits[0])
        patch.setattr(module, "SHORTEST_RUN", limits[1])
        ids = Ids()
        for array in arrays:
            is_run = bool((np.diff(array) == 1).all())
            more = (
                Ids.from_first(int(array[0]), len(array))
                if is_run and rng.random() < 0.5
                else Ids.from_array(array)
            )
            ids = ids.with_more(more)
        for each in (ids, Ids.from_array(plain), Ids.from_file(plain)):
            check(each, plain, rng)


def check(ids: Ids, plain: NDArray[np.int64], rng: np.random.Generator) -> None:
    assert len(ids) == len(plain)
    assert ids.most() == plain.max(initial=-1)
    first, end = sorted(int(place) for place in rng.integers(0, len(plain) + 1, 2))
    np.testing.assert_array_equal(ids.between(first, end), plain[first:end])
    np.testing.assert_array_equal(ids.between(0, len(plain)), plain)
    positions = rng.integers(-1, len(plain), (3, 4)) if len(plain) else np.full((3, 4), -1)
    expected = np.where(positions < 0, -1, np.append(plain, -1)[positions])
    np.testing.assert_array_equal(ids.at(positions), expected)
    wanted = rng.integers(0, plain.max(initial=0) + 5, 30)
    places = {int(name): n for n, name in enumerate(plain)}
    np.testing.assert_array_equal(ids.find(wanted), [places.get(int(w), -1) for w in wanted])
    low, high = (int(end) for end in np.sort(rng.integers(-3, plain.max(initial=0) + 5, 2)))
    inside = np.flatnonzero((plain >= low) & (plain < high))
    np.testing.assert_array_equal(as_positions(ids.within(low, high)), inside)
    assert len(as_positions(ids.within(high, low))) == 0


def test_ids_that_ascend_by_one_take_no_memory_and_stay_one_run() -> None:
    ids = Ids.from_first(5, 10)
    for _ in range(100):
        ids = ids.with_more(Ids.from_first(5 + len(ids), 3))
    ids = ids.with_more(Ids.from_array(5 + len(ids) + np.arange(50)))
    assert (ids.first, len(ids), ids.nbytes) == (5, 360, 0)
    assert ids.within(0, 10**30) == Interval(0, 360)
    assert ids.within(7, 9) == Interval(2, 4)


def test_ids_that_come_one_by_one_are_in_few_spans() -> None:
    rng = np.random.default_rng(0)
    plain = rng.permutation(10_000)[:3000]
    ids = Ids()
    for name in plain:
        ids = ids.with_more(Ids.from_array(np.array([name])))
    assert len(ids._spans) < 20
    np.testing.assert_array_equal(ids.between(0, 3000), plain)
    np.testing.assert_array_equal(ids.find(plain), np.arange(3000))


def test_short_runs_beside_lists_do_not_pile_up() -> None:
    ids, plain, next_id = Ids(), [], 0
    for step in range(2000):
        if step % 2:
            ids = ids.with_more(Ids.from_first(next_id, 1))
            plain.append(next_id)
        else:
            ids = ids.with_more(Ids.from_array(np.array([next_id + 5])))
            plain.append(next_id + 5)
        next_id = max(plain) + 1
    assert len(ids._spans) < 20
    np.testing.assert_array_equal(ids.between(0, 2000), plain)


def test_a_mapped_list_is_not_read_before_it_is_asked() -> None:
    class Unread(np.ndarray):
        def __array_finalize__(self, obj: object) -> None: ...

        def max(self, *args: object, **kwargs: object) -> int:
            raise AssertionError("read")

    ids = Ids.from_file(np.arange(10)[::-1].view(Unread))
    assert len(ids) == 10
    assert ids.at(np.array([0, 9])).tolist() == [9, 0]


def test_a_single_id_is_found_without_sorting_all(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = np.random.default_rng(0).permutation(3000)
    ids, sorts = Ids.from_file(plain), []
    argsort = np.argsort

    def counted(array: NDArray[np.int64]) -> NDArray[np.int64]:
        sorts.append(len(array))
        return argsort(array)

    monkeypatch.setattr(np, "argsort", counted)
    for place in range(10):
        wanted = np.array([plain[place], 5000])
        assert ids.find(wanted).tolist() == [place, -1]
    assert sorts == []
    # Who asks again and again is worth an order.
    for place in range(100):
        assert ids.find(plain[place : place + 1]).tolist() == [place]
    assert sorts == [3000]
