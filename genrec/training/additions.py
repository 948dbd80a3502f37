"""What words and counts weigh beside a network, and without one: chosen on validation, never on the test part."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.decoding.options import DecodingOptions, PriorSettings
from genrec.generative.floor import Floor, FloorSettings
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.prior_experience import WEIGHTS, PriorExperience
from genrec.training.prior import ENOUGH, LARGEST, fit_prior
from genrec.training.prior_blend import fit_blend
from genrec.training.prior_grid import as_of_before, candidates, fitted, ndcg_of_sums
from genrec.training.searched import Searched

if TYPE_CHECKING:
    from genrec.data.split import EvaluationSet, Split
    from genrec.generative.recommender import GenerativeRecommender

logger = logging.getLogger(__name__)

WORDS = (0.0, 1.0, 4.0, 16.0, 64.0)
"""Weights of words that are tried first; then the neighbours of the best one."""

RATIOS = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.8, 1.6)
"""What counts weigh of what words weigh, without a network."""

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Of the best sum without a network, where every weight needs a search; its words then weigh :data:`UNIT`."""

UNIT = 4.0

Progress = Callable[[str, int, int], None]


def fit_additions(
    recommender: GenerativeRecommender,
    split: Split,
    wanted: DecodingOptions,
    *,
    experience: PriorExperience | None = None,
    progress: Progress | None = None,
    searched: Searched | None = None,
) -> None:
    """Give a recommender what its settings add to the network; what they leave open is chosen on validation.

    Where the weight of words is open, it is chosen together with the counts and their weight, so that words which say
    nothing, or what the network says already, weigh nothing. The same words and counts without a network get the
    weights that are best for them (:attr:`GenerativeRecommender.floor`), so that a network is compared with the
    strongest sum that can do without it.

    Args:
        recommender: Trained, or one that works untrained.
        split: Its test part is not read; of the validation part, the sample that training validates on.
        wanted: Settings with open weights, as the run was given them.
        experience: What counts did on other catalogues; read only where the weight of words is given.
        progress: Called with what is being done, steps done, and steps in all.
        searched: Takes up what is searched of the validation sample, for whoever asks the same of these weights.
    """
    searched = searched or Searched(recommender, split.validation)
    if wanted.words is not None:
        recommender.set_words(wanted.words)
        if wanted.prior is not None:
            fit_prior(recommender, split, wanted.prior, experience=experience, progress=progress, searched=searched)
    given = PriorSettings(weight=0.0) if wanted.prior is None else wanted.prior
    if wanted.words == 0 and (wanted.prior is None or given.weight == 0):
        return
    cases = searched.sample
    grid: list[dict[str, Any]] = []
    if wanted.prior is not None:
        grid = candidates(given.name, split.train, given.settings)
    before = as_of_before(split.train)
    counts = [LearnedPrior(one) for one in fitted(given.name, grid, before, recommender.item_ids)]
    floor, value = _fit_floor(recommender, cases, counts, grid, given.name, words=wanted.words != 0)
    if wanted.words is None:
        _fit_together(recommender, split, searched, counts, grid, given, floor, progress)
    settings, known = floor.prior, recommender.prior
    prior = None
    if settings is not None:
        prior = known
        if known is None or known.baseline.settings.model_dump(mode="json") != settings.settings:
            [one] = fitted(settings.name, [settings.settings], split.train, recommender.item_ids)
            prior = LearnedPrior(one)
    recommender.floor = Floor(floor, prior)
    metric = f"ndcg@{recommender.config.validation.k}"
    recommender.metrics["floor"] = {**floor.model_dump(mode="json"), metric: value}
    if recommender.options.prior is not None and given.blend is not None:
        fit_blend(recommender, cases, given.blend)


def _fit_floor(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    counts: Sequence[LearnedPrior],
    grid: Sequence[dict[str, Any]],
    name: str,
    *,
    words: bool,
) -> tuple[FloorSettings, float]:
    """The best words and counts without a network, and their NDCG on validation."""
    validation = recommender.config.validation
    factors = (0.0, 1.0) if words else (0.0,)
    ratios = RATIOS if counts else (0.0,)
    values = ndcg_of_sums(
        recommender,
        cases,
        counts,
        k=validation.k,
        words=factors,
        weights=ratios,
        exclude_seen=validation.exclude_seen,
        network=False,
    )
    row, number, place = map(int, np.unravel_index(int(values.argmax()), values.shape))
    best = float(values[row, number, place])
    if not counts:
        return FloorSettings(words=1.0), best
    weight = ratios[place] if factors[row] else 1.0
    prior = PriorSettings.model_validate({"name": name, "settings": _all_settings(counts[number]), "weight": weight})
    return FloorSettings(words=factors[row], prior=prior), best


def _all_settings(prior: LearnedPrior) -> dict[str, Any]:
    return prior.baseline.settings.model_dump(mode="json")


