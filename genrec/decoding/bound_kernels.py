"""Loops of :mod:`genrec.decoding.bounded_slots`, compiled for the CPU by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec.compiling import Array, compiled

TOP = 255
"""Largest deficit in steps; what lacks more is counted as this much."""
_TILE = 64  # codes whose deficits are turned round together


@compiled
def quantize(scores: Array, offsets: Array, tops: Array, inverse: Array, deficits: Array) -> None:
    """What every code lacks of the best of its slot, in whole steps, rounded down.

    Args:
        scores: ``(users, codes)`` float32 of all slots, one behind the other.
        offsets: ``(slots + 1,)`` where each slot begins.
        tops: ``(users, slots)`` float32 best score of each slot.
        inverse: ``(users,)`` float32 one over the step.
        deficits: ``(codes, width)`` uint8, written in the columns of users.
    """
    for slot in range(len(offsets) - 1):
        for first in range(offsets[slot], offsets[slot + 1], _TILE):
            for user in range(len(scores)):
                for code in range(first, min(first + _TILE, offsets[slot + 1])):
                    lacks = (tops[user, slot] - scores[user, code]) * inverse[user]
                    deficits[code, user] = np.uint8(np.int32(min(lacks, np.float32(TOP))))


@compiled
def _holds(items: Array, first: Any, last: Any, item: Any) -> bool:
    """Whether sorted ``items[first:last]`` have an item."""
    end = last
    while first < last:
        middle = (first + last) // 2
        if items[middle] < item:
            first = middle + 1
        else:
            last = middle
    return bool(first < end and items[first] == item)


@compiled
def _score(scores: Array, row: Array) -> Any:
    """The sum of an item's slot scores."""
    total = np.float32(0)
    for slot in range(len(row)):
        total += scores[row[slot]]
    return total


@compiled
def _shared(words: Array, values: Array, first: Any, last: Any, places: Array, profiles: Array, user: Any) -> Any:
    """The product of an item's words and a user's profile."""
    total = np.float32(0)
    for at in range(first, last):
        place = places[words[at]]
        if place >= 0:
            total += values[at] * profiles[place, user]
    return total


@compiled
def _offer(best: Array, found: Array, score: Any, item: Any) -> bool:
    """Put an item into a list, best first and equals in the order of items; whether the list has changed."""
    last = len(best) - 1
    if not score > best[last] and not (score == best[last] and score > -np.inf and item < found[last]):
        return False
    place = last
    while place > 0 and (best[place - 1] < score or (best[place - 1] == score and found[place - 1] > item)):
        place -= 1
    if place > 0 and best[place - 1] == score and found[place - 1] == item:
        return False  # known already
    for at in range(last, place, -1):
        best[at], found[at] = best[at - 1], found[at - 1]
    best[place], found[place] = score, item
    return True


@compiled
def offer_rows(
    users: Array,
    chosen: Array,
    extra: Array,
    scores: Array,
    rows: Array,
    items: Array,
    words: Any,
    weight: Any,
    forbidden: Any,
    best: Array,
    found: Array,
) -> None:
    """Put chosen items into the lists of users.

    Args:
        users: ``(n,)`` int64.
        chosen: ``(n,)`` int64 rows of the catalogue.
        extra: ``(n,)`` float32 that is added to the words.
        scores: ``(users, codes)`` float32.
        rows: ``(n_items, slots)`` int32 places of every item's codes among all slots' codes.
        items: ``(n_items,)`` int64 their positions, ascending.
        words: ``starts``, ``words`` and ``values`` of the sparse words of all positions, ``places`` of words in the
            profiles, -1 for those that nobody has, and ``profiles (n, width)`` float32.
        weight: float32 factor on words.
        forbidden: ``starts (users + 1,)`` and sorted positions that a user must not get.
        best: ``(users, k)`` float32, best first.
        found: ``(users, k)`` int64 positions.
    """
    starts, names, values, places, profiles = words
    for at in range(len(users)):
        user, row = users[at], chosen[at]
        item = items[row]
        if _holds(forbidden[1], forbidden[0][user], forbidden[0][user + 1], item):
            continue
        bonus = extra[at]
        if len(places):
            bonus += _shared(names, values, starts[item], starts[item + 1], places, profiles, user) * weight
        _offer(best[user], found[user], _score(scores[user], rows[row]) + bonus, item)


