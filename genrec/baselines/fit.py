"""Fitting baselines by name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.baselines.base import NOTHING_MORE, Baseline, FitInputs
from genrec.baselines.registry import CLASSES, QUICK_BASELINES
from genrec.baselines.tuning import choose
from genrec.errors import unknown_name

if TYPE_CHECKING:
    from genrec.data.split import Split


def train_baseline(
    name: str,
    split: Split,
    item_ids: Sequence[str] | np.ndarray,
    inputs: FitInputs = NOTHING_MORE,
    *,
    settings: Mapping[str, Any] | None = None,
    grid: Sequence[Mapping[str, Any]] | None = None,
) -> Baseline:
    """Fit one baseline on the training part; what is not given, it chooses on the validation part.

    Args:
        name: See :data:`BASELINES`.
        split: Its test part is not read.
        item_ids: ``(n_items,)`` the catalogue that the split points into.
        inputs: What else fitting reads: vectors and words of the items, seed, time, device, progress.
        settings: Settings that are fixed; the others are chosen.
        grid: Settings to try; None: those of the baseline, see :meth:`Baseline.candidates`.

    Returns:
        The fitted baseline; its ``fit_seconds`` says how long it took, ``choices`` what was tried.

    Raises:
        ConfigError: A name or setting that does not exist.
        DataError: The vectors are missing or do not fit.

    >>> from genrec.data import Histories, leave_one_out
    >>> split = leave_one_out(Histories.from_lists([[0, 1, 2], [0, 1, 2, 0]]))
    >>> train_baseline("popularity", split, ["a", "b", "c"]).recommend([["a"]], 1).item_ids
    [['b']]
    """
    if name not in CLASSES:
        raise unknown_name("baseline", name, CLASSES)
    cls, fixed = CLASSES[name], dict(settings or {})
    started = time.perf_counter()
    tried = [{**candidate, **fixed} for candidate in (cls.candidates(split.train) if grid is None else grid)]
    distinct = [candidate for number, candidate in enumerate(tried) if candidate not in tried[:number]]
    baseline = choose(cls, split, item_ids, distinct, inputs)
    baseline.fit_seconds = time.perf_counter() - started
    baseline.info |= {"split": split.name, "seed": inputs.seed, "exclude_seen": inputs.exclude_seen}
    return baseline


def fit_baselines(
    split: Split,
    item_ids: Sequence[str] | np.ndarray,
    names: Sequence[str] = QUICK_BASELINES,
    inputs: FitInputs = NOTHING_MORE,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Baseline]:
    """Fit several baselines, see :func:`train_baseline`.

    Args:
        split: Its test part is not read.
        item_ids: ``(n_items,)`` the catalogue that the split points into.
        names: Which ones, see :data:`BASELINES`.
        inputs: What else fitting reads; its seconds are those of each baseline.
        settings: Fixed settings by name of the baseline.

    Returns:
        Fitted baselines in the order of ``names``; ``fit_seconds`` of each says how long it took.

    Raises:
        ConfigError: A name or setting that does not exist; nothing has been fitted then.
        DataError: The vectors are missing or do not fit.
    """
    fixed = dict(settings or {})
    for name in (*names, *fixed):
        if name not in CLASSES:
            raise unknown_name("baseline", name, CLASSES)
    return [train_baseline(name, split, item_ids, inputs, settings=fixed.get(name)) for name in names]
