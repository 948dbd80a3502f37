"""Whether words in the prompt steer a recommender: a benchmark from the catalogue's own fields.

Every user asks three times: without a wish, with a wish, and with a wish that was made for somebody else. A wish comes
from the user's history alone (a brand or category that is in it but is not its most frequent one, or a direction of the
price), never from the target. What counts is how far the list moves towards the wish, beyond the list without one. A
model that ignores words gives the same list three times. The idea is Mender's (https://arxiv.org/abs/2412.08604).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from genrec.data.histories import Histories
from genrec.data.money import numbers_of
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.search import search
from genrec.errors import ConfigError, DataError, unknown_name
from genrec.evaluation.uncertainty import Difference, paired_difference

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.generative.recommender import GenerativeRecommender

PRICES = {"cheaper": -1.0, "more expensive": 1.0}
"""Wishes about the price: their words, and the direction."""
_AT_ONCE = 32
Lists = Callable[[Histories, Sequence[str]], np.ndarray]
"""Histories and one statement each (``""`` for none) → ``(users, k)`` items, -1 where a list is shorter."""


@dataclass(frozen=True)
class Wish:
    """What a user says to like.

    Attributes:
        text: The words, as they stand in the prompt.
        agrees: ``(n_items,)`` float: how far an item is what is wished for: 1 or 0; of prices the logarithm in the
            direction of the wish. NaN where that is not known of an item.
    """

    text: str
    agrees: np.ndarray


@dataclass(frozen=True)
class Steering:
    """How far lists moved.

    Attributes:
        kind: ``brand``, ``category``, or a wish about the price.
        users: How many had a wish.
        without: Mean agreement of the lists without a wish.
        wished: Mean agreement of the lists with it.
        moved: ``wished - without``, of the same users.
        own: Agreement with the own wish minus agreement of the list with another user's wish: what only the meaning of
            the words explains, not that there are some; None where all wish the same.
    """

    kind: str
    users: int
    without: float
    wished: float
    moved: Difference
    own: Difference | None


class Wishes:
    """Makes wishes from histories, with the fields of a catalogue.

    Args:
        catalog: Items; lists count with their first entry.

    Attributes:
        kinds: What users can wish for here.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._values = {}
        for kind, names in {"brand": ("brand", "store"), "category": ("category", "categories", "genres")}.items():
            name = next((name for name in names if name in catalog.fields), None)
            if name is not None:
                self._values[kind] = _texts(catalog.frame[name])
        self._prices = np.full(len(catalog), np.nan)
        numbers = numbers_of(catalog.frame["price"]) if "price" in catalog.fields else None
        if numbers is not None:
            found = numbers.fill_null(float("nan")).to_numpy()
            self._prices = np.log(np.where(found > 0, found, np.nan))
        priced = bool(np.isfinite(self._prices).any())
        self.kinds = (*self._values, *(PRICES if priced else ()))

    def of(self, kind: str, history: np.ndarray) -> Wish | None:
        """The wish of a user, or None where the history gives none.

        Args:
            kind: One of :attr:`kinds`.
            history: ``(n,)`` catalogue positions.

        Raises:
            ConfigError: The catalogue has nothing for this kind.
        """
        if kind not in self.kinds:
            raise unknown_name("wish", kind, self.kinds, where="the catalogue's fields")
        if kind in PRICES:
            return Wish(kind, PRICES[kind] * self._prices) if np.isfinite(self._prices[history]).any() else None
        values = self._values[kind]
        mine = [values[item] for item in history if values[item]]
        ranked = sorted(dict.fromkeys(mine), key=lambda value: (-mine.count(value), mine.index(value)))
        if len(ranked) < 2:
            return None
        return Wish(f"{kind} {ranked[1]}", np.array([float(value == ranked[1]) for value in values]))


