"""What a network offers that fits catalogues it has never seen, so that it can be pretrained on many."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from genrec.models.base import CodeModel
from genrec.models.vector_store import DomainItems


class PortableModel(CodeModel):
    """A network whose weights depend on a quantizer and an item encoder, but on no catalogue.

    :meth:`bind` ties it to a catalogue, as often as wanted; nothing is trained by it.

    Attributes:
        slots: Levels that it predicts; what follows them only tells colliding items apart.
    """

    slots: int

    @abstractmethod
    def twin(self) -> Self:
        """A network with the same weights (not a copy of them) that is bound to no catalogue."""

    @abstractmethod
    def set_dropout(self, probability: float) -> None:
        """Change the dropout of embeddings and blocks."""

    @abstractmethod
    def domain_items(self, name: str, codes: np.ndarray, vectors: np.ndarray) -> DomainItems:
        """Items of a catalogue as training reads them.

        Args:
            name: Of the catalogue.
            codes: ``(n_items, >= slots)`` int32.
            vectors: ``(n_items, vector_dim)`` float32 as the item encoder gives them, of the whole catalogue.
        """

    @abstractmethod
    def domain_collator(
        self, domains: Sequence[DomainItems], candidates: int, seed: int
    ) -> Callable[[list[Any]], dict[str, Any]]:
        """What makes batches of rows of items, all rows of a batch of one domain.

        Args:
            domains: Items of every catalogue, as rows number them.
            candidates: Items of the catalogue that a target is told apart from, at most.
            seed: Of their choice.
        """
