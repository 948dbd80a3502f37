"""Whom a page shows: a sample of users, or of items where there are no histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.wording import count


@dataclass(frozen=True)
class Person:
    """A user of the page.

    Attributes:
        user: Name, no other's.
        history: Item ids that the recommenders see, oldest first.
        next: Item ids that came after it and that they do not see.
    """

    user: str
    history: list[str]
    next: list[str]


def sampled_people(
    histories: Histories, ids: np.ndarray, *, users: int, hold_out: int = 0, seed: int = 0
) -> list[Person]:
    """Some users, in the order of their table.

    Args:
        histories: Of many users.
        ids: ``(n_items,)`` the catalogue of the histories.
        users: At most so many.
        hold_out: Newest items of every history that are not shown to the recommenders.
        seed: Of the sample.

    Raises:
        ConfigError: No history is longer than what is held out.
    """
    enough = np.flatnonzero(histories.lengths > hold_out)
    if not len(enough):
        raise ConfigError(
            f"No history has more than {count(hold_out, 'item')}.", where="--hold-out", hint="Hold fewer items out."
        )
    chosen = np.random.default_rng(seed).choice(enough, size=min(users, len(enough)), replace=False)
    people = []
    for row in np.sort(chosen):
        items = [str(item) for item in ids[histories[row]]]
        cut = len(items) - hold_out
        people.append(Person(str(histories.user_ids[row]), items[:cut], items[cut:]))
    return people


def one_item_each(ids: np.ndarray, titles: Sequence[str], *, users: int, seed: int = 0) -> list[Person]:
    """As if some people had one item each, named after it.

    Args:
        ids: ``(n_items,)`` the catalogue.
        titles: Of every item.
        users: At most so many.
        seed: Of the sample.
    """
    chosen = np.random.default_rng(seed).choice(len(ids), size=min(users, len(ids)), replace=False)
    again = Counter(titles[item] for item in chosen)
    names = [f"after {titles[item]}" + (f" ({ids[item]})" if again[titles[item]] > 1 else "") for item in chosen]
    return [Person(name, [str(ids[item])], []) for name, item in zip(names, chosen, strict=True)]
