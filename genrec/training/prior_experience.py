"""What counts of some users' transitions add to a recommender, measured while it is pretrained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genrec.generative.prior_experience import WEIGHTS, PriorExperience, Trial, logger
from genrec.progress import Progress
from genrec.training.prior_grid import as_of_before, candidates, fitted, ndcg_with_priors

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.data.split import EvaluationSet
    from genrec.generative.learned_prior import LearnedPrior
    from genrec.generative.recommender import GenerativeRecommender


def transitions_per_item(train: Histories, n_items: int) -> float:
    """Transitions of a training part, an item of the catalogue: how much there is to count."""
    return float(np.maximum(train.lengths - 1, 0).sum()) / max(1, n_items)


def gain_experience(
    recommender: GenerativeRecommender,
    catalogue: str,
    train: Histories,
    cases: EvaluationSet,
    shares: Sequence[float],
    *,
    name: str = "transition-counts",
    k: int = 10,
    exclude_seen: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> PriorExperience:
    """Count shares of a catalogue's users and measure what that adds to a recommender.

    Args:
        recommender: Scores every item.
        catalogue: How the trials call it.
        train: Training part.
        cases: Of validation, of users inside and outside the shares.
        shares: Of the users, such as .01 and 1.
        name: Baseline that counts.
        k: Cut-off of NDCG.
        exclude_seen: Items of the history cannot be recommended.
        seed: Of the shares.
        progress: Called with (what, shares counted, shares in all).
    """
    from genrec.generative.learned_prior import LearnedPrior

    order = np.random.default_rng([seed, 7]).permutation(len(train))
    settings, n_items = candidates(name, train), len(recommender.item_ids)
    parts = [train.select(np.sort(order[: max(1, round(share * len(order)))])) for share in shares]
    priors: list[LearnedPrior] = []
    for done, part in enumerate(parts, start=1):
        priors += [LearnedPrior(one) for one in fitted(name, settings, as_of_before(part), recommender.item_ids)]
        if progress is not None:
            progress(f"counts of transitions in {catalogue}", done, len(parts))
    values = ndcg_with_priors(recommender, cases, priors, k=k, exclude_seen=exclude_seen)
    trials = []
    for share, part, own in zip(shares, parts, values.reshape(len(shares), len(settings), -1), strict=True):
        trials.append(
            Trial(
                catalogue=catalogue,
                share=share,
                transitions=transitions_per_item(part, n_items),
                cases=len(cases),
                ndcg=tuple(tuple(row) for row in own.round(6).tolist()),
            )
        )
        found = catalogue, 100 * share, k, trials[-1].alone, trials[-1].best
        logger.info("%s, counts of %g%% of the users: NDCG@%d %.4f becomes %.4f at best", *found)
    words = recommender.options.words or 0.0
    return PriorExperience(name=name, words=words, settings=tuple(settings), weights=WEIGHTS, trials=tuple(trials))


def pooled(experiences: Sequence[PriorExperience]) -> PriorExperience | None:
    """The trials of several catalogues together; None without any.

    Args:
        experiences: With the same settings and weights; others are left out.
    """
    if not experiences:
        return None
    first = experiences[0]
    same = [one for one in experiences if one.model_copy(update={"trials": first.trials}) == first]
    return first.model_copy(update={"trials": tuple(trial for one in same for trial in one.trials)})
