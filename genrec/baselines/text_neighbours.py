"""Nearest neighbours in the space of item vectors: what reads like what the user had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.sparse import newest
from genrec.baselines.tuning import product
from genrec.baselines.vectors import item_vectors, products, profiles, unit_rows
from genrec.config import Settings
from genrec.data.histories import Histories


class TextNeighboursSettings(Settings):
    """Settings of :class:`TextNeighbours`."""

    last: int | None = Field(1, ge=1, description="newest items of a history that are averaged; None: all")


class TextNeighbours(ScoringBaseline):
    """Scores an item by the cosine of its vector and the mean of the unit vectors of the user's newest items.

    Nothing is learned from interactions but the order of ties, so items that nobody had are recommended like all
    others. The content-based profile of Pazzani and Billsus (https://doi.org/10.1007/978-3-540-72079-9_10), with
    sentence vectors in the place of weighted terms.

    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> neighbours = TextNeighbours(last=1).fit(
    ...     Histories.from_lists([[0]]), ["a", "b", "c"], FitInputs(vectors=vectors))
    >>> neighbours.recommend([["b", "a"]], 3, exclude_seen=False).item_ids
    [['a', 'c', 'b']]
    """

    name = "text-neighbours"
    Config: ClassVar[type[Settings]] = TextNeighboursSettings
    needs_vectors: ClassVar[bool] = True
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"last"})

    settings: TextNeighboursSettings
    _vectors: np.ndarray

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """The last item, the mean of the last 3 or 10, and of the whole history."""
        return product(last=(1, 3, 10, None))

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        self._vectors = unit_rows(item_vectors(inputs.vectors, len(self.item_ids), self.name))

    def _state(self) -> dict[str, np.ndarray]:
        return {"vectors": self._vectors}

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._vectors = tensors["vectors"]

    def score(self, histories: Histories) -> np.ndarray:
        """Cosines, ``(n_users, n_items)`` float32; zeros for users without items or items without a vector."""
        users = unit_rows(profiles(newest(histories, self.settings.last), self._vectors))
        return products(users, self._vectors)
