"""The user's own history, newest first."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from genrec.baselines.scoring import ScoringBaseline
from genrec.data.histories import Histories


class RepeatLast(ScoringBaseline):
    """Recommends what the user had last, then the item before it, and so on, each item once.

    It knows no item outside the history: lists are as short as the history, and with seen items excluded they are
    empty. It tells how much of a benchmark is solved by copying, so look at it with ``exclude_seen=False``.

    >>> repeat = RepeatLast().fit(Histories.from_lists([[0]]), ["a", "b", "c"])
    >>> repeat.recommend([["a", "b", "a"]], 3, exclude_seen=False).item_ids
    [['a', 'b']]
    """

    name = "repeat-last"
    repeats_only: ClassVar[bool] = True

    def score(self, histories: Histories) -> sp.csr_array:
        """``1 / r`` for the item that is the ``r``-th newest (its newest occurrence counts)."""
        rows = np.repeat(np.arange(len(histories)), histories.lengths)
        age = np.repeat(histories.offsets[1:], histories.lengths) - np.arange(len(histories.items))  # 1 = newest
        order = np.lexsort((age, histories.items, rows))
        same = (np.diff(rows[order]) == 0) & (np.diff(histories.items[order]) == 0)
        first = order[np.r_[True, ~same]] if len(order) else order
        shape = (len(histories), len(self.item_ids))
        scores = (1.0 / age[first]).astype(np.float32)
        return sp.csr_array((scores, (rows[first], histories.items[first])), shape=shape)
