"""What words that an item shares with a history say for it, beside what a network says."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from genrec.compiling import Array, compiled
from genrec.data.histories import Histories

DECAY = 0.5
"""An item counts 0.6 of the next one."""
LAST = 20
"""Items of a history that are read."""
_USERS, _ITEMS = 64, 64  # scored together: the words of the users and the scores of the items stay in the caches


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
        self.vectors, self.decay, self.last = sp.csr_array(vectors, dtype=np.float32), decay, last

    def scores(self, histories: Histories) -> np.ndarray:
        """``(n_users, n_items)`` float32, from 0 to 1; zeros for a user without items."""
        return self.of(self._weights(histories if self.last is None else histories.last(self.last)))

    @cached_property
    def longest(self) -> float:
        """The largest length of a row of the vectors."""
        squares = np.square(self.vectors.data)
        sums = np.add.reduceat(np.r_[squares, np.float32(0)], self.vectors.indptr[:-1]) if len(squares) else squares
        return float(np.sqrt(sums[np.diff(self.vectors.indptr) > 0].max(initial=0.0))) if len(squares) else 0.0

    def profiles(self, histories: Histories) -> sp.csr_array:
        """Weighted words of histories, ``(n_users, n_words)`` float32; :meth:`scores` are products with them."""
        return sp.csr_array(self._weights(histories if self.last is None else histories.last(self.last)) @ self.vectors)

    def of(self, weights: sp.csr_array) -> np.ndarray:
        """Sums of cosines with weighted items, ``(n_users, n_items)`` float32.

        Args:
            weights: ``(n_users, n_items)`` float32: what every item counts for every user.
        """
        profiles = sp.csr_array(weights @ self.vectors)
        result = np.empty((profiles.shape[0], self.vectors.shape[0]), dtype=np.float32)
        words = self.vectors
        for start in range(0, len(result), _USERS):
            part = np.ascontiguousarray(profiles[start : start + _USERS].toarray().T)
            _multiply(words.indptr, words.indices, words.data, part, part.any(axis=1), result[start : start + _USERS])
        return result

    def _weights(self, histories: Histories) -> sp.csr_array:
        """Of the items of every history, ``(n_users, n_items)`` float32."""
        ends = np.repeat(histories.offsets[1:], histories.lengths)
        weights = np.exp(-self.decay * (ends - 1 - np.arange(len(histories.items))))
        users = np.repeat(np.arange(len(histories)), histories.lengths)
        weights /= np.bincount(users, weights, minlength=len(histories))[users]
        shape = (len(histories), self.vectors.shape[0])
        return sp.csr_array((weights.astype(np.float32), histories.items, histories.offsets), shape=shape)


def columns_of(profiles: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """The words of some profiles ``(n_users, n_words)``, ``(n,)``, and their values, ``(n, n_users)`` float32."""
    used, column = np.unique(profiles.indices, return_inverse=True)
    values = np.zeros((len(used), profiles.shape[0]), dtype=np.float32)
    values[column, np.repeat(np.arange(profiles.shape[0]), np.diff(profiles.indptr))] = profiles.data
    return used, values


@compiled
def _multiply(starts: Array, words: Array, weights: Array, profiles: Array, used: Array, result: Array) -> None:
    """Products of the rows of a sparse matrix and a few dense columns, written as rows.

    Args:
        starts: ``(n_items + 1,)`` where the entries of every item begin.
        words: ``(n,)`` word of every entry.
        weights: ``(n,)`` float32 value of every entry.
        profiles: ``(n_words, n_users)`` float32.
        used: ``(n_words,)`` bool: whether any user has the word; most words nobody has.
        result: ``(n_users, n_items)`` float32, written.
    """
    n_items, n_users = len(starts) - 1, profiles.shape[1]
    sums = np.empty((_ITEMS, n_users), dtype=np.float32)
    for first in range(0, n_items, _ITEMS):
        last = min(first + _ITEMS, n_items)
        sums[:] = 0
        for item in range(first, last):
            for at in range(starts[item], starts[item + 1]):
                word = words[at]
                if used[word]:
                    for user in range(n_users):
                        sums[item - first, user] += weights[at] * profiles[word, user]
        for user in range(n_users):
            for item in range(first, last):
                result[user, item] = sums[item - first, user]
