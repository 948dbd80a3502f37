"""The shoppers of the demo shop: their traits, and their walk through product types, brands and seasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from genrec.data.shop.catalogue import Shelf
from genrec.data.shop.words import TIERS

OPENING, DAYS, DAY = 1_672_531_200, 730, 86_400  # the shop opens on 2023-01-01 UTC, for two years
SHORTEST, LONGEST = 5, 40  # purchases of a shopper
_SHARES = np.array([[1, 0, 0], [0.62, 0.38, 0], [0.5, 0.3, 0.2]])  # of a shopper's departments, by their number


@dataclass(frozen=True)
class Rules:
    """What shoppers do, in numbers.

    Attributes:
        departments: Shares of shoppers with one, two and three departments.
        noise: Share of purchases that are presents and whims: any item, leaving no trace in later purchases.
        repeat: Share of purchases that buy the last consumable once more.
        stay: Chance to go on in the department of the purchase before; otherwise any of the shopper's departments.
        then: Weights of the three types that follow a type, as listed in ``words.yaml``.
        kit: Weight shared by all types of the same sub-category.
        memory: Weight of what follows the last but one type of the same department (the last one weighs 1).
        fresh: Chance to begin something new in the department instead of completing what was begun.
        lead: Factor of the first type of a sub-category, among beginnings.
        owned: Factor of a durable type that the shopper has already bought.
        stocked: Factor of a consumable type that the shopper has already bought.
        season: Factor of a type in its best months.
        line: Factor of the shopper's favourite series of a department.
        brand: Factor of the other series of that brand.
        tier: Factor of brands of the shopper's price tier.
        palette: Factor of the shopper's family of colours.
        again: Factor of the very same item, outside of repeats.
    """

    departments: tuple[float, float, float] = (0.2, 0.4, 0.4)
    noise: float = 0.12
    repeat: float = 0.03
    stay: float = 0.2
    then: tuple[float, float, float] = (0.55, 0.3, 0.15)
    kit: float = 0.6
    memory: float = 0.3
    fresh: float = 0.08
    lead: float = 5.0
    owned: float = 0.05
    stocked: float = 0.5
    season: float = 2.5
    line: float = 10.0
    brand: float = 3.0
    tier: float = 1.8
    palette: float = 4.0
    again: float = 0.05


@dataclass(frozen=True)
class Traits:
    """What stays the same about every shopper.

    Attributes:
        interests: ``(n_users, n_departments)`` one to three departments each; rows sum to 1.
        favourite: ``(n_users, n_departments)`` favourite line of each department.
        tier: ``(n_users,)`` price tier.
        palette: ``(n_users,)`` family of colours.
        times: ``(n_users, LONGEST)`` unix seconds, growing along a row.
        lengths: ``(n_users,)`` number of purchases.
    """

    interests: np.ndarray
    favourite: np.ndarray
    tier: np.ndarray
    palette: np.ndarray
    times: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)


def draw_traits(n_users: int, shelf: Shelf, rules: Rules, rng: np.random.Generator) -> Traits:
    """Invite shoppers: interests, tastes and the times at which they buy."""
    words = shelf.words
    n_departments = len(words.departments)
    shares = _SHARES[rng.choice(3, n_users, p=rules.departments)]
    interests = np.zeros((n_users, n_departments))
    liked = np.argsort(rng.random((n_users, n_departments)), axis=1)[:, :3]
    np.put_along_axis(interests, liked, shares[:, : liked.shape[1]], axis=1)
    interests /= interests.sum(axis=1, keepdims=True)

    tier = rng.choice(len(TIERS), n_users, p=[0.33, 0.4, 0.27])
    tiers, departments = (np.array([getattr(line, key) for line in words.lines]) for key in ("tier", "department"))
    carried = np.bincount(shelf.line_of, minlength=len(words.lines))
    appeal = carried * np.where(tier[:, None] == tiers, 4.0, 1.0)  # (n_users, n_lines)
    favourite = np.stack([_draw(appeal * (departments == d), rng) for d in range(n_departments)], axis=1)

    lengths = np.clip(np.exp(rng.normal(np.log(10.5), 0.5, n_users)).round(), SHORTEST, LONGEST).astype(np.int64)
    times = _times(lengths, rng)
    return Traits(interests, favourite, tier, rng.integers(len(words.palettes), size=n_users), times, lengths)


def _times(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Purchase times ``(n_users, LONGEST)``: a third follows within the same visit, the rest weeks apart."""
    shape = (len(lengths), LONGEST)
    gaps = np.where(rng.random(shape) < 0.35, rng.exponential(300, shape), rng.exponential(24 * DAY, shape))
    days = np.cumsum(gaps.astype(np.int64) + 30, axis=1)
    days -= days[:, :1]
    span = np.take_along_axis(days, lengths[:, None] - 1, axis=1)[:, 0]
    scale = np.minimum(1.0, (DAYS - 30) * DAY / np.maximum(span, 1))
    start = rng.random(len(lengths)) * (DAYS * DAY - span * scale - DAY)
    return OPENING + (start[:, None] + days * scale[:, None]).astype(np.int64) + np.arange(LONGEST)