@compiled
def _sum_lacks(deficits: Array, row: Array, limits: Array, reach: Array, lacks: Array, may: Array) -> bool:
    """What an item lacks for every user, and whether it may come near for any of them."""
    first = deficits[row[0]]
    for user in range(len(lacks)):
        lacks[user] = first[user]
    for slot in range(1, len(row)):
        more = deficits[row[slot]]
        for user in range(len(lacks)):
            lacks[user] += more[user]
    near = False
    for user in range(len(lacks)):
        may[user] = limits[user]
        near |= lacks[user] <= np.int16(limits[user] + reach[user])
    return near


@compiled
def _add_words(words: Any, item: Any, shares: Array, scale: Any, lacks: Array, may: Array) -> bool:
    """Add to what an item may lack what its words make up for, and tell whether it still comes near for anybody."""
    starts, names, values, places, _ = words
    for at in range(starts[item], starts[item + 1]):
        place = places[names[at]]
        if place >= 0:
            value = np.uint16(np.int32(max(values[at], np.float32(0)) * scale)) + np.uint16(1)
            share = shares[place]
            for user in range(len(lacks)):
                product = np.uint16(np.uint16(share[user]) * np.uint16(value))
                may[user] += np.int16(np.uint16(np.uint16(product + np.uint16(255)) >> np.uint16(8)))
    near = False
    for user in range(len(lacks)):
        near |= lacks[user] <= may[user]
    return near


@compiled
def _open_to(item: Any, user: Any, spent: Array, most: Any, limits: Array, known: Any, forbidden: Any) -> bool:
    """Whether an item is scored exactly for a user, which counts; the user may be given up by it."""
    if spent[user] >= most:
        return False
    spent[user] += 1
    if spent[user] >= most:
        limits[user] = -32000
        return False
    if _holds(known[1], known[0][user], known[0][user + 1], item):
        return False
    return not _holds(forbidden[1], forbidden[0][user], forbidden[0][user + 1], item)


@compiled
def scan(
    deficits: Array,
    limits: Array,
    reach: Array,
    shares: Array,
    scale: Any,
    tops: Array,
    inverse: Array,
    spent: Array,
    most: Any,
    known: Any,
    catalogue: Any,
    best: Array,
    found: Array,
) -> None:
    """Look at the bound of every item for all users at once, and score exactly where an item may enter a list.

    Args:
        deficits: See :func:`quantize`.
        limits: ``(width,)`` int16 steps that an item without words may lack; written.
        reach: ``(width,)`` int16 upper bound of the steps that words make up for.
        shares: ``(n, width)`` uint8 upper bound of the steps that a word of the profiles makes up for, where its value
            in an item is the largest that there is.
        scale: float32 256 over the largest value.
        tops: ``(users,)`` float32 upper bound of the sum of slot scores.
        inverse: ``(users,)`` float32 one over the step.
        spent: ``(users,)`` int64 exact scores so far; written.
        most: Exact scores after which a user is given up.
        known: ``starts`` and sorted positions that were scored with what else is added, and are not looked at again.
        catalogue: ``scores``, ``rows``, ``items``, ``words``, ``weight``, ``forbidden`` of :func:`offer_rows`.
        best: As there.
        found: As there.
    """
    scores, rows, items, words, weight, forbidden = catalogue
    lacks, may = np.empty(deficits.shape[1], np.int16), np.empty(deficits.shape[1], np.int16)
    starts, names, values, places, profiles = words
    for row in range(len(rows)):
        if not _sum_lacks(deficits, rows[row], limits, reach, lacks, may):
            continue
        item = items[row]
        if len(places) and not _add_words(words, item, shares, scale, lacks, may):
            continue
        for user in range(len(scores)):
            if lacks[user] > may[user] or not _open_to(item, user, spent, most, limits, known, forbidden):
                continue
            bonus = np.float32(0)
            if len(places):
                bonus = _shared(names, values, starts[item], starts[item + 1], places, profiles, user) * weight
            if _offer(best[user], found[user], _score(scores[user], rows[row]) + bonus, item):
                steps = (tops[user] - best[user, -1]) * inverse[user] + np.float32(1)
                limits[user] = np.int16(min(max(steps, np.float32(-16000)), np.float32(16000)))
