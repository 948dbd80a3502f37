"""Language models that know the vectors of the items whose semantic IDs stand in a prompt."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from genrec.errors import ArtifactError, ModelError
from genrec.models.legal_codes import LegalCodes
from genrec.models.llm.base import LanguageBase
from genrec.models.llm.code_labels import CodeLabels
from genrec.models.llm.creation import language_fields, row_start
from genrec.models.parts import started_from_codebooks

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class KnownItems(NamedTuple):
    """A catalogue: which item a semantic ID is, and the vector of every item, ``(n_items, vector_dim)``."""

    paths: LegalCodes
    vectors: Tensor

    def find(self, ids: Tensor, labels: CodeLabels) -> tuple[Tensor, Tensor]:
        """Items of the catalogue in rows of tokens.

        Args:
            ids: ``(rows, n)`` int64.
            labels: Finds semantic IDs.

        Returns:
            Where they begin among all tokens, ``(m,)`` int64, and their vectors ``(m, vector_dim)``.
        """
        starts, codes = labels.find(ids.flatten())
        inside = starts // ids.shape[1] == (starts + labels.n_levels - 1) // ids.shape[1]  # not from row to row
        found = self.paths.items(codes)
        known = inside & (found >= 0)
        return starts[known], self.vectors[found[known]]


class ItemReader(LanguageBase):
    """What such models share: :meth:`bind` takes over the vectors of an index."""

    reads_vectors: ClassVar[bool] = True
    _items: KnownItems | None = None
    _bound_to: str | None = None

    @classmethod
    def create(cls, index: SemanticIndex, config: RunSettings) -> Self:
        """See :meth:`LanguageBase.create`."""
        fields = language_fields(config, index, cls.config_class)
        fields["vector_dim"] = int(index.vectors().shape[1])
        model = cls.build(cls.config_class(**fields), row_start(config, index))
        return started_from_codebooks(model, index, config).bind(index)

    def bind(self, index: SemanticIndex) -> Self:
        """See :meth:`CodeModel.bind`; takes over the vectors of the items.

        Raises:
            ArtifactError: They have another dimension than those that were learned from.
        """
        super().bind(index)
        vectors = index.vectors()
        if vectors.shape[1] != self.config.vector_dim:
            raise ArtifactError(
                f"The index has vectors of dimension {vectors.shape[1]}, the model reads {self.config.vector_dim}.",
                hint="Build the index with the item encoder of the model.",
            )
        bound = self if self._bound_to in (None, index.fingerprint) else copy.copy(self)  # shares the weights
        bound._bound_to = index.fingerprint
        bound.set_items(LegalCodes(index.trie), torch.tensor(vectors, dtype=torch.float32))
        return bound

    def set_items(self, paths: LegalCodes, vectors: Tensor) -> None:
        """The catalogue: semantic IDs and ``(n_items, vector_dim)`` vectors."""
        self._items = KnownItems(paths, vectors)

    def known_items(self) -> KnownItems:
        """The catalogue, where the model is.

        Raises:
            ModelError: There is none.
        """
        if self._items is None:
            raise ModelError("The model knows no items.", hint="Call bind(index).")
        if self._items.vectors.device != self.device:
            self._items = self._items._replace(vectors=self._items.vectors.to(self.device))
        return self._items
