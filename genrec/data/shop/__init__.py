"""The demo shop: a small catalogue and its shoppers, made from word lists by a seeded generator.

Everything is invented, so that it can be shipped, and written so that a person can judge recommendations by eye: after
a tent come a sleeping bag and a camp stove, of the brand that the shopper likes. :data:`RULES` says by which rules
shoppers buy, :func:`ceiling` how well a recommender could do that knew them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from genrec.artifacts import atomic_dir
from genrec.data.shop.catalogue import stock_shelf
from genrec.data.shop.shoppers import LONGEST, SHORTEST, Crowd, Rules, draw_traits
from genrec.data.tables import write_table
from genrec.errors import ConfigError
from genrec.schema import Columns
from genrec.wording import count

__all__ = ["RULES", "ceiling", "make_shop", "write_shop"]

MAX_USERS = 50_000
_CHUNK = 512
_ITEMS, _INTERACTIONS = "items.jsonl", "interactions.csv"
_R = Rules()


def _list(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def _share(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)


RULES = f"""\
The shop is synthetic: no real brand, shopper or purchase. Its rules, with the numbers of the generator:

* **Items.** 10 departments of 3 sub-categories of 5 product types; in each department 5 brands of 2 series, in one of
  three price tiers. An item is a type of one series with an option (size, material, flavour) and a colour or pack size.
* **Interests.** Shoppers like 1, 2 or 3 departments ({_share(_R.departments)} of them) and move between them: with
  {_R.stay:.0%} the next purchase stays in the department of the last one, otherwise it is in any of the shopper's
  departments. Each department goes on where it was left.
* **Complements.** Every type names three types that people buy after it (weights {_list(_R.then)}); all types of its
  sub-category share {_R.kit}; what follows the last but one type of the department counts {_R.memory} times. With
  {_R.fresh:.0%} something new begins. A durable type that the shopper has is {1 / _R.owned:.0f} times less likely.
* **Taste.** Inside a type, the shopper's favourite series of the department weighs {_R.line:g} times as much, its brand
  {_R.brand:g}, the shopper's price tier {_R.tier:g} and family of colours {_R.palette:g}. Items differ mildly in
  popularity.
* **Seasons.** In its best months a type is {_R.season:g} times as likely.
* **Repeats and noise.** {_R.repeat:.0%} of purchases repeat the last consumable exactly. {_R.noise:.0%} are any item
  at all and lead to nothing.
* **Lengths and times.** {SHORTEST} to {LONGEST} purchases a shopper, median about 11, in the two years from 2023-01-01;
  a third of them in the same visit as the one before.

Popularity says almost nothing here. Counts of which item follows which say something; the rest has to be read from what
items have in common (type, series, colour) and from purchases further back.
"""


def make_shop(*, n_items: int = 1500, n_users: int = 4000, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the two tables of the demo shop. Same arguments, same tables; users do not influence the items.

    Args:
        n_items: Number of items, 80 to 10,000.
        n_users: Number of shoppers, 1 to 50,000; about 12 purchases each.
        seed: Seed of all choices.

    Returns:
        items: ``item_id``, ``title``, ``brand``, ``categories`` (list of str, from wide to narrow), ``price``,
            ``description``; in the order of their ids, which tell nothing.
        interactions: ``user_id``, ``item_id``, ``timestamp`` (unix seconds); user by user, oldest first.

    Raises:
        ConfigError: A number is out of range.

    >>> items, interactions = make_shop(n_items=80, n_users=10)
    >>> items.columns
    ['item_id', 'title', 'brand', 'categories', 'price', 'description']
    >>> interactions.columns
    ['user_id', 'item_id', 'timestamp']
    """
    crowd, rng = _open_shop(n_items, n_users, seed)
    users, rows = [], []
    for visitors, months in crowd.visits():
        users.append(visitors)
        rows.append(crowd.buy(visitors, months, rng))
    steps = np.repeat(np.arange(len(users)), [len(step) for step in users])
    user, item = np.concatenate(users), np.concatenate(rows)
    order = np.lexsort((steps, user))
    user, item, steps = user[order], item[order], steps[order]

    items, width = crowd.shelf.frame, max(4, len(str(n_users)))
    ids, names = items[Columns.Item].to_numpy(), np.array([f"u{n:0{width}d}" for n in range(1, n_users + 1)])
    interactions = pl.DataFrame(
        {
            Columns.User: names[user].tolist(),
            Columns.Item: ids[item].tolist(),
            Columns.Timestamp: crowd.traits.times[user, steps],
        }
    )
    return items.sort(Columns.Item), interactions


