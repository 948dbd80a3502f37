"""Distinct codes at the last level for the items of a group, at the least loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.disambiguation.base import Disambiguation, QuantizedItems
from genrec.disambiguation.free import no_near_codes
from genrec.errors import DataError
from genrec.quantizers.assignment import Method
from genrec.quantizers.placement import last_level_scores, spread_last_level
from genrec.trie import group_paths
from genrec.wording import count


class UniformSettings(Settings):
    """Settings of :class:`Uniform`."""

    method: Method = Field(
        "exact", description="exact: the best assignment of every group; sinkhorn: entropic prices, for huge groups"
    )


class Uniform(Disambiguation):
    """Uniform semantic mapping at the last level (LC-Rec, arXiv 2311.09049; Sinkhorn as in LETTER, arXiv 2405.07314).

    Items that share all codes but the last are given distinct last codes, so that the sum of their squared errors is
    smallest. No level is added, so semantic IDs stay as short as the quantizer makes them. A published item never
    moves: new items take the free codes nearest to them, so which of several new items gets a contested code depends on
    which came first. Works with every quantizer that has codebooks.

    Example:
        >>> Uniform().codebook_sizes((256, 256, 256))
        (256, 256, 256)
    """

    name: ClassVar[str] = "uniform"
    Config: ClassVar[type[Settings]] = UniformSettings
    moves: ClassVar[bool] = True

    def __init__(self, settings: UniformSettings | None = None) -> None:
        self.settings: UniformSettings = settings or UniformSettings()

    def fit(self, items: QuantizedItems) -> None:
        """Check that every group fits into the last level; see :meth:`Disambiguation.fit`."""
        _check_room(items, items.codes)

    def codebook_sizes(self, quantizer_sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The quantizer's."""
        return quantizer_sizes

    def resolve(self, items: QuantizedItems, published: np.ndarray | None = None) -> np.ndarray:
        """Hand out the last codes; see :meth:`Disambiguation.resolve`."""
        both = items.codes if published is None else np.concatenate([items.codes, published])
        _check_room(items, both)
        if items.quantizer.codebooks is None:
            raise no_near_codes(items)

        def scores_of(rows: np.ndarray) -> np.ndarray:
            scores = last_level_scores(items.quantizer, items.vectors, items.codes, rows)
            if scores is None:
                raise no_near_codes(items)
            return scores

        return spread_last_level(items.codes, items.codebook_sizes, scores_of, published, self.settings.method)

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""


def _check_room(items: QuantizedItems, codes: np.ndarray) -> None:
    """Refuse groups by all codes but the last that are larger than the last level."""
    *before, size = items.codebook_sizes
    groups = group_paths(codes[:, :-1], before) if before else np.zeros(len(codes), dtype=np.int64)
    counts = np.bincount(groups)
    if int(counts.max()) <= size:
        return
    row = int(np.flatnonzero(groups == counts.argmax())[0])
    raise DataError(
        f"{count(int(counts.max()), 'item')} share all codes but the last, which has {count(size, 'code')}.",
        where=f"codes {codes[row, :-1].tolist()}",
        expected=f"at most {count(size, 'such item')}",
        hint="Use more quantizer levels or larger codebooks, disambiguation.name=nearest-free (which moves items to "
        "other groups), or disambiguation.name=suffix.",
    )
