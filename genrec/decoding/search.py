"""One call for every kind of decoding: options in, ranked items out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec.decoding.beam import beam_search
from genrec.decoding.bounded_slots import top_items_of_slots
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.diverse import diverse_beam_search
from genrec.decoding.exact import score_items, sums_slots
from genrec.decoding.filters import make_filter
from genrec.decoding.item_beams import NothingElse, bounds_of
from genrec.decoding.mmr import maximal_marginal_relevance
from genrec.decoding.normalize import Normalize
from genrec.decoding.options import DecodingOptions
from genrec.decoding.prefix_cap import PrefixCap
from genrec.decoding.prior_bounds import ItemPrior
from genrec.decoding.top_items import top_items
from genrec.errors import ConfigError
from genrec.models.outputs import StepState
from genrec.models.predictor import CodePredictor, ItemScores


@torch.inference_mode()
def search(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    k: int,
    options: DecodingOptions,
    *,
    forbidden: Tensor | None = None,
    allowed: Tensor | None = None,
    prior: ItemPrior | None = None,
    vectors: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The ``k`` best items of every user, as the options say.

    Args:
        model: Scores codes.
        state: From the model's ``prefill``; it is used up.
        trie: Of the catalogue, or of the part of it that is searched.
        n_users: Number of users in the state.
        k: Length of a list.
        options: Settings.
        forbidden: ``(users, n)`` int64 items that a user must not get, -1 for padding.
        allowed: ``(users, n)`` int64 items that a user may get, -1 for padding; None: all of the trie.
        prior: Scores that are added to the model's.
        vectors: ``(n_items, dim)`` item vectors, for re-ranking.

    Returns:
        ``items (users, n)`` int64 with ``n <= k``, -1 where fewer are allowed, and ``scores (users, n)``, best first.

    Raises:
        ConfigError: The options ask for re-ranking and there are no vectors.
    """
    if options.mmr is not None and vectors is None:
        raise ConfigError("Re-ranking needs item vectors.", where="mmr", hint="Give vectors, or leave it out.")
    wanted = max(options.beams, k) if options.mmr is not None else k
    filters: dict[str, Any] = {"forbidden": forbidden, "allowed": allowed}
    items, scores = _found(model, state, trie, n_users, k, wanted, options, prior, filters)
    if options.mmr is not None and vectors is not None:
        return maximal_marginal_relevance(items, scores, vectors, k, relevance=options.mmr)
    return items[:, :k], scores[:, :k]


def _found(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    k: int,
    wanted: int,
    options: DecodingOptions,
    prior: ItemPrior | None,
    filters: dict[str, Any],
) -> tuple[Tensor, Tensor]:
    """At least ``wanted`` items, before re-ranking, by the way of searching that options and model call for."""
    normalize: Normalize = options.normalize
    beams = max(options.beams, k)
    if isinstance(state, ItemScores) and state.by_beam and not options.exact:
        scores = _all_scores(model, state, trie, n_users, normalize, filters)
        prior, normalize = bounds_of(trie, scores, prior, filters["forbidden"]), "vocabulary"
        model, state = NothingElse(trie.sizes, n_users, trie.device), StepState()
    if options.exact and sums_slots(model, normalize):
        return top_items_of_slots(trie, model.slot_scores(state), wanted, prior=prior, **filters)  # type: ignore[attr-defined]
    if options.exact or (isinstance(state, ItemScores) and not state.by_beam):
        if isinstance(state, ItemScores) and prior is not None:
            state = state.whole()  # what is added can lift an item of which only an estimate is known
        scores = _all_scores(model, state, trie, n_users, normalize, filters)
        found = top_items(scores if prior is None else prior.add_to_items(scores), wanted, **filters)
        if not isinstance(state, ItemScores) or (settled := state.settled(found[0])) is state:
            return found
        return top_items(_all_scores(model, settled, trie, n_users, normalize, filters), wanted, **filters)
    if options.groups > 1:
        settings: dict[str, Any] = {"groups": min(options.groups, beams), "penalty": options.diversity_penalty}
        settings |= {"k": wanted, "normalize": normalize, "prior": prior}
        return diverse_beam_search(model, state, trie, n_users, beams=beams, **settings, **filters)
    most = options.max_per_prefix
    cap = None if most is None else PrefixCap(trie, options.prefix_length, most)
    return beam_search(model, state, trie, n_users, beams=beams, normalize=normalize, prior=prior, cap=cap, **filters)


def _all_scores(
    model: CodePredictor, state: Any, trie: DeviceTrie, n_users: int, normalize: Normalize, filters: dict[str, Any]
) -> Tensor:
    """Scores of all items, ``(users, n_items)``; only living children are counted where they normalise."""
    keep = make_filter(trie, **filters) if normalize == "children" else None
    return score_items(model, state, trie, n_users, normalize=normalize, keep=keep)