def write_shop(folder: Path | str, *, n_items: int = 1500, n_users: int = 4000, seed: int = 0) -> tuple[Path, Path]:
    """Write the tables of :func:`make_shop` (``items.jsonl``, ``interactions.csv``) and a ``README.md`` of the rules.

    Same arguments, same bytes.

    Args:
        folder: Where to write; a shop that is there is replaced.
        n_items: Number of items.
        n_users: Number of shoppers.
        seed: Seed of all choices.

    Returns:
        The paths of the items and of the interactions.

    Raises:
        ConfigError: A number is out of range.
        ArtifactError: The folder holds something else.
    """
    items, interactions = make_shop(n_items=n_items, n_users=n_users, seed=seed)
    title = (
        f"# Demo shop: {count(len(items), 'item')}, {count(n_users, 'shopper')}, "
        f"{count(len(interactions), 'purchase')} (seed {seed})"
    )
    with atomic_dir(folder, overwrite=True) as work:
        write_table(items, work / _ITEMS)
        write_table(interactions, work / _INTERACTIONS)
        (work / "README.md").write_text(f"{title}\n\n{RULES}", encoding="utf-8")
    return Path(folder) / _ITEMS, Path(folder) / _INTERACTIONS


def ceiling(*, n_items: int = 1500, n_users: int = 4000, seed: int = 0, k: int = 10) -> float:
    """Hit rate at ``k`` of a recommender that knows every rule and the hidden traits of every shopper.

    It ranks all items by their true chance to be the last purchase, seen items excluded: what no model can surpass,
    up to chance, and none can reach that has to guess traits from a few purchases.

    Args:
        n_items: Number of items.
        n_users: Number of shoppers.
        seed: Seed of the shop.
        k: Length of the list.

    Returns:
        Share of shoppers whose last purchase is among the first ``k``; one that repeats an earlier purchase is a miss.

    Raises:
        ConfigError: A number is out of range.
    """
    crowd, rng = _open_shop(n_items, n_users, seed)
    hits = 0
    for step, (visitors, months) in enumerate(crowd.visits()):
        final = crowd.traits.lengths[visitors] == step + 1
        tops = [
            _top(crowd, visitors[final][begin : begin + _CHUNK], months[final][begin : begin + _CHUNK], k)
            for begin in range(0, int(final.sum()), _CHUNK)
        ]
        items = crowd.buy(visitors, months, rng)[final]
        if tops:
            hits += int((np.concatenate(tops) == items[:, None]).any(axis=1).sum())
    return hits / n_users


def _top(crowd: Crowd, users: np.ndarray, months: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` likeliest unseen items of each user, ``(n, k)`` in no order."""
    odds = np.where(crowd.bought[users], -1.0, crowd.item_odds(users, months))
    k = min(k, odds.shape[1])
    return np.argpartition(-odds, k - 1, axis=1)[:, :k]


def _open_shop(n_items: int, n_users: int, seed: int) -> tuple[Crowd, np.random.Generator]:
    if not 1 <= n_users <= MAX_USERS:
        raise ConfigError(
            f"A demo shop cannot have {count(n_users, 'user')}.", where="n_users", expected=f"1 to {MAX_USERS:,}"
        )
    if seed < 0:
        raise ConfigError(f"The seed {seed} is negative.", where="seed", expected="0 or more")
    rng = np.random.default_rng(seed)
    shelf = stock_shelf(n_items, rng)
    return Crowd(shelf, draw_traits(n_users, shelf, _R, rng), _R), rng
