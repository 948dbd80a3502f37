"""What words and few known items add to users' scores, worked out for all items only where that is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from genrec.data.histories import Histories
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior_bounds import ItemPrior, PriorBounds, SparsePrior
from genrec.encoders.word_matches import WordMatches


@dataclass(frozen=True)
class SharedWords:
    """Words that items share with histories.

    Attributes:
        matches: Of the catalogue.
        histories: Of all users of a request.
        weight: Factor on the cosines.
    """

    matches: WordMatches
    histories: Histories
    weight: float

    def rows(self, users: np.ndarray) -> np.ndarray:
        """What is added to all items, ``(n, n_items)`` float32, for users ``(n,)``."""
        scores = self.matches.scores(self.histories.select(users))
        scores *= np.float32(self.weight)
        return scores

    def profiles(self, users: np.ndarray) -> sp.csr_array:
        """Words of the histories of users ``(n,)``, ``(n, n_words)`` float32."""
        return self.matches.profiles(self.histories.select(users))


@dataclass(frozen=True)
class Additions:
    """What is added to items, by its causes.

    Attributes:
        matches: Of the catalogue; None: no words are looked at.
        profiles: ``(users, n_words)``, as :meth:`SharedWords.profiles` gives them.
        weight: Factor on the words.
        users: ``(n,)`` int64 users of known items.
        items: ``(n,)`` int64 positions of known items.
        scores: ``(n,)`` float32 what is added to these beside the words.
    """

    matches: WordMatches | None
    profiles: sp.csr_array | None
    weight: float
    users: np.ndarray
    items: np.ndarray
    scores: np.ndarray


class WordPrior:
    """Words, and scores of few items, as one prior.

    Args:
        trie: What is searched.
        additions: What it is made of.
        dense: Gives ``(users, n_items)`` float32: everything added up.
    """

    def __init__(self, trie: DeviceTrie, additions: Additions, dense: Callable[[], np.ndarray]) -> None:
        self.additions, self._trie, self._dense = additions, trie, dense

    @cached_property
    def bounds(self) -> PriorBounds:
        """The same as a number for every item."""
        return PriorBounds(self._trie, torch.from_numpy(self._dense()))

    def add(self, level: int, nodes: Tensor, children: Tensor, scores: Tensor) -> Tensor:
        """See :meth:`ItemPrior.add`."""
        return self.bounds.add(level, nodes, children, scores)

    def add_to_items(self, scores: Tensor) -> Tensor:
        """See :meth:`ItemPrior.add_to_items`."""
        return self.bounds.add_to_items(scores)


def additions_of(prior: ItemPrior | None) -> Additions | None:
    """What a prior is made of; None where it has a number of its own for every item."""
    if isinstance(prior, WordPrior):
        return prior.additions
    if isinstance(prior, SparsePrior) and prior.shared is None:
        entries = (one.cpu().numpy() for one in (prior.users, prior.items, prior.scores))
        return Additions(None, None, 0.0, *entries)
    none = np.zeros(0, dtype=np.int64)
    return Additions(None, None, 0.0, none, none, none.astype(np.float32)) if prior is None else None
