"""The check of readers beside a writer: it finds nothing wrong, and would if there were."""

from __future__ import annotations

import time

import pytest

from readers_beside_writer import run
from wsdhq.quant.index.row_store import RowStore
from wsdhq.quant.index.rows import BLOCK_SIZE


@pytest.mark.parametrize("similarity", ["ip", "l2"])
def test_no_answer_is_wrong(similarity: str) -> None:
    check = run(120, 3, similarity, changes=40)
    assert check.wrong == []
    assert check.complete == 40
    assert min(check.searches.values()) > 0


def test_a_half_done_write_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def replace_in_place(self, ids, codes, norms) -> None:
        rows = self.rows
        halfway = len(codes) // 2
        for number, (position, code) in enumerate(
            zip(rows.ids.positions_of(ids), codes, strict=True)
        ):
            if number == halfway:
                time.sleep(0.05)  # readers come in between
            block, place = divmod(int(position), BLOCK_SIZE)
            full = rows.blocks.full
            columns = full[block] if block < len(full) else rows.blocks.last
            columns[: len(code), place] = code

    monkeypatch.setattr(RowStore, "replace", replace_in_place)
    for seed in range(8):
        if run(120, 3, seed=seed, changes=60).wrong:
            return
    raise AssertionError("readers saw whole states of an index that is changed in place")


def test_a_lost_vector_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    append = RowStore.append

    def append_fewer(self, codes, ids, norms):
        if len(codes) == 3:
            codes, ids = codes[:2], None if ids is None else ids[:2]
        return append(self, codes, ids, norms)

    monkeypatch.setattr(RowStore, "append", append_fewer)
    check = run(120, 1, changes=60)
    assert any("vectors, expected" in line for line in check.wrong)
