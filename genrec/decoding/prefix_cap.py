"""At most so many results under one prefix, by construction."""

from __future__ import annotations

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import ConfigError
from genrec.wording import count


class PrefixCap:
    """Limits the results that share their first codes.

    While there is room, beams go first to the ``most`` best hypotheses of every prefix and then to the rest. So the
    search keeps as many prefixes alive as it can, loses none to a crowded one, gives as many items as the limit
    allows, and with beams as wide as the catalogue gives the best list that respects the limit.

    Args:
        trie: What is searched.
        length: Codes of the prefix.
        most: Results under one prefix.

    Raises:
        ConfigError: The length is not that of a prefix, or ``most`` is below 1.
    """

    def __init__(self, trie: DeviceTrie, length: int, most: int) -> None:
        if not 1 <= length < trie.n_levels or most < 1:
            raise ConfigError(
                f"A limit of {count(most, 'result')} under a prefix of {count(length, 'code')}.",
                expected=f"a limit from 1 and a prefix of 1 to {count(trie.n_levels - 1, 'code')}",
            )
        self.trie, self.length, self.most = trie, length, most

    def select(self, level: int, nodes: Tensor, keys: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Choose beams.

        Args:
            level: Level of the candidates.
            nodes: ``(users, beams)`` parents.
            keys: ``(users, beams, branching)`` what the candidates are ordered by.
            width: How many to choose.

        Returns:
            Keys and numbers (in ``beams * branching``) of the chosen, ``(users, width)`` each, best first inside what
            the limit reserves; at the last level, the key of what is over the limit is -inf.
        """
        if level < self.length:  # every candidate is a prefix of its own
            return keys.flatten(1).topk(width, dim=1)
        prefixes = self.trie.ancestors(nodes, level - 1, self.length - 1)
        prefixes = prefixes[:, :, None].expand_as(keys).flatten(1)
        ordered, order = keys.flatten(1).sort(dim=1, descending=True)
        over = rank_in_group(prefixes.gather(1, order)) >= self.most
        if level == self.trie.n_levels - 1:
            ordered = ordered.masked_fill(over, -torch.inf)
        over |= ordered == -torch.inf
        first = over.to(torch.uint8).sort(dim=1, stable=True).indices[:, :width]
        return ordered.gather(1, first), order.gather(1, first)


def rank_in_group(groups: Tensor) -> Tensor:
    """How many entries to the left are of the same group: ``(rows, n)`` int64.

    >>> rank_in_group(torch.tensor([[7, 3, 7, 7, 3]])).tolist()
    [[0, 0, 1, 2, 1]]
    """
    together, order = groups.sort(dim=1, stable=True)
    columns = torch.arange(groups.shape[1], device=groups.device).expand_as(groups)
    begins = torch.ones_like(together, dtype=torch.bool)
    begins[:, 1:] = together[:, 1:] != together[:, :-1]
    first = torch.where(begins, columns, 0).cummax(dim=1).values
    return torch.empty_like(columns).scatter_(1, order, columns - first)
