"""The distribution over the items of a catalogue that a network is after a history, with gradients.

Networks that write codes step by step have it as a product over the levels of the trie, each normalised over legal
children. Networks that score all codes of an item at once, or all items, have it as a softmax over the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_leaves
from genrec.decoding.normalize import unpack
from genrec.decoding.slots import score_by_slots
from genrec.errors import ModelError
from genrec.models.base import CodeModel
from genrec.models.predictor import ItemScores
from genrec.trie import Trie

Inputs = dict[str, Tensor]
"""Arguments of ``prefill``."""


class ItemDistribution:
    """Log-probabilities of items after histories.

    Args:
        model: A network.
        trie: Of its catalogue.
        checkpoints: Forget what a walk over the catalogue has computed and compute it again for the gradient.
    """

    def __init__(self, model: CodeModel, trie: Trie, *, checkpoints: bool = False) -> None:
        self.parallel, self.at_once = model.parallel, model.parallel or model.scores_items
        self._trie, self._tries, self._checkpoints = trie, {}, checkpoints  # type: ignore[var-annotated]

    def trie(self, device: torch.device) -> DeviceTrie:
        """The trie on a device."""
        if device not in self._tries:
            self._tries[device] = DeviceTrie(self._trie, device)
        found: DeviceTrie = self._tries[device]
        return found

    @property
    def inner_nodes(self) -> int:
        """Nodes whose children are scored to know every item's probability; 0 where there is no walk."""
        return 0 if self.at_once else 1 + sum(self._trie.n_nodes[:-1])

    def of_items(self, model: Any, inputs: Inputs, items: Tensor) -> Tensor:
        """Log-probabilities of some items.

        Args:
            model: The network.
            inputs: Of ``rows`` histories.
            items: ``(rows, n)`` int64 positions; for -1, what comes back means nothing but is finite.

        Returns:
            ``(rows, n, levels)``, one number a code; a single one where items are scored at once.
        """
        items = torch.where(items < 0, int(self._trie.item[0]), items)
        if self.at_once:
            return self.of_all(model, inputs).gather(1, items)[..., None]
        return torch.stack([part for part, _ in self._along(model, inputs, items)], dim=-1)

    def along(self, model: Any, inputs: Inputs, items: Tensor) -> list[Tensor]:
        """Log-probabilities of all legal children of every node on the way to an item, -inf where there is none.

        Args:
            model: The network, one that writes codes step by step.
            inputs: Of ``rows`` histories.
            items: ``(rows, n)`` int64 positions.

        Returns:
            Per level ``(rows, beams, branching)``; one beam at the first level, else ``n``.
        """
        return [children for _, children in self._along(model, inputs, items)]

    def _along(self, model: Any, inputs: Inputs, items: Tensor) -> list[tuple[Tensor, Tensor]]:
        trie = self.trie(items.device)
        path = trie.paths(items)  # (rows, n, levels)
        state = model.prefill(**inputs)
        nodes, codes, parents = torch.zeros_like(items[:, :1]), None, None
        found = []
        for level in range(trie.n_levels):
            logits, _ = unpack(model.step(state, codes, parents))
            _, known, exists = trie.children(level, nodes)
            legal = logits.gather(2, known).masked_fill(~exists, -torch.inf).log_softmax(2)
            here = path[..., level]
            if level == 0:
                found.append((legal[:, 0].gather(1, here), legal))
                parents = torch.zeros_like(items)
            else:
                place = here - trie.starts[level].long()[nodes]
                found.append((legal.gather(2, place[..., None])[..., 0], legal))
                parents = torch.arange(items.shape[1], device=items.device).expand_as(items)
            nodes, codes = here, trie.codes[level].long()[here]
        return found

    def of_all(self, model: Any, inputs: Inputs) -> Tensor:
        """Log-probability of every item, ``(rows, n_items)`` by catalogue position.

        Raises:
            ModelError: A gradient is wanted, and the network's scores of items have none.
        """
        if not self.at_once:
            return self._walked(model, inputs)
        state = model.prefill(**inputs)
        if isinstance(state, ItemScores):
            scores = state.whole().scores
            if torch.is_grad_enabled() and not scores.requires_grad:
                raise ModelError(
                    f"The scores of {type(model).__name__} have no gradient, so rewards cannot be trained.",
                    hint="Where titles are ranked, train with model.options.renormalize=title.",
                )
            return scores.float().log_softmax(1)
        slots = model.slot_scores(state)
        return score_by_slots(self.trie(slots[0].device), slots).log_softmax(1)

    def _walked(self, model: Any, inputs: Inputs) -> Tensor:
        first = next(iter(inputs.values()))
        trie, rows = self.trie(first.device), len(first)
        order = trie.items.long().argsort()

        def walk(part: slice) -> Tensor:
            some = {name: tensor[part] for name, tensor in inputs.items()}
            n = len(next(iter(some.values())))
            return score_leaves(model, model.prefill(**some), trie, n, normalize="children")[:, order]

        if not (self._checkpoints and torch.is_grad_enabled()):
            return walk(slice(0, rows))
        parts = [slice(at, at + _ROWS) for at in range(0, rows, _ROWS)]
        return torch.cat([_recomputed(walk, part) for part in parts])


_ROWS = 8


def _recomputed(walk: Callable[[slice], Tensor], part: slice) -> Tensor:
    found: Tensor = checkpoint(walk, part, use_reentrant=False)  # type: ignore[no-untyped-call]
    return found