def steering(lists: Lists, wishes: Wishes, histories: Histories, kinds: Sequence[str] | None = None) -> list[Steering]:
    """How far lists move towards what users wish for, by kind.

    Args:
        lists: The recommender, such as :func:`stating`.
        wishes: Of its catalogue.
        histories: What users had before their targets.
        kinds: Which; None: all that the catalogue has.

    Raises:
        DataError: Nobody has a wish.
    """
    rows = []
    for kind in wishes.kinds if kinds is None else kinds:
        made = [wishes.of(kind, history) for history in histories]
        users = np.array([user for user, wish in enumerate(made) if wish is not None], dtype=np.int64)
        if not len(users):
            continue
        asked, own = histories.select(users), [wish for wish in made if wish is not None]
        others = _of_others(own)
        agreement = [
            _agreement(lists(asked, said), own)
            for said in ([""] * len(own), [wish.text for wish in own], [wish.text for wish in others])
        ]
        kept = np.isfinite(agreement).all(axis=0)
        without, wished, other = (one[kept] for one in agreement)
        if not len(wished):
            continue
        differ = np.array([one.text != two.text for one, two in zip(own, others, strict=True)])[kept]
        rows.append(
            Steering(
                kind,
                len(wished),
                float(without.mean()),
                float(wished.mean()),
                paired_difference(wished, without),
                paired_difference(wished[differ], other[differ]) if differ.any() else None,
            )
        )
    if not rows:
        raise DataError(
            "No user has a wish that could steer a list.",
            where="histories",
            expected="a catalogue with brands, categories or prices, and histories with two of them",
        )
    return rows


def stating(recommender: GenerativeRecommender, k: int = 10, *, beams: int | None = None) -> Lists:
    """Lists of the network alone, whose prompts state what they are told; seen items are left out.

    Args:
        recommender: Its task shows a preference.
        k: Length of the lists.
        beams: Hypotheses a user; None: as the recommender says.

    Raises:
        ConfigError: Its prompts have no place for what a user says to like.
    """
    model, index = recommender.model, recommender.index
    renderer: Any = getattr(model.reader(index, recommender.config), "renderer", None)
    if renderer is None or "preference" not in renderer.task.inputs:
        raise ConfigError(
            "The prompts of this recommender have no place for what a user says to like.",
            where="tasks",
            expected="a task with the input 'preference' first",
            hint="Train with the task next-item-preference.",
        )
    options = recommender.options.model_copy(update={"prior": None, "words": 0.0, "beams": beams or recommender.beams})
    trie, longest = DeviceTrie(index.trie, model.device), recommender.config.model.max_items

    def lists(histories: Histories, statements: Sequence[str]) -> np.ndarray:
        found = np.full((len(histories), k), -1, dtype=np.int64)
        model.eval()
        with torch.inference_mode(), model.decoding():
            for start in range(0, len(histories), _AT_ONCE):
                users = np.arange(start, min(len(histories), start + _AT_ONCE))
                some = histories.select(users)
                said = [statements[int(user)] for user in users]
                batch = renderer.render_for_generation(some.last(longest), preferences=said)
                batch = {name: value.to(model.device) for name, value in batch.items()}
                seen = torch.from_numpy(_padded(some)).to(model.device)
                items, _ = search(model, model.prefill(**batch), trie, len(users), k, options, forbidden=seen)
                found[users, : items.shape[1]] = items.cpu().numpy()
        return found

    return lists


def _texts(series: pl.Series) -> list[str]:
    first = series.list.first() if isinstance(series.dtype, pl.List) else series
    texts = [text.strip() for text in first.cast(pl.String).fill_null("").to_list()]
    return ["" if text.lower() in ("unknown", "n/a", "none") else text for text in texts]


def _of_others(wishes: Sequence[Wish]) -> list[Wish]:
    """For every user the wish of the next one who wishes for something else; the own one where all wish the same."""
    n = len(wishes)
    return [
        next((wishes[(at + step) % n] for step in range(1, n) if wishes[(at + step) % n].text != one.text), one)
        for at, one in enumerate(wishes)
    ]


def _agreement(lists: np.ndarray, wishes: Sequence[Wish]) -> np.ndarray:
    """Mean agreement of every list with its user's wish, ``(users,)``; NaN where nothing in it is known."""
    values = np.full(len(lists), np.nan)
    for user, (items, wish) in enumerate(zip(lists, wishes, strict=True)):
        known = wish.agrees[items[items >= 0]]
        if np.isfinite(known).any():
            values[user] = np.nanmean(known)
    return values


def _padded(histories: Histories) -> np.ndarray:
    longest = int(histories.lengths.max()) if len(histories) else 0
    found = np.full((len(histories), longest), -1, dtype=np.int64)
    for user, items in enumerate(histories):
        found[user, : len(items)] = items
    return found
