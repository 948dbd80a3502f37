"""Item-based nearest neighbours: items that the same users had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.ranking import near_top
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.sparse import in_single, incidence, newest, pack_sparse, unpack_sparse
from genrec.baselines.tuning import product
from genrec.config import Settings
from genrec.data.histories import Histories

_BLOCK = 512


class ItemKNNSettings(Settings):
    """Settings of :class:`ItemKNN`."""

    neighbours: int = Field(200, ge=1, description="most similar items kept for every item")
    shrinkage: float = Field(0.0, ge=0, description="added to the denominator; lowers similarities of rare items")
    last: int | None = Field(None, ge=1, description="newest items of a history that are read; None: all")


class ItemKNN(ScoringBaseline):
    r"""Scores an item by its similarity to the items that the user had.

    ``similarity(i, j) = users(i, j) / (sqrt(users(i) users(j)) + shrinkage)``, the cosine of the columns of the binary
    user-item matrix, kept for the ``neighbours`` most similar items ``j`` of every ``i``;
    ``score(j) = sum over the user's distinct items i of similarity(i, j)``. Items without any similarity tie at zero.

    Deshpande, Karypis: Item-based top-N recommendation algorithms (https://doi.org/10.1145/963770.963776); the
    shrinkage is that of Bell and Koren (https://doi.org/10.1109/ICDM.2007.90).

    >>> train = Histories.from_lists([[0, 1], [0, 1], [1, 2]])
    >>> ItemKNN().fit(train, ["a", "b", "c"]).recommend([["a"]], 2).item_ids
    [['b', 'c']]
    """

    name = "item-knn"
    Config: ClassVar[type[Settings]] = ItemKNNSettings
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"last"})

    settings: ItemKNNSettings
    _similar: sp.csr_array

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """50 or 500 neighbours, no or some shrinkage, the last item, the last five or the whole history."""
        return product(neighbours=(50, 500), shrinkage=(0.0, 20.0), last=(1, 5, None))

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        self._similar = _similarities(
            sp.csc_array(incidence(train, len(self.item_ids))),
            self.settings.neighbours,
            self.settings.shrinkage,
            self._places,
        )

    def _state(self) -> dict[str, np.ndarray]:
        return pack_sparse("similar", self._similar)

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._similar = unpack_sparse("similar", tensors)

    def score(self, histories: Histories) -> sp.csr_array:
        """Sparse scores: only neighbours of the read items are stored."""
        read = incidence(newest(histories, self.settings.last), len(self.item_ids))
        return in_single(read @ self._similar)

    def background(self) -> np.ndarray:
        """Zero for every item: no user had both."""
        return np.zeros(len(self.item_ids), dtype=np.float32)


def _similarities(users: sp.csc_array, keep: int, shrinkage: float, places: np.ndarray) -> sp.csr_array:
    """The ``keep`` largest similarities of every item, ``(n_items, n_items)`` float64, worked out in blocks of items.

    Args:
        users: ``(n_users, n_items)`` of ones.
        keep: Neighbours of an item.
        shrinkage: See :class:`ItemKNN`.
        places: ``(n_items,)`` order of ties.
    """
    n_items = users.shape[1]
    norms = np.sqrt(np.diff(users.indptr))
    blocks = []
    for start in range(0, n_items, _BLOCK):
        together = sp.csr_array(users[:, start : start + _BLOCK].T @ users)
        rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        columns = together.indices.astype(np.int64)
        values = together.data / (norms[start + rows] * norms[columns] + shrinkage)
        other = columns != start + rows
        rows, columns, values = rows[other], columns[other], values[other]
        close = near_top(rows, values.astype(np.float32), keep, together.shape[0])
        rows, columns, values = rows[close], columns[close], values[close]
        by = np.lexsort((places[columns], -values, rows))
        rows, columns, values = rows[by], columns[by], values[by]
        best = np.arange(len(rows)) - np.searchsorted(rows, np.arange(together.shape[0]))[rows] < keep
        blocks.append(sp.csr_array((values[best], (rows[best], columns[best])), shape=together.shape))
    return sp.csr_array(sp.vstack(blocks, format="csr"))
