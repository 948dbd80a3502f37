"""The graph heuristic TGH of the benchmark audit: walk a few steps from the last items, order by text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.ranking import TopK, contains
from genrec.baselines.scoring import LearnedBaseline
from genrec.baselines.sparse import pack_sparse, unpack_sparse
from genrec.baselines.tuning import product
from genrec.baselines.vectors import item_vectors, products, unit_rows
from genrec.config import Settings
from genrec.data.histories import Histories
from genrec.decoding.request import Request

_PLANS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "tgh-1": ((1, 1, 7), (1, 2, 2), (1, 3, 1)),
    "tgh-2": ((1, 1, 5), (1, 2, 1), (2, 1, 3), (2, 2, 1)),
}
"""(anchor: 1 = last item, ring, places) in the order of the list; the places of a plan add up to ``_BLOCK``."""
_BLOCK = 10


class GraphHeuristicSettings(Settings):
    """Settings of :class:`GraphHeuristic`."""

    variant: Literal["tgh-1", "tgh-2"] = Field("tgh-1", description="rings around the last item, or the last two")
    alpha: float = Field(0.5, ge=0, description="weight of the transition counts in the first ring")


class GraphHeuristic(LearnedBaseline):
    r"""Neighbours in the graph of consecutive training pairs, in fixed budgets from rings around the last items.

    Ring ``r`` of an anchor holds the items that are ``r`` directed steps away and not nearer. A candidate's score is
    the cosine of its vector and the anchor's, plus, in ring 1, ``alpha log1p(count) / max_row log1p(count)``. Of every
    ten places, ``tgh-1`` gives 7, 2 and 1 to rings 1, 2 and 3 of the last item; ``tgh-2`` gives 5 and 1 to rings 1 and
    2 of the last item, then 3 and 1 to those of the item before it. Excluded items take no place.

    Two details are ours: places that the rings leave empty go to the most popular items (they were drawn at random),
    and longer lists repeat the budgets for the next ten places. Scores of a list are ``1 / rank``.

    TGH is the training-free heuristic that an audit of sequential recommendation benchmarks measured against
    published models.
    """

    name = "graph-heuristic"
    Config: ClassVar[type[Settings]] = GraphHeuristicSettings
    needs_vectors: ClassVar[bool] = True
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"variant", "alpha"})

    settings: GraphHeuristicSettings
    _vectors: np.ndarray
    _edges: sp.csr_array

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """The two published variants with their published ``alpha``."""
        return product(variant=("tgh-1", "tgh-2"), alpha=(0.5,))

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        self._vectors = unit_rows(item_vectors(inputs.vectors, len(self.item_ids), self.name))
        self._edges = _edges(train, len(self.item_ids))

    def _state(self) -> dict[str, np.ndarray]:
        return {"vectors": self._vectors, **pack_sparse("edges", self._edges)}

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._vectors, self._edges = tensors["vectors"], unpack_sparse("edges", tensors)

    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        k, exclude_seen, allowed = request.k, request.exclude_seen, request.mask
        items = np.full((len(histories), k), -1, dtype=np.int32)
        for users in self._chunks(len(histories)):
            part = histories.select(users)
            items[users] = self._lists(part, k, part if exclude_seen else None, allowed)
        ranks = np.arange(1, k + 1, dtype=np.float32)
        return items, np.where(items >= 0, 1.0 / ranks, -np.inf).astype(np.float32)

    def _lists(self, histories: Histories, k: int, seen: Histories | None, allowed: np.ndarray | None) -> np.ndarray:
        plan = _PLANS[self.settings.variant]
        n_items = len(self.item_ids)
        top = TopK(k, self._places, None, allowed)
        found: dict[tuple[int, int], np.ndarray] = {}
        for anchor in sorted({step[0] for step in plan}):
            deepest = max(ring for at, ring, _ in plan if at == anchor)
            for ring, scores in enumerate(self._rings(_anchors(histories, anchor), deepest), start=1):
                found[anchor, ring] = top(scores, seen)[0]
        fill = TopK(min(2 * k, n_items), self._places, self.popularity.astype(np.float32), allowed)
        popular = fill(sp.csr_array((len(histories), n_items), dtype=np.float32), seen)[0]
        lists = np.full((len(histories), k), -1, dtype=np.int32)
        for stop in range(_BLOCK, k + _BLOCK, _BLOCK):
            for anchor, ring, places in plan:
                _append(lists, found[anchor, ring], places, min(stop, k), n_items)
            _append(lists, popular, _BLOCK, min(stop, k), n_items)
        return lists

    def _rings(self, anchors: np.ndarray, deepest: int) -> list[sp.csr_array]:
        """Scored rings 1 to ``deepest``, ``(n_users, n_items)`` each, around ``(n_users,)`` anchors; -1 is none."""
        n_items = len(self.item_ids)
        users = np.flatnonzero(anchors >= 0)
        shape = (len(anchors), n_items)
        reached = sp.csr_array((np.ones(len(users)), (users, anchors[users])), shape=shape)
        cosines = np.zeros(shape, dtype=np.float32)
        cosines[users] = products(self._vectors[anchors[users]], self._vectors)
        known = users * n_items + anchors[users]
        rings = []
        for ring in range(1, deepest + 1):
            reached = sp.csr_array(reached @ self._edges)
            rows = np.repeat(np.arange(len(anchors)), np.diff(reached.indptr))
            keys = rows * n_items + reached.indices
            new = ~contains(known, keys)
            rows, columns, links = rows[new], reached.indices[new], reached.data[new]
            values = cosines[rows, columns] + (self.settings.alpha * links if ring == 1 else 0.0)
            rings.append(sp.csr_array((values.astype(np.float32), (rows, columns)), shape=shape))
            reached = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
            known = np.r_[known, keys[new]]
        return rings


def _edges(train: Histories, n_items: int) -> sp.csr_array:
    """``log1p(count) / max_row log1p(count)`` of consecutive pairs of different items, ``(n_items, n_items)``."""
    users = np.repeat(np.arange(len(train)), train.lengths)
    pair = (users[1:] == users[:-1]) & (train.items[1:] != train.items[:-1])
    sources, targets = train.items[:-1][pair], train.items[1:][pair]
    counts = sp.csr_array((np.ones(len(sources)), (sources, targets)), shape=(n_items, n_items))
    counts.data = np.log1p(counts.data)
    largest = counts.max(axis=1).toarray().ravel()
    counts.data /= np.repeat(largest, np.diff(counts.indptr))
    return counts


def _anchors(histories: Histories, age: int) -> np.ndarray:
    """The item of that age (1 = the last) of every user, ``(n_users,)`` int64; -1 where the history is shorter."""
    anchors = np.full(len(histories), -1, dtype=np.int64)
    long = histories.lengths >= age
    anchors[long] = histories.items[histories.offsets[1:][long] - age]
    return anchors


def _append(lists: np.ndarray, candidates: np.ndarray, places: int, stop: int, n_items: int) -> None:
    """Put the first ``places`` candidates of every row that are not in its list yet at its end, not beyond ``stop``."""
    filled = lists >= 0
    used = filled.sum(axis=1, keepdims=True)
    row = np.arange(len(lists))[:, None] * n_items
    fresh = (candidates >= 0) & ~contains((row + lists)[filled], row + candidates)
    nth = np.cumsum(fresh, axis=1)
    rows, columns = np.nonzero(fresh & (nth <= places) & (used + nth <= stop))
    lists[rows, (used + nth - 1)[rows, columns]] = candidates[rows, columns]
