"""Validation by what is generated, on the same sample of users in every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.data.split import EvaluationSet
from genrec.decoding.request import Request
from genrec.generative.config import TrainConfig
from genrec.metrics import ndcg_at, recall_at

ALONE: dict[str, Any] = {"words": 0, "prior": None}
"""Options that leave everything out but the network."""

if TYPE_CHECKING:
    from genrec.generative.recommender import GenerativeRecommender


def validation_sample(users: int, n_cases: int, seed: int) -> np.ndarray:
    """A fixed sample of validation cases: the same for every epoch and every resume, ``(min(users, n_cases),)``."""
    rng = np.random.default_rng([seed, 1])
    return np.sort(rng.permutation(n_cases)[:users])


class GeneratedValidation:
    """Measures Recall and NDCG of generated recommendations on a fixed sample of validation users.

    Args:
        recommender: With the network in training.
        cases: Of validation.
        config: Settings of the run.

    Attributes:
        ranks: ``(n,)`` of the sample's targets when it was measured last, 0 for none.
    """

    def __init__(self, recommender: GenerativeRecommender, cases: EvaluationSet, config: TrainConfig) -> None:
        self.recommender, self.settings = recommender, config.validation
        self.sample = cases.select(validation_sample(config.validation.users, len(cases), config.seed))
        self.ranks = np.zeros(len(self.sample), dtype=np.int64)

    def __call__(self) -> dict[str, float]:
        """Metrics by name."""
        recommender, k = self.recommender, self.settings.k
        longest = max(k, *self.settings.also, 0)
        options = {"beams": self.settings.beams, **(ALONE if self.settings.network_alone else {})}
        seen = self.settings.exclude_seen
        request = Request(longest, seen, options=recommender.options.for_once(options))
        found = recommender.answer(self.sample.histories, request)
        self.ranks = found.ranks_of(self.sample.targets)
        figures = {
            f"{name}@{k}": float(metric(self.ranks, k).mean())
            for name, metric in (("ndcg", ndcg_at), ("recall", recall_at))
        }
        figures |= {f"recall@{other}": float(recall_at(self.ranks, other).mean()) for other in self.settings.also}
        if self.settings.also:
            shown = np.unique(found.items[:, :k])
            figures[f"coverage@{k}"] = float((shown >= 0).sum() / len(recommender.item_ids))
        return figures
