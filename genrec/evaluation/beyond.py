r"""Figures beyond accuracy, list by list: novelty, popularity, diversity, and hits on semantic IDs instead of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.metrics import METRICS
from genrec.wording import count

HISTORY_POPULARITY = "history_popularity"
ID_METRICS = ("recall", "ndcg")


@dataclass(frozen=True)
class ItemFacts:
    """What is known of the items; what is missing is not reported.

    Attributes:
        popularity: ``(n_items,)`` number of training interactions: for novelty and popularity lift.
        vectors: ``(n_items, dim)`` item vectors, such as those of a text encoder: for intra-list diversity.
        codes: ``(n_items, quantizer_levels)`` semantic IDs before disambiguation: for figures at ID level.
    """

    popularity: np.ndarray | None = None
    vectors: np.ndarray | None = None
    codes: np.ndarray | None = None

    @classmethod
    def of(
        cls, train: Histories, n_items: int, *, vectors: np.ndarray | None = None, codes: np.ndarray | None = None
    ) -> ItemFacts:
        """Facts with the popularity in a training part.

        >>> ItemFacts.of(Histories.from_lists([[0, 0, 2]]), 3).popularity.tolist()
        [2, 0, 1]
        """
        return cls(np.bincount(train.items, minlength=n_items), vectors, codes)

    def check(self, n_items: int) -> None:
        """Refuse facts of another catalogue.

        Raises:
            DataError: An array has not one row an item.
        """
        for name in ("popularity", "vectors", "codes"):
            array = getattr(self, name)
            if array is not None and (len(array) != n_items or array.ndim != (1 if name == "popularity" else 2)):
                shape = "(n_items,)" if name == "popularity" else "(n_items, ...)"
                raise DataError(
                    f"The {name} of the items have shape {array.shape}, but there are {count(n_items, 'item')}.",
                    where="item facts",
                    expected=shape,
                )


class ListFigures:
    """Figures of recommended lists, one value a list; NaN for an empty list.

    With ``p(i)`` the share of item ``i`` in all training interactions (an item without any counts as having one) and
    ``L`` the first ``k`` items of a list:

    - ``novelty@k``: mean self-information ``-log2 p(i)`` in bits (Zhou et al. 2010, doi 10.1073/pnas.1000488107);
    - ``popularity@k``: mean number of training interactions, and ``history_popularity`` the same over the history;
    - ``diversity@k``: mean of ``1 - cos`` over the pairs of the list (Ziegler et al. 2005, doi
      10.1145/1060745.1060754); items without a vector (all zeros) are unlike everything; NaN for lists of one item.

    Args:
        facts: Of the items.
        ks: Cut-offs, increasing.
    """

    def __init__(self, facts: ItemFacts, ks: Sequence[int]) -> None:
        self.ks = tuple(ks)
        self._popularity = self._information = self._unit = None
        if facts.popularity is not None:
            popularity = np.asarray(facts.popularity, dtype=np.float64)
            self._popularity = popularity
            self._information = -np.log2(np.maximum(popularity, 1.0) / max(1.0, popularity.sum()))
        if facts.vectors is not None:
            vectors = np.asarray(facts.vectors, dtype=np.float32)
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            self._unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)

    def __call__(self, items: np.ndarray, histories: Histories) -> dict[str, np.ndarray]:
        """Figures of some lists.

        Args:
            items: ``(n, width)`` positions, -1 where there is no item.
            histories: ``n`` histories.

        Returns:
            ``{name: (n,) float32}``.
        """
        figures: dict[str, np.ndarray] = {}
        filled = items >= 0
        if self._popularity is not None and self._information is not None:
            figures[HISTORY_POPULARITY] = _history_means(self._popularity, histories)
            for name, values in (("novelty", self._information), ("popularity", self._popularity)):
                figures |= {f"{name}@{k}": mean for k, mean in self._means(values, items, filled)}
        if self._unit is not None:
            figures |= {f"diversity@{k}": value for k, value in self._diversity(items, filled)}
        return {name: values.astype(np.float32) for name, values in figures.items()}

    def _means(self, values: np.ndarray, items: np.ndarray, filled: np.ndarray) -> list[tuple[int, np.ndarray]]:
        sums = np.cumsum(np.where(filled, values[items], 0.0), axis=1)
        counts = np.cumsum(filled, axis=1)
        return [(k, _ratio(sums[:, at], counts[:, at])) for k, at in self._columns(items)]

    def _diversity(self, items: np.ndarray, filled: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Sum of the cosines of all pairs = half of (square of the sum of unit vectors - sum of their squares)."""
        vectors = np.where(filled[:, :, None], self._unit[items], np.float32(0))  # type: ignore[index]  # (n, width, dim)
        squares = np.cumsum(np.einsum("nkd,nkd->nk", vectors, vectors), axis=1)
        counts = np.cumsum(filled, axis=1)
        found = []
        total, start = np.zeros((len(items), vectors.shape[2]), np.float32), 0
        for k, at in self._columns(items):
            total = total + vectors[:, start : at + 1].sum(axis=1)
            start = at + 1
            cosines = (np.einsum("nd,nd->n", total, total) - squares[:, at]) / 2.0
            pairs = counts[:, at] * (counts[:, at] - 1) / 2.0
            found.append((k, 1.0 - _ratio(cosines, pairs)))
        return found

    def _columns(self, items: np.ndarray) -> list[tuple[int, int]]:
        """Every cut-off with the column of its last item, as far as lists reach."""
        return [(k, min(k, items.shape[1]) - 1) for k in self.ks]


