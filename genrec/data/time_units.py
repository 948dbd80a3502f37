"""Epoch numbers of several units in one column: told apart by their size, and read in the finest unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units of epoch numbers, and how many of each make a second."""
_EARLIEST, _LATEST = 631_152_000, 4_102_444_800  # 1990 to 2100 in seconds: then no number fits two units
_OF_THIS_AGE = (946_684_800, 2_051_222_400)  # 2000 to 2035
_SURE = 0.95


@dataclass(frozen=True)
class MixedUnits:
    """What a column of several units becomes.

    Attributes:
        unit: The finest unit in it, in which all numbers are now.
        factors: ``(n_rows,)`` int64, what every number is multiplied by.
        odd: ``(n_rows,)`` bool, rows that are not of the most frequent unit.
        counts: How many rows each unit had.
    """

    unit: str
    factors: np.ndarray
    odd: np.ndarray
    counts: dict[str, int]


def mixed_units(values: np.ndarray, readable: np.ndarray) -> MixedUnits | None:
    """Which unit each number is in, where nearly all are moments from 1990 to 2100 of two or more units.

    Args:
        values: ``(n_rows,)`` int64.
        readable: ``(n_rows,)`` bool, the rows that count.

    Returns:
        None where there is one unit, or where the numbers are no epoch times.
    """
    if _of_one_unit(values):
        return None
    fits = {name: readable & (values >= _EARLIEST * size) & (values <= _LATEST * size) for name, size in UNITS.items()}
    counts = {name: int(rows.sum()) for name, rows in fits.items() if rows.any()}
    if len(counts) < 2 or sum(counts.values()) < _SURE * readable.sum():
        return None
    finest = max(counts, key=lambda name: UNITS[name])
    usual = max(counts, key=lambda name: counts[name])
    factors = np.full(len(values), UNITS[finest] // UNITS[usual], dtype=np.int64)
    for name in counts:
        factors[fits[name]] = UNITS[finest] // UNITS[name]
    told = np.logical_or.reduce(list(fits.values()))
    return MixedUnits(finest, factors, told & ~fits[usual], counts)


def dates_as_numbers(values: np.ndarray) -> bool:
    """Whether all numbers are dates without signs between: ``20240531``, with hours, minutes and seconds or without.

    >>> dates_as_numbers(np.array([20240531, 20231231])), dates_as_numbers(np.array([1717113600]))
    (True, False)
    """
    if not len(values) or (low := int(values.min())) < 10**7 or len(str(low)) != len(str(int(values.max()))):
        return False
    parts, rest = [], values
    for _ in range((len(str(low)) - 4) // 2):
        rest, part = np.divmod(rest, 100)
        parts.append(part)
    bounds = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 59))
    fits = [((part >= least) & (part <= most)).all() for part, (least, most) in zip(parts[::-1], bounds, strict=False)]
    return 2 <= len(parts) <= len(bounds) and bool(all(fits) and rest.min() >= 1990 and rest.max() < 2100)


def _of_one_unit(values: np.ndarray) -> bool:
    low, high = int(values.min(initial=_LATEST)), int(values.max(initial=0))
    return any(_EARLIEST * size <= low and high <= _LATEST * size for size in UNITS.values())


def epoch_share(values: np.ndarray) -> float:
    """Largest share of numbers ``(n,)`` float64 that are moments from 2000 to 2035 in one unit."""
    first, last = _OF_THIS_AGE
    return max(float(((values >= first * size) & (values <= last * size)).mean()) for size in UNITS.values())
