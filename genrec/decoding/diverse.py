"""Diverse beam search: groups of beams that are pushed apart (Vijayakumar et al. 2016, arXiv 1610.02424)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genrec.decoding.beam import Beam, Candidates, beam_search, expand
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import contained, make_filter
from genrec.decoding.normalize import Normalize
from genrec.decoding.prior_bounds import ItemPrior
from genrec.errors import ConfigError
from genrec.models.beam_tree import fork
from genrec.models.predictor import CodePredictor
from genrec.wording import count


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
    groups run in one step of the model. An item is given once; where the groups find too few, a plain search adds the
    rest. Without a penalty, or with one group, the search is the plain one.

    Args:
        model: Scores codes.
        state: From the model's ``prefill``; it is used up.
        trie: What is searched.
        n_users: Number of users in the state.
        beams: Hypotheses of all groups together, split evenly (rounded up).
        groups: Number of groups.
        penalty: Strength, in units of log-probability; 0.2 to 1 is usual.
        k: Results, the best of every group in turn; default: ``beams``.
        normalize: As in :func:`~genrec.decoding.beam.beam_search`.
        forbidden: As there.
        allowed: As there.
        prior: As there.

    Returns:
        Items and scores ``(users, k)`` as from a plain search: sorted, without the penalties.

    Raises:
        ConfigError: No groups, more groups than beams, or a negative penalty.
    """
    _check(beams, groups, penalty)
    k = min(k or beams, beams)
    settings: dict[str, Any] = {"normalize": normalize, "allowed": allowed, "prior": prior}
    if penalty == 0 or groups == 1:
        items, scores = beam_search(model, state, trie, n_users, beams=beams, forbidden=forbidden, **settings)
        return items[:, :k], scores[:, :k]
    fresh = fork(state)
    found = _search_groups(
        model, state, trie, n_users, _Groups(groups, -(-beams // groups), penalty), forbidden, **settings
    )
    items, scores = _in_turn(*found, groups, k)
    if bool((items[:, :k] < 0).any()):
        # forbidding what the groups found would count the others as if these were no children
        others = beam_search(model, fresh, trie, n_users, beams=2 * k, forbidden=forbidden, **settings)
        items, scores = _joined(items, scores, *others)
    return _best_first(*_live_first(items, scores, k))


def _check(beams: int, groups: int, penalty: float) -> None:
    if not 1 <= groups <= beams or penalty < 0:
        raise ConfigError(
            f"{count(groups, 'group')} of {count(beams, 'beam')} with a penalty of {penalty}.",
            expected="between one group and as many as beams, and a penalty from 0",
        )


def _joined(items: Tensor, scores: Tensor, others: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Items and, behind them, those others that are not among them already."""
    again = contained(others, items.sort(dim=1).values)
    items = torch.cat([items, others.masked_fill(again, -1)], dim=1)
    return items, torch.cat([scores, keys.masked_fill(again, -torch.inf)], dim=1)


def _search_groups(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    chooser: _Groups,
    forbidden: Tensor | None,
    *,
    normalize: Normalize,
    allowed: Tensor | None,
    prior: ItemPrior | None,
) -> tuple[Tensor, Tensor]:
    """What all groups find, one group after the other: items and scores ``(users, groups * width)``."""
    keep = make_filter(trie, forbidden, allowed)
    beam = Beam.root(n_users, trie.device)
    keys = lost = beam.scores
    for level in range(trie.n_levels):
        candidates = expand(model, state, trie, level, beam, normalize, keep, prior)
        chosen, lost = chooser.choose(trie, level, candidates, lost)
        keys = candidates.keys.flatten(1).gather(1, chosen).masked_fill(lost == torch.inf, -torch.inf)
        beam = candidates.take(chosen)
    return trie.items_of(beam.nodes, keys > -torch.inf), keys


@dataclass(frozen=True)
class _Groups:
    """Chooses the beams of a level, group by group.

    Attributes:
        groups: Number of groups.
        width: Beams of one group.
        penalty: What a candidate loses for each beam of an earlier group with the same code.
    """

    groups: int
    width: int
    penalty: float

    def choose(self, trie: DeviceTrie, level: int, candidates: Candidates, lost: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates chosen by all groups, ``(users, groups * n)``, and what they have lost, +inf where there is none.

        Args:
            trie: What is searched.
            level: Level of the candidates.
            candidates: Of the beams of all groups; at level 0 all groups start from the root.
            lost: ``(users, beams)`` what each beam has lost so far.
        """
        users, beams, branching = candidates.keys.shape
        size = beams if level == 0 else beams // self.groups
        width = min(self.width, size * branching, len(trie.codes[level]))
        used = torch.zeros(users, int(candidates.codes.max()) + 1, device=lost.device)
        chosen: list[Tensor] = []
        losses: list[Tensor] = []
        taken: list[Tensor] = []
        for group in range(self.groups):
            first = 0 if level == 0 else group * size
            own = slice(first, first + size)
            codes, nodes = candidates.codes[:, own].flatten(1), candidates.nodes[:, own].flatten(1)
            loss = lost[:, own, None].expand(users, size, branching).flatten(1) + self.penalty * used.gather(1, codes)
            keys = candidates.keys[:, own].flatten(1) - loss
            if taken and level == trie.n_levels - 1:
                again = contained(nodes, torch.cat(taken, dim=1).sort(dim=1).values)
                keys = keys.masked_fill(again, -torch.inf)
            best, place = keys.topk(width, dim=1)
            live = best > -torch.inf
            used.scatter_add_(1, codes.gather(1, place), live.float())
            taken.append(torch.where(live, nodes.gather(1, place), -1))
            chosen.append(place + first * branching)
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
