"""One call for every kind of decoding: options in, ranked items out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec.decoding.beam import beam_search
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
from genrec.decoding.slots import top_by_slots
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
    beams = max(options.beams, k)
    filters: dict[str, Any] = {"forbidden": forbidden, "allowed": allowed}
    normalize: Normalize = options.normalize
    if isinstance(state, ItemScores) and state.by_beam and not options.exact:
        keep = make_filter(trie, forbidden, allowed) if normalize == "children" else None
        scores = score_items(model, state, trie, n_users, normalize=normalize, keep=keep)
        prior, normalize = bounds_of(trie, scores, prior, forbidden), "vocabulary"
        model, state = NothingElse(trie.sizes, n_users, trie.device), StepState()
    if options.exact and sums_slots(model, normalize):
        bonus = None
        if prior is not None:
            bonus = prior.add_to_items(torch.zeros(n_users, int(trie.items.max()) + 1, device=trie.device))
        items, scores = top_by_slots(trie, model.slot_scores(state), wanted, prior=bonus, **filters)  # type: ignore[attr-defined]
    elif options.exact or (isinstance(state, ItemScores) and not state.by_beam):
        keep = make_filter(trie, forbidden, allowed) if normalize == "children" else None
        scores = score_items(model, state, trie, n_users, normalize=normalize, keep=keep)
        if prior is not None:
            scores = prior.add_to_items(scores)
        items, scores = top_items(scores, wanted, **filters)
    elif options.groups > 1:
        settings: dict[str, Any] = {"groups": min(options.groups, beams), "penalty": options.diversity_penalty}
        settings |= {"k": wanted, "normalize": normalize, "prior": prior}
        items, scores = diverse_beam_search(model, state, trie, n_users, beams=beams, **settings, **filters)
    else:
        most = options.max_per_prefix
        cap = None if most is None else PrefixCap(trie, options.prefix_length, most)
        items, scores = beam_search(
            model, state, trie, n_users, beams=beams, normalize=normalize, prior=prior, cap=cap, **filters
        )
    if options.mmr is not None and vectors is not None:
        return maximal_marginal_relevance(items, scores, vectors, k, relevance=options.mmr)
    return items[:, :k], scores[:, :k]
