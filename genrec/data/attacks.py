"""Injected users who push items: for curves of robustness, and for training against such attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError

Attack = Literal["random", "bandwagon"]
ATTACKS: tuple[Attack, ...] = get_args(Attack)


@dataclass(frozen=True)
class Attacked:
    """Histories with injected users behind the real ones.

    Attributes:
        histories: All of them; without timestamps.
        fake: ``(n_users,)`` bool.
        targets: ``(n,)`` int32 items that are pushed.
    """

    histories: Histories
    fake: np.ndarray
    targets: np.ndarray


def fake_histories(
    n_users: int,
    n_items: int,
    targets: np.ndarray,
    *,
    attack: Attack = "random",
    popularity: np.ndarray | None = None,
    lengths: Sequence[int] | np.ndarray = (10,),
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Histories in which every second item is one that is pushed; the others hide it.

    Args:
        n_users: How many.
        n_items: Size of the catalogue.
        targets: ``(n,)`` items that are pushed; each user pushes one.
        attack: ``random``: hidden among random items; ``bandwagon``: among popular ones, so that what follows them
            becomes the pushed item.
        popularity: ``(n_items,)`` counts, for ``bandwagon``.
        lengths: Lengths to draw from; at least 2 items each.
        rng: Of all draws.

    Raises:
        ConfigError: Unknown attack, or no popularity for ``bandwagon``.
    """
    if attack not in ATTACKS:
        raise ConfigError(f"Unknown attack '{attack}'.", expected=", ".join(ATTACKS))
    if attack == "bandwagon" and popularity is None:
        raise ConfigError("The attack 'bandwagon' needs the popularity of the items.")
    weights = np.ones(n_items) if popularity is None or attack == "random" else popularity.astype(np.float64)
    made = []
    for user in range(n_users):
        length = max(2, int(rng.choice(np.asarray(lengths))))
        items = rng.choice(n_items, length, p=weights / weights.sum())
        items[1::2] = targets[user % len(targets)]
        made.append(items.astype(np.int32))
    return made


def inject(
    histories: Histories,
    n_items: int,
    share: float,
    *,
    attack: Attack = "random",
    targets: int = 1,
    seed: int = 0,
) -> Attacked:
    """Add users who push unpopular items.

    Args:
        histories: Of the training part.
        n_items: Size of the catalogue.
        share: Injected users as a share of the real ones.
        attack: See :func:`fake_histories`.
        targets: How many items are pushed, drawn from the least popular half.
        seed: Same seed, same attack.

    Raises:
        ConfigError: Unknown attack, or a negative share.
        DataError: Nobody is there.

    Example:
        >>> found = inject(Histories.from_lists([[0, 1], [1, 2]]), 4, 0.5, seed=1)
        >>> found.fake.tolist()
        [False, False, True]
    """
    if share < 0:
        raise ConfigError(f"The share of injected users is {share}.", expected="0 or more")
    if not len(histories):
        raise DataError("There are no users to hide among.", where="attack")
    rng = np.random.default_rng([seed, 11])
    popularity = np.bincount(histories.items, minlength=n_items)
    rare = np.argsort(popularity, kind="stable")[: max(targets, n_items // 2)]
    pushed = np.sort(rng.choice(rare, targets, replace=False)).astype(np.int32)
    lengths = histories.lengths[histories.lengths > 1]
    count = round(share * len(histories))
    settings = {"attack": attack, "popularity": popularity, "lengths": lengths if len(lengths) else (2,)}
    made = fake_histories(count, n_items, pushed, rng=rng, **settings)  # type: ignore[arg-type]
    ids = np.array([*histories.user_ids.tolist(), *(f"attack-{n}" for n in range(count))], dtype=object)
    offsets = np.r_[histories.offsets, histories.offsets[-1] + np.cumsum([len(row) for row in made], dtype=np.int64)]
    items = np.concatenate([histories.items, *made]).astype(np.int32)
    fake = np.arange(len(ids)) >= len(histories)
    return Attacked(Histories(ids, offsets.astype(np.int64), items), fake, pushed)