def id_numbers(codes: np.ndarray) -> np.ndarray:
    """Number of the semantic ID of every item: items with equal codes share it.

    >>> id_numbers(np.array([[3, 1], [0, 2], [3, 1]])).tolist()
    [1, 0, 1]
    """
    return np.unique(np.asarray(codes), axis=0, return_inverse=True)[1].reshape(-1)


def id_ranks(items: np.ndarray, targets: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Rank of the first item that has the target's semantic ID, ``(n,)`` int32; 0 where there is none.

    Args:
        items: ``(n, k)`` positions, -1 where there is no item.
        targets: ``(n,)`` positions.
        numbers: ``(n_items,)`` of :func:`id_numbers`.

    >>> id_ranks(np.array([[4, 2, 0]]), np.array([0]), np.array([7, 8, 7, 8, 9])).tolist()
    [2]
    """
    hits = (items >= 0) & (numbers[items] == numbers[targets][:, None])
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0).astype(np.int32)


def mean_figures(figures: Mapping[str, np.ndarray], ks: Sequence[int]) -> dict[str, float]:
    """Means over lists: ``novelty@k``, ``diversity@k`` and ``popularity_lift@k``.

    The lift is the mean popularity of recommended items over that of the histories' items (Abdollahpouri et al. 2019,
    https://arxiv.org/abs/1907.13286): 1 is as popular as what users chose themselves.

    Args:
        figures: Of :class:`ListFigures`.
        ks: Cut-offs.
    """
    means = {}
    for k in ks:
        for name in ("novelty", "diversity"):
            if f"{name}@{k}" in figures:
                means[f"{name}@{k}"] = _mean(figures[f"{name}@{k}"])
        if f"popularity@{k}" in figures:
            own = _mean(figures[HISTORY_POPULARITY])
            means[f"popularity_lift@{k}"] = _mean(figures[f"popularity@{k}"]) / own if own else float("nan")
    return means


def id_metrics(id_level: np.ndarray, item_level: np.ndarray, ks: Sequence[int]) -> dict[str, float]:
    """``id_recall@k``, ``id_ndcg@k`` and ``collision_inflation@k``, the difference of ID-level and item-level recall.

    Args:
        id_level: ``(n,)`` of :func:`id_ranks`.
        item_level: ``(n,)`` ranks of the targets themselves.
        ks: Cut-offs.

    >>> id_metrics(np.array([1, 1]), np.array([1, 0]), [5])["collision_inflation@5"]
    0.5
    """
    means = {}
    for k in ks:
        for name in ID_METRICS:
            means[f"id_{name}@{k}"] = _mean(METRICS[name](id_level, k))
        means[f"collision_inflation@{k}"] = means[f"id_recall@{k}"] - _mean(METRICS["recall"](item_level, k))
    return means


def _history_means(values: np.ndarray, histories: Histories) -> np.ndarray:
    sums = np.r_[0.0, np.cumsum(values[histories.items])]
    return _ratio(sums[histories.offsets[1:]] - sums[histories.offsets[:-1]], histories.lengths)


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else float("nan")
