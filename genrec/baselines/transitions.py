"""Transition counts: what followed what in the training sequences, without text and without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.sparse import ages, pack_sparse, unpack_sparse
from genrec.baselines.tuning import product
from genrec.config import Settings
from genrec.data.histories import Histories


class TransitionSettings(Settings):
    """Settings of :class:`TransitionCounts`."""

    window: int = Field(3, ge=1, description="longest distance that counts as a transition")
    last: int = Field(3, ge=1, description="how many of the newest items of a history are read")


class TransitionCounts(ScoringBaseline):
    r"""Scores an item by how often it followed the user's newest items in training.

    ``count[i, j]`` grows by ``1 / distance`` for every item ``j`` that comes at most ``window`` places after ``i`` in a
    training sequence, and

    ``score(j) = sum over the newest `last` items i (r = 0 for the newest) of
    count[i, j] / sqrt(sum_j count[i, j]) / (r + 1)``.

    Items without any count tie at zero, so popularity orders them.

    Args:
        window: Longest distance that counts as a transition.
        last: How many of the newest items of a history are read.

    Raises:
        ConfigError: ``window`` or ``last`` below 1, or an unknown setting.

    >>> train = Histories.from_lists([[0, 1, 2], [0, 1], [2, 0]])
    >>> TransitionCounts(window=1, last=1).fit(train, ["a", "b", "c"]).recommend([["a"]], 2).item_ids
    [['b', 'c']]
    """

    name = "transition-counts"
    Config: ClassVar[type[Settings]] = TransitionSettings
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"last"})

    settings: TransitionSettings

    def __init__(self, window: int = 3, last: int = 3, **unknown: Any) -> None:
        super().__init__(window=window, last=last, **unknown)

    @property
    def window(self) -> int:
        """Longest distance that counts as a transition."""
        return self.settings.window

    @property
    def last(self) -> int:
        """How many of the newest items of a history are read."""
        return self.settings.last

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Windows and history lengths 1, 3 and 10."""
        return product(window=(1, 3, 10), last=(1, 3, 10))

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        self._weights = _normalised(_count(train, self.settings.window, len(self.item_ids)))

    def _state(self) -> dict[str, np.ndarray]:
        return pack_sparse("weights", self._weights)

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._weights = unpack_sparse("weights", tensors)

    def score(self, histories: Histories) -> sp.csr_array:
        """Sparse scores: only items that followed one of the read items in training are stored."""
        read = histories.last(self.settings.last)
        rows, age = ages(read)  # age = r + 1
        readers = sp.csr_array((1.0 / age, (rows, read.items)), shape=(len(read), len(self.item_ids)))
        return sp.csr_array(readers @ self._weights).astype(np.float32)

    def background(self) -> np.ndarray:
        """Zero for every item: no transition was seen."""
        return np.zeros(len(self.item_ids), dtype=np.float32)


def _count(train: Histories, window: int, n_items: int) -> sp.csr_array:
    """``(n_items, n_items)`` float64 counts, weighted by ``1 / distance``."""
    users = np.repeat(np.arange(len(train)), train.lengths)
    total = sp.csr_array((n_items, n_items), dtype=np.float64)
    for distance in range(1, min(window, int(train.lengths.max(initial=0)) - 1) + 1):
        together = users[distance:] == users[:-distance]
        sources, targets = train.items[:-distance][together], train.items[distance:][together]
        weights = np.full(len(sources), 1.0 / distance)
        total = total + sp.csr_array((weights, (sources, targets)), shape=(n_items, n_items))
    return sp.csr_array(total)


def _normalised(counts: sp.csr_array) -> sp.csr_array:
    sums = np.sqrt(np.asarray(counts.sum(axis=1)).ravel())
    scale = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    return sp.csr_array(sp.diags_array(scale) @ counts)
