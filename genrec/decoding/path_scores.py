"""What every code on the way to an item adds to the item's score: the search again, along paths that are known."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec.decoding.beam import Beam, expand
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import grouped_log_sum_exp, score_items
from genrec.decoding.filters import Filter, make_filter
from genrec.decoding.normalize import Normalize
from genrec.models.predictor import CodePredictor, ItemScores


@torch.inference_mode()
def path_scores(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    items: Tensor,
    *,
    normalize: Normalize = "vocabulary",
    forbidden: Tensor | None = None,
    allowed: Tensor | None = None,
    added: bool = False,
) -> Tensor:
    """Log-probability of every code of some items, given the codes before it.

    A network that scores whole items has no such numbers of its own. A code then gets what its prefix has of the
    probability of the prefix before it: the sum over the items below.

    Args:
        model: Scores codes.
        state: From the model's ``prefill``; it is used up.
        trie: What was searched.
        items: ``(users, n)`` int64 catalogue positions, -1 for padding.
        normalize: See :data:`~genrec.decoding.normalize.Normalize`.
        forbidden: ``(users, m)`` int64 items that a user must not get, -1 for padding.
        allowed: ``(users, m)`` int64 items that a user may get, -1 for padding; None: all of the trie.
        added: Whether the search added anything to the model's scores.

    Returns:
        ``(users, n, n_levels)`` float32, which add up to the network's part of the score; -inf from the level on where
        no item is left that the user may get, 0 at padding.
    """
    keep = make_filter(trie, forbidden, allowed)
    paths = trie.paths(items)
    known = paths.clamp_min(0)
    if isinstance(state, ItemScores):
        state = state.whole() if added else state.settled(items)
        found = _shares(model, state, trie, known, normalize, keep)
    else:
        found = _walk(model, state, trie, known, normalize, keep)
    found = found.masked_fill(paths < 0, -torch.inf)
    return found.masked_fill((items < 0)[..., None], 0.0)


def _walk(
    model: CodePredictor, state: Any, trie: DeviceTrie, paths: Tensor, normalize: Normalize, keep: Filter | None
) -> Tensor:
    """One beam an item from the second level on; every beam knows where it goes."""
    users, n, n_levels = paths.shape
    beam, found = Beam.root(users, trie.device), []
    for level in range(n_levels):
        scores = expand(model, state, trie, level, beam, normalize, keep, None).scores
        nodes, above = paths[..., level], paths[..., level - 1] if level else torch.zeros_like(paths[..., 0])
        place = (nodes - trie.starts[level][above]).long()  # which child of its parent
        found.append(scores.expand(users, n, -1).gather(2, place[..., None])[..., 0])
        source = torch.zeros(n, dtype=torch.int64) if level == 0 else torch.arange(n)
        parents = source.to(trie.device).expand(users, n)
        beam = Beam(nodes, torch.zeros(users, n, device=trie.device), trie.codes[level][nodes].long(), parents)
    return torch.stack(found, dim=2)


def _shares(
    model: CodePredictor, state: ItemScores, trie: DeviceTrie, paths: Tensor, normalize: Normalize, keep: Filter | None
) -> Tensor:
    """Of scores of whole items: the mass below each prefix as a share of that below the one before it."""
    own = keep if normalize == "children" else None
    leaves = score_items(model, state, trie, len(paths), normalize=normalize, keep=own)[:, trie.items.long()]
    before, found = torch.zeros(paths.shape[:2], device=trie.device), []
    for level in range(trie.n_levels):
        mass = leaves
        if level < trie.n_levels - 1:
            owner = torch.repeat_interleave(trie.leaves[level].long())
            mass = grouped_log_sum_exp(leaves, owner, len(trie.codes[level]))
        here = mass.gather(1, paths[..., level])
        found.append(here - before)
        before = here
    if keep is not None:
        dead = ~keep.living(trie.n_levels - 1, 0, trie.n_items).gather(1, paths[..., -1])
        found[-1] = found[-1].masked_fill(dead, -torch.inf)
    return torch.stack(found, dim=2)
