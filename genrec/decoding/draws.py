"""Items drawn from what a network believes: independently, or without replacement by Gumbel top-k.

Without replacement, the trie is searched top-down for the paths with the largest perturbed log-probabilities. This is
stochastic beam search (Kool et al. 2019, arXiv 1903.06059): the noise of a node is the largest of the noise below it,
so a node that is not kept has no leaf that belongs to the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genrec.decoding.beam import Beam, expand
from genrec.decoding.device_trie import DeviceTrie
from genrec.models.predictor import CodePredictor


class Draws(NamedTuple):
    """Items of every user, each tensor ``(users, n)``.

    Attributes:
        items: int64 positions; -1 where the catalogue has fewer items.
        log_probabilities: Among legal children; -inf at -1.
        keys: Perturbed log-probabilities, in falling order; for independent draws the log-probabilities themselves.
    """

    items: Tensor
    log_probabilities: Tensor
    keys: Tensor


@torch.no_grad()
def without_replacement(model: CodePredictor, state: Any, trie: DeviceTrie, n_users: int, n: int) -> Draws:
    """``n`` distinct items a user, the first ones of draws without replacement.

    Args:
        model: Scores codes.
        state: From its ``prefill``; it is used up.
        trie: Of the catalogue.
        n_users: Number of users in the state.
        n: How many.
    """
    beam = Beam.root(n_users, trie.device)
    noisy = gumbel_like(beam.scores)
    for level in range(trie.n_levels):
        found = expand(model, state, trie, level, beam, "children", None, None)
        keys = _below(noisy, found.scores)
        width = min(n, keys[0].numel(), len(trie.codes[level]))
        noisy, chosen = keys.flatten(1).topk(width, dim=1)
        beam = found.take(chosen)
    alive = noisy > -torch.inf
    scores = beam.scores.masked_fill(~alive, -torch.inf)
    return _padded(Draws(trie.items_of(beam.nodes, alive), scores, noisy), n)


@torch.no_grad()
def independent(model: CodePredictor, state: Any, trie: DeviceTrie, n_users: int, n: int) -> Draws:
    """``n`` independent draws a user, which may repeat; arguments as in :func:`without_replacement`."""
    beam = Beam.root(n_users, trie.device)
    for level in range(trie.n_levels):
        found = expand(model, state, trie, level, beam, "children", None, None)
        branching = found.scores.shape[2]
        if level == 0:
            chosen = found.scores[:, 0].exp().multinomial(n, replacement=True)
        else:
            gained = (found.scores - beam.scores[..., None]).flatten(0, 1).exp()
            child = gained.multinomial(1).view(n_users, n)
            chosen = torch.arange(n, device=trie.device) * branching + child
        beam = found.take(chosen)
    items = trie.items_of(beam.nodes, torch.ones_like(beam.nodes, dtype=torch.bool))
    return Draws(items, beam.scores, beam.scores)


def of_scores(log_probabilities: Tensor, n: int, *, replacement: bool) -> Draws:
    """The same where the log-probability of every item is known, ``(users, n_items)``; -inf is never drawn."""
    if replacement:
        items = log_probabilities.exp().multinomial(n, replacement=True)
        found = log_probabilities.gather(1, items)
        return Draws(items, found, found)
    keys, items = (log_probabilities + gumbel_like(log_probabilities)).topk(min(n, log_probabilities.shape[1]), dim=1)
    items = torch.where(keys > -torch.inf, items, -1)
    found = log_probabilities.gather(1, items.clamp_min(0)).masked_fill(items < 0, -torch.inf)
    return _padded(Draws(items, found, keys), n)


def gumbel_like(tensor: Tensor) -> Tensor:
    """Independent standard Gumbel noise of a tensor's shape."""
    noise = torch.empty_like(tensor).exponential_()
    return -noise.clamp_min(torch.finfo(tensor.dtype).tiny).log()


def _below(noisy: Tensor, scores: Tensor) -> Tensor:
    """Perturbed scores of children whose largest is that of their parent, ``(users, beams, branching)``.

    Args:
        noisy: ``(users, beams)`` of the parents.
        scores: ``(users, beams, branching)`` log-probabilities of the children, -inf where there is none.
    """
    keys = scores + gumbel_like(scores)
    largest = keys.amax(2, keepdim=True)
    parents = noisy[..., None]
    # numerically stable form of -log(exp(-parent) - exp(-largest) + exp(-key)), appendix B.3 of the paper
    gap = parents - keys + torch.log1p(-(keys - largest).exp())
    moved = parents - gap.clamp_min(0) - torch.log1p((-gap.abs()).exp())
    moved = torch.where(keys == largest, parents.expand_as(keys), moved)
    gone = (scores == -torch.inf) | (parents == -torch.inf)
    return moved.masked_fill(gone, -torch.inf)


def _padded(draws: Draws, n: int) -> Draws:
    more = max(0, n - draws.items.shape[1])
    items = F.pad(draws.items, (0, more), value=-1)
    return Draws(items, *(F.pad(part, (0, more), value=-torch.inf) for part in draws[1:]))
