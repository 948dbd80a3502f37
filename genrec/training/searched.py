"""The validation sample searched in several ways, each of them once.

The weight of counts is chosen by searches, and what a run has learned is said by searches: two of them are the same.
Around a language model one takes minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.metrics import ndcg_at
from genrec.training.validation import validation_sample

if TYPE_CHECKING:
    from genrec.data.split import EvaluationSet
    from genrec.generative.recommender import GenerativeRecommender


class Searched:
    """NDCG of every case of a run's validation sample, by how the recommender decodes.

    Of use between two changes of the network's weights, and not beyond.

    Args:
        recommender: Says which sample, and how it is asked.
        cases: Of validation, all of them.
    """

    def __init__(self, recommender: GenerativeRecommender, cases: EvaluationSet) -> None:
        self.settings = recommender.config.validation
        chosen = validation_sample(self.settings.users, len(cases), recommender.config.seed)
        self.sample = cases.select(chosen)
        self._found: dict[tuple[str, int], tuple[Any, np.ndarray]] = {}

    def values(self, recommender: GenerativeRecommender, **changes: Any) -> np.ndarray:
        """NDCG@k of every case, ``(n_cases,)`` float64.

        Args:
            recommender: The same network; its prior and options may be others each time.
            changes: Of its decoding options.
        """
        settings, options = self.settings, {"beams": self.settings.beams, **changes}
        decoded = recommender.options.model_copy(update=options)
        counts = recommender.prior if decoded.prior is not None and decoded.prior.weight != 0 else None
        if counts is None:
            decoded = decoded.model_copy(update={"prior": None})
        key = decoded.model_dump_json(), id(counts)
        if key not in self._found:
            found = recommender.recommend(
                self.sample.histories, settings.k, exclude_seen=settings.exclude_seen, options=options
            )
            values = np.asarray(ndcg_at(found.ranks_of(self.sample.targets), settings.k), dtype=np.float64)
            self._found[key] = counts, values  # the counts are kept, so that no others get their number
        return self._found[key][1]

    def mean(self, recommender: GenerativeRecommender, **changes: Any) -> float:
        """Their mean; 0 without cases."""
        values = self.values(recommender, **changes)
        return float(values.mean()) if len(values) else 0.0
