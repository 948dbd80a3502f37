"""What can be reached without learning: copying, popularity, counting transitions, looking for similar texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from genrec.audit.finding import Finding, figure, graded, percent
from genrec.audit.material import Material, sample
from genrec.baselines import FitInputs, Popularity, RepeatLast, TransitionCounts
from genrec.baselines.tuning import choose
from genrec.baselines.word_neighbours import WordNeighbours
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.encoders.words import word_vectors
from genrec.evaluation.evaluator import evaluate
from genrec.evaluation.uncertainty import Difference, Interval, bootstrap_metrics, paired_difference
from genrec.metrics import metric_values
from genrec.progress import Progress

METRICS = ("recall@1", "recall@10", "ndcg@10")
SOLVED = 0.2
"""From this Recall@10 on a shortcut is said to solve a dataset: one target in five among the first ten."""
NAMES = ("repeat-last", "popularity", "transition-counts", "text-of-last-item", "words-of-history")
"""Shortcuts; other rankings of an audit are variants of these, for comparison."""
_CHUNK = 512


@dataclass(frozen=True)
class Shortcut:
    """A ranking without learning, on the test cases.

    Attributes:
        name: Such as ``transition-counts``.
        how: What it does, in words.
        ranks: ``(n_cases,)`` rank of the target, 0 where it is not among the first ten.
        intervals: Of :data:`METRICS`.
        settings: With which it was fitted.
    """

    name: str
    how: str
    ranks: np.ndarray
    intervals: dict[str, Interval]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def recall(self) -> float:
        """Recall@10."""
        return self.intervals["recall@10"].mean

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        figures: dict[str, float] = {}
        for name, interval in self.intervals.items():
            figures |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return {"shortcut": self.name, "how": self.how, **figures, **self.settings}


def shortcut(name: str, how: str, ranks: np.ndarray, cases: EvaluationSet, **settings: Any) -> Shortcut:
    """A shortcut with intervals over users."""
    users = cases.histories.user_ids.astype(str)
    owners = None if len(np.unique(users)) == len(users) else users
    return Shortcut(name, how, ranks, bootstrap_metrics(ranks, METRICS, owners), settings)


def copy_last(material: Material) -> Shortcut:
    """The user's own items, newest first; seen items allowed."""
    baseline = RepeatLast().fit(material.split.train, material.catalog.item_ids)
    ranks = evaluate(baseline, material.cases, ks=(1, 10), exclude_seen=False).ranks
    return shortcut("repeat-last", "the user's own items, newest first", ranks, material.cases)


def popularity(material: Material) -> Shortcut:
    """The most frequent items of training."""
    baseline = Popularity().fit(material.split.train, material.catalog.item_ids)
    ranks = evaluate(baseline, material.cases, ks=(1, 10)).ranks
    return shortcut("popularity", "the same popular items for everybody", ranks, material.cases)


def transitions(material: Material, progress: Progress | None = None) -> list[Shortcut]:
    """Transition counts with window and history length chosen on validation, and the best that reads one item only."""
    split, ids = material.split, material.catalog.item_ids
    choosing = replace(split, validation=sample(split.validation, material.seed))
    best = choose(TransitionCounts, choosing, ids, inputs=FitInputs(progress=progress))
    single = max(
        (choice for choice in best.choices if choice["settings"]["last"] == 1), key=lambda choice: choice["ndcg@10"]
    )["settings"]
    made = []
    for name, settings in (("transition-counts", best.settings.model_dump()), ("transition-counts-last-1", single)):
        read = "the last item" if settings["last"] == 1 else f"the last {settings['last']} items"
        how = f"what followed {read} in training (window {settings['window']})"
        ranks = transition_ranks(split.train, material.cases, ids, **settings)
        made.append(shortcut(name, how, ranks, material.cases, **settings))
    return made


def transition_ranks(train: Histories, cases: EvaluationSet, ids: np.ndarray, **settings: Any) -> np.ndarray:
    """Ranks of the targets by transition counts, seen items excluded: ``(n_cases,)`` int32."""
    return evaluate(TransitionCounts(**settings).fit(train, ids), cases, ks=(1, 10)).ranks


def last_text(material: Material) -> Shortcut | None:
    """Items whose text is nearest to that of the last item; None without vectors."""
    if material.vectors is None or not material.vectors.any():
        return None
    vectors, cases = material.vectors, material.cases
    ranks = np.zeros(len(cases), dtype=np.int32)
    for start in range(0, len(cases), _CHUNK):
        part = np.arange(start, min(start + _CHUNK, len(cases)))
        histories = cases.histories.select(part)
        scores = vectors[material.last_items[part]] @ vectors.T
        scores[np.repeat(np.arange(len(part)), histories.lengths), histories.items] = -np.inf
        own = scores[np.arange(len(part)), cases.targets[part]][:, None]
        # of equal scores the one that comes first in the catalogue wins
        tied = (scores == own) & (np.arange(scores.shape[1]) < cases.targets[part][:, None])
        rank = 1 + (scores > own).sum(axis=1) + tied.sum(axis=1)
        ranks[part] = np.where((own[:, 0] > -np.inf) & (rank <= 10), rank, 0)
    how = f"the items nearest to the last item in text ({material.vectors_name})"
    return shortcut("text-of-last-item", how, ranks, cases)


