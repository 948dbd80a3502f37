"""The best items by slots and words without a score for every item: bounds first, exact scores where they may matter.

What a code lacks of the best code of its slot is kept as a byte in steps of the user's own size, rounded in the item's
favour, for 64 users side by side. So a bound of an item costs one cache line a slot for all of them, and most items
never come near the lists. Lists are those of :meth:`genrec.decoding.slots.SlotRanker.top`; items with equal scores
stand in the order of their positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genrec.decoding.bound_kernels import TOP, offer_rows, quantize, scan
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.prior_bounds import ItemPrior
from genrec.decoding.slots import SlotRanker, ranker_of, top_by_slots
from genrec.decoding.word_prior import Additions, additions_of
from genrec.encoders.word_matches import columns_of

_WIDTH = 64  # users side by side
_FEWEST_USERS, _ITEMS_A_PLACE, _ITEMS_A_CODE = 8, 4096, 2
"""From how many users, items for every place of a list, and items for every code on bounds are worth preparing."""
_SEEDS = 128  # items a user that are scored first, so that lists have something to compare with
_SHARE = 240  # largest share of a word: with its value it must fit into 16 bits
_GIVEN_UP, _LEAST_SCORED = 32, 4096
"""A user is given up after one part in so many of the catalogue is scored exactly, and not before so many items."""
_LEAST = 1e-3, 1e-5  # smallest step, and as a part of the scores: rounding errors are far below it


@dataclass(frozen=True)
class _Users:
    """Up to 64 users.

    Attributes:
        slots: Per level ``(users, codebook_size)`` scores.
        scores: The same side by side, ``(users, codes)``.
        words: See :func:`~genrec.decoding.bound_kernels.offer_rows`.
        weight: Factor on words.
        longest: Largest length of the word vector of an item.
        forbidden: Starts and sorted positions that a user must not get.
        known: Starts and sorted positions whose scores have more than slots and words.
    """

    slots: list[Tensor]
    scores: np.ndarray
    words: tuple[np.ndarray, ...]
    weight: np.float32
    longest: float
    forbidden: tuple[np.ndarray, np.ndarray]
    known: tuple[np.ndarray, np.ndarray]


def top_items_of_slots(
    trie: DeviceTrie,
    slots: Sequence[Tensor],
    k: int,
    *,
    prior: ItemPrior | None = None,
    forbidden: Tensor | None = None,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The ``k`` best items of a trie by the sum of slot scores and a prior, by bounds where that is faster.

    Args:
        trie: Of the catalogue, or of the part of it that is ranked.
        slots: Per level ``(users, codebook_size)`` scores.
        k: How many.
        prior: What is added.
        forbidden: ``(users, n)`` int64 positions that a user must not get, -1 for padding.
        allowed: ``(users, n)`` int64 positions that a user may get, -1 for padding; None: all.

    Returns:
        As :meth:`genrec.decoding.slots.SlotRanker.top`.
    """
    users = len(slots[0])
    additions = additions_of(prior) if allowed is None and trie.device.type == "cpu" else None
    codes = sum(slot.shape[1] for slot in slots)
    fit = users >= _FEWEST_USERS and trie.n_items >= max(k * _ITEMS_A_PLACE, codes * _ITEMS_A_CODE)
    if additions is None or not fit:
        return _by_all(trie, slots, k, prior, forbidden, allowed)
    found, best = torch.full((users, k), -1), torch.full((users, k), -torch.inf)
    left = bounded_top(trie, slots, k, additions, forbidden, found.numpy(), best.numpy())
    if len(left):
        some = torch.from_numpy(left)
        bonus = None if prior is None else prior.add_to_items(torch.zeros(users, int(trie.items.max()) + 1))[some]
        own = None if forbidden is None else forbidden[some]
        found[some], best[some] = top_by_slots(trie, [slot[some] for slot in slots], k, prior=bonus, forbidden=own)
    return found, best


