"""Expansion, filters and choice of beams in one pass over the children, compiled for the CPU by Numba.

As tensor operations, the bookkeeping of one level is some twenty calls on a few thousand numbers each, and nearly all
of their time is the calls themselves. It comes to a tenth of a search for one user. Compiled, it is one call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec.compiling import Array, compiled


@compiled
def _place(numbers: Array, number: int) -> int:
    """How many of some sorted numbers are below ``number``; NumPy's own takes a second to compile."""
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _total(logits: Array, code: Array, first: int, last: int, dead: Array, at: int) -> float:
    """Log-sum-exp of the logits of the children ``first`` to ``last`` that are not dead."""
    highest, total, skip = -np.inf, 0.0, at
    for child in range(first, last):
        if skip < len(dead) and dead[skip] == child:
            skip += 1
        else:
            highest = max(highest, logits[code[child]])
    if highest == -np.inf:
        return 0.0
    skip = at
    for child in range(first, last):
        if skip < len(dead) and dead[skip] == child:
            skip += 1
        else:
            total += np.exp(logits[code[child]] - highest)
    return float(highest + np.log(total))


@compiled
def _sink(keys: Array, order: Array, nodes: Array, size: int, at: int, key: Any, place: int, node: int) -> None:
    """Put a candidate into a heap whose root comes last of all, at ``at`` or below, where a place is free.

    A candidate comes after another one that is better, or as good and found before it.
    """
    while True:
        last = 2 * at + 1
        if last >= size:
            break
        other = last + 1
        if other < size and (keys[other] < keys[last] or (keys[other] == keys[last] and order[other] > order[last])):
            last = other
        if keys[last] > key or (keys[last] == key and order[last] < place):
            break
        keys[at], order[at], nodes[at] = keys[last], order[last], nodes[last]
        at = last
    keys[at], order[at], nodes[at] = key, place, node


