"""Beam search where a network scores items at once: a prefix is as good as the best item below it.

The best item below a prefix bounds what can still be found there, and the score of a whole path is that of its item. So
the ``k`` best items are among ``k`` beams: at every level, fewer than ``k`` prefixes can be better than those that lead
to them. A search by beams then finds what the ranking of all items finds, and filters, diversity and limits per prefix
work as for any other network.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior_bounds import ItemPrior, PriorBounds
from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput


def bounds_of(trie: DeviceTrie, scores: Tensor, prior: ItemPrior | None, forbidden: Tensor | None) -> PriorBounds:
    """What steers the beams.

    Args:
        trie: What is searched.
        scores: ``(users, n)`` of items by catalogue position.
        prior: Is added to the scores.
        forbidden: ``(users, n)`` int64 items that a user must not get, -1 for padding; they must not lure the search.
    """
    total = scores.clone() if prior is None else prior.add_to_items(scores)
    if forbidden is not None:
        user, place = ((forbidden >= 0) & (forbidden < total.shape[1])).nonzero(as_tuple=True)
        total[user, forbidden[user, place]] = -torch.inf
    return PriorBounds(trie, total)


class NothingElse:
    """A network that finds all codes equally good: the bounds alone decide.

    Args:
        sizes: Number of codes of every level.
        users: Number of users.
    """

    def __init__(self, sizes: tuple[int, ...], users: int, device: torch.device) -> None:
        self.sizes, self.users, self.device = sizes, users, device

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """Zeros ``(users, beams, codebook_size)``; see :class:`~genrec.models.predictor.CodePredictor`."""
        beams = 1 if codes is None else codes.shape[1]
        nothing = torch.zeros(1, 1, 1, device=self.device)
        size = self.sizes[state.level]
        state.level += 1
        return StepOutput(nothing.expand(self.users, beams, size), lambda: nothing[..., 0].expand(self.users, beams))
