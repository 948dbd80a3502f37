"""Catalogue-constrained beam search of fixed length, written once for every model with ``prefill`` and ``step``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import Filter, make_filter
from genrec.decoding.normalize import Normalize, log_normalizer, unpack
from genrec.decoding.prefix_cap import PrefixCap
from genrec.decoding.prior_bounds import ItemPrior
from genrec.models.predictor import CodePredictor

_NEVER = torch.tensor(-torch.inf)


@torch.inference_mode()
def beam_search(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    *,
    beams: int,
    normalize: Normalize = "vocabulary",
    forbidden: Tensor | None = None,
    allowed: Tensor | None = None,
    prior: ItemPrior | None = None,
    cap: PrefixCap | None = None,
) -> tuple[Tensor, Tensor]:
    """The most probable items of every user.

    Every hypothesis is a path of the trie, so every result is a real item, and paths are distinct, so no item comes
    twice. Nodes without an allowed item are pruned before they can take a beam; so as many items come back as are
    allowed, up to ``beams``. With as many beams as items the search is exhaustive.

    Args:
        model: Scores codes.
        state: From the model's ``prefill`` for these users; it is used up.
        trie: Of the catalogue, or of the part of it that is searched.
        n_users: Number of users in the state.
        beams: Hypotheses kept per user and level.
        normalize: What probabilities are over, see :data:`~genrec.decoding.normalize.Normalize`.
        forbidden: ``(users, n)`` int64 items that this user must not get, -1 for padding.
        allowed: ``(users, n)`` int64 items that this user may get, -1 for padding; None: all of the trie.
        prior: Scores of items that are added to the model's; beams are ordered by the best that is below them.
        cap: At most so many results under one prefix.

    Returns:
        ``items (users, n)`` int64, best first, -1 where fewer are allowed, and ``scores (users, n)`` float32: sums of
        log-probabilities, plus the prior, -inf at -1. ``n`` is ``beams``, or less in a smaller catalogue.
    """
    if trie.device.type == "cpu" and allowed is None and cap is None:
        from genrec.decoding.cpu_beams import CompiledBeams, reads_prior  # Numba takes half a second to import

        if reads_prior(prior):
            found = CompiledBeams(trie, n_users, forbidden, prior)
            for _ in range(trie.n_levels):
                found.advance(model.step(state, found.codes, found.parents), normalize, beams)
            return found.items()
    keep = make_filter(trie, forbidden, allowed)
    return search_by_tensors(model, state, trie, n_users, beams, normalize, keep, prior, cap)


def search_by_tensors(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    beams: int,
    normalize: Normalize,
    keep: Filter | None = None,
    prior: ItemPrior | None = None,
    cap: PrefixCap | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`beam_search` on any device, with everything that it can do.

    A CPU without these extras has :class:`~genrec.decoding.cpu_beams.CompiledBeams`: there, each of some hundred small
    operations takes longer than its work. Arguments as in :func:`beam_search`, ``keep`` from its deny and allow lists.
    """
    beam = Beam.root(n_users, trie.device)
    for level in range(trie.n_levels):
        candidates = expand(model, state, trie, level, beam, normalize, keep, prior)
        width = min(beams, candidates.scores[0].numel(), len(trie.codes[level]))
        if cap is None:
            keys, chosen = candidates.keys.flatten(1).topk(width, dim=1)
        else:
            keys, chosen = cap.select(level, beam.nodes, candidates.keys, width)
        beam = candidates.take(chosen, keys)
    return trie.items_of(beam.nodes, keys > -torch.inf), keys


@dataclass
class Beam:
    """Hypotheses of all users at one level, each tensor ``(users, beams)``.

    Attributes:
        nodes: Trie nodes; a hypothesis that is no more has the score -inf and any node.
        scores: Log-probabilities so far.
        codes: Codes chosen last, None at the root.
        parents: Which beam of the level before each one continues, None at the root.
    """

    nodes: Tensor
    scores: Tensor
    codes: Tensor | None = None
    parents: Tensor | None = None

    @classmethod
    def root(cls, n_users: int, device: torch.device) -> Beam:
        """One beam a user, before level 0."""
        return cls(torch.zeros(n_users, 1, dtype=torch.int64, device=device), torch.zeros(n_users, 1, device=device))


@dataclass
class Candidates:
    """Children of all beams, each tensor ``(users, beams, branching)``.

    Attributes:
        nodes: Trie nodes.
        codes: Their last codes.
        scores: Log-probabilities, -inf where there is no child.
        keys: What they are ordered by: the scores plus the best prior below them.
    """

    nodes: Tensor
    codes: Tensor
    scores: Tensor
    keys: Tensor

    def take(self, chosen: Tensor, keys: Tensor | None = None) -> Beam:
        """The next beams from ``chosen (users, n)``, numbers in the flattened ``beams * branching``.

        ``keys (users, n)`` are theirs, where they are at hand: without a prior these are the scores.
        """
        known = keys is not None and self.keys is self.scores
        return Beam(
            self.nodes.flatten(1).gather(1, chosen).long(),
            keys if known else self.scores.flatten(1).gather(1, chosen),  # type: ignore[arg-type]
            self.codes.flatten(1).gather(1, chosen),
            chosen // self.nodes.shape[2],
        )


def expand(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    level: int,
    beam: Beam,
    normalize: Normalize,
    keep: Filter | None,
    prior: ItemPrior | None,
) -> Candidates:
    """Score all legal children of all beams; arguments as in :func:`beam_search`."""
    logits, vocabulary = unpack(model.step(state, beam.codes, beam.parents))
    children, codes, exists = trie.children(level, beam.nodes)
    if keep is not None:
        exists = keep.keep(level, beam.nodes, children, exists)
    gained = logits.gather(2, codes)
    legal = gained.masked_fill(~exists, -torch.inf) if normalize == "children" else None
    total = log_normalizer(logits, vocabulary, normalize, legal)
    scores = torch.where(exists, (beam.scores - total)[:, :, None] + gained, _NEVER)
    keys = scores if prior is None else prior.add(level, beam.nodes, children, scores)
    return Candidates(children, codes, scores, keys)
