"""How sure counts must be of one item to weigh much: two numbers, chosen on validation (MemGen, arXiv 2603.19809)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from genrec.decoding.options import BlendSettings
from genrec.metrics import ndcg_at

if TYPE_CHECKING:
    from genrec.data.split import EvaluationSet
    from genrec.generative.recommender import GenerativeRecommender

logger = logging.getLogger(__name__)

SHARPNESS = (2.0, 5.0, 10.0, 20.0)
"""Values that are tried, beside 0, which is the same weight for all users."""

QUANTILES = (0.25, 0.5, 0.75)
"""Of the shares of best items among validation users: thresholds that are tried."""


def fit_blend(recommender: GenerativeRecommender, cases: EvaluationSet, wanted: BlendSettings) -> None:
    """Choose what of a blend is left open; where nothing is better than the same weight for all, that is kept.

    The recommender's decoding settings hold the result, and its metrics what was tried (``blend``).

    Args:
        recommender: With a fitted prior whose weight is known.
        cases: Of validation.
        wanted: Numbers that are given; the others are chosen.
    """
    prior = recommender.options.prior
    if prior is None or recommender.prior is None or not len(cases):
        return
    shares = recommender.prior.shares(cases.histories)
    known = shares[shares > 0]
    found = np.unique(np.quantile(known, QUANTILES).round(4)) if len(known) else np.zeros(1)
    thresholds = found.tolist() if wanted.threshold is None else [wanted.threshold]
    steep = list(SHARPNESS) if wanted.sharpness is None else [wanted.sharpness]
    grid = [BlendSettings(sharpness=one, threshold=other) for one in steep for other in thresholds]
    if wanted.sharpness is None:
        grid.insert(0, BlendSettings(sharpness=0.0, threshold=thresholds[0]))
    validation, metric = recommender.config.validation, f"ndcg@{recommender.config.validation.k}"
    tried = []
    for blend in grid if len(grid) > 1 else []:
        options = {"beams": validation.beams, "prior": prior.model_copy(update={"blend": blend}).model_dump()}
        lists = recommender.recommend(
            cases.histories, validation.k, exclude_seen=validation.exclude_seen, options=options
        )
        value = float(ndcg_at(lists.ranks_of(cases.targets), validation.k).mean())
        tried.append({**blend.model_dump(), metric: value})
    best = grid[int(np.argmax([one[metric] for one in tried]))] if tried else grid[0]
    recommender.set_prior(prior.model_copy(update={"blend": best}))
    recommender.metrics["blend"] = {**best.model_dump(), "tried": tried}
    logger.info("blend of counts: sharpness %s, threshold %s", best.sharpness, best.threshold)
