"""Diverse beam search: groups of beams that are pushed apart (Vijayakumar et al. 2016, arXiv 1610.02424)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec.decoding.beam import Beam, Candidates, beam_search, expand
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import contained, make_filter
from genrec.decoding.normalize import Normalize
from genrec.decoding.prior import ItemPrior
from genrec.errors import ConfigError
from genrec.models.predictor import CodePredictor
from genrec.models.tree import fork


@torch.inference_mode()
def diverse_beam_search(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    *,
    beams: int,
    groups: int,
    penalty: float,
    k: int | None = None,
    normalize: Normalize = "vocabulary",
    forbidden: Tensor | None = None,
    allowed: Tensor | None = None,
    prior: ItemPrior | None = None,
) -> tuple[Tensor, Tensor]:
    """Items from several groups of beams; a group avoids the codes that the groups before it chose.

    At every level the groups choose one after the other. A candidate loses ``penalty`` for each beam of an earlier
    group that ends in the same code at this level (Hamming diversity), and what it lost stays with its hypothesis. All
    groups run in one step of the model. An item that one group has found is not given to another; where the groups
    together find fewer items than a plain search is sure to find, a plain search adds the rest.

    Without a penalty all groups would be the same, so the search is the plain one; with one group it is, too.

    Args:
        model: Scores codes.
        state: From the model's ``prefill``; it is used up.
        trie: What is searched.
        n_users: Number of users in the state.
        beams: Hypotheses of all groups together, split evenly (rounded up).
        groups: Number of groups.
        penalty: Strength, in units of log-probability; 0.2 to 1 is usual.
        k: Results: the best of every group in turn, until there are ``k`` (default: ``beams``).
        normalize: As in :func:`~genrec.decoding.beam.beam_search`, like the arguments after it.
        forbidden: ``(users, n)`` items that a user must not get.
        allowed: ``(users, n)`` items that a user may get.
        prior: Scores that are added to the model's.

    Returns:
        ``items (users, k)`` and ``scores (users, k)`` as from a plain search: sorted, without the penalties.

    Raises:
        ConfigError: No groups, more groups than beams, or a negative penalty.
    """
    if not 1 <= groups <= beams or penalty < 0:
        raise ConfigError(
            f"{groups} groups of {beams} beams with a penalty of {penalty}.",
            expected="between one group and as many as beams, and a penalty from 0",
        )
    k = min(k or beams, beams)
    settings: dict[str, Any] = {"normalize": normalize, "allowed": allowed, "prior": prior}
    if penalty == 0 or groups == 1:
        items, scores = beam_search(model, state, trie, n_users, beams=beams, forbidden=forbidden, **settings)
        return items[:, :k], scores[:, :k]
    fresh = fork(state)
    keep = make_filter(trie, forbidden, allowed)
    beam = Beam.root(n_users, trie.device)
    lost = beam.scores
    for level in range(trie.n_levels):
        candidates = expand(model, state, trie, level, beam, normalize, keep, prior)
        chosen, lost = _choose(trie, level, candidates, lost, groups, -(-beams // groups), penalty)
        keys = candidates.keys.flatten(1).gather(1, chosen).masked_fill(lost == torch.inf, -torch.inf)
        beam = candidates.take(chosen)
    items, scores = _in_turn(trie.items_of(beam.nodes, keys > -torch.inf), keys, groups, k)
    if bool((items[:, :k] < 0).any()):
        taken = items if forbidden is None else torch.cat([forbidden, items], dim=1)
        more = beam_search(model, fresh, trie, n_users, beams=k, forbidden=taken, **settings)
        items, scores = torch.cat([items, more[0]], dim=1), torch.cat([scores, more[1]], dim=1)
    return _best_first(*_live_first(items, scores, k))


def _choose(
    trie: DeviceTrie, level: int, candidates: Candidates, lost: Tensor, groups: int, width: int, penalty: float
) -> tuple[Tensor, Tensor]:
    """Candidates chosen by all groups, ``(users, groups * n)``, and what they have lost, +inf where there is none."""
    users, beams, branching = candidates.keys.shape
    shared = level == 0  # all groups start from the root
    size = beams if shared else beams // groups
    width = min(width, size * branching, len(trie.codes[level]))
    last = level == trie.n_levels - 1
    used = torch.zeros(users, int(candidates.codes.max()) + 1, device=lost.device)
    taken: list[Tensor] = []
    chosen: list[Tensor] = []
    losses: list[Tensor] = []
    for group in range(groups):
        own = slice(0, beams) if shared else slice(group * size, (group + 1) * size)
        codes, nodes = candidates.codes[:, own].flatten(1), candidates.nodes[:, own].flatten(1)
        loss = lost[:, own, None].expand(users, size, branching).flatten(1) + penalty * used.gather(1, codes)
        keys = candidates.keys[:, own].flatten(1) - loss
        if last and taken:
            again = contained(nodes, torch.cat(taken, dim=1).sort(dim=1).values)
            keys = keys.masked_fill(again, -torch.inf)
        best, place = keys.topk(width, dim=1)
        live = best > -torch.inf
        used.scatter_add_(1, codes.gather(1, place), live.float())
        taken.append(torch.where(live, nodes.gather(1, place), -1))
        chosen.append(place + own.start * branching)
        losses.append(loss.gather(1, place).masked_fill(~live, torch.inf))
    return torch.cat(chosen, dim=1), torch.cat(losses, dim=1)


def _in_turn(items: Tensor, keys: Tensor, groups: int, k: int) -> tuple[Tensor, Tensor]:
    """The best of every group, the second best of every group and so on: ``(users, k)``."""
    users = len(items)
    ordered, order = keys.view(users, groups, -1).sort(dim=2, descending=True)
    items = items.view(users, groups, -1).gather(2, order)
    return _live_first(items.transpose(1, 2).flatten(1), ordered.transpose(1, 2).flatten(1), k)


def _live_first(items: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    order = (keys == -torch.inf).to(torch.uint8).sort(dim=1, stable=True).indices[:, :k]
    return items.gather(1, order), keys.gather(1, order)


def _best_first(items: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    keys, order = keys.sort(dim=1, descending=True, stable=True)
    return items.gather(1, order), keys
