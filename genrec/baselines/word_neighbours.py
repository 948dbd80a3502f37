"""Neighbours by words: what shares rare words with what the user had. No model, no training, and hard to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.sparse import pack_sparse, unpack_sparse
from genrec.baselines.tuning import product
from genrec.config import Settings
from genrec.data.histories import Histories
from genrec.encoders.word_matches import WordMatches
from genrec.errors import DataError
from genrec.wording import count


class WordNeighboursSettings(Settings):
    """Settings of :class:`WordNeighbours`."""

    last: int | None = Field(20, ge=1, description="newest items of a history that are read; None: all")
    decay: float = Field(0.5, ge=0, description="an item weighs exp(-decay) times the next one")


class WordNeighbours(ScoringBaseline):
    """Scores an item by the cosine between its words (TF-IDF) and those of the history, newer items counting more.

    Nothing is learned from interactions but the order of ties. The content-based profile of Pazzani and Billsus
    (https://doi.org/10.1007/978-3-540-72079-9_10), forgetting with the distance from the end of the history.

    >>> words = sp.csr_array(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    >>> neighbours = WordNeighbours(last=1).fit(Histories.from_lists([[0]]), ["a", "b", "c"], FitInputs(words=words))
    >>> neighbours.recommend([["b", "a"]], 3, exclude_seen=False).item_ids
    [['a', 'c', 'b']]
    """

    name = "word-neighbours"
    Config: ClassVar[type[Settings]] = WordNeighboursSettings
    needs_words: ClassVar[bool] = True
    scoring_settings: ClassVar[frozenset[str]] = frozenset({"last", "decay"})

    settings: WordNeighboursSettings
    _words: sp.csr_array

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """The last item, and the history with three speeds of forgetting."""
        return [{"last": 1, "decay": 0.5}, *product(last=(20,), decay=(0.25, 0.5, 1.0))]

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        if inputs.words is None or inputs.words.shape[0] != len(self.item_ids):
            raise DataError(
                f"The baseline '{self.name}' needs the words of {count(len(self.item_ids), 'item')}.",
                expected=f"a sparse matrix of shape ({len(self.item_ids)}, n_words)",
                hint="Evaluate it beside a recommender with an index, or fit it with genrec baseline, which reads "
                "the items (words=genrec.encoders.words.word_vectors(catalog) in Python).",
            )
        self._words = sp.csr_array(inputs.words, dtype=np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return pack_sparse("words", self._words)

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._words = unpack_sparse("words", tensors)

    def score(self, histories: Histories) -> np.ndarray:
        """Cosines, ``(n_users, n_items)`` float32; zeros for users without items or items without words."""
        return WordMatches(self._words, self.settings.decay, self.settings.last).scores(histories)