def _by_all(
    trie: DeviceTrie,
    slots: Sequence[Tensor],
    k: int,
    prior: ItemPrior | None,
    forbidden: Tensor | None,
    allowed: Tensor | None,
) -> tuple[Tensor, Tensor]:
    bonus = None
    if prior is not None:
        bonus = prior.add_to_items(torch.zeros(len(slots[0]), int(trie.items.max()) + 1, device=trie.device))
    return top_by_slots(trie, slots, k, prior=bonus, forbidden=forbidden, allowed=allowed)


def bounded_top(
    trie: DeviceTrie,
    slots: Sequence[Tensor],
    k: int,
    additions: Additions,
    forbidden: Tensor | None,
    found: np.ndarray,
    best: np.ndarray,
) -> np.ndarray:
    """Write lists ``found (users, k)`` int64 and ``best (users, k)`` float32, which hold -1 and -inf before.

    Returns:
        ``(n,)`` users for whom bounds do not decide; their lists are not to be used.
    """
    ranker, left = ranker_of(trie, slots), []
    for start in range(0, len(found), _WIDTH):
        part = slice(start, min(start + _WIDTH, len(found)))
        users = np.arange(len(found))[part]
        own = [slot[part].float() for slot in slots]
        group = _group(trie, own, additions, None if forbidden is None else forbidden[part], users)
        left.append(start + _search(trie, ranker, group, additions, users, found[part], best[part]))
    return np.concatenate(left)


