"""How sure a figure is: bootstrap intervals over users, and paired tests of two results on the same users.

Metric values of a list have few distinct values (a rank from 1 to k, or none). Drawing users with replacement is then
the same as drawing how often each distinct value occurs, from one multinomial distribution. So a thousand resamples
of a million users cost milliseconds, and nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genrec.errors import DataError
from genrec.metrics import metric_values
from genrec.wording import count

_CELLS = 1 << 22


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval; NaN where there is nothing to average.

    Attributes:
        mean: Mean over cases.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Mean of ``first - second`` on the same users.

    Attributes:
        mean: Mean over cases.
        low: Lower end of the bootstrap interval.
        high: Upper end.
        p_value: Chance of a difference at least this large if the two were exchangeable, user by user.
    """

    mean: float
    low: float
    high: float
    p_value: float


def bootstrap(
    values: np.ndarray,
    users: np.ndarray | None = None,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Percentile bootstrap intervals of means (Efron 1979), drawing whole users.

    Args:
        values: ``(n_cases,)`` or ``(n_cases, n_metrics)``; the metrics are drawn together.
        users: ``(n_cases,)`` user of every case where users can have several; None: every case is its own user.
        resamples: How many.
        confidence: Share of resampled means inside the interval.
        seed: Same seed, same interval.

    Returns:
        One interval a metric.

    Raises:
        DataError: ``users`` has another length than ``values``.

    >>> [interval] = bootstrap(np.array([0.0, 1.0] * 500))
    >>> interval.mean, 0.46 < interval.low < 0.48, 0.52 < interval.high < 0.54
    (0.5, True, True)
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    points, counts = np.unique(_per_user(table, users), axis=0, return_counts=True)
    return _intervals(points, counts, resamples, confidence, seed)


def bootstrap_metrics(
    ranks: np.ndarray,
    metrics: Sequence[str],
    users: np.ndarray | None = None,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Intervals of many metrics of one result: :func:`bootstrap` of their values, without building them case by case.

    Args:
        ranks: ``(n_cases,)`` ranks of the targets, 0 for none.
        metrics: Such as ``ndcg@10``.
        users: See :func:`bootstrap`.
        resamples: How many.
        confidence: Of the intervals.
        seed: Same seed, same intervals.

    >>> bootstrap_metrics(np.array([1, 0, 0, 0]), ["recall@1"])["recall@1"].mean
    0.25
    """
    occurring = np.bincount(ranks)
    distinct = np.flatnonzero(occurring)
    table = np.stack([metric_values(distinct, name) for name in metrics], axis=1)
    points, counts = np.hstack([table, np.ones((len(distinct), 1))]), occurring[distinct]
    if users is not None:
        kind = np.searchsorted(distinct, ranks)
        points, counts = np.unique(_per_user(table[kind], users), axis=0, return_counts=True)
    intervals = _intervals(points, counts, resamples, confidence, seed)
    return dict(zip(metrics, intervals, strict=True))


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    users: np.ndarray | None = None,
    *,
    resamples: int = 1000,
    permutations: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Compare two results on the same cases.

    The interval is the bootstrap of the differences. The p-value is that of the sign-flip permutation test (Fisher's
    randomisation test): each user's difference changes its sign with probability one half. Two equal results have
    p = 1 exactly.

    Args:
        first: ``(n_cases,)`` values of a metric.
        second: ``(n_cases,)`` values on the same cases, in the same order.
        users: See :func:`bootstrap`.
        resamples: Of the interval.
        permutations: Of the test.
        confidence: Of the interval.
        seed: Same seed, same answer.

    Raises:
        DataError: Different numbers of cases.

    >>> paired_difference(np.ones(5), np.ones(5)).p_value
    1.0
    """
    if np.shape(first) != np.shape(second):
        raise DataError(
            f"Results on {len(first)} and {count(len(second), 'case')} cannot be paired.", expected="the same cases"
        )
    gains = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    [interval] = bootstrap(gains, users, resamples=resamples, confidence=confidence, seed=seed)
    if not len(gains):
        return Difference(interval.mean, interval.low, interval.high, float("nan"))
    sums = np.abs(_per_user(gains[:, None], users)[:, 0])
    sizes, counts = np.unique(sums[sums > 0], return_counts=True)
    observed = abs(gains.sum())
    rng = np.random.default_rng([seed, 1])
    as_large = 0
    for size in _chunks(permutations, len(sizes)):
        flipped = rng.binomial(counts, 0.5, size=(size, len(counts)))
        totals = np.abs((counts - 2 * flipped) @ sizes) if len(sizes) else np.zeros(size)
        as_large += int((totals >= observed - 1e-9).sum())
    p_value = (1 + as_large) / (1 + permutations)
    return Difference(interval.mean, interval.low, interval.high, p_value)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for making several tests at once (Holm 1979); NaN stays and does not count.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = p_values.copy()
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


def _per_user(table: np.ndarray, users: np.ndarray | None) -> np.ndarray:
    """Sums of every user's cases and, last, their number: ``(n_users, n_metrics + 1)``."""
    if users is not None and len(users) != len(table):
        raise DataError(f"{count(len(users), 'user')} for {count(len(table), 'case')}.")
    sizes = np.ones((len(table), 1))
    if users is None:
        return np.hstack([table, sizes])
    distinct, owner = np.unique(np.asarray(users), return_inverse=True)
    if len(distinct) == len(table):
        return np.hstack([table, sizes])
    columns = [np.bincount(owner, weights=column) for column in np.hstack([table, sizes]).T]
    return np.stack(columns, axis=1)


def _intervals(points: np.ndarray, counts: np.ndarray, resamples: int, confidence: float, seed: int) -> list[Interval]:
    """Intervals from the distinct users ``(n_points, n_metrics + 1)`` and how many there are of each."""
    if not len(points):
        return [Interval(float("nan"), float("nan"), float("nan"))] * (points.shape[1] - 1)
    rng = np.random.default_rng(seed)
    draws = np.concatenate(list(_resampled(points, counts, resamples, rng)))
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(draws[:, :-1] / draws[:, -1:], [tail, 1.0 - tail], axis=0)
    total = counts @ points
    mean = total[:-1] / total[-1]
    return [Interval(float(m), float(a), float(b)) for m, a, b in zip(mean, low, high, strict=True)]


def _resampled(points: np.ndarray, counts: np.ndarray, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Sums over resampled users, in chunks of ``(n_chunk, n_columns)``."""
    total = int(counts.sum())
    for size in _chunks(n, len(points)):
        yield rng.multinomial(total, counts / total, size=size) @ points


def _chunks(n: int, width: int) -> Iterator[int]:
    size = max(1, _CELLS // max(1, width))
    return (min(size, n - start) for start in range(0, n, size))
