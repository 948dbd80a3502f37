"""What counts add to a recommender that scores every item: all settings and weights in one go.

The sum of model and counts differs from the model only at the few items that the counts know. So every user's scores
are sorted once, and a weight costs a look into that order and at the few items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from genrec.baselines.base import NOTHING_MORE
from genrec.baselines.registry import CLASSES
from genrec.baselines.tuning import fit_each
from genrec.encoders.word_matches import WordMatches
from genrec.generative.prior_experience import WEIGHTS
from genrec.metrics import ndcg_at
from genrec.training.prior_kernels import ranks_with_counts

if TYPE_CHECKING:
    from genrec.baselines.scoring import ScoringBaseline
    from genrec.data.histories import Histories
    from genrec.data.split import EvaluationSet
    from genrec.generative.learned_prior import LearnedPrior
    from genrec.generative.recommender import GenerativeRecommender


_CELLS = 4_000_000  # users times items whose scores are held at once


def candidates(name: str, train: Histories, fixed: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Settings of a baseline that are worth trying beside a model, none twice.

    Args:
        name: Of the baseline.
        train: What it will count.
        fixed: Settings that are given.
    """
    tried = [{**candidate, **(fixed or {})} for candidate in CLASSES[name].prior_candidates(train)]
    return [one for number, one in enumerate(tried) if one not in tried[:number]]


def fitted(
    name: str, settings: Sequence[Mapping[str, Any]], train: Histories, item_ids: np.ndarray
) -> Iterator[ScoringBaseline]:
    """The baseline with every setting, one after the other.

    Args:
        name: Of the baseline, one of sparse scores.
        settings: What differs.
        train: What is counted.
        item_ids: ``(n_items,)`` the catalogue.

    Raises:
        ConfigError: A setting that the baseline does not have.
    """
    hopefuls: list[Any] = [CLASSES[name](**one) for one in settings]
    return fit_each(hopefuls, train, item_ids, NOTHING_MORE)


def as_of_before(train: Histories) -> Histories:
    """The training part without every user's newest item: what counts know of users when a request comes.

    The newest items of a request came after the counting, those of validation cases did not. With the whole training
    part counts look better on validation than they are, and too much weight would be chosen.
    """
    return train.without_last(1)


def ndcg_with_priors(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    priors: Sequence[LearnedPrior],
    *,
    k: int,
    exclude_seen: bool = True,
    weights: Sequence[float] = WEIGHTS,
) -> np.ndarray:
    """Mean NDCG@k of the exact ranking by the model's score plus a weighted prior.

    Args:
        recommender: Its own prior is not used; words are, as it decodes.
        cases: Histories and targets.
        priors: Fitted counts.
        k: Cut-off.
        exclude_seen: Items of the history cannot be recommended.
        weights: Factors on the priors.

    Returns:
        ``(priors, weights)`` float64; zeros without cases.
    """
    total = np.zeros((len(priors), len(weights)))
    for part in _parts(cases, len(recommender.item_ids)):
        counted = [prior.scores(part.histories, len(recommender.item_ids)) for prior in priors]
        total += _ndcg_sums(recommender.score_items(part.histories), part, counted, k, exclude_seen, weights)
    return total / max(1, len(cases))


def ndcg_of_sums(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    priors: Sequence[LearnedPrior],
    *,
    k: int,
    words: Sequence[float],
    weights: Sequence[float],
    exclude_seen: bool = True,
    network: bool = True,
) -> np.ndarray:
    """Mean NDCG@k of the exact ranking by network, weighted words and a weighted prior.

    Args:
        recommender: Neither its own prior nor its weight of words is used.
        cases: Histories and targets.
        priors: Fitted counts; none: only words differ.
        k: Cut-off.
        words: Factors on what words say.
        weights: Factors on the priors.
        exclude_seen: Items of the history cannot be recommended.
        network: False: words and counts alone, as without a network.

    Returns:
        ``(words, priors, weights)`` float64, one "prior" where there is none; zeros without cases.
    """
    n_items = len(recommender.item_ids)
    total = np.zeros((len(words), max(1, len(priors)), len(weights)))
    matches = WordMatches(recommender.index.word_vectors) if any(words) else None
    for part in _parts(cases, n_items):
        counted = [prior.scores(part.histories, n_items) for prior in priors]
        counted = counted or [sp.csr_array((len(part), n_items), dtype=np.float32)]
        shape = (len(part), n_items)
        base = network_scores(recommender, part.histories) if network else np.zeros(shape, dtype=np.float32)
        matched = np.zeros((1, 1), dtype=np.float32) if matches is None else matches.scores(part.histories)
        for row, weight in enumerate(words):
            total[row] += _ndcg_sums(base + np.float32(weight) * matched, part, counted, k, exclude_seen, weights)
    return total / max(1, len(cases))


def network_scores(recommender: GenerativeRecommender, histories: Histories) -> np.ndarray:
    """What the network alone says of every item, ``(n_users, n_items)`` float32."""
    options = recommender.options
    recommender.options = options.model_copy(update={"words": 0.0})
    try:
        return recommender.score_items(histories)
    finally:
        recommender.options = options


def _parts(cases: EvaluationSet, n_items: int) -> Iterator[EvaluationSet]:
    """Cases whose dense scores fit into memory together."""
    size = max(1, _CELLS // n_items)
    for start in range(0, len(cases), size):
        yield cases.select(np.arange(start, min(start + size, len(cases))))


def _ndcg_sums(
    scores: np.ndarray,
    cases: EvaluationSet,
    counted: Sequence[sp.csr_array],
    k: int,
    exclude_seen: bool,
    weights: Sequence[float],
) -> np.ndarray:
    """NDCG@k summed over cases, ``(counted, weights)``, of scores ``(cases, n_items)``, which are overwritten."""
    if exclude_seen:
        scores[np.repeat(np.arange(len(cases)), cases.histories.lengths), cases.histories.items] = -np.inf
    targets, factors = cases.targets.astype(np.int64), np.array(weights, dtype=np.float32)
    ordered, sums = np.sort(scores, axis=1), np.empty((len(counted), len(weights)))
    for number, one in enumerate(counted):
        ranks = np.empty((len(weights), len(cases)))
        known = one.indptr.astype(np.int64), one.indices, one.data
        ranks_with_counts(scores, ordered, targets, *known, factors, ranks)
        sums[number] = [ndcg_at(row, k).sum() for row in ranks]
    return sums
