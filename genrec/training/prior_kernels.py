"""Ranks of targets among scores to which counts add a little, compiled for the CPU by Numba.

Every pair of counts and weight needs one: about a thousand for every user, and each looks at the few hundred items
that the counts know. As tensor operations this took most of the time of choosing weights.
"""

from __future__ import annotations

import numpy as np

from genrec.compiling import Array, compiled_elements


@compiled_elements
def ranks_with_counts(
    scores: Array,
    ordered: Array,
    targets: Array,
    starts: Array,
    items: Array,
    added: Array,
    weights: Array,
    ranks: Array,
) -> None:
    """Fill ``ranks`` with the expected rank under a random order of ties, from 1; 0: cannot be recommended.

    Args:
        scores: ``(users, n_items)`` float32, -inf where an item cannot be recommended.
        ordered: The same, every row ascending.
        targets: ``(users,)`` int64.
        starts: ``(users + 1,)`` where the entries of every user begin.
        items: ``(entries,)`` items that counts know.
        added: ``(entries,)`` float32 what they add.
        weights: ``(weights,)`` float32 factors on that.
        ranks: ``(weights, users)`` float64.
    """
    for user in range(len(targets)):
        target, row = targets[user], ordered[user]
        own, bonus = scores[user, target], np.float32(0)
        if own == -np.inf:
            ranks[:, user] = 0.0
            continue
        most = starts[user + 1] - starts[user]
        known, gains, n = np.empty(most, np.float32), np.empty(most, np.float32), 0
        for entry in range(starts[user], starts[user + 1]):
            score = scores[user, items[entry]]
            if items[entry] == target:
                bonus = added[entry]
            elif score > -np.inf:
                known[n], gains[n], n = score, added[entry], n + 1
        for number in range(len(weights)):
            weight = weights[number]
            mine = own + weight * bonus
            upto = np.searchsorted(row, mine, side="right")
            # the place that the target had without its own bonus is in the order, too
            above = len(row) - upto - (1 if mine < own else 0)
            equal = upto - np.searchsorted(row, mine) - (1 if mine == own else 0)
            for other in range(n):
                before = known[other]
                now = before + weight * gains[other]
                above += int(now > mine) - int(before > mine)
                equal += int(now == mine) - int(before == mine)
            ranks[number, user] = 1 + above + equal / 2
