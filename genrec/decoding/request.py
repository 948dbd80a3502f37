"""What is asked of a recommender: one object from the command line down to the search."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from genrec.data.histories import Histories
from genrec.data.id_lists import listed
from genrec.errors import DataError
from genrec.wording import count

if TYPE_CHECKING:  # scipy, too: every command reads this file, and wrong calls are answered without it
    import scipy.sparse as sp

    from genrec.decoding.options import DecodingOptions
    from genrec.decoding.subtries import SubTries

Prior: TypeAlias = "Mapping[str, float] | np.ndarray | sp.sparray"
"""Item scores of a request: by item id, one vector, or one row a user, dense or sparse."""


@dataclass(frozen=True)
class Request:
    """How long lists are, what may be in them, and how they are searched for.

    People name items by their ids; a recommender puts catalogue positions in their place
    (:meth:`genrec.recommender.Recommender.resolved`), and what searches reads only these.

    Attributes:
        k: Length of a list.
        exclude_seen: Never recommend an item of the user's own history.
        allowed: Only these item ids, for everybody; resolved: ``(n_items,)`` bool. None: all.
        denied: Never these item ids; resolved: None, because ``allowed`` says it.
        within: Name of a part of the catalogue for everybody, or one name (or None) a user.
        allow_each: One collection of item ids (or None: everything) a user; resolved: arrays of positions.
        deny_each: One collection of item ids (or None: nothing) a user; resolved: arrays of positions.
        prior: Scores that are added to the model's; resolved: ``(n_items,)`` or ``(n_users, n_items)`` by position,
            sparse where users have scores for few items.
        options: How to decode; None: as the recommender does.

    Raises:
        DataError: ``k`` is below 1 or no whole number, or another field is of the wrong kind.
    """

    k: int = 10
    exclude_seen: bool = True
    allowed: Collection[str] | np.ndarray | None = None
    denied: Collection[str] | None = None
    within: str | Sequence[str | None] | None = None
    allow_each: Sequence[Collection[str] | np.ndarray | None] | None = None
    prior: Prior | None = None
    options: DecodingOptions | None = None
    deny_each: Sequence[Collection[str] | np.ndarray | None] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int | np.integer):
            raise DataError(f"k is {self.k!r}.", where="k", expected="a whole number, at least 1")
        if self.k < 1:
            raise DataError(f"k is {self.k}.", expected="at least 1")
        if not isinstance(self.exclude_seen, bool | np.bool_):
            raise DataError(f"exclude_seen is {self.exclude_seen!r}.", where="exclude_seen", expected="True or False")
        self._check_within()

    def _check_within(self) -> None:
        if self.within is None or isinstance(self.within, str):
            return
        expected = "the name of a part of the catalogue, or a list of one name (or None) a user"
        for name in listed(self.within, "within", expected):
            if name is not None and not isinstance(name, str):
                raise DataError(f"{name!r} is no name.", where="within", expected=expected)

    @property
    def beyond_filters(self) -> list[str]:
        """What is asked for that only a recommender which searches a catalogue's codes can give, by name."""
        names = ("within", "allow_each", "deny_each", "prior", "options")
        return [name for name in names if getattr(self, name) is not None]

    def of(self, users: np.ndarray) -> Request:
        """The request of some of the users, ``(n,)`` row numbers."""
        within = self.within if self.within is None or isinstance(self.within, str) else self._rows(self.within, users)
        allow, deny = (None if lists is None else self._rows(lists, users) for lists in self._each)
        prior = self.prior
        if prior is not None and not isinstance(prior, Mapping) and len(prior.shape) == 2:
            prior = prior[users]
        return replace(self, within=within, allow_each=allow, deny_each=deny, prior=prior)

    @property
    def _each(self) -> tuple[Sequence[Collection[str] | np.ndarray | None] | None, ...]:
        return self.allow_each, self.deny_each

    @staticmethod
    def _rows(values: Sequence, users: np.ndarray) -> list:  # type: ignore[type-arg]
        return [values[user] for user in users]

    def check(self, n_users: int, n_items: int) -> None:
        """Refuse what does not fit the users or the catalogue; the request is resolved.

        Raises:
            DataError: A list has another length, or the prior another shape.
        """
        for name in ("within", "allow_each", "deny_each"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str) and len(value) != n_users:
                raise DataError(
                    f"{count(len(value), 'entry')} for {count(n_users, 'user')}.", where=name, expected="one a user"
                )
        if self.prior is not None and self.scores.shape not in ((n_items,), (n_users, n_items)):
            raise DataError(
                f"A prior of shape {self.scores.shape}.", expected=f"({n_items},) or ({n_users}, {n_items})"
            )

    @property
    def scores(self) -> np.ndarray | sp.sparray:
        """The resolved prior.

        Raises:
            TypeError: It still has item ids, or there is none.
        """
        if self.prior is None or isinstance(self.prior, Mapping):
            raise TypeError("The request is not resolved: its prior has no positions.")
        return self.prior

    @property
    def mask(self) -> np.ndarray | None:
        """The resolved ``allowed``, ``(n_items,)`` bool, None for all.

        Raises:
            TypeError: It still has item ids.
        """
        if self.allowed is None or (isinstance(self.allowed, np.ndarray) and self.allowed.dtype == bool):
            return self.allowed
        raise TypeError("The request is not resolved: it allows item ids.")

    def parts(self, n_users: int, tries: SubTries) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Users that can be searched together, with the mask of what they may get; who may get nothing is left out.

        Args:
            n_users: Number of users.
            tries: Knows the named parts of the catalogue.
        """
        names: Sequence[str | None]
        if self.within is None or isinstance(self.within, str):
            names, known = [self.within] * n_users, {self.within}
        else:
            names, known = self.within, set(self.within)
        parts = {name: tries.mask(name) for name in known if name is not None}
        limited = [self.allow_each is not None and self.allow_each[user] is not None for user in range(n_users)]
        together: dict[tuple[str | None, bool], list[int]] = {}
        for user, key in enumerate(zip(names, limited, strict=True)):
            together.setdefault(key, []).append(user)
        for (name, _), users in together.items():
            masks = [mask for mask in (self.mask, None if name is None else parts[name]) if mask is not None]
            mask = np.logical_and.reduce(masks) if masks else None
            if mask is None or mask.any():
                yield np.array(users), mask

    def barred(self, histories: Histories, users: np.ndarray) -> Histories | None:
        """Items that users of one part cannot get: those of their histories, and what they are denied; None: all can.

        Args:
            histories: Of all users of the request.
            users: ``(n,)`` rows.
        """
        seen = histories.select(users) if self.exclude_seen else None
        if self.deny_each is None:
            return seen
        denied = [_positions(self.deny_each[user]) for user in users]
        lists = denied if seen is None else [np.concatenate(pair) for pair in zip(seen, denied, strict=True)]
        return Histories.from_lists(lists)

    def own_items(self, users: np.ndarray) -> np.ndarray | None:
        """Allow lists of users of one part, ``(n, longest)`` int64 padded with -1; None where they have none."""
        if self.allow_each is None:
            return None
        lists = [self.allow_each[user] for user in users]
        if any(items is None for items in lists):
            return None
        padded = np.full((len(users), max(len(items) for items in lists if items is not None)), -1, dtype=np.int64)
        for row, items in zip(padded, lists, strict=True):
            if items is not None:
                row[: len(items)] = items
        return padded


def _positions(items: Collection[str] | np.ndarray | None) -> np.ndarray:
    """A resolved list of one user, ``(n,)`` int32."""
    return np.zeros(0, dtype=np.int32) if items is None else np.asarray(items, dtype=np.int32)
