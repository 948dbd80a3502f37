"""What one prompt is made of, and the words that are derived from it: gaps, preferences, queries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_HOUR, _DAY = 3600, 86_400
_WORD = re.compile(r"[^\W_][\w'&+-]+")
QUERY_WORDS = 3


@dataclass(frozen=True)
class Sample:
    """One prompt's content.

    Attributes:
        history: ``(n,)`` catalogue positions, oldest first; empty for tasks about one item.
        target: Position of the item to answer about; None where it is to be generated.
        times: ``(n,)`` int64 timestamps of ``history``, or None.
        preference: What the user says to like; None derives it from the history.
        seed: Of the words that are drawn (search queries).
    """

    history: np.ndarray
    target: int | None = None
    times: np.ndarray | None = None
    preference: str | None = None
    seed: int = 0


def gaps(times: np.ndarray) -> list[str]:
    """The time since the item before, in words; ``""`` for the first.

    Args:
        times: ``(n,)`` epoch numbers in seconds, milli-, micro- or nanoseconds (told by their size).

    Example:
        >>> gaps(np.array([1_700_000_000, 1_700_000_060, 1_700_259_260]))
        ['', 'within the hour', '3 days later']
    """
    if not len(times):
        return []
    newest = float(np.abs(times).max())
    unit = next((divisor for least, divisor in _UNITS if newest >= least), 1.0)
    return ["", *(_gap(step) for step in (np.diff(times) / unit).tolist())]


def _gap(seconds: float) -> str:
    days = seconds / _DAY
    if seconds < _HOUR:
        return "within the hour"
    if days < 1:
        return _count(seconds / _HOUR, "hour")
    for least, unit, length in ((730, "year", 365), (61, "month", 30.44), (15, "week", 7), (1, "day", 1)):
        if days >= least:
            return _count(days / length, unit)
    return _count(days, "day")


def _count(number: float, unit: str) -> str:
    whole = int(number)
    return f"{whole} {unit}{'' if whole == 1 else 's'} later"


def stated_preference(items: Sequence[Mapping[str, str]]) -> str:
    """What the items of a history have in common: the most frequent category and brand, newest first among equals.

    The items alone are read, never the target: a preference that is chosen with the answer at hand gives it away.
    """
    parts = []
    for field in ("category", "brand"):
        counts = Counter(item[field] for item in reversed(items) if item.get(field))
        if counts:
            parts.append(f"{field} {counts.most_common(1)[0][0]}")
    return ", ".join(parts)


def query_words(item: Mapping[str, str], seed: int) -> str:
    """A search query for an item: its ``query`` field where the catalogue has one, else a few words of its title.

    Args:
        item: Texts of the item.
        seed: Of the draw; the words stay in their order.
    """
    if item.get("query"):
        return item["query"]
    words = list(dict.fromkeys(_WORD.findall(f"{item['title']} {item['category']}".lower())))
    if len(words) <= QUERY_WORDS:
        return " ".join(words)
    chosen = np.sort(np.random.default_rng(seed).choice(len(words), QUERY_WORDS, replace=False))
    return " ".join(words[n] for n in chosen)