def _search(
    trie: DeviceTrie,
    ranker: SlotRanker,
    group: _Users,
    additions: Additions,
    users: np.ndarray,
    found: np.ndarray,
    best: np.ndarray,
) -> np.ndarray:
    """Fill the lists of a group; gives the users for whom that was too much."""
    rows, items = ranker.rows.numpy(), ranker.items.numpy()
    fixed = (group.scores, rows, items, group.words, group.weight, group.forbidden, best, found)
    mine = np.isin(additions.users, users)
    seeds, known = _seeds(trie, group, items, 2 * found.shape[1]), additions.items[mine]
    place = np.searchsorted(items, known).clip(max=len(items) - 1)
    inside = items[place] == known
    owners = (additions.users[mine] - users[0])[inside]
    offer_rows(owners, place[inside], additions.scores[mine][inside].astype(np.float32), *fixed)
    fresh = ~_in_lists(group.known, *seeds, items)
    offer_rows(seeds[0][fresh], seeds[1][fresh], np.zeros(int(fresh.sum()), dtype=np.float32), *fixed)
    full = best[:, -1] > -np.inf
    bounds = _bounds(ranker, group, np.where(full, best[:, -1], 0))
    most = max(len(items) // _GIVEN_UP, _LEAST_SCORED)
    spent = np.where(full, 0, most)
    scan(*bounds, spent, most, group.known, fixed[:-2], best, found)
    return np.flatnonzero(spent >= most)


def _group(
    trie: DeviceTrie, slots: list[Tensor], additions: Additions, forbidden: Tensor | None, users: np.ndarray
) -> _Users:
    if additions.matches is None or additions.profiles is None:
        empty = np.zeros(0, dtype=np.int32)
        nothing = np.zeros((0, _WIDTH), dtype=np.float32)
        words: tuple[np.ndarray, ...] = (empty, empty, nothing[:, 0].copy(), empty, nothing)
    else:
        vectors, used, columns = additions.matches.vectors, *columns_of(additions.profiles[users])
        places = np.full(vectors.shape[1], -1, dtype=np.int32)
        places[used] = np.arange(len(used))
        profiles = np.zeros((len(used), _WIDTH), dtype=np.float32)
        profiles[:, : len(users)] = columns
        words = (vectors.indptr, vectors.indices, vectors.data, places, profiles)
    barred = np.zeros((len(users), 0), dtype=np.int64) if forbidden is None else forbidden.numpy()
    mine = np.isin(additions.users, users)
    return _Users(
        slots,
        torch.cat(slots, dim=1).contiguous().numpy(),
        words,
        np.float32(additions.weight),
        0.0 if additions.matches is None else additions.matches.longest,
        _sorted_lists(np.repeat(np.arange(len(users)), barred.shape[1]), barred.ravel(), len(users)),
        _sorted_lists(additions.users[mine] - users[0], additions.items[mine], len(users)),
    )


def _sorted_lists(users: np.ndarray, items: np.ndarray, n_users: int) -> tuple[np.ndarray, np.ndarray]:
    """Entries by user, each user's in order, and where each user's begin, ``(n_users + 1,)``."""
    order = np.lexsort((items, users))
    return np.searchsorted(users[order], np.arange(n_users + 1)), items[order].astype(np.int64)


def _in_lists(
    lists: tuple[np.ndarray, np.ndarray], users: np.ndarray, chosen: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """Whether rows ``chosen`` are in the lists of their users."""
    starts, listed = lists
    if not len(listed):
        return np.zeros(len(users), dtype=bool)
    size = int(items[-1]) + 1
    keys = np.repeat(np.arange(len(starts) - 1), np.diff(starts)) * size + listed
    wanted = users * size + items[chosen]
    return keys[np.searchsorted(keys, wanted).clip(max=len(keys) - 1)] == wanted


def _seeds(trie: DeviceTrie, group: _Users, items: np.ndarray, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """Users and rows of items under each user's best first codes, ``(n,)`` int64 each."""
    first = trie.first_leaves[0].numpy()
    fewest = max(_SEEDS, fewest)
    many = max(1, min(len(first) - 1, -(-fewest * (len(first) - 1) // trie.n_items)))
    nodes = group.slots[0][:, trie.codes[0].long()].topk(many, dim=1).indices.numpy()
    sizes = first[nodes + 1] - first[nodes]  # (users, many)
    step = np.maximum(1, sizes.sum(1, keepdims=True) // (4 * fewest))  # large groups are sampled
    counts = -(-sizes // step)
    user = np.repeat(np.arange(len(nodes)), counts.sum(1))
    flat = counts.ravel()
    within = np.arange(int(flat.sum())) - np.repeat(np.cumsum(flat) - flat, flat)
    leaves = np.repeat(first[nodes].ravel(), flat) + within * step[user, 0]
    return user, np.searchsorted(items, trie.items.numpy()[leaves])


def _bounds(ranker: SlotRanker, group: _Users, reached: np.ndarray) -> tuple[Any, ...]:
    """What :func:`~genrec.decoding.bound_kernels.scan` compares.

    Args:
        ranker: Of the catalogue.
        group: The users.
        reached: ``(users,)`` what the last item of every list has so far.
    """
    users = len(group.scores)
    tops = torch.stack([slot.amax(1) for slot in group.slots], dim=1).numpy()
    profiles = group.words[4]
    weight = float(group.weight) * group.longest * 1.001  # of words in an item that shares them all
    lengths = weight * np.sqrt(np.square(profiles).sum(0))[:users]
    largest = weight * profiles[:, :users].max(0, initial=0)
    total = tops.sum(1, dtype=np.float64)
    least = np.maximum(_LEAST[0], _LEAST[1] * (np.abs(total) + np.abs(reached) + lengths))
    step = np.maximum(np.maximum((total + lengths - reached) / (TOP - 5), largest / (_SHARE - 1)), least)
    offsets = np.r_[0, np.cumsum(ranker.codebook_sizes)]
    deficits = np.zeros((int(offsets[-1]), _WIDTH), dtype=np.uint8)
    inverse = (1 / step).astype(np.float32)
    quantize(group.scores, offsets, tops, inverse, deficits)
    limits, reach = np.full(_WIDTH, -32000, dtype=np.int16), np.zeros(_WIDTH, dtype=np.int16)
    limits[:users] = np.clip((total - reached) / step + 1, -16000, 16000)
    reach[:users] = np.minimum(np.ceil(lengths / step) + 1, 8000)
    shares = np.zeros(profiles.shape, dtype=np.uint8)
    shares[:, :users] = np.ceil(profiles[:, :users] * (weight / step))
    scale = np.float32(256 / group.longest if group.longest else 0)
    return deficits, limits, reach, shares, scale, total.astype(np.float32), inverse
