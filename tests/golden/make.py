"""Write the golden files of the present version of the formats; refuses to replace any.

python tests/golden/make.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from wsdhq.quant import AdditiveQuantizer, AQDIndex
from wsdhq.quant.persistence import FORMAT_VERSIONS

FOLDER = Path(__file__).parent
NUM_VECTORS = 700  # a whole block, and a part of one


def main() -> None:
    """Write a quantizer and an index of each similarity, and what they answer."""
    expected_path = FOLDER / "expected.json"
    expected = json.loads(expected_path.read_text()) if expected_path.exists() else {}
    generator = np.random.default_rng(2026)
    codebooks = generator.integers(-8, 9, (3, 16, 5)).astype(np.float32) / 4
    metric = np.diag(np.arange(1.0, 6.0))
    codes = generator.integers(0, 16, (NUM_VECTORS, 3)).astype(np.uint8)
    ids = generator.permutation(5000)[:NUM_VECTORS]
    # Quarters: products and sums of them are exact on any machine.
    queries = generator.integers(-8, 9, (4, 5)).astype(np.float32) / 4
    quantizer = AdditiveQuantizer.from_codebooks(codebooks, metric, seed=7, relaxation="data")

    name = f"quantizer-v{FORMAT_VERSIONS['quantizer']}.safetensors"
    write(name, lambda path: quantizer.save(path), expected, {
        "codebooks": codebooks.tolist(), "metric": metric.tolist(), "seed": 7,
        "codes": quantizer.encode(queries).tolist(), "queries": queries.tolist(),
    })  # fmt: skip
    for similarity in ("ip", "l2", "cosine"):
        index = AQDIndex(quantizer, similarity)
        # Ids that ascend by one are not written.
        index.add(codes, np.arange(40, 40 + NUM_VECTORS) if similarity == "ip" else ids)
        scores, found = index.search(queries, 12)
        name = f"index-{similarity}-v{FORMAT_VERSIONS['index']}.wsdhq"
        write(name, lambda path, index=index: index.save(path), expected, {
            "similarity": similarity, "codes": codes.tolist(), "ids": index.ids.tolist(),
            "queries": queries.tolist(), "found": found.tolist(), "scores": scores.tolist(),
        })  # fmt: skip
    expected_path.write_text(json.dumps(expected, sort_keys=True) + "\n")


def write(name, save, expected, answers) -> None:
    path = FOLDER / name
    if path.exists():
        print(f"{name} is there already, and stays")
        return
    save(path)
    expected[name] = answers
    print(f"{name} written")


if __name__ == "__main__":
    main()
