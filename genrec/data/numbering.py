"""Numbers for millions of hashes, by a compiled table; imported only for tables that are worth loading the compiler."""

from __future__ import annotations

import numpy as np

from genrec.compiling import Array, compiled

_SMALLEST = 1 << 16
_GROWTH = 8


def number_hashes(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number distinct hashes in order of first appearance.

    Args:
        hashes: ``(n_rows,)`` uint64.

    Returns:
        ``codes (n_rows,)`` int32, and the first row of each code, ``(n_codes,)`` int64.
    """
    codes, size = np.empty(len(hashes), dtype=np.int32), _SMALLEST
    while True:
        keys, slots = np.empty(size, dtype=np.uint64), np.full(size, -1, dtype=np.int32)
        first = np.empty(size // 2, dtype=np.int64)
        found = _number(hashes, codes, keys, slots, first)
        if found >= 0:
            return codes, first[:found].copy()
        size *= _GROWTH


@compiled
def _number(hashes: Array, codes: Array, keys: Array, slots: Array, first: Array) -> int:
    """Fill ``codes`` and ``first``; -1 where there are more hashes than ``first`` has room for."""
    mask = np.uint64(len(slots) - 1)
    found = 0
    for row in range(len(hashes)):
        at = hashes[row] & mask
        while slots[at] >= 0 and keys[at] != hashes[row]:
            at = (at + np.uint64(1)) & mask
        if slots[at] < 0:
            if found == len(first):
                return -1
            slots[at], keys[at], first[found] = found, hashes[row], row
            found += 1
        codes[row] = slots[at]
    return found
