"""One user's question with catalogue positions in it, and many of them put together for one search."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.decoding.options import DecodingOptions
from genrec.decoding.request import Request
from genrec.explanation import ItemExplanation
from genrec.recommender import Recommender

Scores = tuple[np.ndarray, np.ndarray]
"""Positions ``(n,)`` int32 and their scores ``(n,)`` float32."""


class Found(NamedTuple):
    """What one user gets.

    Attributes:
        items: ``(n,)`` int32 positions, best first.
        scores: ``(n,)`` float32.
        why: One explanation an item, where it was asked for.
    """

    items: np.ndarray
    scores: np.ndarray
    why: list[ItemExplanation] | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Items that meet conditions.

    Attributes:
        conditions: As they were asked for; they name the part.
        mask: ``(n_items,)`` bool.
    """

    conditions: tuple[str, ...]
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Ask:
    """What one user is to get.

    Attributes:
        history: ``(n,)`` int32 positions, oldest first.
        k: Length of the list.
        exclude_seen: Whether items of the history are left out.
        allow: ``(n,)`` int32 positions, the only ones; None: all.
        deny: ``(n,)`` int32 positions that never come; None: none.
        within: A named part of the catalogue.
        part: Items that meet conditions.
        prior: Scores that are added.
        options: How to decode; None: the recommender does not search.
        explain: Whether it is said what each part added to the scores.
    """

    history: np.ndarray
    k: int = 10
    exclude_seen: bool = True
    allow: np.ndarray | None = None
    deny: np.ndarray | None = None
    within: str | None = None
    part: Part | None = None
    prior: Scores | None = None
    options: DecodingOptions | None = None
    explain: bool = False

    @cached_property
    def kind(self) -> Hashable:
        """Asks of one kind are decoded together, and none of them gets anything else than alone.

        What would change the way of another ask through the search keeps the two apart. Options are told apart as
        objects: who reads requests makes equal ones once.
        """
        conditions = None if self.part is None else self.part.conditions
        if self.options is None:
            lists = tuple(None if one is None else one.tobytes() for one in (self.allow, self.deny))
            return self.k, self.exclude_seen, conditions, lists, self.explain
        plain = not self.options.exact and self.options.groups == 1
        width = max(self.options.beams, self.k) if plain else (self.k,)
        has = (self.allow is not None, self.prior is not None, self.explain)
        return id(self.options), width, self.exclude_seen, self.within, conditions, has


def together(asks: Sequence[Ask], n_items: int) -> tuple[Histories, Request]:
    """One request for asks of one kind.

    Args:
        asks: At least one.
        n_items: Of the catalogue.
    """
    first = asks[0]
    k = max(ask.k for ask in asks)
    allowed = None if first.part is None else first.part.mask
    histories = Histories.from_lists([ask.history for ask in asks])
    if first.options is None:
        return histories, Request(k, first.exclude_seen, _listed(first, allowed, n_items))
    denied = any(ask.deny is not None for ask in asks)
    return histories, Request(
        k,
        first.exclude_seen,
        allowed,
        within=first.within,
        allow_each=None if first.allow is None else [ask.allow for ask in asks],
        prior=None if first.prior is None else _rows([ask.prior for ask in asks], n_items),
        options=first.options,
        deny_each=[ask.deny for ask in asks] if denied else None,
    )


def decode(recommender: Recommender, asks: Sequence[Ask]) -> list[Found]:
    """What asks of one kind get, each alone in length."""
    histories, request = together(asks, len(recommender.item_ids))
    why = recommender.explain_answer(histories, request) if asks[0].explain else None
    found = recommender.answer(histories, request) if why is None else why.recommendations
    result = []
    for user, (ask, items, scores) in enumerate(zip(asks, found.items, found.scores, strict=True)):
        items, scores = items[: ask.k], scores[: ask.k]
        real = items >= 0
        result.append(Found(items[real], scores[real], None if why is None else why[user][: int(real.sum())]))
    return result


def _listed(ask: Ask, allowed: np.ndarray | None, n_items: int) -> np.ndarray | None:
    """Allow and deny lists as one mask, ``(n_items,)`` bool; None: everything."""
    if ask.allow is None and ask.deny is None:
        return allowed
    mask = np.full(n_items, ask.allow is None)
    if ask.allow is not None:
        mask[ask.allow] = True
    if ask.deny is not None:
        mask[ask.deny] = False
    return mask if allowed is None else mask & allowed


def _rows(priors: Sequence[Scores | None], n_items: int) -> sp.csr_array:
    """Priors of users, sparse ``(n_users, n_items)`` float32."""
    known = [(np.zeros(0, np.int32), np.zeros(0, np.float32)) if one is None else one for one in priors]
    starts = np.r_[0, np.cumsum([len(items) for items, _ in known])]
    items, scores = (np.concatenate(parts) for parts in zip(*known, strict=True))
    return sp.csr_array((scores, items, starts), shape=(len(known), n_items))
