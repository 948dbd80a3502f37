"""What words that an item shares with a history say for it, beside what a network says."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories

DECAY = 0.5
"""An item counts 0.6 of the next one."""
LAST = 20
"""Items of a history that are read."""
_CELLS = 1 << 24  # words times users that are held at once


class WordMatches:
    """Cosines between the words of items and those of histories, whose newer items count more.

    Nothing is learned, so items that nobody had are matched like all others.

    Args:
        vectors: ``(n_items, n_words)`` sparse rows of unit length, see :func:`genrec.encoders.words.word_vectors`.
        decay: Of the weight of an item, by its distance from the end of the history; the weights of a history add up
            to one.
        last: Items of a history that are read; None: all.
    """

    def __init__(self, vectors: sp.csr_array, decay: float = DECAY, last: int | None = LAST) -> None:
        self.vectors, self.decay, self.last = sp.csr_array(vectors), decay, last

    def scores(self, histories: Histories) -> np.ndarray:
        """``(n_users, n_items)`` float32, from 0 to 1; zeros for a user without items."""
        recent = histories if self.last is None else histories.last(self.last)
        n_items, n_words = self.vectors.shape
        profiles = sp.csr_array(self._weights(recent) @ self.vectors)
        result = np.empty((len(recent), n_items), dtype=np.float32)
        size = max(1, _CELLS // max(1, n_words))
        for start in range(0, len(recent), size):
            part = profiles[start : start + size].toarray()
            result[start : start + size] = (self.vectors @ np.ascontiguousarray(part.T)).T
        return result

    def _weights(self, histories: Histories) -> sp.csr_array:
        """Of the items of every history, ``(n_users, n_items)`` float32."""
        ends = np.repeat(histories.offsets[1:], histories.lengths)
        weights = np.exp(-self.decay * (ends - 1 - np.arange(len(histories.items))))
        users = np.repeat(np.arange(len(histories)), histories.lengths)
        weights /= np.bincount(users, weights, minlength=len(histories))[users]
        shape = (len(histories), self.vectors.shape[0])
        return sp.csr_array((weights.astype(np.float32), histories.items, histories.offsets), shape=shape)
