"""Catalogue-constrained beam search of fixed length, written once for every model with ``prefill`` and ``step``."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from genrec.decoding.device_trie import DeviceTrie

Normalize = Literal["codes", "children"]


class CodePredictor(Protocol):
    """What decoding asks of a model; :class:`genrec.models.base.CodeModel` documents the shapes."""

    def step(self, state: Any, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """Logits over the next level's codes, ``(users, beams, codebook_size)``."""


@torch.inference_mode()
def beam_search(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    *,
    beams: int,
    forbidden: Tensor | None = None,
    normalize: Normalize = "codes",
) -> tuple[Tensor, Tensor]:
    """The most probable items of every user.

    Every hypothesis is a path of the trie, so every result is a real item, and paths are distinct, so no item comes
    twice. Nodes whose items are all forbidden are pruned before they can take a beam; so as many items come back as are
    allowed, up to ``beams``.

    Args:
        model: Scores codes.
        state: From the model's ``prefill`` for these users; it is used up.
        trie: Of the catalogue, or of the part of it that is allowed.
        n_users: Number of users in the state.
        beams: Hypotheses kept per user and level.
        forbidden: ``(users, n)`` int64 items that this user must not get, -1 for padding.
        normalize: Over all ``codes`` of a level, or over the legal ``children`` of the prefix alone.

    Returns:
        ``items (users, beams)`` int64, best first, -1 where fewer items are allowed, and ``scores (users, beams)``
        float32 sums of log-probabilities (-inf there).
    """
    device = trie.device
    dead = None if forbidden is None else trie.dead_nodes(forbidden)
    nodes = torch.zeros(n_users, 1, dtype=torch.int64, device=device)
    scores = torch.zeros(n_users, 1, device=device)
    codes = parents = None
    for level in range(trie.n_levels):
        logits = model.step(state, codes, parents).float()
        children, child_codes, exists = trie.children(level, nodes)
        if dead is not None:
            exists = trie.forbid(level, nodes, exists, dead[level])
        gained = _log_probabilities(logits, child_codes, exists, normalize)
        total = (scores[:, :, None] + gained).flatten(1)
        keep = min(beams, int(exists.flatten(1).sum(1).max()))
        if keep == 0:
            return nodes.new_full((n_users, 1), -1), scores.new_full((n_users, 1), -torch.inf)
        scores, chosen = total.topk(keep, dim=1)
        parents = chosen // exists.shape[2]
        codes = child_codes.flatten(1).gather(1, chosen)
        nodes = children.flatten(1).gather(1, chosen)
    items = torch.where(scores > -torch.inf, trie.items[nodes], -1)
    return items, scores


def _log_probabilities(logits: Tensor, codes: Tensor, exists: Tensor, normalize: Normalize) -> Tensor:
    """Log-probability of every child, -inf where there is none: ``(users, beams, branching)``."""
    if normalize == "codes":
        logits = F.log_softmax(logits, dim=-1)
    picked = logits.gather(2, codes).masked_fill(~exists, -torch.inf)
    if normalize == "children":
        total = picked.logsumexp(dim=2, keepdim=True)
        picked = torch.where(exists, picked - total, -torch.inf)
    return picked
