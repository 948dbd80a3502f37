"""A baseline's scores as item prior of a generative recommender: what counting knows, where the search can use it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.baselines.base import FitInputs
from genrec.baselines.fit import train_baseline
from genrec.decoding.options import PriorSettings
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.prior_experience import WEIGHTS as EXACT_WEIGHTS
from genrec.generative.prior_experience import PriorExperience
from genrec.progress import Progress
from genrec.training.prior_experience import transitions_per_item
from genrec.training.prior_grid import as_of_before, candidates, fitted, ndcg_with_priors
from genrec.training.searched import Searched

if TYPE_CHECKING:
    from genrec.data.split import Split
    from genrec.generative.recommender import GenerativeRecommender

logger = logging.getLogger(__name__)

WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Weights that are tried where a search is needed for each, beside none at all."""

LARGEST = 64.0
"""Where the largest weight is the best one, twice as much is tried, up to this."""

ENOUGH = 0.95
"""Share of the best expected gain for which a smaller weight is taken, where all weights are measured at once."""


def fit_prior(
    recommender: GenerativeRecommender,
    split: Split,
    settings: PriorSettings,
    *,
    weights: Sequence[float] | None = None,
    experience: PriorExperience | None = None,
    progress: Progress | None = None,
    searched: Searched | None = None,
) -> list[dict[str, float]]:
    """Give a recommender an item prior, counted on the training part; what is not given is chosen on validation.

    A recommender that searches tries every weight with the baseline's settings that are best alone. One that scores
    every item anyway tries all settings with all weights, counted as of one item before, and may know what they did on
    other catalogues.

    The recommender's decoding settings hold the result, and :meth:`GenerativeRecommender.save_pretrained` keeps it.

    Args:
        recommender: Trained.
        split: Its test part is not read; of the validation part, the sample that training validates on.
        settings: Which baseline; its settings and the weight may be left open.
        weights: Weights to try where none is given, :data:`WEIGHTS` or those of
            :data:`genrec.generative.prior_experience.WEIGHTS`; no prior at all is tried, too.
        experience: What the same prior did on other catalogues; read only where every item is scored, and words count
            as much as there.
        progress: Called with what is being done, steps done, and steps in all.
        searched: What was searched already, with the weights that it has now; takes up what is searched here.

    Returns:
        ``weight`` and validation ``ndcg@k`` of every weight that was tried, with the settings that were chosen; empty
        where the weight was given.

    Raises:
        ConfigError: Settings that the baseline does not have.
    """
    searched = searched or Searched(recommender, split.validation)
    part = replace(split, validation=searched.sample)
    if settings.weight is None and recommender.scores_all:
        chosen, tried = _choose_exactly(recommender, part, settings, weights, experience)
    else:
        chosen, tried = _choose_by_search(recommender, part, settings, weights, progress, searched)
    recommender.set_prior(chosen)
    recommender.metrics["prior"] = {**chosen.model_dump(mode="json"), "tried": tried}
    return tried


def _choose_by_search(
    recommender: GenerativeRecommender,
    split: Split,
    settings: PriorSettings,
    weights: Sequence[float] | None,
    progress: Progress | None,
    searched: Searched,
) -> tuple[PriorSettings, list[dict[str, float]]]:
    """Settings that are best alone, then the weight that helps most; sets the recommender's prior."""
    validation = recommender.config.validation
    baseline: Any = train_baseline(
        settings.name,
        split,
        recommender.item_ids,
        FitInputs(exclude_seen=validation.exclude_seen, progress=progress),
        settings=settings.settings,
    )
    recommender.prior = LearnedPrior(baseline)
    chosen = settings.model_copy(update={"settings": baseline.settings.model_dump(mode="json")})
    if settings.weight is not None:
        return chosen, []
    tried: list[dict[str, float]] = []
    metric, waiting = f"ndcg@{validation.k}", [0.0, *sorted(weights or WEIGHTS)]
    while waiting:
        weight = waiting.pop(0)
        recommender.set_prior(chosen.model_copy(update={"weight": weight}))
        value = searched.mean(recommender)
        tried.append({"weight": weight, metric: value})
        logger.info("prior weight %g: validation NDCG@%d %.5f", weight, validation.k, value)
        best = max(tried, key=lambda one: one[metric])
        if not waiting and weights is None and best["weight"] == weight < LARGEST:
            waiting.append(2 * weight)  # the end of the grid is not the best by chance
        if progress is not None:
            progress("prior weights", len(tried), len(tried) + len(waiting))
    return chosen.model_copy(update={"weight": best["weight"]}), tried


def _choose_exactly(
    recommender: GenerativeRecommender,
    split: Split,
    settings: PriorSettings,
    weights: Sequence[float] | None,
    experience: PriorExperience | None,
) -> tuple[PriorSettings, list[dict[str, float]]]:
    """Settings and weight of which nearly the most help is expected; sets the recommender's prior."""
    validation, sample = recommender.config.validation, split.validation
    open_end, weights = weights is None, (0.0, *sorted(set(weights or EXACT_WEIGHTS) - {0.0}))
    grid = candidates(settings.name, split.train, settings.settings)
    before = as_of_before(split.train)
    priors = [LearnedPrior(one) for one in fitted(settings.name, grid, before, recommender.item_ids)]
    seen = validation.exclude_seen
    values = ndcg_with_priors(recommender, sample, priors, k=validation.k, exclude_seen=seen, weights=weights)
    told = experience is not None and experience.fits(recommender, settings.name, weights)
    while open_end and not told and _cautious(values)[1] == len(weights) - 1 and weights[-1] < LARGEST:
        weights = (*weights, 2 * weights[-1])
        values = ndcg_with_priors(recommender, sample, priors, k=validation.k, exclude_seen=seen, weights=weights)
    judged = values
    if experience is not None and experience.fits(recommender, settings.name, weights):
        evidence = transitions_per_item(split.train, len(recommender.item_ids))
        judged = experience.judge(values, len(sample), evidence, grid)
    row, column = _cautious(judged)
    [chosen] = fitted(settings.name, [grid[row]], split.train, recommender.item_ids)
    recommender.prior = LearnedPrior(chosen)
    metric = f"ndcg@{validation.k}"
    tried = [{"weight": weight, metric: float(value)} for weight, value in zip(weights, values[row], strict=True)]
    logger.info("prior %s, weight %g: validation %s %.5f", grid[row], weights[column], metric, values[row, column])
    own = chosen.settings.model_dump(mode="json")
    return settings.model_copy(update={"settings": own, "weight": weights[column]}), tried


def _cautious(judged: np.ndarray) -> tuple[int, int]:
    """Of what promises :data:`ENOUGH` of the best gain over no counts (column 0), the one with the smallest weight.

    Too much weight costs more than too little.
    """
    gain = judged - judged[:, :1]
    good = gain >= ENOUGH * gain.max()
    column = int(good.any(axis=0).argmax())
    return int(np.where(good[:, column], gain[:, column], -np.inf).argmax()), column
