"""What ties a network without a catalogue to one: vectors of its items on the model's scale, vectors of its codes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from genrec.encoders.whitening import Whitening
from genrec.errors import ArtifactError, ModelError
from genrec.models.outputs import TrainingBatches
from genrec.models.parts import set_dropout
from genrec.models.portable import PortableModel
from genrec.models.recgpt.candidates import CandidateCollator
from genrec.models.recgpt.code_vectors import CodeVectors, item_code_vectors
from genrec.models.recgpt.config import RecGPTConfig
from genrec.models.vector_store import DomainItems
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class CatalogueBound(PortableModel):
    """The side of :class:`~genrec.models.recgpt.network.RecGPT` that looks at catalogues.

    Attributes:
        part_dim: Dimension of the vector of a code; 0: codes have none.
    """

    config: RecGPTConfig
    part_dim: int
    backbone: nn.Module

    def __init__(self, config: RecGPTConfig) -> None:
        super().__init__(config)
        self._bound_to: str | None = None
        self._catalogue: CodeVectors | None = None
        self._vectors: tuple[str, np.ndarray] | None = None

    def bind(self, index: SemanticIndex) -> Self:
        """See :meth:`CodeModel.bind`; takes over the sizes of an index's disambiguation and the vectors of its codes.

        Raises:
            ArtifactError: The slots have other sizes.
        """
        sizes = tuple(index.codebook_sizes)
        if sizes[: self.slots] != self.codebook_sizes[: self.slots]:
            raise ArtifactError(
                f"The model speaks codes of sizes {list(self.codebook_sizes[: self.slots])}, the index has "
                f"{list(sizes)}.",
                hint="Build the index with the quantizer of the model: genrec index build --quantizer MODEL.",
            )
        if self._bound_to not in (None, index.fingerprint):
            return self.twin().bind(index)
        self._bound_to, self.config.codebook_sizes = index.fingerprint, list(sizes)
        if self.part_dim:
            vectors = self.read_vectors(index)
            self._catalogue = CodeVectors.of(index.codes, vectors, sizes[: self.slots], self.config.parts)
        return self

    def twin(self) -> Self:
        """See :meth:`PortableModel.twin`."""
        twin = copy.copy(self)
        twin.config = copy.deepcopy(self.config)
        twin._bound_to = twin._catalogue = twin._vectors = None
        return twin

    def read_vectors(self, index: SemanticIndex) -> np.ndarray:
        """Item vectors on the scale that the model reads, ``(n_items, vector_dim)`` float32.

        Raises:
            ArtifactError: The index has vectors of another dimension.
        """
        if self._vectors is None or self._vectors[0] != index.fingerprint:
            raw = index.vectors()
            if raw.shape[1] != self.config.vector_dim:
                raise ArtifactError(
                    f"The index has vectors of {count(raw.shape[1], 'dimension')}, the model reads "
                    f"{self.config.vector_dim}.",
                    hint="Build the index with the item encoder of the model.",
                )
            self._vectors = index.fingerprint, self.whiten(raw)
        return self._vectors[1]

    def whiten(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors ``(n_items, vector_dim)`` of a whole catalogue on the scale that the model reads."""
        return Whitening.of(vectors, self.config.shrinkage).apply(vectors)

    def set_dropout(self, probability: float) -> None:
        """Change the dropout of embeddings and blocks."""
        self.config.dropout = probability
        set_dropout(self.backbone, probability)

    def training_batches(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> TrainingBatches:
        """See :meth:`CodeModel.training_batches`; where codes are scored by vectors, candidates come with them."""
        batches = super().training_batches(index, histories, config)
        if self.config.scores == "rows":
            return batches
        items = self._domain_items("catalogue", index.codes, self.read_vectors(index))
        return TrainingBatches(batches.examples, self.domain_collator([items], config.examples.candidates, config.seed))

    def domain_collator(
        self, domains: Sequence[DomainItems], candidates: int, seed: int
    ) -> Callable[[list[Any]], dict[str, Any]]:
        """See :meth:`PortableModel.domain_collator`."""
        return CandidateCollator(domains, candidates, seed=seed)

    def domain_items(self, name: str, codes: np.ndarray, vectors: np.ndarray) -> DomainItems:
        """See :meth:`PortableModel.domain_items`."""
        return self._domain_items(name, codes, self.whiten(vectors))

    def _domain_items(self, name: str, codes: np.ndarray, vectors: np.ndarray) -> DomainItems:
        """With vectors that are on the model's scale already."""
        sizes, codes = self.codebook_sizes[: self.slots], codes[:, : self.slots]
        return DomainItems(name, codes, vectors, item_code_vectors(codes, vectors, sizes, self.config.parts))

    def _bound(self) -> CodeVectors:
        if self._catalogue is None:
            raise ModelError("The model is not bound to a catalogue.", hint="Call bind(index).")
        if self._catalogue.rows.device != self.device:
            self._catalogue = self._catalogue.to(self.device)
        return self._catalogue


def rows_of(catalogue: CodeVectors, codes: Tensor) -> Tensor:
    """Rows of codes ``(..., slots)`` among the used ones, of the same shape."""
    found = [torch.searchsorted(used, codes[..., n].contiguous()) for n, used in enumerate(catalogue.codes)]
    return torch.stack([row.clamp_max(len(catalogue.codes[n]) - 1) for n, row in enumerate(found)], dim=-1)
