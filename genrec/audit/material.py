"""What the checks of an audit look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.data.interactions import Interactions
from genrec.data.sorting import counters
from genrec.data.split import EvaluationSet, Split

SAMPLE = 50_000
"""Most cases that a check looks at; a fixed sample of larger parts."""


def sample(cases: EvaluationSet, seed: int) -> EvaluationSet:
    """The cases, or a fixed sample of :data:`SAMPLE` of them."""
    if len(cases) <= SAMPLE:
        return cases
    return cases.select(np.sort(np.random.default_rng([seed, 11]).permutation(len(cases))[:SAMPLE]))


@dataclass(frozen=True)
class Material:
    """Tables, split and item vectors.

    Attributes:
        catalog: The items.
        interactions: The events, exact copies already left out by the reader.
        histories: The same as positions in the catalogue, consecutive repeats kept.
        split: What is trained on and tested.
        vectors: ``(n_items, dim)`` float32 of unit length (zeros without text), or None.
        vectors_name: Where the vectors come from.
        seed: Of everything random.
    """

    catalog: Catalog
    interactions: Interactions
    histories: Histories
    split: Split
    vectors: np.ndarray | None
    vectors_name: str
    seed: int

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.catalog)

    @cached_property
    def owners(self) -> np.ndarray:
        """User of every row of ``histories``, ``(n_rows,)``."""
        return np.repeat(np.arange(len(self.histories)), self.histories.lengths)

    @cached_property
    def times(self) -> np.ndarray | None:
        """``(n_rows,)`` real times of ``histories``; None where they are only an order."""
        times = self.histories.timestamps
        if times is None or np.array_equal(times, counters(self.owners)):
            return None
        return times

    @cached_property
    def cases(self) -> EvaluationSet:
        """The test cases, or a fixed sample of them."""
        return sample(self.split.test, self.seed)

    @cached_property
    def last_items(self) -> np.ndarray:
        """``(n_cases,)`` newest item of the history of every case of ``cases``."""
        histories = self.cases.histories
        return histories.items[histories.offsets[1:] - 1]

    @cached_property
    def transitions(self) -> tuple[np.ndarray, np.ndarray]:
        """``(n,)`` items and ``(n,)`` their direct successors in the training part."""
        train = self.split.train
        owners = np.repeat(np.arange(len(train)), train.lengths)
        together = owners[1:] == owners[:-1]
        return train.items[:-1][together], train.items[1:][together]
