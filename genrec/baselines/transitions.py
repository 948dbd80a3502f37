"""Transition counts: what followed what in the training sequences, without text and without training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import scipy.sparse as sp

from genrec.baselines.base import ScoringBaseline
from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.metrics import ndcg_at

if TYPE_CHECKING:
    from genrec.data.split import Split

_LOG = logging.getLogger(__name__)


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

    Attributes:
        choices: Validation NDCG@10 of every ``(window, last)`` that :meth:`choose` tried, else empty.

    Raises:
        ConfigError: ``window`` or ``last`` below 1.

    >>> train = Histories.from_lists([[0, 1, 2], [0, 1], [2, 0]])
    >>> TransitionCounts(window=1, last=1).fit(train, ["a", "b", "c"]).recommend([["a"]], 2).item_ids
    [['b', 'c']]
    """

    name = "transition-counts"

    def __init__(self, window: int = 3, last: int = 3) -> None:
        for key, value in (("window", window), ("last", last)):
            if value < 1:
                raise ConfigError(f"The setting '{key}' of transition counts is {value}.", expected="at least 1")
        self.window, self.last = window, last
        self.choices: dict[tuple[int, int], float] = {}

    def _learn(self, train: Histories) -> None:
        self._weights = _normalised(_count(train, self.window, len(self.item_ids)))

    def score(self, histories: Histories) -> sp.csr_array:
        """Sparse scores: only items that followed one of the read items in training are stored."""
        newest = histories.last(self.last)
        rows = np.repeat(np.arange(len(newest)), newest.lengths)
        age = np.repeat(newest.offsets[1:], newest.lengths) - np.arange(len(newest.items))  # r + 1
        shape = (len(newest), len(self.item_ids))
        readers = sp.csr_array((1.0 / age, (rows, newest.items)), shape=shape)
        return sp.csr_array(readers @ self._weights).astype(np.float32)

    def background(self) -> np.ndarray:
        """Zero for every item: no transition was seen."""
        return np.zeros(len(self.item_ids), dtype=np.float32)

    @classmethod
    def choose(
        cls,
        split: Split,
        item_ids: Sequence[str] | np.ndarray,
        grid: Sequence[int] = (1, 3, 10),
        *,
        exclude_seen: bool = True,
    ) -> Self:
        """Fit on ``split.train`` with the window and history length of the best validation NDCG@10.

        Args:
            split: Only its training and validation parts are read.
            item_ids: ``(n_items,)`` the catalogue.
            grid: Values that are tried for ``window`` and for ``last``, every pair.
            exclude_seen: As the baseline will be used.

        Returns:
            The fitted baseline; of equal pairs the first one of the grid.

        Raises:
            ConfigError: The grid is empty.
        """
        if not grid:
            raise ConfigError("The grid of transition counts is empty.", expected="window sizes such as (1, 3, 10)")
        choices = {}
        for window in grid:
            tried = cls(window).fit(split.train, item_ids)
            for last in grid:
                tried.last = last
                lists = tried.recommend(split.validation.histories, 10, exclude_seen=exclude_seen)
                ranks = lists.ranks_of(split.validation.targets)
                choices[window, last] = float(ndcg_at(ranks, 10).mean()) if len(ranks) else 0.0
                _LOG.debug("transition counts: window %d, last %d: NDCG@10 %.5f", window, last, choices[window, last])
        best = cls(*max(choices, key=choices.__getitem__)).fit(split.train, item_ids)
        best.choices = choices
        return best


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
