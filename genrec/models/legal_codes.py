"""The codes that may follow a prefix of a semantic ID, as masks: what a loss over legal codes alone is made of.

The softmax over the legal children of the right prefix is MSCGRec's training loss (arXiv 2509.25522): no capacity is
spent on telling real items from paths that decoding never takes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec.trie import Trie


class LegalCodes:
    """Children of known prefixes in a trie, on the device of whoever asks.

    Args:
        trie: Of the catalogue.

    Example:
        >>> legal = LegalCodes(Trie.from_codes(np.array([[0, 1], [0, 2], [1, 0]]), (2, 3)))
        >>> [mask.tolist() for mask in legal.masks(torch.tensor([[0, 1]]))]
        [[[True, True]], [[False, True, True]]]
    """

    def __init__(self, trie: Trie) -> None:
        self.codebook_sizes, self.branching = trie.codebook_sizes, trie.max_branching
        starts = [np.array([0, trie.root_children]), *trie.first_child]
        self._starts = [torch.from_numpy(np.array(start, dtype=np.int64)) for start in starts]
        self._codes = [torch.from_numpy(np.array(code, dtype=np.int64)) for code in trie.code]
        self._items = torch.from_numpy(np.array(trie.item, dtype=np.int64))

    def masks(self, codes: Tensor) -> list[Tensor]:
        """Legal codes after every prefix of some items.

        Args:
            codes: ``(n, n_levels)`` int64 semantic IDs.

        Returns:
            Per level ``(n, codebook_size)`` bool. The right code is always legal, also where the trie lacks the item.
        """
        return self._walk(codes)[0]

    def items(self, codes: Tensor) -> Tensor:
        """Catalogue positions of semantic IDs, ``(n, n_levels) -> (n,)`` int64; -1 where there is no such item."""
        _, leaves, found = self._walk(codes)
        return torch.where(found, self._items[leaves], -1)

    def _walk(self, codes: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        self._to(codes.device)
        masks: list[Tensor] = []
        nodes = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
        alive = torch.ones(len(codes), dtype=torch.bool, device=codes.device)
        for level, size in enumerate(self.codebook_sizes):
            first, stop = self._starts[level][nodes], self._starts[level][nodes + 1]
            children = first[:, None] + torch.arange(self.branching[level], device=codes.device)
            exists = (children < stop[:, None]) & alive[:, None]
            children = children.clamp_max(len(self._codes[level]) - 1)
            child_codes = self._codes[level][children]
            right = exists & (child_codes == codes[:, level, None])
            mask = torch.zeros(len(codes), size + 1, dtype=torch.bool, device=codes.device)
            mask.scatter_(1, torch.where(exists, child_codes, size), True)  # the last column takes what does not exist
            mask.scatter_(1, codes[:, level, None], True)
            masks.append(mask[:, :size])
            alive = right.any(1)
            nodes = children.gather(1, right.long().argmax(1, keepdim=True))[:, 0]
        return masks, nodes, alive

    def _to(self, device: torch.device) -> None:
        if self._items.device != device:
            self._starts = [start.to(device) for start in self._starts]
            self._codes = [code.to(device) for code in self._codes]
            self._items = self._items.to(device)


def code_terms(
    logits: Tensor, right: Tensor, legal: Tensor | None = None, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """What every right code among the legal ones adds to a loss, and its log-probability, each ``(n,)``.

    Args:
        logits: ``(n, codebook_size)``.
        right: ``(n,)`` int64 codes.
        legal: ``(n, codebook_size)`` bool from :meth:`LegalCodes.masks`; None: every code is.
        label_smoothing: Mass taken from the right code and spread over the legal ones, in the loss alone.
    """
    if legal is not None:
        logits = logits.masked_fill(~legal, -torch.inf)
    log_probabilities = logits.log_softmax(-1)
    likelihood = log_probabilities.gather(1, right[:, None])[:, 0]
    if not label_smoothing:
        return -likelihood, likelihood
    if legal is None:
        spread = -log_probabilities.mean(1)
    else:
        spread = -log_probabilities.masked_fill(~legal, 0).sum(1) / legal.sum(1)
    return label_smoothing * spread - (1 - label_smoothing) * likelihood, likelihood
