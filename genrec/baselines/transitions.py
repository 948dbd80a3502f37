"""Transition counts: what followed what in the training sequences, without text and without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.sparse import ages, in_single, pack_sparse, unpack_sparse
from genrec.baselines.tuning import product
from genrec.config import Settings
from genrec.data.histories import Histories


class TransitionSettings(Settings):
    """Settings of :class:`TransitionCounts`."""

    window: int = Field(3, ge=1, description="longest distance that counts as a transition")
    last: int = Field(3, ge=1, description="newest items of a history that are read")
    backward: float = Field(0.0, ge=0, description="what a transition counts in the other direction")
    shrinkage: float = Field(0.0, ge=0, description="transitions of an item below which its counts are hardly divided")


class TransitionCounts(ScoringBaseline):
    r"""Scores an item by how often it followed the user's newest items in training.

    ``count[i, j]`` grows by ``1 / distance`` for every item ``j`` that comes at most ``window`` places after ``i`` in a
    training sequence, and

    ``score(j) = sum over the newest `last` items i (r = 0 for the newest) of
    count[i, j] / sqrt(sum_j count[i, j]) / (r + 1)``.

    With few sequences that root is mostly 1 or less and says little; ``shrinkage`` divides by
    ``sqrt(1 + sum_j count[i, j] / shrinkage)`` instead, which leaves small counts as they are. ``backward`` adds the
    transposed counts, ``count + backward * count.T``: items that were bought together, whichever came first. Items
    without any count tie at zero, so popularity orders them.

    Args:
        window: Longest distance that counts as a transition.
        last: How many of the newest items of a history are read.
        backward: What a transition counts in the other direction.
        shrinkage: Transitions of an item below which its counts are hardly divided; 0: always divided by their root.

    Raises:
        ConfigError: ``window`` or ``last`` below 1, another setting below 0, or an unknown setting.

    >>> train = Histories.from_lists([[0, 1, 2], [0, 1], [2, 0]])
    >>> TransitionCounts(window=1, last=1).fit(train, ["a", "b", "c"]).recommend([["a"]], 2).item_ids
    [['b', 'c']]
    """

    name = "transition-counts"
    Config: ClassVar[type[Settings]] = TransitionSettings
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"last"})

    settings: TransitionSettings

    def __init__(
        self, window: int = 3, last: int = 3, backward: float = 0.0, shrinkage: float = 0.0, **unknown: Any
    ) -> None:
        super().__init__(window=window, last=last, backward=backward, shrinkage=shrinkage, **unknown)

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
        """Windows and history lengths 1, 3 and 10; over the longest window also shrinkage and backward transitions."""
        plain = product(window=(1, 3, 10), last=(1, 3, 10))
        return plain + product(window=(10,), backward=(0.0, 0.3), shrinkage=(3.0, 30.0), last=(1, 3, 10))

    @classmethod
    def prior_candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Few, with shrinkage: so the weight beside a model hardly depends on how much was counted, or where."""
        return product(window=(10,), last=(10,), backward=(0.0, 0.3), shrinkage=(3.0, 30.0))

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        counts = _count(train, self.settings.window, len(self.item_ids))
        if self.settings.backward:
            counts = sp.csr_array(counts + self.settings.backward * counts.T)
        self._weights = _normalised(counts, self.settings.shrinkage)

    def _state(self) -> dict[str, np.ndarray]:
        return pack_sparse("weights", self._weights)

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._weights = unpack_sparse("weights", tensors)

    def score(self, histories: Histories) -> sp.csr_array:
        """Sparse scores: only items that followed one of the read items in training are stored."""
        read = histories.last(self.settings.last)
        rows, age = ages(read)  # age = r + 1
        readers = sp.csr_array((1.0 / age, (rows, read.items)), shape=(len(read), len(self.item_ids)))
        return in_single(readers @ self._weights)

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


def _normalised(counts: sp.csr_array, shrinkage: float) -> sp.csr_array:
    sums = np.asarray(counts.sum(axis=1)).ravel()
    roots = np.sqrt(1 + sums / shrinkage) if shrinkage else np.sqrt(sums)
    scale = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0)
    return sp.csr_array(sp.diags_array(scale) @ counts)