@compiled
def _heapify(keys: Array, order: Array, nodes: Array, size: int) -> None:
    for at in range(size // 2 - 1, -1, -1):
        _sink(keys, order, nodes, size, at, keys[at], order[at], nodes[at])


@compiled
def _sort(keys: Array, order: Array, nodes: Array, size: int) -> None:
    """A heap, best first."""
    root = np.int64(0)
    for end in range(size - 1, 0, -1):  # the last of all goes to the end, again and again
        key, place, node = keys[end], order[end], nodes[end]
        keys[end], order[end], nodes[end] = keys[0], order[0], nodes[0]
        _sink(keys, order, nodes, end, root, key, place, node)


@compiled
def _best_children(
    logits: Array,
    totals: Array,
    among_children: bool,
    scores: Array,
    nodes: Array,
    start: Array,
    code: Array,
    forbidden: Array,
    known: Array,
    bounds: Array,
    bases: Array,
    keys: Array,
    order: Array,
    found: Array,
) -> int:
    """How many children of one user's beams were chosen; ``keys``, ``order`` and ``found`` hold them, best first.

    The arguments are those of :func:`choose` for one user; ``bases`` gets what the scores of the children begin with.
    """
    width, beams, enough = len(keys), len(scores), np.float32(-np.inf)
    root = size = seen = np.int64(0)  # no literal: what is called would be compiled for that, too
    for beam in range(beams):
        if scores[beam] == -np.inf:
            continue
        first, last = start[nodes[beam]], start[nodes[beam] + 1]
        skip, added = _place(forbidden, first), _place(known, first)
        taken = totals[beam]
        if among_children:
            taken = np.float32(_total(logits[beam], code, first, last, forbidden, skip))
        so_far = np.float32(scores[beam] - taken)
        bases[beam] = so_far
        for child in range(first, last):
            if skip < len(forbidden) and forbidden[skip] == child:
                skip += 1
                continue
            key = np.float32(so_far + logits[beam, code[child]])
            while added < len(known) and known[added] < child:
                added += 1
            if added < len(known) and known[added] == child:
                key = np.float32(key + bounds[added])
            if key > enough:
                if size < width:
                    keys[size], order[size], found[size] = key, seen * beams + beam, child
                    size += 1
                    if size == width:
                        _heapify(keys, order, found, width)
                        enough = keys[0]
                else:
                    _sink(keys, order, found, width, root, key, seen * beams + beam, np.int64(child))
                    enough = keys[0]
                seen += 1
    if size < width:
        _heapify(keys, order, found, size)
    _sort(keys, order, found, size)
    return int(size)


@compiled
def choose(
    logits: Array,
    totals: Array,
    among_children: bool,
    scores: Array,
    nodes: Array,
    start: Array,
    code: Array,
    dead: Array,
    n_dead: Array,
    known: Array,
    bounds: Array,
    n_known: Array,
    width: int,
) -> tuple[Array, Array, Array, Array, Array]:
    """The best children of all beams of every user, best first.

    Args:
        logits: ``(users, beams, codebook_size)`` float32 of the level.
        totals: ``(users, beams)`` float32, what is taken from them; not read ``among_children``.
        among_children: Take the log-sum-exp of the living children instead.
        scores: ``(users, beams)`` float32 of the beams so far, -inf for one that is no more.
        nodes: ``(users, beams)`` int64 nodes of the level before.
        start: ``(n_parents + 1,)`` their children, see :class:`~genrec.decoding.device_trie.DeviceTrie`.
        code: ``(n_nodes,)`` of the level.
        dead: ``(users, n)`` int32 nodes of the level that must not be chosen, sorted.
        n_dead: ``(users,)`` how many there are.
        known: ``(users, n)`` int32 nodes of the level for which a prior says something, sorted.
        bounds: ``(users, n)`` float32 what it adds to the score there, for the order alone.
        n_known: ``(users,)`` how many there are.
        width: How many to choose.

    Returns:
        What the chosen are ordered by and their scores (float32, -inf where there are fewer), their nodes, their codes
        and the beams that they continue (int64, 0 where there are fewer), ``(users, width)`` each.
    """
    users, beams = scores.shape
    keys, gained = np.full((users, width), np.float32(-np.inf)), np.full((users, width), np.float32(-np.inf))
    chosen, codes = np.zeros((users, width), dtype=np.int64), np.zeros((users, width), dtype=np.int64)
    parents, order, bases = np.zeros_like(codes), np.empty(width, np.int64), np.empty(beams, np.float32)
    for user in range(users):
        own = logits[user], totals[user], among_children, scores[user], nodes[user], start, code
        lists = dead[user, : n_dead[user]], known[user, : n_known[user]], bounds[user], bases
        size = _best_children(*own, *lists, keys[user], order, chosen[user])
        for place in range(size):
            codes[user, place], parents[user, place] = code[chosen[user, place]], order[place] % beams
            logit = logits[user, parents[user, place], codes[user, place]]
            gained[user, place] = np.float32(bases[parents[user, place]] + logit)
    return keys, gained, chosen, codes, parents


@compiled
def once(leaves: Array, dead: Array, n_dead: Array) -> None:
    """Numbers once each, without the negative ones.

    Args:
        leaves: ``(users, n)`` int32, sorted.
        dead: ``(users, n)`` int32, written.
        n_dead: ``(users,)`` int64, written: how many there are.
    """
    for user in range(len(leaves)):
        count = 0
        for leaf in leaves[user]:
            if leaf >= 0 and (not count or dead[user, count - 1] != leaf):
                dead[user, count] = leaf
                count += 1
        n_dead[user] = count


@compiled
def dead_parents(below: Array, n_below: Array, start: Array, dead: Array, n_dead: Array) -> None:
    """Nodes whose children are all dead.

    Args:
        below: ``(users, n)`` int32 dead nodes of one level, sorted.
        n_below: ``(users,)`` how many there are.
        start: ``(n_parents + 1,)`` children of the level above.
        dead: ``(users, n)`` int32, written: dead nodes of the level above, sorted.
        n_dead: ``(users,)`` int64, written: how many there are.
    """
    for user in range(len(below)):
        count, place = 0, 0
        while place < n_below[user]:
            parent = _place(start, below[user, place] + 1) - 1
            held = place
            while place < n_below[user] and below[user, place] < start[parent + 1]:
                place += 1
            if place - held == start[parent + 1] - start[parent]:
                dead[user, count] = parent
                count += 1
        n_dead[user] = count


@compiled
def known_parents(
    below: Array,
    best_below: Array,
    held_below: Array,
    n_below: Array,
    start: Array,
    nodes: Array,
    best: Array,
    held: Array,
    n: Array,
) -> None:
    """Nodes above those for which a prior says something.

    Args:
        below: ``(users, n)`` int32 known nodes of one level, sorted.
        best_below: ``(users, n)`` float32, the most that is added to a known leaf below each.
        held_below: ``(users, n)`` int32 known leaves below each.
        n_below: ``(users,)`` how many nodes there are.
        start: ``(n_parents + 1,)`` children of the level above.
        nodes: ``(users, n)`` int32, written: those of the level above, sorted.
        best: ``(users, n)`` float32, written: the same for them.
        held: ``(users, n)`` int32, written: the same for them.
        n: ``(users,)`` int64, written: how many there are.
    """
    for user in range(len(below)):
        count, place = 0, 0
        while place < n_below[user]:
            parent = _place(start, below[user, place] + 1) - 1
            highest, leaves = best_below[user, place], held_below[user, place]
            place += 1
            while place < n_below[user] and below[user, place] < start[parent + 1]:
                highest = max(highest, best_below[user, place])
                leaves += held_below[user, place]
                place += 1
            nodes[user, count], best[user, count], held[user, count] = parent, highest, leaves
            count += 1
        n[user] = count


@compiled
def best_below(scores: Array, items: Array, first: Array, nodes: Array) -> Array:
    """Largest score of the items below nodes.

    Args:
        scores: ``(users, n_items)`` by catalogue position.
        items: ``(n_leaves,)`` catalogue position of every leaf.
        first: ``(n_nodes + 1,)`` first leaf under every node of the level, none without leaves.
        nodes: ``(users, n)``.

    Returns:
        ``(users, n)``.
    """
    result = np.empty(nodes.shape, dtype=scores.dtype)
    for user in range(len(nodes)):
        for place in range(nodes.shape[1]):
            node = nodes[user, place]
            highest = scores[user, items[first[node]]]
            for leaf in range(first[node] + 1, first[node + 1]):
                highest = max(highest, scores[user, items[leaf]])
            result[user, place] = highest
    return result
