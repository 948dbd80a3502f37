"""Collaborative item vectors: what is bought near what, in training histories only."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import LARGEST_WIDTH, Seed, Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import ItemEncoder, S, normalize_rows, truncated_svd
from genrec.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class CooccurrenceSettings(Settings):
    """Settings of :class:`CooccurrenceEncoder`."""

    name: Literal["cooccurrence"] = "cooccurrence"
    dim: int = Field(
        default=128,
        ge=1,
        le=LARGEST_WIDTH,
        description="Length of a vector; shorter where the counts have a lower rank.",
    )
    window: int = Field(
        default=5, ge=1, description="Two items of a history count when at most this many places apart."
    )
    weighting: Literal["ppmi", "log-ratio", "log"] = Field(
        default="ppmi",
        description="Positive pointwise mutual information, log(1 + the same ratio), or log(1 + count).",
    )
    smoothing: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="Exponent of the context frequencies in the ratio; below 1 damps rare ones.",
    )
    seed: Seed = Field(default=0, description="seed of the decomposition")


class PairEncoder(ItemEncoder[S]):
    """Base of encoders that learn a vector for every item of the training histories from pairs of near items.

    Items that no training history holds, new items among them, get zero vectors: combine with text in ``fused``. The
    result depends neither on the order of the items nor on that of the users.
    """

    needs_interactions = True

    _item_ids: list[str]
    _vectors: np.ndarray

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        if train is None:  # fit() has refused this
            raise DataError("No training histories.")
        seen = np.unique(train.items)
        ids = catalog.item_ids[seen].tolist()
        order = sorted(range(len(ids)), key=ids.__getitem__)  # by id: independent of the catalogue's order
        position = np.full(len(catalog), -1, dtype=np.int32)
        position[seen[order]] = np.arange(len(seen), dtype=np.int32)
        counts = count_pairs(position[train.items], train.offsets, len(seen), self._window())
        if not counts.nnz:
            raise DataError(
                "No training history has two different items, so nothing says which items belong together.",
                where=f"encoder '{self.name}'",
                expected="histories of two items or more",
                hint="Use more interactions, or an encoder that reads only text, such as 'lsa'.",
            )
        self._item_ids = [ids[n] for n in order]
        self._vectors = self._learn(counts)

    @abstractmethod
    def _window(self) -> int:
        """Largest distance of a pair."""

    @abstractmethod
    def _learn(self, counts: csr_matrix) -> np.ndarray:
        """Vectors ``(n, dim)`` float32 from symmetric counts ``(n, n)`` of pairs, weighted by 1/distance."""

    def _encode(self, catalog: Catalog) -> np.ndarray:
        row_of = {item: row for row, item in enumerate(self._item_ids)}
        rows = np.array([row_of.get(item, -1) for item in catalog.item_ids.tolist()], dtype=np.int64)
        vectors = np.zeros((len(rows), self._vectors.shape[1]), dtype=np.float32)
        vectors[rows >= 0] = self._vectors[rows[rows >= 0]]
        return vectors

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The vectors and the ids of the items they belong to."""
        return {"vectors": self._vectors}, {"item_ids": self._item_ids}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._vectors = tensors["vectors"]
        self._item_ids = list(rest["item_ids"])


class CooccurrenceEncoder(PairEncoder[CooccurrenceSettings]):
    """Truncated SVD of windowed co-occurrence counts, rows scaled by the root of the singular values, unit length.

    Each pair of items at distance d ≤ window in a training history adds 1/d in both directions; pairs of an item
    with itself do not count.

    Levy, Goldberg: Neural Word Embedding as Implicit Matrix Factorization, 2014; smoothing and scaling from Levy,
    Goldberg, Dagan: Improving Distributional Similarity, 2015 (https://aclanthology.org/Q15-1016).
    """

    name: ClassVar[str] = "cooccurrence"
    settings_type: ClassVar[type[Settings]] = CooccurrenceSettings

    def _window(self) -> int:
        return self.settings.window

    def _learn(self, counts: csr_matrix) -> np.ndarray:
        u, s, _ = truncated_svd(_weighed(counts, self.settings), self.settings.dim, seed=self.settings.seed)
        return normalize_rows(u * np.sqrt(s)) if len(s) else np.zeros((counts.shape[0], 1), dtype=np.float32)


def count_pairs(items: np.ndarray, offsets: np.ndarray, n_items: int, window: int) -> csr_matrix:
    """Symmetric co-occurrence counts, weighted by 1/distance.

    Args:
        items: ``(n_rows,)`` positions, users end to end.
        offsets: ``(n_users + 1,)``; user ``u`` owns rows ``offsets[u]:offsets[u + 1]``.
        n_items: Number of items.
        window: Largest distance of a pair.

    Returns:
        ``(n_items, n_items)`` float64 with an empty diagonal.
    """
    from scipy.sparse import coo_matrix, csr_matrix

    users = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    total = csr_matrix((n_items, n_items), dtype=np.float64)
    for distance in range(1, min(window, len(items) - 1) + 1):
        left, right = items[:-distance], items[distance:]
        pair = (users[:-distance] == users[distance:]) & (left != right)
        if not pair.any():
            continue
        ones = np.ones(np.count_nonzero(pair))  # whole numbers: sums are exact in any order of the users
        counts = coo_matrix((ones, (left[pair], right[pair])), shape=total.shape).tocsr()
        total = total + (counts + counts.T) * (1.0 / distance)
    total.sort_indices()
    return total


def _weighed(counts: csr_matrix, settings: CooccurrenceSettings) -> csr_matrix:
    """Counts as association: from p(i, j) / (p(i) p(j)), or from the counts alone.

    The context probability p(j) is made of counts to the power of ``smoothing``.
    """
    result = counts.copy()
    if settings.weighting == "log":
        result.data = np.log1p(counts.data)
        return result
    sums = np.asarray(counts.sum(axis=1)).ravel()
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    context = sums**settings.smoothing
    ratio = counts.data * context.sum() / (sums[rows] * context[counts.indices])
    result.data = np.maximum(0.0, np.log(ratio)) if settings.weighting == "ppmi" else np.log1p(ratio)
    result.eliminate_zeros()
    return result