def _draw(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column a row, in proportion to its weight: ``(n, m)`` to ``(n,)`` int64."""
    sums = np.cumsum(weights, axis=1)
    return (sums <= rng.random(len(sums))[:, None] * sums[:, -1:]).sum(axis=1).clip(max=weights.shape[1] - 1)


class Crowd:
    """All shoppers with what they have bought so far.

    Args:
        shelf: The items.
        traits: The shoppers.
        rules: The numbers.

    Attributes:
        bought: ``(n_users, n_items)`` bool, what each shopper has bought so far.
    """

    def __init__(self, shelf: Shelf, traits: Traits, rules: Rules) -> None:
        self.shelf, self.traits, self.rules = shelf, traits, rules
        words, n_users = shelf.words, len(traits)
        self._department_of = np.array([kind.department for kind in words.types])
        self._durable = np.array([not kind.consumable for kind in words.types])
        self._season = np.array(
            [[rules.season if month in kind.months else 1.0 for kind in words.types] for month in range(1, 13)]
        )
        self._follow, self._begin = _complements(shelf, rules)
        self._slots = _slots(shelf.type_of, len(words.types))
        self._line_tier = np.array([line.tier for line in words.lines])
        self._line_brand = np.array([line.brand_number for line in words.lines])
        # What is remembered of the past; -1 for nothing yet.
        self._recent = np.full((n_users, len(words.departments), 2), -1)  # last and last but one type of a department
        self._department = np.full(n_users, -1)  # of the last purchase
        self._owned = np.ones((n_users, len(words.types)))  # factor of each type
        self._consumable = np.full(n_users, -1)  # last consumable item
        self.bought = np.zeros((n_users, len(shelf)), dtype=bool)

    def department_odds(self, users: np.ndarray) -> np.ndarray:
        """Chance of each department for the next purchase, ``(n, n_departments)``."""
        odds = self.traits.interests[users].copy()
        known = np.flatnonzero(self._department[users] >= 0)
        odds[known] *= 1 - self.rules.stay
        odds[known, self._department[users[known]]] += self.rules.stay
        return odds

    def type_odds(self, users: np.ndarray, departments: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Chance of each product type, the department being chosen.

        Args:
            users: ``(n,)`` shoppers.
            departments: ``(n,)`` department of each.
            months: ``(n,)`` months, 0 to 11.

        Returns:
            ``(n, n_types)`` rows sum to 1.
        """
        last, before = self._recent[users, departments].T
        begin = self._begin[departments]
        # Row -1 of _follow is empty, for shoppers who have bought nothing there.
        on = self._follow[last] + self.rules.memory * self._follow[before]
        total = on.sum(axis=1, keepdims=True)
        fresh = np.where(total > 0, self.rules.fresh, 1.0)
        odds = (1 - fresh) * on / np.maximum(total, 1e-12) + fresh * begin
        odds *= self._season[months] * self._owned[users]
        return odds / odds.sum(axis=1, keepdims=True)

    def item_weights(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """How much shoppers like items, to be compared inside one product type.

        Args:
            users: ``(n,)`` shoppers.
            items: ``(n, m)`` or ``(1, m)`` items.

        Returns:
            ``(n, m)`` weights.
        """
        rules, traits = self.rules, self.traits
        line = self.shelf.line_of[items]
        departments = self._department_of[self.shelf.type_of[items]]
        favourite = traits.favourite[users[:, None], departments]
        loyalty = np.where(self._line_brand[line] == self._line_brand[favourite], rules.brand, 1.0)
        loyalty = np.where(line == favourite, rules.line, loyalty)
        tier = np.where(self._line_tier[line] == traits.tier[users, None], rules.tier, 1.0)
        palette = np.where(self.shelf.palette_of[items] == traits.palette[users, None], rules.palette, 1.0)
        again = np.where(self.bought[users[:, None], items], rules.again, 1.0)
        return self.shelf.popularity[items] * loyalty * tier * palette * again

    def item_odds(self, users: np.ndarray, months: np.ndarray) -> np.ndarray:
        """True chance of each item to be bought next, given traits and past: ``(n, n_items)``, rows sum to 1."""
        departments = self.department_odds(users)
        types = np.zeros((len(users), len(self._durable)))
        for number, share in enumerate(departments.T):
            wants = np.flatnonzero(share)
            chosen = np.full(len(wants), number)
            types[wants] += share[wants, None] * self.type_odds(users[wants], chosen, months[wants])
        weights = self.item_weights(users, np.arange(len(self.shelf))[None, :])
        firsts = np.searchsorted(self.shelf.type_of, np.arange(types.shape[1]))
        weights /= np.add.reduceat(weights, firsts, axis=1)[:, self.shelf.type_of]
        whim = self.shelf.popularity / self.shelf.popularity.sum()
        repeats = np.where(self._consumable[users] >= 0, self.rules.repeat, 0.0)
        odds = (1 - self.rules.noise - repeats)[:, None] * weights * types[:, self.shelf.type_of]
        odds += self.rules.noise * whim
        again = np.flatnonzero(repeats)
        odds[again, self._consumable[users[again]]] += repeats[again]
        return odds

    def buy(self, users: np.ndarray, months: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Let shoppers buy one item each and remember it: ``(n,)`` items."""
        mood = rng.random(len(users))
        departments = _draw(self.department_odds(users), rng)
        types = _draw(self.type_odds(users, departments, months), rng)
        slots = self._slots[types]  # (n, largest type), -1 beyond the items of a type
        weights = np.where(slots >= 0, self.item_weights(users, np.maximum(slots, 0)), 0.0)
        planned = np.take_along_axis(slots, _draw(weights, rng)[:, None], axis=1)[:, 0]
        whims = np.searchsorted(np.cumsum(self.shelf.popularity), rng.random(len(users)) * self.shelf.popularity.sum())
        whim = mood < self.rules.noise
        again = ~whim & (mood < self.rules.noise + self.rules.repeat) & (self._consumable[users] >= 0)
        items = np.where(whim, whims.clip(max=len(self.shelf) - 1), np.where(again, self._consumable[users], planned))
        self._remember(users, items, traced=~whim & ~again)
        return items

    def _remember(self, users: np.ndarray, items: np.ndarray, traced: np.ndarray) -> None:
        self.bought[users, items] = True
        types = self.shelf.type_of[items]
        durable = self._durable[types]
        self._owned[users, types] = np.where(durable, self.rules.owned, self.rules.stocked)
        self._consumable[users[~durable]] = items[~durable]
        users, types = users[traced], types[traced]
        departments = self._department_of[types]
        self._recent[users, departments, 1] = self._recent[users, departments, 0]
        self._recent[users, departments, 0] = types
        self._department[users] = departments

    def visits(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Who buys now, and in which month (0 to 11): first purchases of all shoppers, then second ones, and so on.

        The caller lets them :meth:`buy` before it asks for the next round.
        """
        for step in range(LONGEST):
            users = np.flatnonzero(self.traits.lengths > step)
            if len(users):
                months = self.traits.times[users, step].astype("datetime64[s]").astype("datetime64[M]")
                yield users, months.astype(np.int64) % 12


def _complements(shelf: Shelf, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """What follows a type ``(n_types + 1, n_types)``, the last row empty; what begins ``(n_departments, n_types)``."""
    types = shelf.words.types
    number = {kind.name: position for position, kind in enumerate(types)}
    follow = np.zeros((len(types) + 1, len(types)))
    begin = np.zeros((len(shelf.words.departments), len(types)))
    kits = np.array([[a.path[:2] == b.path[:2] for b in types] for a in types])
    follow[:-1] = rules.kit * kits / kits.sum(axis=1, keepdims=True)
    for position, kind in enumerate(types):
        begin[kind.department, position] = rules.lead if kind.leads else 1.0
        for name, weight in zip(kind.then, rules.then, strict=True):
            if name in number:  # a small shop lacks the departments of some complements
                follow[position, number[name]] += weight
    return follow, begin / begin.sum(axis=1, keepdims=True)


def _slots(type_of: np.ndarray, n_types: int) -> np.ndarray:
    """Items of every type, ``(n_types, largest)``, -1 at the end."""
    sizes = np.bincount(type_of, minlength=n_types)
    slots = np.full((n_types, sizes.max()), -1)
    slots[np.arange(sizes.max()) < sizes[:, None]] = np.arange(len(type_of))
    return slots
