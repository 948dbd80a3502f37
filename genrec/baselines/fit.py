"""Fitting baselines by name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.baselines.base import Baseline
from genrec.baselines.registry import CLASSES, QUICK_BASELINES
from genrec.baselines.tuning import choose
from genrec.errors import unknown_name
from genrec.progress import Progress

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from genrec.data.split import Split


def train_baseline(
    name: str,
    split: Split,
    item_ids: Sequence[str] | np.ndarray,
    *,
    vectors: np.ndarray | None = None,
    words: csr_array | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    grid: Sequence[Mapping[str, Any]] | None = None,
    exclude_seen: bool = True,
    seconds: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Baseline:
    """Fit one baseline on the training part; what is not given, it chooses on the validation part.

    Args:
        name: See :data:`BASELINES`.
        split: Its test part is not read.
        item_ids: ``(n_items,)`` the catalogue that the split points into.
        vectors: ``(n_items, dim)`` float32 item vectors, for the baselines that need them.
        words: ``(n_items, n_words)`` from :func:`genrec.encoders.words.word_vectors`, for the baselines that need them.
        seed: Of everything random.
        settings: Settings that are fixed; the others are chosen.
        grid: Settings to try; None: those of the baseline, see :meth:`Baseline.candidates`.
        exclude_seen: As it will be used.
        seconds: Nothing new is tried after so long, and a network that is training stops.
        device: Of networks, such as ``cuda``; None: CPU.
        progress: Called with what is being done, steps done, and steps in all.

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
    baseline = choose(
        cls,
        split,
        item_ids,
        distinct,
        vectors=vectors,
        words=words,
        exclude_seen=exclude_seen,
        seed=seed,
        seconds=seconds,
        device=device,
        progress=progress,
    )
    baseline.fit_seconds = time.perf_counter() - started
    baseline.info |= {"split": split.name, "seed": seed, "exclude_seen": exclude_seen}
    return baseline


def fit_baselines(
    split: Split,
    item_ids: Sequence[str] | np.ndarray,
    names: Sequence[str] = QUICK_BASELINES,
    *,
    exclude_seen: bool = True,
    vectors: np.ndarray | None = None,
    words: csr_array | None = None,
    seed: int = 0,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seconds: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> list[Baseline]:
    """Fit several baselines, see :func:`train_baseline`.

    Args:
        split: Its test part is not read.
        item_ids: ``(n_items,)`` the catalogue that the split points into.
        names: Which ones, see :data:`BASELINES`.
        exclude_seen: As they will be used.
        vectors: ``(n_items, dim)`` float32 item vectors, for the baselines that need them.
        words: ``(n_items, n_words)`` from :func:`genrec.encoders.words.word_vectors`, for the baselines that need them.
        seed: Of everything random.
        settings: Fixed settings by name of the baseline.
        seconds: Time of each baseline, see :func:`train_baseline`.
        device: Of networks.
        progress: Called with what is being done, steps done, and steps in all.

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
    return [
        train_baseline(
            name,
            split,
            item_ids,
            vectors=vectors,
            words=words,
            seed=seed,
            settings=fixed.get(name),
            exclude_seen=exclude_seen,
            seconds=seconds,
            device=device,
            progress=progress,
        )
        for name in names
    ]
