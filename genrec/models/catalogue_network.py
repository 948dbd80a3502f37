"""What networks share that know the items of one catalogue: their codes and vectors, and batches with positions."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from genrec.encoders.base import normalize_rows
from genrec.errors import ArtifactError, ModelError
from genrec.models.base import CodeModel
from genrec.models.config import CodeModelConfig, Count
from genrec.models.history_batches import CodeCollator, WithItems
from genrec.models.outputs import Reader, StepState
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class CatalogueNetworkConfig(CodeModelConfig):
    """Configuration of a :class:`CatalogueNetwork`.

    Attributes:
        n_items: Items of the training; those that enter the index later have no row of their own.
    """

    model_type = "genrec-catalogue-network"
    derived = CodeModelConfig.derived | {"n_items"}

    n_items: Count = 0


class CatalogueNetwork(CodeModel):
    """A network that scores all items of a catalogue at once, after :meth:`bind`."""

    config_class = CatalogueNetworkConfig
    config: CatalogueNetworkConfig
    scores_items: ClassVar[bool] = True

    def __init__(self, config: CatalogueNetworkConfig) -> None:
        super().__init__(config)
        if not config.n_items or not config.vector_dim:
            raise ModelError("The network needs items with vectors.", where="model", hint="Build it for an index.")
        self._index: str | None = None
        self._codes: Tensor | None = None
        self._vectors: Tensor | None = None

    @classmethod
    def sizes(cls, index: SemanticIndex) -> dict[str, Any]:
        """See :meth:`CodeModel.sizes`: of the catalogue."""
        return {"n_items": len(index), "vector_dim": index.vectors().shape[1]}

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; a softmax over items is one over legal codes already."""
        return super().settings_read(config) - {"model.trie_masked_loss"}

    def bind(self, index: SemanticIndex) -> Self:
        """Take over codes and vectors of an index, which may have grown since training; see :meth:`CodeModel.bind`.

        Raises:
            ArtifactError: Other codes, fewer items, or vectors of another dimension.
        """
        super().bind(index)
        raw, known = index.vectors(), self.config.n_items
        if len(raw) < known or raw.shape[1] != self.config.vector_dim:
            raise ArtifactError(
                f"The index has {count(len(raw), 'item')} with vectors of {count(raw.shape[1], 'dimension')}.",
                expected=f"at least {count(known, 'item')} with {count(self.config.vector_dim, 'dimension')}",
                hint="Use the index that the network was trained on, or one grown from it.",
            )
        bound = self if self._index in (None, index.fingerprint) else copy.copy(self)  # shares the weights
        bound._index = index.fingerprint
        bound._vectors = torch.from_numpy(centred(raw, known))
        bound._codes = torch.from_numpy(index.codes.astype(np.int64))
        return bound

    @property
    def bound(self) -> bool:
        """Whether it has a catalogue."""
        return self._codes is not None

    @property
    def codes(self) -> Tensor:
        """Codes of the catalogue, ``(n_items, levels)`` int64."""
        return self._on_device()[0]

    @property
    def vectors(self) -> Tensor:
        """Text vectors of the catalogue, centred and of unit length, ``(n_items, vector_dim)``."""
        return self._on_device()[1]

    def reader(self, index: SemanticIndex, config: RunSettings) -> Reader:
        """Codes and catalogue positions."""
        return WithItems(CodeCollator(index.codes))

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """There are no steps: scores of :meth:`prefill` are ranked, or searched by :mod:`genrec.decoding.item_beams`.

        Raises:
            TypeError: Always.
        """
        raise TypeError("This network scores items at once; there are no codes to step through.")

    def known(self, items: Tensor | None, mask: Tensor) -> Tensor:
        """Catalogue positions with 0 at padding.

        Raises:
            ModelError: There are none in the batch, or the network is bound to no catalogue.
        """
        if not self.bound:
            raise unbound()
        if items is None:
            raise ModelError("This model reads the items of a catalogue.", expected="items in the batch")
        return torch.where(mask, items, 0)

    def _on_device(self) -> tuple[Tensor, Tensor]:
        if self._codes is None or self._vectors is None:
            raise unbound()
        if self._vectors.device != self.device:
            self._codes, self._vectors = self._codes.to(self.device), self._vectors.to(self.device)
        return self._codes, self._vectors


def unbound() -> ModelError:
    """What a network says that has no catalogue."""
    return ModelError("The model is not bound to a catalogue.", hint="Call bind(index).")


def centred(vectors: np.ndarray, known: int) -> np.ndarray:
    """Rows of unit length without what the first ``known`` have in common; rows of zeros (no text) stay."""
    present = np.asarray(vectors.any(axis=1))
    of = vectors[:known][present[:known]]
    mean = of.mean(axis=0, dtype=np.float64) if len(of) else 0.0
    return normalize_rows((vectors - mean) * present[:, None])