def history_words(material: Material) -> Shortcut | None:
    """Items that share rare words with the history; None where nothing is known of items but their ids."""
    words = None if material.vectors is None else word_vectors(material.catalog)
    if words is None or not words.nnz:
        return None
    baseline = WordNeighbours().fit(material.split.train, material.catalog.item_ids, FitInputs(words=words))
    ranks = evaluate(baseline, material.cases, ks=(1, 10)).ranks
    return shortcut("words-of-history", "what shares rare words with the history", ranks, material.cases)


def gain(first: Shortcut, second: Shortcut, cases: EvaluationSet, metric: str = "recall@10") -> Difference:
    """Paired difference ``first - second`` on the same cases."""
    users = cases.histories.user_ids.astype(str)
    return paired_difference(metric_values(first.ranks, metric), metric_values(second.ranks, metric), users)


def copying(found: Shortcut) -> Finding:
    """Whether copying the last item is a shortcut."""
    at_one, at_ten = found.intervals["recall@1"], found.intervals["recall@10"]
    figures = {"recall@1": at_one.mean, "recall@10": at_ten.mean}
    if not at_ten.mean:
        text = "Recommending the user's own items finds no test target at all."
        return Finding("copying", "fine", "Copying the history", text, figures=figures)
    text = (
        f"Copying the last item puts the target first in {percent(at_one.mean)} of the cases; the user's own items, "
        f"newest first, reach Recall@10 {figure(at_ten)}."
    )
    grade = graded(at_one.mean, serious=0.1, caution=0.01)
    if grade == "note":
        grade = graded(at_ten.mean, serious=2.0, caution=0.05)
    advice = "" if grade == "note" else "Report novel targets: on all targets a model can score by copying."
    return Finding("copying", grade, "Copying the history", text, advice, figures)


def popular(found: Shortcut) -> Finding:
    """Whether popularity alone is a shortcut."""
    interval = found.intervals["recall@10"]
    text = f"The most popular items, the same for everybody, reach Recall@10 {figure(interval)}."
    grade = graded(interval.mean, serious=2.0, caution=0.1, note=-1.0)
    return Finding("popularity", grade, "Popularity", text, figures={"recall@10": interval.mean})


def counting(found: Shortcut, popular_items: Shortcut, cases: EvaluationSet) -> Finding:
    """How far counting transitions gets, and whether that is more than popularity."""
    interval, ndcg = found.intervals["recall@10"], found.intervals["ndcg@10"]
    difference = gain(found, popular_items, cases)
    text = (
        f"Counting {found.how} reaches Recall@10 {figure(interval)}, NDCG@10 {figure(ndcg)}, without learning or text. "
    )
    if difference.low > 0:
        text += f"That is {interval.mean / max(popular_items.recall, 1e-9):.1f} times popularity."
    else:
        text += "These users cannot tell it from popularity."
    grade = graded(interval.mean, serious=2.0, caution=0.05, note=-1.0)
    advice = "Compare every model with this one: below it, a model has learned less than counting gives."
    figures = {"recall@10": interval.mean, "ndcg@10": ndcg.mean, **found.settings}
    return Finding("transitions", grade, "Transition counts", text, advice, figures)


def similar_text(found: Shortcut, counts: Shortcut, cases: EvaluationSet) -> Finding:
    """Whether looking for texts like the last item's is a shortcut."""
    interval = found.intervals["recall@10"]
    text = f"Ranking by {found.how} reaches Recall@10 {figure(interval)}"
    text += ", more than counting transitions." if gain(found, counts, cases).low > 0 else "."
    grade = graded(interval.mean, serious=2.0, caution=0.05, note=-1.0)
    return Finding("text-of-last-item", grade, "Similar texts", text, figures={"recall@10": interval.mean})


def zero_shot(texts: Sequence[Shortcut], popular_items: Shortcut, cases: EvaluationSet) -> Finding | None:
    """Whether texts alone say less than popularity; None without texts.

    Args:
        texts: Rankings by text.
        popular_items: By popularity.
        cases: Of both.
    """
    best = max(texts, key=lambda one: one.recall, default=None)
    if best is None:
        return None
    figures = {"recall@10": best.recall, "popularity": popular_items.recall}
    if gain(popular_items, best, cases).low <= 0:
        text = f"Texts alone ({best.name}) are not below popularity, so a recommender without training can start here."
        return Finding("zero-shot", "fine", "Texts without training", text, figures=figures)
    text = (
        f"Texts alone reach Recall@10 {figure(best.intervals['recall@10'])} ({best.name}), popularity "
        f"{figure(popular_items.intervals['recall@10'])}: recommendations from texts without training (zero-shot) "
        "start below popularity here."
    )
    advice = "Train on interactions, or rank by popularity, before people see lists of a zero-shot recommender."
    return Finding("zero-shot", "caution", "Texts without training", text, advice, figures)
