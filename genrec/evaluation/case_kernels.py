"""The loops of :mod:`genrec.evaluation.case_labels`, compiled for the CPU by Numba."""

from __future__ import annotations

import numpy as np

from genrec.compiling import Array, compiled


@compiled
def linked(starts: Array, columns: Array, first: Array, second: Array) -> Array:
    """Whether there is an edge, pair by pair, ``(n,)`` bool.

    Args:
        starts: ``(rows + 1,)`` int64 where each row of the graph begins.
        columns: Its columns, sorted in every row.
        first: ``(n,)`` int64 rows.
        second: ``(n,)`` int64 columns.
    """
    found = np.zeros(len(first), dtype=np.bool_)
    for pair in range(len(first)):
        low, high = starts[first[pair]], starts[first[pair] + 1]
        while low < high:
            middle = (low + high) // 2
            if columns[middle] < second[pair]:
                low = middle + 1
            else:
                high = middle
        found[pair] = low < starts[first[pair] + 1] and columns[low] == second[pair]
    return found


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
        first: ``(n,)`` int64 rows of the one; equal ones side by side are read once.
        second: ``(n,)`` int64 rows of the other.
        left: Go one step further from the rows of the one.
        right: The same from those of the other.
    """
    found = np.zeros(len(first), dtype=np.bool_)
    reached = np.full(len(starts) - 1, -1, dtype=np.int32)  # the row from which a column was reached last
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
