"""The tag graph by brute force: method section 1 from its definitions alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def brute_graph(vectors: np.ndarray, num_neighbours: int, threshold: float) -> np.ndarray:
    """A of method section 1, one row at a time."""
    vectors = vectors.astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    adjacency = np.eye(len(vectors), dtype=np.uint8)
    for i in range(len(vectors)):
        cosines = unit @ unit[i]
        others = [j for j in range(len(vectors)) if j != i]
        nearest = sorted(others, key=lambda j: (-cosines[j], j))[:num_neighbours]
        adjacency[i, [j for j in nearest if cosines[j] >= threshold]] = 1
    return adjacency


def exact_graph(vectors: np.ndarray, num_neighbours: int, threshold: Fraction) -> np.ndarray:
    """The same for integer vectors, in rational numbers: signed squared cosines."""
    rows = [[int(value) for value in row] for row in vectors]
    adjacency = np.eye(len(rows), dtype=np.uint8)
    for i, x in enumerate(rows):
        cosines = {}
        for j, y in enumerate(rows):
            product = sum(a * b for a, b in zip(x, y))
            squares = sum(a * a for a in x) * sum(b * b for b in y)
            cosines[j] = Fraction(product * abs(product), squares)
        del cosines[i]
        nearest = sorted(cosines, key=lambda j: (-cosines[j], j))[:num_neighbours]
        limit = threshold * abs(threshold)
        adjacency[i, [j for j in nearest if cosines[j] >= limit]] = 1
    return adjacency


def brute_groups(vectors: np.ndarray, radius: float) -> np.ndarray:
    """Scan the rows in order, each time flooding all that is reachable within the radius."""
    vectors = vectors.astype(np.float64)
    group_of = np.full(len(vectors), -1)
    next_group = 0
    for first in range(len(vectors)):
        if group_of[first] >= 0:
            continue
        reached = [first]
        group_of[first] = next_group
        while reached:
            distances = np.linalg.norm(vectors - vectors[reached.pop()], axis=1)
            for row in np.flatnonzero((distances <= radius) & (group_of < 0)):
                group_of[row] = next_group
                reached.append(int(row))
        next_group += 1
    return group_of


def clustered(rng: np.random.Generator, n: int, dim: int, spread: float) -> np.ndarray:
    centres = rng.normal(size=(max(1, n // 4), dim))
    points = centres[rng.integers(len(centres), size=n)] + spread * rng.normal(size=(n, dim))
    return (points * rng.uniform(0.5, 8.0, size=(n, 1))).astype(np.float32)
