"""What every baseline shares: fitting on the training part, and ranking by scores in chunks of users."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from genrec.baselines.ranking import TopK, tie_order
from genrec.data.histories import Histories
from genrec.errors import DataError, ModelError
from genrec.recommender import HistoriesLike, Recommendations, Recommender

_CHUNK_CELLS = 1 << 25
_CHUNK_USERS = 1024


class Baseline(Recommender):
    """A recommender that is fitted in seconds to minutes on a CPU.

    Subclasses set ``name`` and implement :meth:`fit`, which must read the training part only.
    """

    name: str
    kind: str = "baseline"
    repeats_only: ClassVar[bool] = False
    """It can only recommend items of the history, so it means something only where seen items are allowed."""
    fit_seconds: float = float("nan")
    """How long fitting took, where :func:`genrec.baselines.fit_baselines` did it."""

    @abstractmethod
    def fit(self, train: Histories, item_ids: Sequence[str] | np.ndarray) -> Self:
        """Learn from the training part.

        Args:
            train: Training sequences, nothing held out among them.
            item_ids: ``(n_items,)`` the catalogue that ``train`` points into.

        Returns:
            The baseline itself.

        Raises:
            DataError: ``train`` points outside the catalogue, or the catalogue is empty.
        """

    def recommend(
        self,
        histories: HistoriesLike,
        k: int,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] | None = None,
    ) -> Recommendations:
        """See :meth:`genrec.recommender.Recommender.recommend`.

        Raises:
            ModelError: The baseline is not fitted.
        """
        if not hasattr(self, "item_ids"):
            raise ModelError(f"The baseline '{self.name}' is not fitted.", hint="Call fit(train, item_ids) first.")
        return super().recommend(histories, k, exclude_seen=exclude_seen, allow=allow, deny=deny)


class ScoringBaseline(Baseline):
    """A baseline that gives scores; the top-k, its ties and the switches are shared.

    Order: score, then popularity in the training part (higher first), then catalogue position. An item whose score is
    ``-inf`` cannot be recommended, so fewer than ``k`` may come back.

    Subclasses implement :meth:`score` and, if they learn more than popularity, :meth:`_learn`.

    Attributes:
        popularity: ``(n_items,)`` int64, number of training interactions of every item.
    """

    popularity: np.ndarray

    def fit(self, train: Histories, item_ids: Sequence[str] | np.ndarray) -> Self:
        """See :meth:`Baseline.fit`."""
        n_items = len(item_ids)
        if not n_items:
            raise DataError("The catalogue is empty.", where=f"baseline '{self.name}'")
        if len(train.items) and not 0 <= train.items.min() <= train.items.max() < n_items:
            raise DataError(
                "The training part points outside the catalogue.",
                where=f"baseline '{self.name}'",
                expected=f"positions from 0 to {n_items - 1}",
            )
        self.__dict__.pop("_position_of", None)
        self.item_ids = np.asarray(item_ids, dtype=object)
        self.popularity = np.bincount(train.items, minlength=n_items).astype(np.int64)
        self._places = tie_order(self.popularity)
        self._learn(train)
        return self

    def _learn(self, train: Histories) -> None:
        """Learn more than popularity; ``item_ids`` and ``popularity`` are already there."""

    @abstractmethod
    def score(self, histories: Histories) -> np.ndarray | sp.sparray:
        """Scores of every item for some users, seen items included.

        Args:
            histories: A chunk of users.

        Returns:
            ``(n_users, n_items)`` float32, dense or sparse. In a sparse matrix the entries that are not stored have
            the score :meth:`background`.
        """

    def background(self) -> np.ndarray | None:
        """Score of the entries that a sparse :meth:`score` does not store.

        Returns:
            ``(n_items,)`` float32, or None: such items cannot be recommended.
        """
        return None

    def _rank(
        self, histories: Histories, k: int, exclude_seen: bool, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        top = TopK(k, self._places, self.background(), allowed)
        items = np.full((len(histories), k), -1, dtype=np.int32)
        scores = np.full((len(histories), k), -np.inf, dtype=np.float32)
        chunk = int(np.clip(_CHUNK_CELLS // len(self.item_ids), 1, _CHUNK_USERS))
        for start in range(0, len(histories), chunk):
            users = np.arange(start, min(start + chunk, len(histories)))
            part = histories.select(users)
            items[users], scores[users] = top(self.score(part), part if exclude_seen else None)
        return items, scores
