"""A recommender minus its network: what counts and words alone say, the row that shows what learning is worth."""

from __future__ import annotations

import numpy as np

from genrec.baselines.ranking import TopK, tie_order
from genrec.data.histories import Histories
from genrec.decoding.options import PriorSettings
from genrec.decoding.request import Request
from genrec.encoders.word_matches import WordMatches
from genrec.generative.floor import Floor
from genrec.generative.learned_prior import LearnedPrior, learned_scores
from genrec.generative.recommender import GenerativeRecommender
from genrec.recommender import Recommender

_CELLS = 1 << 25


class WithoutNetwork(Recommender):
    """Ranks by what a recommender adds to its network's scores: words and item prior.

    They have the weights that are best without a network (:class:`~genrec.generative.floor.Floor`), where training
    has chosen these and the recommender decodes as it was trained to; else those that they have beside it. Items of
    equal score stand in the order of their popularity, where the prior knows it, then of the catalogue.

    Args:
        recommender: Decodes with words or with a learned prior.
    """

    kind = "baseline"

    def __init__(self, recommender: GenerativeRecommender) -> None:
        self.name = f"{recommender.name} without network"
        self.item_ids, self.columns = recommender.item_ids, recommender.columns
        self._words, self._counts, self._settings = _weights(recommender)
        self._vectors = recommender.index.word_vectors if self._words else None
        popularity = np.zeros(len(self.item_ids), dtype=np.int64)
        known = getattr(self._counts.baseline, "popularity", None) if self._counts is not None else None
        if known is not None:
            popularity[: len(known)] = known
        self._places = tie_order(popularity)

    def score(self, histories: Histories) -> np.ndarray:
        """What is added for every item, ``(n_users, n_items)`` float32."""
        n_items = len(self.item_ids)
        scores = np.zeros((len(histories), n_items), dtype=np.float32)
        if self._vectors is not None:
            scores += np.float32(self._words) * WordMatches(self._vectors).scores(histories)
        learned = learned_scores(self._counts, self._settings, histories, n_items)
        if learned is not None:
            scores += learned.toarray()
        return scores

    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        top = TopK(request.k, self._places, None, request.mask)
        items = np.full((len(histories), request.k), -1, dtype=np.int32)
        scores = np.full((len(histories), request.k), -np.inf, dtype=np.float32)
        size = max(1, _CELLS // len(self.item_ids))
        for start in range(0, len(histories), size):
            users = np.arange(start, min(start + size, len(histories)))
            part = histories.select(users)
            items[users], scores[users] = top(self.score(part), part if request.exclude_seen else None)
        return items, scores


def _floor(recommender: GenerativeRecommender) -> Floor | None:
    """The best without a network, where the recommender decodes as it was trained to."""
    own, usual = recommender.options, recommender.config.generation
    return recommender.floor if (own.words, own.prior) == (usual.words, usual.prior) else None


def _weights(recommender: GenerativeRecommender) -> tuple[float, LearnedPrior | None, PriorSettings | None]:
    """Weight of words, counts, and how these are asked for."""
    own, floor = recommender.options, _floor(recommender)
    if floor is not None:
        return floor.settings.words, floor.prior, floor.settings.prior
    return own.words or 0.0, recommender.prior, own.prior


def without_network(recommender: Recommender) -> WithoutNetwork | None:
    """The recommender minus its network; None where nothing but the network was ever asked."""
    if not isinstance(recommender, GenerativeRecommender):
        return None
    if _floor(recommender) is not None:
        return WithoutNetwork(recommender)
    prior = recommender.options.prior
    counts = recommender.prior is not None and prior is not None and prior.weight != 0
    return WithoutNetwork(recommender) if counts or recommender.options.words else None
