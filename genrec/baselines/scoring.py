"""What nearly all baselines share: popularity as the last resort, and ranking by scores in chunks of users."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from genrec.baselines.base import NOTHING_MORE, Baseline, FitInputs
from genrec.baselines.ranking import TopK, tie_order
from genrec.data.histories import Histories
from genrec.decoding.request import Request
from genrec.errors import DataError

_CHUNK_CELLS = 1 << 25
_CHUNK_USERS = 1024


class LearnedBaseline(Baseline):
    """A baseline that knows at least the popularity of items, the last resort of every tie.

    Subclasses implement :meth:`_rank` and, if they learn more than popularity, :meth:`_learn`, :meth:`_state` and
    :meth:`_load`.

    Attributes:
        popularity: ``(n_items,)`` int64, number of training interactions of every item.
    """

    popularity: np.ndarray

    def fit(self, train: Histories, item_ids: Sequence[str] | np.ndarray, inputs: FitInputs = NOTHING_MORE) -> Self:
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
        self._set_popularity(np.bincount(train.items, minlength=n_items).astype(np.int64))
        needed: dict[str, Any] = {
            "vectors": inputs.vectors if self.needs_vectors else None,
            "words": inputs.words if self.needs_words else None,
        }
        self._learn(train, replace(inputs.begin(), **needed))
        return self

    def _set_popularity(self, popularity: np.ndarray) -> None:
        self.popularity = popularity
        self._places = tie_order(popularity)

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        """Learn more than popularity; ``item_ids`` and ``popularity`` are already there."""

    def state(self) -> dict[str, np.ndarray]:
        """See :meth:`Baseline.state`."""
        return {"popularity": self.popularity, **self._state()}

    def load_state(self, tensors: Mapping[str, np.ndarray], *, device: str | None = None) -> None:
        """See :meth:`Baseline.load_state`."""
        self._set_popularity(tensors["popularity"])
        self._load(tensors, device)

    def _state(self) -> dict[str, np.ndarray]:
        """What :meth:`_learn` learned."""
        return {}

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        """Take back what :meth:`_state` gave."""

    def _chunks(self, n_users: int) -> list[np.ndarray]:
        """Users in chunks whose dense scores fit into memory."""
        size = int(np.clip(_CHUNK_CELLS // len(self.item_ids), 1, _CHUNK_USERS))
        return [np.arange(start, min(start + size, n_users)) for start in range(0, n_users, size)]


class ScoringBaseline(LearnedBaseline):
    """A baseline that gives scores; the top-k, its ties and the switches are shared.

    Order: score, then popularity in the training part (higher first), then catalogue position. An item whose score is
    ``-inf`` cannot be recommended, so fewer than ``k`` may come back.

    Subclasses implement :meth:`score` and, where it is sparse, :meth:`background`.
    """

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

    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        k, exclude_seen, allowed = request.k, request.exclude_seen, request.mask
        top = TopK(k, self._places, self.background(), allowed)
        items = np.full((len(histories), k), -1, dtype=np.int32)
        scores = np.full((len(histories), k), -np.inf, dtype=np.float32)
        for users in self._chunks(len(histories)):
            part = histories.select(users)
            items[users], scores[users] = top(self.score(part), part if exclude_seen else None)
        return items, scores
