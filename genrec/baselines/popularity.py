"""The most popular items of the training part, the same for everybody."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genrec.baselines.scoring import ScoringBaseline
from genrec.data.histories import Histories


class Popularity(ScoringBaseline):
    """Ranks items by their number of training interactions; items without any come last, in catalogue order.

    >>> train = Histories.from_lists([[0, 1], [1]])
    >>> Popularity().fit(train, ["a", "b", "c"]).recommend([["b"]], 2).item_ids
    [['a', 'c']]
    """

    name = "popularity"

    def score(self, histories: Histories) -> sp.csr_array:
        """Nothing personal: a sparse matrix without entries, see :meth:`background`."""
        return sp.csr_array((len(histories), len(self.item_ids)), dtype=np.float32)

    def background(self) -> np.ndarray:
        """The training counts, ``(n_items,)`` float32."""
        return self.popularity.astype(np.float32)
