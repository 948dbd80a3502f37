"""What a training run has learned: the network alone, beside words and counts, and what it adds to them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from genrec.baselines.base import FitInputs
from genrec.baselines.transitions import TransitionCounts
from genrec.baselines.tuning import choose
from genrec.data.split import EvaluationSet, Split
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.without_network import without_network
from genrec.metrics import ndcg_at
from genrec.recommender import Recommender
from genrec.training.searched import Searched
from genrec.training.validation import validation_sample
from genrec.wording import count

_NORMAL = 1.96  # standard errors to each side of a 95 % interval


def what_was_learned(
    recommender: GenerativeRecommender, cases: EvaluationSet, *, kept_start: bool, searched: Searched | None = None
) -> dict[str, Any]:
    """Figures for a run's metrics, on the validation cases that the run is judged by.

    Args:
        recommender: As it will be saved.
        cases: Of validation.
        kept_start: The weights before training are kept.
        searched: What was searched already, with the weights that it has now.

    Returns:
        ``metric``, ``cases``, ``kept`` (``start`` or ``trained``), ``together`` (as it decodes) and, where it decodes
        with words or counts, ``network_alone``, ``without_network``, and ``gain`` of ``together`` over
        ``without_network`` with the ends of its 95 % interval over users, ``gain_low`` and ``gain_high``. Empty
        without cases.
    """
    settings, searched = recommender.config.validation, searched or Searched(recommender, cases)
    sample = searched.sample
    if not len(sample):
        return {}
    found: dict[str, Any] = {"metric": f"ndcg@{settings.k}", "cases": len(sample)}
    found["kept"] = "start" if kept_start else "trained"
    together = searched.values(recommender)
    found["together"] = float(together.mean())
    bare = without_network(recommender)
    if bare is None:
        return found
    alone = searched.values(recommender, words=0.0, prior=None)
    less = _values(bare, sample, settings.k, settings.exclude_seen)
    gain, reach = _mean_and_reach(together - less, sample.histories.user_ids)
    return {
        **found,
        "network_alone": float(alone.mean()),
        "without_network": float(less.mean()),
        "gain": gain,
        "gain_low": gain - reach,
        "gain_high": gain + reach,
    }


def counting(recommender: GenerativeRecommender, split: Split) -> float:
    """The same metric, on the same cases, of transition counts with the settings that are best on them.

    So ``genrec baseline transition-counts`` chooses its settings, and an item prior is chosen on these cases, too.
    """
    settings = recommender.config.validation
    cases = split.validation
    sample = cases.select(validation_sample(settings.users, len(cases), recommender.config.seed))
    inputs = FitInputs(exclude_seen=settings.exclude_seen)
    counts = choose(TransitionCounts, replace(split, validation=sample), recommender.item_ids, inputs=inputs)
    return float(_values(counts, sample, settings.k, settings.exclude_seen).mean())


def _values(recommender: Recommender, sample: EvaluationSet, k: int, exclude_seen: bool) -> np.ndarray:
    """NDCG@k of every case, ``(n_cases,)``."""
    lists = recommender.recommend(sample.histories, k, exclude_seen=exclude_seen)
    return np.asarray(ndcg_at(lists.ranks_of(sample.targets), k), dtype=np.float64)


def _mean_and_reach(gains: np.ndarray, users: np.ndarray) -> tuple[float, float]:
    """Mean over cases and half the width of its interval, where cases of one user count together."""
    _, owners = np.unique(users.astype(str), return_inverse=True)
    sums = np.bincount(owners, weights=gains - gains.mean())
    n = len(sums)
    error = float(np.sqrt((sums**2).sum() * n / max(1, n - 1))) / len(gains)
    return float(gains.mean()), _NORMAL * error


def remarks(metrics: dict[str, Any]) -> list[str]:
    """What a person must know of a run, in sentences; empty where there is nothing to say.

    Args:
        metrics: Of a trained recommender, with ``learned``.
    """
    return [*cautions(metrics), *_gained(metrics.get("learned") or {})]


def cautions(metrics: dict[str, Any]) -> list[str]:
    """Signs that a run could be better, and what to do, in sentences; empty where there are none.

    Args:
        metrics: Of a trained recommender, as it keeps them.
    """
    learned, said = metrics.get("learned") or {}, []
    if learned.get("kept") == "start":
        said.append(
            "The weights are those from before training: no epoch recommended better on validation, so nothing was "
            "learned from these interactions. Try a lower or higher trainer.learning_rate, more epochs, another "
            "preset (--config), or more users."
        )
    if metrics.get("still_rising") and learned.get("kept") != "start":
        longer = f"trainer.num_train_epochs={2 * math.ceil(metrics.get('epochs') or 1)}"
        if metrics.get("max_steps"):  # it goes before the epochs
            longer = f"trainer.max_steps={2 * metrics['max_steps']}"
        ended = "steps" if metrics.get("max_steps") else "epochs"
        said.append(f"Validation was still rising when the {ended} ended: train longer (--set {longer}).")
    if learned.get("counting", 0.0) > learned.get("together", 0.0):
        said.append(
            f"Counting alone recommends better: {_name(learned['metric'])} {learned['counting']:.4f} against "
            f"{learned['together']:.4f}. Add it, which trains nothing again: genrec train as before with "
            "--set generation.prior.name=transition-counts."
        )
    prior = metrics.get("prior") or {}
    if prior.get("tried") and prior["weight"] == max(one["weight"] for one in prior["tried"]) > 0:
        said.append(
            f"The best weight of the item prior is the largest that was tried, {prior['weight']:g}: counting alone may "
            "be better (genrec baseline transition-counts), or the network needs longer training."
        )
    return said


def _gained(learned: dict[str, Any]) -> list[str]:
    """What the network adds to words and counts, in a sentence, where that was measured."""
    if "gain" not in learned:
        return []
    known = "words and counts"
    figures = f"{learned['gain']:+.4f} {_name(learned['metric'])} ({learned['gain_low']:+.4f} to "
    figures += f"{learned['gain_high']:+.4f})"
    cases = count(learned["cases"], "validation case")
    if learned["gain_low"] > 0:
        return [f"The network adds {figures} to {known} on {cases}."]
    if learned["gain_high"] < 0:
        return [
            f"The network makes {known} worse: {figures}. Use them without it (genrec baseline "
            "words-and-counts), train longer, or try another preset (--config)."
        ]
    return [
        f"The network adds nothing to {known} that {cases} can show: {figures}. "
        "Train longer, try another preset (--config), or recommend without a network (genrec "
        "baseline words-and-counts)."
    ]


def figures_line(learned: dict[str, Any]) -> str:
    """The figures of one run side by side, for people; each is of the same cases.

    Args:
        learned: Of :func:`what_was_learned`.
    """
    name = _name(learned["metric"])
    if "gain" not in learned:
        return f"{name} {learned['together']:.4f}, the network alone"
    return (
        f"{name} {learned['together']:.4f} as it decodes (network, words and counts); the network alone "
        f"{learned['network_alone']:.4f}; words and counts without it {learned['without_network']:.4f}"
    )


def _name(metric: str) -> str:
    return metric.replace("ndcg", "NDCG")
