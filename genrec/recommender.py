"""The one interface of everything that ranks items: generative models and baselines alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.data.histories import Histories
from genrec.data.id_lists import as_numbers, listed, positions_of_lists, positions_of_set
from genrec.data.naming import ColumnNames
from genrec.decoding.request import Prior, Request
from genrec.errors import DataError
from genrec.schema import Columns
from genrec.wording import count

if TYPE_CHECKING:
    import polars as pl


HistoriesLike = Histories | Sequence[Sequence[str]]

MANIFEST = "recommender.json"
"""The file that makes a folder a saved recommender."""

_SHOWN = 3  # items of a list that stand in its repr


@dataclass(frozen=True, repr=False)
class Recommendations:
    """Ranked items of many users, best first.

    Attributes:
        items: ``(n_users, k)`` int32 catalogue positions; -1, only at the end, where fewer items are allowed.
        scores: ``(n_users, k)`` float32, not increasing along a row; ``-inf`` where ``items`` is -1.
        catalogue_ids: ``(n_items,)`` object array of the item ids that the positions point into.
    """

    items: np.ndarray
    scores: np.ndarray
    catalogue_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        found = (self.items >= 0).sum(axis=1)
        short = int((found < self.items.shape[1]).sum())
        note = f", {short:,} with fewer" if short else ""
        return f"Recommendations({count(len(self), 'list')} of {self.items.shape[1]}{note}{self._first()})"

    def _first(self) -> str:
        """The best items of the first user, for people."""
        ids = self.catalogue_ids[self.items[0][self.items[0] >= 0][:_SHOWN]].tolist() if len(self) else []
        if not ids:
            return ""
        more = ", ..." if (self.items[0] >= 0).sum() > _SHOWN else ""
        return f"; the first: {', '.join(map(repr, ids))}{more}"

    @property
    def item_ids(self) -> list[list[str]]:
        """Recommended ids of every user, without fillers: row ``u`` has at most ``k`` entries."""
        return [self.catalogue_ids[row[row >= 0]].tolist() for row in self.items]

    def ranks_of(self, targets: np.ndarray) -> np.ndarray:
        """Rank of one target item a user: ``(n_users,)`` int32, from 1; 0 where the target is not in the list.

        Args:
            targets: ``(n_users,)`` catalogue positions.

        >>> lists, ids = np.array([[4, 2], [1, -1]]), np.arange(5).astype(str)
        >>> Recommendations(lists, lists.astype(np.float32), ids).ranks_of(np.array([2, 3])).tolist()
        [2, 0]
        """
        targets = np.asarray(targets)
        if targets.shape != (len(self),):
            raise DataError(f"{len(self)} lists but targets of shape {targets.shape}.", expected="one target a list")
        hits = (self.items == targets[:, None]) & (self.items >= 0)
        width = hits.shape[1]
        first = np.where(hits, np.arange(1, width + 1), width + 1).min(axis=1, initial=width + 1)
        return np.where(first > width, 0, first).astype(np.int32)

    def to_frame(self, user_ids: Sequence[str] | np.ndarray) -> pl.DataFrame:
        """Long table ``user_id, rank, item_id, score`` with ranks from 1.

        Raises:
            DataError: There are not as many user ids as lists.
        """
        import polars as pl

        if len(user_ids) != len(self):
            raise DataError(
                f"{count(len(self), 'list')} but {count(len(user_ids), 'user id')}.", expected="one user id a list"
            )
        rows, columns = np.nonzero(self.items >= 0)
        return pl.DataFrame(
            {
                Columns.User: np.asarray(user_ids, dtype=object)[rows].tolist(),
                Columns.Rank: (columns + 1).astype(np.int32),
                Columns.Item: self.catalogue_ids[self.items[rows, columns]].tolist(),
                Columns.Score: self.scores[rows, columns],
            },
            schema_overrides={Columns.User: pl.String, Columns.Item: pl.String},
        )


class Recommender(ABC):
    """Ranks the items of one catalogue for users' histories.

    Subclasses set ``name`` and ``item_ids`` and implement :meth:`_rank`.
    """

    name: str
    kind: str = "generative"
    """``generative`` or ``baseline``: how reports file it."""
    item_ids: np.ndarray
    """``(n_items,)`` object array of str: the catalogue."""
    columns: ColumnNames = ColumnNames()
    """Names of columns of the tables that it learned from, for later tables of the same kind; can be set."""

    def recommend(
        self,
        histories: HistoriesLike,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] | None = None,
    ) -> Recommendations:
        """The ``k`` best items of every history.

        Args:
            histories: :class:`Histories` over this catalogue, or lists of item ids, oldest first.
            k: Length of a list; fewer come back where fewer items are allowed, never fillers.
            exclude_seen: Never recommend an item of the user's own history.
            allow: Only these item ids may be recommended (None: all).
            deny: These item ids are never recommended.

        Returns:
            Distinct real items, ranked; one row per history.

        Raises:
            DataError: An item id that the catalogue does not have, ``k`` below 1, or an argument of another kind.
        """
        return self.answer(histories, Request(k, exclude_seen, allow, deny))

    def answer(self, histories: HistoriesLike, request: Request) -> Recommendations:
        """The same for a request that is made once and asked often; :meth:`recommend` is the short form of it.

        Args:
            histories: :class:`Histories` over this catalogue, or lists of item ids, oldest first.
            request: What is asked for.

        Raises:
            DataError: An item id that the catalogue does not have, or something that does not fit the users.
            ConfigError: The recommender has no such thing.
        """
        known = histories if isinstance(histories, Histories) else self.to_histories(histories)
        if len(known.items) and not 0 <= known.items.min() <= known.items.max() < len(self.item_ids):
            raise DataError(
                "A history points outside the catalogue.",
                where=f"position {known.items.min() if known.items.min() < 0 else known.items.max()}",
                expected=f"positions from 0 to {len(self.item_ids) - 1}",
                hint="Build the histories with the catalogue that the recommender was made for.",
            )
        items, scores = self._rank(known, self.resolved(request))
        return Recommendations(items, scores, self.item_ids)

    def resolved(self, request: Request) -> Request:
        """The request with catalogue positions in the place of item ids, and no more items than there are.

        Raises:
            DataError: An item id that the catalogue does not have.
        """
        each = None if request.allow_each is None else self._each(request.allow_each)
        return replace(
            request,
            k=min(request.k, len(self.item_ids)),
            allowed=self._allowed(request.allowed, request.denied),
            denied=None,
            allow_each=each,
            prior=self._prior(request.prior),
        )

    @classmethod
    def train(cls, *args: Any, **options: Any) -> Recommender:
        """Train a generative recommender: the same as :func:`genrec.train`."""
        import genrec

        return genrec.train(*args, **options)

    @classmethod
    def from_pretrained(cls, folder: Path | str, **options: Any) -> Recommender:
        """Load a saved recommender of any kind: the same as :func:`genrec.load`.

        Args:
            folder: Written by ``save_pretrained``.
            options: See :func:`genrec.loading.load`.

        Raises:
            ArtifactError: Not a recommender, or a file is missing or damaged.
        """
        import genrec

        return genrec.load(folder, **options)

    @abstractmethod
    def _rank(self, histories: Histories, request: Request) -> tuple[np.ndarray, np.ndarray]:
        """Rank items.

        Args:
            histories: Users' items; ALL of a user's items count as seen, even where the model reads only the newest.
            request: Resolved: ``k`` is at most ``n_items``, ``request.mask`` says what may be recommended.

        Returns:
            ``items (n_users, k)`` int32 padded with -1 and ``scores (n_users, k)`` float32 padded with -inf.
        """

    def to_histories(self, sequences: Sequence[Sequence[str]]) -> Histories:
        """Turn lists of item ids into :class:`Histories` over this catalogue.

        Raises:
            DataError: Something is no list of item ids, or an id is not in the catalogue.
        """
        return Histories.from_lists(positions_of_lists(sequences, self._positions))

    @property
    def _positions(self) -> dict[str, int]:
        cached = self.__dict__.get("_position_of")
        if cached is None:
            cached = self.__dict__["_position_of"] = {item: n for n, item in enumerate(self.item_ids.tolist())}
        return cached

    def _each(self, lists: Sequence[Collection[str] | np.ndarray | None]) -> list[np.ndarray | None]:
        """One array of positions a user (None: everything)."""
        listed(lists, "allow_each", "one collection of item ids (or None: everything) a user")
        return [
            None if one is None else self._of_user(one, f"allow_each, user {user}") for user, one in enumerate(lists)
        ]

    def _of_user(self, items: Collection[str] | np.ndarray, where: str) -> np.ndarray:
        if isinstance(items, np.ndarray) and items.dtype.kind in "iu":
            return items
        return np.array(positions_of_set(items, self._positions, where), dtype=np.int32)

    def _prior(self, prior: Prior | None) -> Prior | None:
        if isinstance(prior, Mapping):
            scores = np.zeros(len(self.item_ids), dtype=np.float32)
            scores[positions_of_set(list(prior), self._positions, "prior")] = as_numbers(list(prior.values()), "prior")
            return scores
        return prior if prior is None or hasattr(prior, "shape") else as_numbers(prior, "prior")

    def _allowed(self, allow: Collection[str] | np.ndarray | None, deny: Collection[str] | None) -> np.ndarray | None:
        denied = [] if deny is None else positions_of_set(deny, self._positions, "deny")
        if allow is None and not denied:
            return None
        masked = isinstance(allow, np.ndarray) and allow.dtype == bool
        allowed = np.array(allow) if masked else np.full(len(self.item_ids), allow is None)
        if allow is not None and not masked:
            allowed[positions_of_set(allow, self._positions, "allow")] = True
        allowed[denied] = False
        return allowed
