"""Whether items that people buy together are near each other in code space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.trie import group_paths

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.data.split import EvaluationSet, Split

WINDOW = 3
_MOST_PAIRS = 1_000_000


@dataclass(frozen=True)
class CodeAgreement:
    """Codes that two items bought together have in common, against pairs of the same items put together at random.

    Attributes:
        part: ``train``: items at most three places apart in a training history; ``validation``: a validation target
            and one of the last three items before it, which no recipe has seen.
        pairs: Number of pairs.
        by_level: Share of the pairs that have the codes of all levels up to this one in common (residual levels), or
            the code of this slot; one for every level of the quantizer.
        random_by_level: The same for two different items drawn as often as they occur in the pairs; exact, not sampled.
    """

    part: str
    pairs: int
    by_level: tuple[float, ...]
    random_by_level: tuple[float, ...]

    @property
    def shared(self) -> float:
        """Mean number of common codes: leading ones of residual levels, any of slots."""
        return sum(self.by_level)

    @property
    def shared_random(self) -> float:
        """The same for random pairs."""
        return sum(self.random_by_level)

    @property
    def lift(self) -> float | None:
        """How many times more codes than random pairs they have in common; None where random pairs have none."""
        return self.shared / self.shared_random if self.shared_random > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able row."""
        return {**asdict(self), "shared": self.shared, "shared_random": self.shared_random, "lift": self.lift}


def prefix_groups(codes: np.ndarray, sizes: Sequence[int], parallel: bool) -> list[np.ndarray]:
    """Which items share what, for every level of a quantizer.

    Args:
        codes: ``(n_items, n_levels)`` int32.
        sizes: Codes of every level.
        parallel: Whether levels are slots that do not build on each other.

    Returns:
        Per level ``(n_items,)`` group numbers: same codes up to this level, or the same code of this slot.
    """
    if parallel:
        return [codes[:, level].astype(np.int64) for level in range(codes.shape[1])]
    return [group_paths(codes[:, : level + 1], sizes[: level + 1]) for level in range(codes.shape[1])]


def split_agreement(codes: np.ndarray, sizes: Sequence[int], parallel: bool, split: Split) -> tuple[CodeAgreement, ...]:
    """Agreement in the training part and with the validation targets; a part without pairs is left out."""
    groups = prefix_groups(codes, sizes, parallel)
    parts = (("train", pairs_of_histories(split.train)), ("validation", pairs_of_cases(split.validation)))
    return tuple(_agreement(name, groups, *pairs) for name, pairs in parts if len(pairs[0]))


def _agreement(part: str, groups: list[np.ndarray], left: np.ndarray, right: np.ndarray) -> CodeAgreement:
    itself = _chance(left, right)
    same, chance = [], []
    for group in groups:
        same.append(float((group[left] == group[right]).mean()))
        among = _chance(group[left], group[right])
        chance.append((among - itself) / (1 - itself) if itself < 1 else 0.0)
    return CodeAgreement(part, len(left), tuple(same), tuple(chance))


def _chance(left: np.ndarray, right: np.ndarray) -> float:
    """Chance that a random one of ``left`` equals a random one of ``right``."""
    size = int(max(left.max(), right.max())) + 1
    counts = np.bincount(left, minlength=size).astype(np.float64), np.bincount(right, minlength=size)
    return float(counts[0] @ counts[1]) / (len(left) * len(right))


def pairs_of_histories(histories: Histories, window: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """Two different items of one history at most ``window`` places apart, ``(n_pairs,)`` positions each."""
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    left, right = [], []
    for distance in range(1, window + 1):
        pair = users[distance:] == users[:-distance]
        left.append(histories.items[:-distance][pair])
        right.append(histories.items[distance:][pair])
    return _different(np.concatenate(left), np.concatenate(right))


def pairs_of_cases(cases: EvaluationSet, window: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """A target and one of the last ``window`` different items before it, ``(n_pairs,)`` positions each."""
    recent = cases.histories.last(window)
    return _different(recent.items, np.repeat(cases.targets.astype(np.int32), recent.lengths))


def _different(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.flatnonzero(left != right)
    if len(rows) > _MOST_PAIRS:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_PAIRS).astype(np.int64)]
    return left[rows], right[rows]
