"""Recommenders without a language model: what every other result must be compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from genrec.baselines.base import Baseline, ScoringBaseline
from genrec.baselines.popularity import Popularity
from genrec.baselines.repeat_last import RepeatLast
from genrec.baselines.transitions import TransitionCounts
from genrec.errors import unknown_name

if TYPE_CHECKING:
    from genrec.data.split import Split

__all__ = ["Baseline", "Popularity", "RepeatLast", "ScoringBaseline", "TransitionCounts", "fit_baselines"]

_FITTED: dict[str, Callable[[Split, Sequence[str] | np.ndarray, bool], Baseline]] = {
    Popularity.name: lambda split, ids, _: Popularity().fit(split.train, ids),
    RepeatLast.name: lambda split, ids, _: RepeatLast().fit(split.train, ids),
    TransitionCounts.name: lambda split, ids, exclude: TransitionCounts.choose(split, ids, exclude_seen=exclude),
}

BASELINES: tuple[str, ...] = tuple(_FITTED)
"""Names of all baselines, in the order of reports."""


def fit_baselines(
    split: Split,
    item_ids: Sequence[str] | np.ndarray,
    names: Sequence[str] = BASELINES,
    *,
    exclude_seen: bool = True,
) -> list[Baseline]:
    """Fit baselines on the training part; what they have to choose, they choose on the validation part.

    Args:
        split: Its test part is not read.
        item_ids: ``(n_items,)`` the catalogue that the split points into.
        names: Which ones, see :data:`BASELINES`.
        exclude_seen: As they will be used.

    Returns:
        Fitted baselines in the order of ``names``; ``fit_seconds`` of each says how long it took.

    Raises:
        ConfigError: A name that does not exist.
    """
    fitted = []
    for name in names:
        if name not in _FITTED:
            raise unknown_name("baseline", name, _FITTED)
        started = time.perf_counter()
        baseline = _FITTED[name](split, item_ids, exclude_seen)
        baseline.fit_seconds = time.perf_counter() - started
        fitted.append(baseline)
    return fitted
