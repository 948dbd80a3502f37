"""The one interface of everything that ranks items: generative models and baselines alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts.kinds import RECOMMENDER
from genrec.config import parse
from genrec.data.histories import Histories
from genrec.data.id_lists import as_numbers, listed, positions_of_lists, positions_of_set
from genrec.data.naming import ColumnNames
from genrec.decoding.options import DecodingOptions
from genrec.decoding.request import Prior, Request
from genrec.errors import ArtifactError, ConfigError, DataError
from genrec.explanation import Explanations
from genrec.recommendations import Recommendations
from genrec.wording import count

HistoriesLike = Histories | Sequence[Sequence[str]]

MANIFEST = RECOMMENDER
"""The file that makes a folder a saved recommender."""

__all__ = ["MANIFEST", "HistoriesLike", "Recommendations", "Recommender"]


class Recommender(ABC):
    """Ranks the items of one catalogue for users' histories.

    Subclasses set ``name`` and ``item_ids`` and implement :meth:`_rank`.
    """

    name: str
    kind: str = "generative"
    """``generative`` or ``baseline``: how reports file it."""
    searches: bool = False
    """Whether requests may ask for more than filters: see :attr:`genrec.decoding.request.Request.beyond_filters`."""
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
        within: str | Sequence[str | None] | None = None,
        allow_each: Sequence[Collection[str] | None] | None = None,
        prior: Prior | None = None,
        options: DecodingOptions | Mapping[str, Any] | None = None,
    ) -> Recommendations:
        """The ``k`` best items of every history.

        Args:
            histories: :class:`Histories` over this catalogue, or lists of item ids, oldest first.
            k: Length of a list; fewer come back where fewer items are allowed, never fillers.
            exclude_seen: Never recommend an item of the user's own history.
            allow: Only these item ids may be recommended (None: all).
            deny: These item ids are never recommended.
            within: Of recommenders that search, like all that follows: see
                :meth:`genrec.generative.GenerativeRecommender.recommend`.
            allow_each: One collection of item ids a user.
            prior: Scores that are added.
            options: How to decode.

        Returns:
            Distinct real items, ranked; one row per history.

        Raises:
            DataError: An item id that the catalogue does not have, ``k`` below 1, or an argument of another kind.
            ConfigError: An argument that this recommender does not have, or a wrong option.
        """
        request = Request(k, exclude_seen, allow, deny, within, allow_each, prior, options=_checked(options))
        return self.answer(histories, request)

    def answer(self, histories: HistoriesLike, request: Request) -> Recommendations:
        """The same for a request that is made once and asked often; :meth:`recommend` is the short form of it.

        Args:
            histories: :class:`Histories` over this catalogue, or lists of item ids, oldest first.
            request: What is asked for.

        Raises:
            DataError: An item id that the catalogue does not have, or something that does not fit the users.
            ConfigError: The recommender has no such thing.
        """
        if request.beyond_filters and not self.searches:
            raise ConfigError(
                f"A {self.kind if self.kind == 'baseline' else 'recommender that does not search'} has no "
                f"{' and no '.join(request.beyond_filters)}.",
                expected="k, exclude_seen, allow and deny",
                hint="For parts of the catalogue, allow their items.",
            )
        known = self.known(histories)
        items, scores = self._rank(known, self.resolved(request))
        return Recommendations(items, scores, self.item_ids)

    def known(self, histories: HistoriesLike) -> Histories:
        """Histories over this catalogue.

        Raises:
            DataError: An item id, or a position, that the catalogue does not have.
        """
        known = histories if isinstance(histories, Histories) else self.to_histories(histories)
        if len(known.items) and not 0 <= known.items.min() <= known.items.max() < len(self.item_ids):
            raise DataError(
                "A history points outside the catalogue.",
                where=f"position {known.items.min() if known.items.min() < 0 else known.items.max()}",
                expected=f"positions from 0 to {len(self.item_ids) - 1}",
                hint="Build the histories with the catalogue that the recommender was made for.",
            )
        return known

    def explain(
        self,
        histories: HistoriesLike,
        items: Sequence[Collection[str]] | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] | None = None,
        within: str | Sequence[str | None] | None = None,
        allow_each: Sequence[Collection[str] | None] | None = None,
        prior: Prior | None = None,
        options: DecodingOptions | Mapping[str, Any] | None = None,
    ) -> Explanations:
        """Why the ``k`` best items of every history are recommended, or why others stand where they do.

        Args:
            histories: As in :meth:`recommend`.
            items: One collection of item ids a user that are explained in the place of the best ones.
            k: Length of a list, where ``items`` does not say it.
            exclude_seen: As in :meth:`recommend`, like the others.
            allow: As there.
            deny: As there.
            within: As there.
            allow_each: As there.
            prior: As there.
            options: As there.

        Returns:
            The parts of every score, which add up to what :meth:`recommend` gives. A recommender without parts has one.

        Raises:
            DataError: As in :meth:`recommend`; or an item cannot be recommended to the user.
        """
        request = Request(k, exclude_seen, allow, deny, within, allow_each, prior, options=_checked(options))
        return self.explain_answer(histories, request, items)

    def explain_answer(
        self, histories: HistoriesLike, request: Request, items: Sequence[Collection[str]] | None = None
    ) -> Explanations:
        """:meth:`explain` for a request that is made once and asked often.

        Raises:
            DataError: As in :meth:`explain`.
        """
        wanted = None if items is None else self._wanted(items, histories)
        found = self.answer(histories, request if wanted is None else replace(request, k=len(self.item_ids)))
        if wanted is not None:
            found = found.only(wanted)
        return Explanations(found, {self.name: np.where(found.items >= 0, found.scores, 0).astype(np.float32)})

    def _wanted(self, items: Sequence[Collection[str]], histories: HistoriesLike) -> np.ndarray:
        """``(n_users, longest)`` int32 positions of items that are to be explained, -1 for padding."""
        given = listed(items, "items", "one collection of item ids a user")
        lists = [positions_of_set(one, self.positions, f"items, user {user}") for user, one in enumerate(given)]
        if len(lists) != len(histories):
            raise DataError(
                f"Items of {count(len(lists), 'user')} for {count(len(histories), 'history')}.", where="items"
            )
        wanted = np.full((len(lists), max(map(len, lists), default=0)), -1, dtype=np.int32)
        for row, positions in zip(wanted, lists, strict=True):
            row[: len(positions)] = positions
        return wanted

    def resolved(self, request: Request) -> Request:
        """The request with catalogue positions in the place of item ids, and no more items than there are.

        Raises:
            DataError: An item id that the catalogue does not have.
        """
        allow, deny = (
            None if lists is None else self._each(lists, name)
            for name, lists in (("allow_each", request.allow_each), ("deny_each", request.deny_each))
        )
        return replace(
            request,
            k=min(request.k, len(self.item_ids)),
            allowed=self._allowed(request.allowed, request.denied),
            denied=None,
            allow_each=allow,
            deny_each=deny,
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
            folder: Written by ``save_pretrained``, or the id of a repository of the hub.
            options: See :func:`genrec.loading.load`.

        Raises:
            ArtifactError: Not a recommender, or a file is missing or damaged.
        """
        import genrec

        return genrec.load(folder, **options)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Push it to a repository of the Hugging Face hub, with a card; returns the address of the commit.

        Args:
            repo_id: ``name/repo``.
            options: See :func:`genrec.sharing.push.push_to_hub`: ``private``, ``revision``, ``license``,
                ``trained_on``, ``evaluation`` and others.

        Raises:
            ArtifactError: The hub cannot be reached, or refuses.
        """
        import genrec

        return genrec.push_to_hub(self, repo_id, **options)

    def save_pretrained(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a folder that :meth:`from_pretrained` reads.

        Raises:
            ArtifactError: This kind of recommender cannot be saved; or the folder exists.
        """
        raise ArtifactError(f"The recommender '{self.name}' cannot be saved.", where=folder)

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
        return Histories.from_lists(positions_of_lists(sequences, self.positions))

    @property
    def positions(self) -> Mapping[str, int]:
        """Catalogue position of every item id."""
        cached = self.__dict__.get("_position_of")
        if cached is None:
            cached = self.__dict__["_position_of"] = {item: n for n, item in enumerate(self.item_ids.tolist())}
        return cached

    def _each(self, lists: Sequence[Collection[str] | np.ndarray | None], name: str) -> list[np.ndarray | None]:
        """One array of positions a user, or None."""
        listed(lists, name, "one collection of item ids (or None) a user")
        return [None if one is None else self._of_user(one, f"{name}, user {user}") for user, one in enumerate(lists)]

    def _of_user(self, items: Collection[str] | np.ndarray, where: str) -> np.ndarray:
        if isinstance(items, np.ndarray) and items.dtype.kind in "iu":
            return items
        return np.array(positions_of_set(items, self.positions, where), dtype=np.int32)

    def _prior(self, prior: Prior | None) -> Prior | None:
        if isinstance(prior, Mapping):
            scores = np.zeros(len(self.item_ids), dtype=np.float32)
            scores[positions_of_set(list(prior), self.positions, "prior")] = as_numbers(list(prior.values()), "prior")
            return scores
        return prior if prior is None or hasattr(prior, "shape") else as_numbers(prior, "prior")

    def _allowed(self, allow: Collection[str] | np.ndarray | None, deny: Collection[str] | None) -> np.ndarray | None:
        denied = [] if deny is None else positions_of_set(deny, self.positions, "deny")
        if allow is None and not denied:
            return None
        masked = isinstance(allow, np.ndarray) and allow.dtype == bool
        allowed = np.array(allow) if masked else np.full(len(self.item_ids), allow is None)
        if allow is not None and not masked:
            allowed[positions_of_set(allow, self.positions, "allow")] = True
        allowed[denied] = False
        return allowed


def _checked(options: DecodingOptions | Mapping[str, Any] | None) -> DecodingOptions | None:
    if options is None or isinstance(options, DecodingOptions):
        return options
    return parse(DecodingOptions, options, where="options")
