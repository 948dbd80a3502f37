"""Words and counts together: what needs no network and beats most of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.transitions import TransitionCounts
from genrec.baselines.tuning import product
from genrec.baselines.word_neighbours import WordNeighbours
from genrec.config import Settings
from genrec.data.histories import Histories

SHARPNESS = 10.0
"""Counts ``s`` say ``log(1 + SHARPNESS * s)``: the first one says most."""


class WordsAndCountsSettings(Settings):
    """Settings of :class:`WordsAndCounts`."""

    counts: float = Field(0.15, ge=0, description="what the logarithm of the counts weighs beside the cosine of words")
    window: int = Field(10, ge=1, description="longest distance that counts as a transition")
    last: int = Field(10, ge=1, description="newest items of a history that are counted from")
    backward: float = Field(0.0, ge=0, description="what a transition counts in the other direction")
    shrinkage: float = Field(3.0, ge=0, description="transitions of an item below which its counts are hardly divided")
    decay: float = Field(0.5, ge=0, description="the words of an item weigh exp(-decay) times those of the next one")


class WordsAndCounts(ScoringBaseline):
    """Adds what words say (:class:`WordNeighbours`) to what transitions say (:class:`TransitionCounts`).

    ``score(j) = cosine(words of the history, words of j) + counts * log(1 + SHARPNESS * transitions(j))``. It is what a
    generative recommender with words and counts is without its network, and so what that network must beat.

    Settings are chosen with counts as of one item before (:meth:`choosing_part`): the newest items of a request came
    after the counting, those of validation cases did not.

    >>> import scipy.sparse as sp
    >>> words = sp.csr_array(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    >>> both = WordsAndCounts().fit(Histories.from_lists([[0, 1]]), ["a", "b", "c"], FitInputs(words=words))
    >>> both.recommend([["a"]], 2).item_ids
    [['c', 'b']]
    """

    name = "words-and-counts"
    Config: ClassVar[type[Settings]] = WordsAndCountsSettings
    needs_words: ClassVar[bool] = True
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"counts"})

    settings: WordsAndCountsSettings
    _words: WordNeighbours
    _transitions: TransitionCounts

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Four weights of the counts, with little and with much shrinkage."""
        return product(shrinkage=(3.0, 30.0), counts=(0.05, 0.1, 0.15, 0.3))

    @classmethod
    def choosing_part(cls, train: Histories) -> Histories:
        """Without every user's newest item."""
        return train.without_last(1)

    def _parts(self) -> tuple[WordNeighbours, TransitionCounts]:
        own = self.settings
        counts = TransitionCounts(own.window, own.last, own.backward, own.shrinkage)
        return WordNeighbours(decay=own.decay), counts

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        words, counts = self._parts()
        self._words = words.fit(train, self.item_ids, FitInputs(words=inputs.words))
        self._transitions = counts.fit(train, self.item_ids)

    def _state(self) -> dict[str, np.ndarray]:
        return {**self._words._state(), **self._transitions._state()}

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._words, self._transitions = self._parts()
        for one in (self._words, self._transitions):
            one.item_ids = self.item_ids
            one._load(tensors, device)

    def score(self, histories: Histories) -> np.ndarray:
        """``(n_users, n_items)`` float32."""
        scores = self._words.score(histories)
        counted = self._transitions.score(histories).tocoo()
        scores[counted.row, counted.col] += np.float32(self.settings.counts) * np.log1p(SHARPNESS * counted.data)
        return scores
