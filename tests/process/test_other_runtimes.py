"""Beside other libraries with thread pools of their own, imported in any order."""

from __future__ import annotations

import importlib.util
import itertools
import json
from pathlib import Path

import pytest

from running import output_of

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "sklearn", "faiss")),
    reason="needs torch, scikit-learn and faiss",
)

# Each imports its library at its first call. Every part runs on several threads, and says what it
# found in a form that does not depend on their number.
WORK = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.standard_normal((6000, 32)).astype(np.float32)
C = (rng.standard_normal((4, 256, 32)) * .5).astype(np.float32)
made = {}

def wsdhq():
    from wsdhq.quant import AdditiveQuantizer, AQDIndex
    if "index" not in made:
        made["q"] = AdditiveQuantizer.from_codebooks(C)
        made["index"] = AQDIndex(made["q"])
        made["index"].add_vectors(X)
    codes = made["q"].encode(X[:2000], threads=2)
    assert (codes == made["q"].encode(X[:2000], threads=1)).all()
    ids = made["index"].search(X[:64], 10, threads=2)[1]
    assert (ids == made["index"].search(X[:64], 10, threads=1)[1]).all()
    fitted = AdditiveQuantizer(2, 16, iterations=2, threads=2).fit(X[:1000])
    return codes.sum().item(), ids.sum().item(), round(fitted.history[-1]["distortion"], 3)

def torch():
    import torch
    a = torch.ones(700, 700, requires_grad=True)
    total = (a @ a).sum()
    total.backward()
    return total.item(), a.grad.sum().item()

def sklearn():
    from sklearn.cluster import KMeans
    found = KMeans(8, n_init=1, max_iter=5, random_state=0).fit(X)
    return round(float(found.inertia_), 0)

def faiss():
    import faiss
    flat = faiss.IndexFlatL2(32)
    flat.add(X)
    return int(flat.search(X[:64], 10)[1].sum())
"""

ORDERS = [
    "wsdhq torch sklearn faiss",
    "faiss sklearn torch wsdhq",
    "torch wsdhq faiss sklearn",
    "sklearn faiss wsdhq torch",
]


def test_the_orders_have_every_pair_both_ways_round() -> None:
    pairs = {pair for order in ORDERS for pair in itertools.combinations(order.split(), 2)}
    assert len(pairs) == 4 * 3
    assert {order.split().index("wsdhq") for order in ORDERS} == {0, 1, 2, 3}


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_imports(order: str, tmp_path: Path) -> None:
    code = f"""{WORK}
import sys
parts = [globals()[name] for name in {order.split()!r}]
first = [part() for part in parts]
assert [name for name in sys.modules if name in {order.split()!r}] == {order.split()!r}
for _ in range(3):
    assert [part() for part in parts] == first, first
    assert [part() for part in reversed(parts)] == first[::-1], first
print("same")
"""
    assert output_of(code, tmp_path) == "same\n"


def test_speed_does_not_collapse_when_libraries_take_turns(tmp_path: Path) -> None:
    code = f"""{WORK}
import json, statistics, time
import torch as torch_module, faiss as faiss_module
wsdhq()
q, index = made["q"], made["index"]
a = torch_module.ones(700, 700)
flat = faiss_module.IndexFlatL2(32)
flat.add(X)
parts = {{
    "encode": lambda: q.encode(X[:1000]),
    "search": lambda: index.search(X[:512], 10),
    "torch": lambda: a @ a,
    "faiss": lambda: flat.search(X[:256], 10),
}}

def seconds(part):
    began = time.process_time()
    part()
    return time.process_time() - began

alone, turns = {{}}, {{name: [] for name in parts}}
for name, part in parts.items():
    alone[name] = statistics.median([seconds(part) for _ in range(15)])
for _ in range(15):
    for name, part in parts.items():
        turns[name].append(seconds(part))
print(json.dumps([alone, {{name: statistics.median(times) for name, times in turns.items()}}]))
"""
    alone, turns = json.loads(output_of(code, tmp_path))
    # Runtimes that wait for each other's threads are slower by orders of magnitude; what a busy
    # machine does to a median is less.
    for name in alone:
        assert turns[name] < 10 * max(alone[name], 0.002), (name, alone, turns)
