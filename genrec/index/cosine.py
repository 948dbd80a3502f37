"""How alike items are, by the vectors that the index was made of."""

from __future__ import annotations

import numpy as np

_PAIRS = 20_000
_ROWS = 65_536


class Cosine:
    """Cosines between items' vectors after taking the mean off (text vectors all point the same way otherwise).

    Args:
        vectors: ``(n_items, dim)`` float32.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self.mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)

    def units(self, rows: np.ndarray) -> np.ndarray:
        """Centred unit vectors of rows, ``(n, dim)``; zero where a vector equals the mean."""
        centred = self.vectors[rows] - self.mean
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        return centred / np.where(norms > 1e-6, norms, np.inf)

    def of_pairs(self, groups: np.ndarray, seed: int) -> float | None:
        """Mean cosine of random pairs of different items of one group, or None where every group is a single item.

        Args:
            groups: ``(n_items,)`` group numbers.
            seed: Of the draw.
        """
        order = np.argsort(groups, kind="stable")
        ordered = groups[order]
        starts = np.searchsorted(ordered, ordered)
        sizes = np.searchsorted(ordered, ordered, side="right") - starts
        eligible = np.flatnonzero(sizes > 1)
        if not len(eligible):
            return None
        rng = np.random.default_rng(seed)
        first = eligible[rng.integers(0, len(eligible), _PAIRS)]
        step = rng.integers(1, sizes[first])
        second = starts[first] + (first - starts[first] + step) % sizes[first]
        return float(np.einsum("nd,nd->n", self.units(order[first]), self.units(order[second])).mean())

    def central(self, rows: np.ndarray, k: int) -> np.ndarray:
        """The ``k`` rows nearest to the middle of a group, nearest first."""
        units = self.units(rows[:_ROWS])
        return rows[np.argsort(-(units @ units.mean(axis=0)), kind="stable")[:k]]

    def nearest(self, row: int, rows: np.ndarray, k: int) -> np.ndarray:
        """The ``k`` of ``rows`` most similar to ``row``, nearest first."""
        similar = self.units(rows[:_ROWS]) @ self.units(np.array([row]))[0]
        return rows[np.argsort(-similar, kind="stable")[:k]]
