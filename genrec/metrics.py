r"""Item-level metrics from the rank of the target item in each list; numpy only.

Every case has one target. ``ranks`` holds its place in the recommended list, counted from 1; 0 means that it is not
there. A metric gives one value a case; the figure of a report is their mean.

Ties: a recommender gives a strict order, resolved by a rule that does not look at the target (baselines: popularity,
then catalogue position), so ranks of lists are exact. :func:`ranks_from_scores` ranks a whole score matrix and takes
the *expected* rank of a target under a random order of ties, so constant scores gain nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from genrec.errors import DataError

Metric = Callable[[np.ndarray, int], np.ndarray]


def recall_at(ranks: np.ndarray, k: int) -> np.ndarray:
    r"""1 where the target is among the first ``k``, else 0: ``[0 < rank <= k]``; equal to the hit rate here.

    Args:
        ranks: ``(n,)`` ranks from 1, 0 for none.
        k: Cut-off.

    Returns:
        ``(n,)`` float64.

    >>> recall_at(np.array([1, 4, 0]), 3).tolist()
    [1.0, 0.0, 0.0]
    """
    ranks = np.asarray(ranks)
    return ((ranks > 0) & (ranks <= _cut_off(k))).astype(np.float64)


def hit_at(ranks: np.ndarray, k: int) -> np.ndarray:
    """1 where any target is among the first ``k``: with one target a case this is :func:`recall_at`.

    >>> hit_at(np.array([1, 4, 0]), 4).tolist()
    [1.0, 1.0, 0.0]
    """
    return recall_at(ranks, k)


def ndcg_at(ranks: np.ndarray, k: int) -> np.ndarray:
    r"""Discounted gain ``1 / log2(rank + 1)`` within the first ``k``; the ideal gain of one target is 1.

    >>> ndcg_at(np.array([1, 3, 4, 0]), 3).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    ranks = np.asarray(ranks)
    return recall_at(ranks, k) / np.log2(np.maximum(ranks, 1) + 1.0)


def mrr_at(ranks: np.ndarray, k: int) -> np.ndarray:
    r"""Reciprocal rank ``1 / rank`` within the first ``k``.

    >>> mrr_at(np.array([1, 4, 0]), 5).tolist()
    [1.0, 0.25, 0.0]
    """
    return recall_at(ranks, k) / np.maximum(np.asarray(ranks), 1)


def map_at(ranks: np.ndarray, k: int) -> np.ndarray:
    r"""Average precision within the first ``k``: precision at the target's rank, which is ``1 / rank`` for one target.

    >>> map_at(np.array([2, 0]), 5).tolist()
    [0.5, 0.0]
    """
    return mrr_at(ranks, k)


METRICS: dict[str, Metric] = {
    "recall": recall_at,
    "ndcg": ndcg_at,
    "mrr": mrr_at,
    "hit": hit_at,
    "map": map_at,
}
"""Metrics by their name in reports, where ``@k`` is appended."""


def metric_values(ranks: np.ndarray, name: str) -> np.ndarray:
    """Values of one metric written ``name@k``, ``(n,)`` float64.

    Raises:
        DataError: Not a metric of :data:`METRICS`.

    >>> metric_values(np.array([1, 4, 0]), "recall@4").tolist()
    [1.0, 1.0, 0.0]
    """
    kind, _, k = name.partition("@")
    if kind not in METRICS or not k.isdigit():
        raise DataError(f"Unknown metric '{name}'.", expected=f"{', '.join(METRICS)} with a cut-off, such as ndcg@10")
    return METRICS[kind](ranks, int(k))


def mean_metrics(ranks: np.ndarray, ks: Iterable[int], names: Iterable[str] = METRICS) -> dict[str, float]:
    """Means over cases as a flat dictionary; NaN where there is no case.

    >>> mean_metrics(np.array([1, 3, 0, 0]), [3], ["recall", "ndcg"])
    {'recall@3': 0.5, 'ndcg@3': 0.375}
    """
    names = list(names)
    return {f"{name}@{k}": _mean(METRICS[name](ranks, k)) for k in ks for name in names}


def ranks_from_scores(scores: np.ndarray, targets: np.ndarray, *, ties: str = "expected") -> np.ndarray:
    """Ranks of targets in whole rows of scores.

    Args:
        scores: ``(n, n_items)``; ``-inf`` means that the item is not ranked.
        targets: ``(n,)`` positions.
        ties: ``expected`` (mean place among equal scores), ``best`` or ``worst``.

    Returns:
        ``(n,)`` float64, from 1; 0 where the target itself is not ranked.

    Raises:
        DataError: Unknown rule of ties.

    >>> ranks_from_scores(np.array([[0.5, 0.5, 0.1]]), np.array([1])).tolist()
    [1.5]
    """
    shares = {"best": 0.0, "expected": 0.5, "worst": 1.0}
    if ties not in shares:
        raise DataError(f"Unknown rule of ties '{ties}'.", expected=", ".join(shares))
    own = np.take_along_axis(scores, np.asarray(targets)[:, None], axis=1)
    above = (scores > own).sum(axis=1)
    equal = (scores == own).sum(axis=1) - 1
    return np.where(own[:, 0] > -np.inf, 1.0 + above + shares[ties] * equal, 0.0)


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of how often items were recommended: 0 equally often, near 1 always the same few.

    Args:
        counts: ``(n_items,)`` exposures, items that were never recommended included.

    >>> gini(np.array([2, 2])), gini(np.array([0, 4]))
    (0.0, 0.5)
    """
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    n, total = len(ordered), ordered.sum()
    if not total:
        return float("nan")
    return float(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def _cut_off(k: int) -> int:
    if k < 1:
        raise DataError(f"The cut-off k of a metric is {k}.", expected="at least 1")
    return k


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
