"""The loop of :mod:`genrec.evaluation.case_labels`, compiled for the CPU by Numba."""

from __future__ import annotations

import numpy as np

from genrec.compiling import Array, compiled


@compiled
def meetings(
    starts: Array, near: Array, ends: Array, far: Array, first: Array, second: Array, left: bool, right: bool
) -> Array:
    """Whether rows of two graphs have a column in common, ``(n,)`` bool; stops at the first.

    Args:
        starts: ``(rows + 1,)`` int64 where each row of one graph begins.
        near: Its columns.
        ends: ``(rows + 1,)`` int64 the same of the other graph.
        far: Its columns.
        first: ``(n,)`` int64 rows of the one, sorted.
        second: ``(n,)`` int64 rows of the other.
        left: Go one step further from the rows of the one.
        right: The same from those of the other.
    """
    found = np.zeros(len(first), dtype=np.bool_)
    reached = np.full(len(starts) - 1, -1, dtype=np.int64)  # the row from which a column was reached last
    for pair in range(len(first)):
        source = first[pair]
        if pair == 0 or source != first[pair - 1]:
            for at in range(starts[source], starts[source + 1]):
                column = near[at]
                if left:
                    for further in range(starts[column], starts[column + 1]):
                        reached[near[further]] = source
                else:
                    reached[column] = source
        target = second[pair]
        for at in range(ends[target], ends[target + 1]):
            column = far[at]
            if right:
                for further in range(ends[column], ends[column + 1]):
                    if reached[far[further]] == source:
                        found[pair] = True
                        break
            elif reached[column] == source:
                found[pair] = True
            if found[pair]:
                break
    return found
