"""From a body to asks: names become positions, bounds are checked, and what is left out is noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrec.decoding.options import DecodingOptions
from genrec.errors import GenRecError
from genrec.serving.asks import Ask, Scores
from genrec.serving.errors import of_error, wrong
from genrec.serving.schema import RecommendBody
from genrec.serving.settings import ServeSettings
from genrec.serving.users import Events, history_of
from genrec.serving.versions import Version
from genrec.wording import count

_NAMED = 20  # unknown items that a note names


@dataclass
class Read:
    """A request that can be decoded.

    Attributes:
        version: That answers it.
        asks: One a user.
        users: Names of the users, None for a history.
        notes: Of the whole request.
        of_users: Notes of every user.
        k: Length of a list.
    """

    version: Version
    asks: list[Ask]
    users: list[str | None]
    notes: list[dict[str, Any]] = field(default_factory=list)
    of_users: list[list[dict[str, Any]]] = field(default_factory=list)
    k: int = 10


class Reader:
    """Reads bodies.

    Args:
        settings: Bounds.
        events: What users did since the start.
    """

    def __init__(self, settings: ServeSettings, events: Events) -> None:
        self.settings, self.events = settings, events

    def read(self, body: RecommendBody, version: Version, place: str = "body") -> Read:
        """A request, for one version of a model. It may take long where conditions are new.

        Args:
            body: As it came.
            version: That is to answer it.
            place: Where its fields stand: ``body`` or ``query``.

        Raises:
            Refusal: A field is beyond the bounds, or the model has no such thing.
        """
        request = _OneRequest(self.settings, version, place, len(version.positions))
        histories = self._histories(body, request)
        n_users = len(histories)
        options = request.options(body)
        if options is None:
            request.refuse_what_searches(body)
        shared: dict[str, Any] = {"k": request.at_most(body.k, self.settings.max_k, "k")}
        shared |= {"exclude_seen": body.exclude_seen, "options": options, "part": request.part(body)}
        shared |= {"prior": request.prior(body.prior), "explain": body.explain}
        allow, deny = request.allowed(body.allow), request.listed(body.deny, "deny")
        each = {name: request.per_user(getattr(body, name), n_users, name) for name in ("allow_each", "deny_each")}
        within = request.within(body.within, n_users)
        asks = [
            Ask(
                history,
                allow=_both(allow, own),
                deny=_either(deny, denied),
                within=name,
                **shared,
            )
            for history, own, denied, name in zip(histories, each["allow_each"], each["deny_each"], within, strict=True)
        ]
        named: list[str | None] = [body.user] * n_users if body.users is None else list(body.users)
        return Read(version, asks, named, request.notes, request.of_users, body.k)

    def _histories(self, body: RecommendBody, request: _OneRequest) -> list[np.ndarray]:
        users = body.users if body.users is not None else None if body.user is None else [body.user]
        if users is not None:
            request.at_most(len(users), self.settings.max_users, "users", "users")
            return [self._of_user(user, request) for user in users]
        lists = body.histories if body.histories is not None else [body.history or []]
        request.at_most(len(lists), self.settings.max_users, "histories", "histories")
        where = "history" if body.histories is None else "histories"
        return [request.history(items, where) for items in lists]

    def _of_user(self, user: str, request: _OneRequest) -> np.ndarray:
        version = request.version
        found = history_of(user, version.users, self.events, version.positions, self.settings.max_history)
        notes: list[dict[str, Any]] = []
        request.of_users.append(notes)
        if found is None:
            notes.append(_note("unknown_user", "Nobody of this name is known: the history is empty.", "user"))
            return np.zeros(0, dtype=np.int32)
        if found[1]:
            notes.append(_unknown(found[1], "events"))
        return found[0]


class _OneRequest:
    """Reads the fields of one request; ``notes`` and ``of_users`` say what was left out."""

    def __init__(self, settings: ServeSettings, version: Version, place: str, n_items: int) -> None:
        self.settings, self.version, self.place, self.n_items = settings, version, place, n_items
        self.notes: list[dict[str, Any]] = []
        self.of_users: list[list[dict[str, Any]]] = []

    def at_most(self, number: int, most: int, name: str, what: str = "") -> int:
        """A number within its bound."""
        if number > most:
            raise wrong(f"{name} is {number:,}{what and f' {what}'}: this service allows {most:,}.", self.place, name)
        return number

    def history(self, items: Sequence[str], where: str) -> np.ndarray:
        """Positions of a history that was given, ``(n,)`` int32."""
        self.at_most(len(items), self.settings.max_history, where, "items")
        known, unknown = self._known(items)
        notes: list[dict[str, Any]] = [_unknown(unknown, where)] if unknown else []
        if not len(known):
            notes.append(_note("empty_history", "No item of the history is known: it is read as empty.", where))
        self.of_users.append(notes)
        return known

    def listed(self, items: Sequence[str] | None, name: str) -> np.ndarray | None:
        """Positions of a list of items, ``(n,)`` int32; those that the catalogue does not have are noted."""
        if items is None:
            return None
        self.at_most(len(items), self.settings.max_list, name, "items")
        known, unknown = self._known(items)
        if unknown:
            self.notes.append(_unknown(unknown, name))
        return known

    def allowed(self, items: Sequence[str] | None, name: str = "allow") -> np.ndarray | None:
        """The same for items that alone may come: it must hold one that is known, or none at all."""
        known = self.listed(items, name)
        if items and known is not None and not len(known):
            raise wrong("No item of the allow list is in the catalogue.", self.place, name)
        return known

    def per_user(self, lists: Sequence[Sequence[str] | None] | None, n_users: int, name: str) -> list[Any]:
        """One list (or None) a user."""
        if lists is None:
            return [None] * n_users
        self._one_a_user(len(lists), n_users, name)
        self.at_most(sum(len(one) for one in lists if one), self.settings.max_list, name, "items")
        return [self.listed(one, name) for one in lists]

    def within(self, names: str | Sequence[str | None] | None, n_users: int) -> list[str | None]:
        """One named part (or None) a user."""
        each = [names] * n_users if names is None or isinstance(names, str) else list(names)
        self._one_a_user(len(each), n_users, "within")
        for name in set(each) - {None, *self.version.parts}:
            known = ", ".join(self.version.parts) or "none has a name"
            raise wrong(f"Unknown part of the catalogue '{name}'. Known: {known}.", self.place, "within")
        return each

    def options(self, body: RecommendBody) -> DecodingOptions | None:
        """How to decode; None: the model does not search."""
        changes = body.changes()
        if self.version.options is None and not changes:
            return None
        said = dict(changes)
        self.at_most(said.get("beams", 1), self.settings.max_beams, "beams")
        if said.get("exact") and not self.version.scores_all and self.n_items > self.settings.max_exact_items:
            most = self.settings.max_exact_items
            raise wrong(f"Every item is scored only for catalogues up to {count(most, 'item')}.", self.place, "exact")
        try:
            options = self.version.changed_options(changes)
        except GenRecError as error:
            raise of_error(error, self.place, *[name for name, _ in changes][:1]) from None
        levels = self.version.levels
        if options.max_per_prefix is not None and levels is not None and options.prefix_length >= levels:
            raise wrong(f"A prefix has fewer than {count(levels, 'code')} here.", self.place, "prefix_length")
        for name, why in self.version.without_effect(options, prior=bool(body.prior)).items():
            self.notes.append(_note("no_effect", f"'{name}' changes nothing here, since {why}.", name))
        return options

    def refuse_what_searches(self, body: RecommendBody) -> None:
        """Refuse fields that only mean something for a model which searches."""
        for name in ("within", "prior"):
            if getattr(body, name) is not None:
                raise wrong("This model does not search a tree of codes, so it has no such field.", self.place, name)

    def part(self, body: RecommendBody) -> Any:
        """Items that meet the conditions; None: there are none."""
        if not body.where:
            return None
        try:
            return self.version.part(tuple(body.where))
        except GenRecError as error:
            raise of_error(error, self.place, "where") from None

    def prior(self, scores: Mapping[str, float] | None) -> Scores | None:
        """Positions and scores; items that the catalogue does not have are noted."""
        if not scores:
            return None
        self.at_most(len(scores), self.settings.max_list, "prior", "items")
        positions = self.version.positions
        known = [(position, score) for item, score in scores.items() if (position := positions.get(item)) is not None]
        if len(known) < len(scores):
            self.notes.append(_unknown([item for item in scores if item not in positions], "prior"))
        known.sort()
        return (
            np.array([position for position, _ in known], dtype=np.int32),
            np.array([score for _, score in known], dtype=np.float32),
        )

    def _known(self, items: Iterable[str]) -> tuple[np.ndarray, list[str]]:
        positions = self.version.positions
        found = [positions.get(item, -1) for item in items]
        known = np.array([position for position in found if position >= 0], dtype=np.int32)
        return known, [item for item, position in zip(items, found, strict=True) if position < 0]

    def _one_a_user(self, given: int, n_users: int, name: str) -> None:
        if given != n_users:
            raise wrong(f"{count(given, 'entry', 'entries')} for {count(n_users, 'user')}.", self.place, name)


def _both(allow: np.ndarray | None, own: np.ndarray | None) -> np.ndarray | None:
    """What two allow lists both allow."""
    if allow is None or own is None:
        return own if allow is None else allow
    return np.intersect1d(allow, own)


def _either(deny: np.ndarray | None, own: np.ndarray | None) -> np.ndarray | None:
    """What one of two deny lists denies."""
    if deny is None or own is None:
        return own if deny is None else deny
    return np.union1d(deny, own)


def _unknown(items: Sequence[str], where: str) -> dict[str, Any]:
    distinct = list(dict.fromkeys(items))
    message = f"{count(len(distinct), 'item')} of '{where}' not in the catalogue: left out."
    return {**_note("unknown_items", message, where), "items": [one[:200] for one in distinct[:_NAMED]]}


def _note(code: str, message: str, where: str) -> dict[str, Any]:
    return {"code": code, "message": message, "where": where, "items": None}


def short(found: int, k: int) -> dict[str, Any]:
    """The note of a list that is shorter than it was to be."""
    return _note("fewer_than_k", f"{found} of {count(k, 'item')}: no more are allowed for this user.", "k")
