"""What each part added to the scores of recommended items: network, words, counts, a request's prior, re-ranking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from genrec.data.histories import Histories
from genrec.decoding.options import DecodingOptions
from genrec.decoding.ranker import Ranker
from genrec.decoding.request import Request
from genrec.errors import ConfigError
from genrec.explanation import Explanations
from genrec.recommendations import Recommendations

_CELLS = 1 << 25  # users times items whose words are scored at once


def explained(
    ranker: Ranker,
    histories: Histories,
    request: Request,
    options: DecodingOptions,
    learned: sp.csr_array | None = None,
    items: np.ndarray | None = None,
) -> Explanations:
    """Search, and then the parts of every score.

    Args:
        ranker: Searches.
        histories: Users' items.
        request: Resolved.
        options: How to decode.
        learned: As in :meth:`Ranker.rank`.
        items: ``(n_users, n)`` positions of other items to explain, -1 for padding; None: those that are found.

    Raises:
        ConfigError: Other items are to be explained, and lists are re-ranked: there is no list.
        DataError: A user cannot get an item.
    """
    index = ranker.index
    if items is not None and options.mmr is not None:
        raise ConfigError("Re-ranking scores lists, not single items.", where="mmr", hint="Leave mmr out here.")
    found = None
    if items is None:
        found = Recommendations(*ranker.rank(histories, request, options, learned), index.item_ids)
        items = found.items
    additions = _additions(ranker, histories, request, options, learned, items)
    levels = ranker.path_scores(histories, request, options, items, added=bool(additions))
    parts = {"network": levels.sum(axis=2)} | additions
    if found is None:
        ranked = Recommendations.ranked(items, np.sum([*parts.values()], axis=0), index.item_ids)
        place = _places(ranked.items, items)
        levels = np.take_along_axis(levels, place[..., None], axis=1)
        parts = {name: np.take_along_axis(values, place, axis=1) for name, values in parts.items()}
        found = ranked
    if options.mmr is not None:
        factor, more = _reranking(ranker, histories, request, options, learned, found)
        levels = levels * factor[..., None]
        parts = {name: values * factor for name, values in parts.items()} | more
    codes = np.where(found.items[..., None] >= 0, index.codes[found.items], 0).astype(np.int32)
    return Explanations(found, {name: values.astype(np.float32) for name, values in parts.items()}, codes, levels)


def _places(ordered: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Where the items of each ordered row stand in the other order of it."""
    first, second = np.argsort(ordered, axis=1, kind="stable"), np.argsort(items, axis=1, kind="stable")
    place = np.empty_like(first)
    np.put_along_axis(place, first, second, axis=1)
    return place


def _additions(
    ranker: Ranker,
    histories: Histories,
    request: Request,
    options: DecodingOptions,
    learned: sp.csr_array | None,
    items: np.ndarray,
) -> dict[str, np.ndarray]:
    """What is added to the network's scores at some items, by name; only what is asked for."""
    parts = {}
    if options.words:
        size = max(1, _CELLS // len(ranker.index.item_ids))
        rows = [
            _at(ranker.shared_words(histories.select(users), options.words), items[users])
            for users in np.split(np.arange(len(histories)), range(size, len(histories), size))
        ]
        parts["words"] = np.concatenate(rows)
    if learned is not None:
        parts["counts"] = _at(learned, items)
    if request.prior is not None:
        given = request.scores
        own = (
            given
            if sp.issparse(given) or np.ndim(given) == 2
            else np.broadcast_to(given, (len(items), given.shape[-1]))
        )
        parts["prior"] = _at(own, items) * np.float32(options.prior_weight)
    return parts


def _at(scores: np.ndarray | sp.sparray, items: np.ndarray) -> np.ndarray:
    """Scores ``(n_users, n_items)`` of some items ``(n_users, n)``, 0 at padding."""
    rows, known = np.arange(len(items))[:, None], items.clip(min=0)
    if sp.issparse(scores):
        picked = sp.csr_array(scores)[np.broadcast_to(rows, items.shape).ravel(), known.ravel()]
        values = np.asarray(picked.toarray() if sp.issparse(picked) else picked).reshape(items.shape)
    else:
        values = np.asarray(scores)[rows, known]
    return np.where(items >= 0, values, 0).astype(np.float32)


def _reranking(
    ranker: Ranker,
    histories: Histories,
    request: Request,
    options: DecodingOptions,
    learned: sp.csr_array | None,
    found: Recommendations,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What re-ranking did: a factor on all parts ``(n_users, 1)``, and what it added, ``(n_users, k)`` each."""
    relevance = float(options.mmr or 0)
    pool = replace(request, k=min(max(options.beams, request.k), len(ranker.index.item_ids)))
    items, scores = ranker.rank(histories, pool, options.model_copy(update={"mmr": None}), learned)
    some = (items >= 0).any(axis=1, keepdims=True)
    best = np.where(some, scores.max(axis=1, keepdims=True, initial=-np.inf), 0)
    worst = np.where(some, np.where(items >= 0, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf), 0)
    factor = relevance / np.maximum(best - worst, 1e-9)
    real = found.items >= 0
    vectors = ranker.item_vectors()[torch.from_numpy(found.items.clip(min=0).astype(np.int64))]
    unit = F.normalize(vectors.float(), dim=-1)
    alike = np.tril((unit @ unit.transpose(1, 2)).cpu().numpy(), -1)  # (n_users, k, k): cosines with items above
    nearest = alike.max(axis=2, initial=0)
    likeness = np.where(real, -(1 - relevance) * nearest, 0)
    return factor, {"scale": np.where(real, -factor * worst, 0), "likeness": likeness}