def _fit_together(
    recommender: GenerativeRecommender,
    split: Split,
    searched: Searched,
    counts: Sequence[LearnedPrior],
    grid: Sequence[dict[str, Any]],
    given: PriorSettings,
    floor: FloorSettings,
    progress: Progress | None,
) -> None:
    """Set words, counts and their weights; see :func:`fit_additions`."""
    if recommender.scores_all:
        words, number, weight, tried = _choose_exactly(recommender, searched.sample, counts, given.weight, progress)
    else:
        words, weight, tried = _choose_by_search(recommender, searched, counts, given, floor, progress)
        number = _number(counts, floor)
    recommender.set_words(words)
    recommender.metrics["words"] = {"weight": words, "tried": tried}
    if not counts:
        return
    [chosen] = fitted(given.name, [grid[number]], split.train, recommender.item_ids)
    recommender.prior = LearnedPrior(chosen)
    settings = given.model_copy(update={"settings": _all_settings(recommender.prior), "weight": weight})
    recommender.set_prior(settings)
    recommender.metrics["prior"] = settings.model_dump(mode="json")
    logger.info("words %g, prior %s, weight %g", words, grid[number], weight)


def _choose_exactly(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    counts: Sequence[LearnedPrior],
    fixed: float | None,
    progress: Progress | None,
) -> tuple[float, int, float, list[dict[str, float]]]:
    """Weight of words, number and weight of the counts, and what was tried."""
    validation = recommender.config.validation
    weights: tuple[float, ...] = (*WEIGHTS, 16.0, 32.0, LARGEST) if fixed is None else (fixed,)
    weights = weights if counts else (0.0,)
    values: dict[float, np.ndarray] = {}

    def measure(words: Sequence[float]) -> None:
        new = [weight for weight in words if weight not in values]
        found = ndcg_of_sums(
            recommender,
            cases,
            counts,
            k=validation.k,
            words=new,
            weights=weights,
            exclude_seen=validation.exclude_seen,
        )
        values.update(zip(new, found, strict=True))
        if progress is not None:
            progress("weights of words", len(values), len(WORDS) + 3)

    measure(WORDS)
    best = max(values, key=lambda weight: float(values[weight].max()))
    measure((best / 2, best * 1.5, best * 2) if best else (0.25, 0.5))
    words, number, place = _cautious(values)
    metric = f"ndcg@{validation.k}"
    tried = [{"words": one, metric: float(values[one].max())} for one in sorted(values)]
    return words, number, weights[place], tried


def _cautious(values: dict[float, np.ndarray]) -> tuple[float, int, int]:
    """Weight of words, number of the counts and place of their weight.

    Of what promises :data:`~genrec.training.prior.ENOUGH` of the best gain, counts with the smallest weight, because
    counts look better on validation than later; of these the best; of equals, the smallest weight of words.

    Args:
        values: ``(counts, weights)`` by weight of words.
    """
    order = sorted(values)
    table = np.stack([values[words] for words in order])  # (words, counts, weights)
    gain = table - table[0, 0, 0]
    good = gain >= ENOUGH * gain.max()
    place = int(good.any(axis=(0, 1)).argmax())
    column = np.where(good[:, :, place], gain[:, :, place], -np.inf)
    row, number = np.unravel_index(int(column.argmax()), column.shape)
    return order[row], int(number), place


def _number(counts: Sequence[LearnedPrior], floor: FloorSettings) -> int:
    """Which counts a floor has."""
    wanted = None if floor.prior is None else floor.prior.settings
    return next((number for number, one in enumerate(counts) if _all_settings(one) == wanted), 0)


def _choose_by_search(
    recommender: GenerativeRecommender,
    searched: Searched,
    counts: Sequence[LearnedPrior],
    given: PriorSettings,
    floor: FloorSettings,
    progress: Progress | None,
) -> tuple[float, float, list[dict[str, float]]]:
    """The best sum without a network, times what helps the network most: weights of words and counts."""
    metric = f"ndcg@{searched.settings.k}"
    ratio = 0.0 if floor.prior is None else floor.prior.weight or 0.0
    words, weight = (UNIT, UNIT * ratio) if floor.words else (0.0, 1.0)
    before = recommender.prior, recommender.options
    recommender.prior = counts[_number(counts, floor)] if counts else None
    tried: list[dict[str, float]] = []
    waiting = [0.0, *SCALES]
    while waiting:
        scale = waiting.pop(0)
        own = weight * scale if given.weight is None else given.weight
        prior = None
        if recommender.prior is not None:
            known = {"settings": _all_settings(recommender.prior), "weight": own}
            prior = given.model_copy(update=known)
        recommender.options = before[1].model_copy(update={"words": words * scale, "prior": prior})
        value = searched.mean(recommender)
        tried.append({"words": words * scale, "weight": own, metric: value})
        if not waiting and scale < LARGEST and value == max(one[metric] for one in tried) > tried[0][metric]:
            waiting.append(2 * scale)  # the end of the grid is not the best by chance
        if progress is not None:
            progress("weights of words", len(tried), len(tried) + len(waiting))
    recommender.prior, recommender.options = before
    best = max(tried, key=lambda one: one[metric])
    return best["words"], best["weight"], tried
