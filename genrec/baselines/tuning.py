"""Choosing the settings of a baseline on the validation part."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from genrec.baselines.base import NOTHING_MORE, Baseline, FitInputs
from genrec.data.histories import Histories
from genrec.errors import ConfigError

if TYPE_CHECKING:
    from genrec.data.split import Split

_LOG = logging.getLogger(__name__)

B = TypeVar("B", bound=Baseline)


def product(**values: Sequence[Any]) -> list[dict[str, Any]]:
    """Every combination of values as settings; the last name changes fastest.

    >>> product(window=(1, 3), last=(2,))
    [{'window': 1, 'last': 2}, {'window': 3, 'last': 2}]
    """
    return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def choose(
    make: type[B],
    split: Split,
    item_ids: Sequence[str] | np.ndarray,
    grid: Sequence[Mapping[str, Any]] | None = None,
    inputs: FitInputs = NOTHING_MORE,
) -> B:
    """Fit on ``split.train`` with the settings of the best validation NDCG@10.

    Args:
        make: The baseline.
        split: Only its training and validation parts are read.
        item_ids: ``(n_items,)`` the catalogue.
        grid: Settings to try, see :func:`product`; None: :meth:`Baseline.candidates`.
        inputs: What else fitting reads. When its time is over, the best until then is taken.

    Returns:
        The fitted baseline; of equally good settings the first ones of the grid.

    Raises:
        ConfigError: The grid is empty, or has an unknown or wrong setting.
    """
    tried = make.candidates(split.train) if grid is None else grid
    return search(make, split.train, item_ids, tried, replace(inputs, validation=split.validation))


def search(
    make: type[B],
    train: Histories,
    item_ids: Sequence[str] | np.ndarray,
    grid: Sequence[Mapping[str, Any]],
    inputs: FitInputs,
) -> B:
    """Fit with every candidate and keep the one with the best validation NDCG@10, see :func:`choose`.

    Args:
        make: The baseline.
        train: Training part.
        item_ids: ``(n_items,)`` the catalogue.
        grid: Settings to try, in this order; all are checked before anything is fitted.
        inputs: With the validation cases.

    Raises:
        ConfigError: The grid is empty, or has an unknown or wrong setting.
    """
    if not grid:
        raise ConfigError(f"The grid of '{make.name}' is empty.", expected="at least one set of settings")
    inputs = inputs.begin()
    hopefuls = [make(**candidate) for candidate in grid]
    if len(hopefuls) == 1:
        return hopefuls[0].fit(train, item_ids, inputs)
    best, best_value = hopefuls[0], -1.0
    choices: list[dict[str, Any]] = []
    part = make.choosing_part(train)
    for number, fitted in enumerate(fit_each(hopefuls, part, item_ids, inputs)):
        value = _value(fitted, inputs)
        choices.append({"settings": dict(grid[number]), "ndcg@10": value})
        _LOG.info("%s: %s: NDCG@10 %.5f", make.name, grid[number], value)
        if inputs.progress is not None:
            inputs.progress(f"{make.name}: candidates", number + 1, len(hopefuls))
        if value > best_value:
            best, best_value = fitted, value
        if inputs.late and number + 1 < len(hopefuls):
            _LOG.warning("%s: out of time after %d of %d candidates", make.name, number + 1, len(hopefuls))
            break
    if part is not train:
        best = make(**best.settings.model_dump()).fit(train, item_ids, inputs)
    best.choices = choices
    return best


def fit_each(
    hopefuls: Iterable[B], train: Histories, item_ids: Sequence[str] | np.ndarray, inputs: FitInputs
) -> Iterator[B]:
    """Fit one after the other; where only scoring settings change, what was learned is shared.

    Args:
        hopefuls: Not fitted yet.
        train: Training part.
        item_ids: ``(n_items,)`` the catalogue.
        inputs: What else fitting reads.
    """
    previous: B | None = None
    for hopeful in hopefuls:
        fitted = None if previous is None else previous.adapted(hopeful.settings)
        previous = hopeful.fit(train, item_ids, inputs) if fitted is None else fitted
        yield previous


def _value(baseline: Baseline, inputs: FitInputs) -> float:
    cases = inputs.validation
    return 0.0 if cases is None or not len(cases) else baseline.ndcg(cases, exclude_seen=inputs.exclude_seen)
